# SPDX-License-Identifier: Apache-2.0
"""`Device`: raw samples in, decisions out, exactly as on the wearable."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mmq_bridge.core_binding.native import SignalLike
from mmq_bridge.decision.bundle_files import (
    ModelName,
    RuntimeName,
    enrolled_shorter,
    read_front_end,
    read_model,
)
from mmq_bridge.decision.deciding import Deciding
from mmq_bridge.decision.decisions import Decision, Decisions
from mmq_bridge.decision.display import display_seconds
from mmq_bridge.decision.fit_together import check_fits
from mmq_bridge.decision.head_file import check_head, read_head_file
from mmq_bridge.decision.manifest import DecisionSettings, Manifest, decision_settings
from mmq_bridge.decision.model import DecisionModel
from mmq_bridge.decision.personal import Personal, split_state
from mmq_bridge.decision.pushing import Pushing
from mmq_bridge.decision.replay import steps
from mmq_bridge.decision.state_file import read_state, write_state
from mmq_bridge.decision.whole_recordings import whole_signals
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.head_tables import HeadTables


class Device:
    """Front end, model and decision rules of one bundle, fed with raw samples.

    Parameters
    ----------
    front_end : FrontEnd
        With normalisation, and with quantisation where the model is integer.
    model : DecisionModel
        A `NetworkModel`, which the core runs, or a `TFLiteModel`.
    decision : DecisionSettings or mapping
        The bundle's decision settings.
    manifest : Manifest, optional
        Kept for the caller, for example to mark simulated data.
    convert : callable, optional
        What `decide` calls first: it may turn an object it knows (an MNE raw) into a recording, and returns
        every other one as it is.
    display_s : float
        Each decision also gets what a display shows: the average of the probabilities of the last so many
        seconds. 0 is off.
    head : HeadTables, optional
        Of the bundle's personal head.

    Attributes
    ----------
    bridge : Bridge
        The core's, which is fed.
    personal : Personal or None
        The wearer's own correction of the decisions; None where the bundle has none.

    Raises
    ------
    BridgeError
        When the parts do not belong together, or `display_s` cannot be.

    Examples
    --------
    ::

        device = Device.from_bundle("bundle")
        for modality, samples, time_s in replay(recording.signals):
            for decision in device.push(modality, samples, time_s):
                print(decision.time_s, decision.probabilities, decision.reason)
        decisions = device.decide({"ppg": (pulse, 64), "eda": (conductance, 4)})  # a whole recording at once
    """

    def __init__(
        self,
        front_end: FrontEnd,
        model: DecisionModel,
        decision: DecisionSettings | Mapping[str, object],
        manifest: Manifest | None = None,
        convert: Callable[[Any], Any] | None = None,
        display_s: float = 0.0,
        head: HeadTables | None = None,
    ) -> None:
        if not isinstance(decision, DecisionSettings):
            decision = decision_settings(decision)
        check_fits(front_end, model, decision)
        if head is not None:
            check_head(head, front_end, decision)
        self.front_end, self.model, self.decision, self.manifest = front_end, model, decision, manifest
        self._tables, self._convert, self._display_s = head, convert, display_seconds(display_s)
        self._deciding = Deciding(front_end, model, decision, self._display_s)
        self.bridge = self._deciding.bridge
        self._pushing = Pushing(front_end, self.bridge, self._deciding.decisions)
        self.personal: Personal | None = None
        self._follow(self._nothing_marked())
        self._enrolment_end = front_end.enrolment_tokens

    @classmethod
    def from_bundle(
        cls,
        folder: str | os.PathLike[str],
        model: ModelName = "int8",
        convert: Callable[[Any], Any] | None = None,
        enrolment_s: float | None = None,
        display_s: float = 0.0,
        runtime: RuntimeName | None = None,
    ) -> Device:
        """Open a bundle; only files whose digests are the manifest's are used. `convert`: see `Device`.

        Parameters
        ----------
        model : {"int8", "int8_float_io", "float32"}
            Which of its models.
        enrolment_s : float, optional
            A shorter enrolment than the model was trained with, in s.
        display_s : float
            Of the display filter, see `Device`.
        runtime : {"core", "litert"}, optional
            What runs the model. By default int8 is run by the core: the bits of a microcontroller, and LiteRT
            need not be installed. LiteRT runs the other models, and bundles that have no plan for the core.

        Warns
        -----
        BridgeWarning
            When the enrolment is shorter than the model's, or LiteRT is needed for want of a plan.

        Raises
        ------
        BridgeError
            When the bundle is not complete, was changed, `model` is not one of its models or not one that
            `runtime` can run, `enrolment_s` is no shorter enrolment, or `display_s` cannot be.
        """
        manifest = Manifest.load(folder)
        front_end = enrolled_shorter(read_front_end(manifest, folder), enrolment_s, stacklevel=2)
        loaded = read_model(manifest, folder, model, runtime, front_end.tokens, stacklevel=2)
        head = read_head_file(manifest, folder, front_end)
        return cls(front_end, loaded, manifest.decision, manifest, convert, display_s, head)

    def save_state(self, path: str | os.PathLike[str]) -> None:
        """Write what the wearer taught to a file, whole or not at all: enrolment and marks, not the signals.

        Raises
        ------
        BridgeError
            When it cannot be written.
        """
        write_state(path, self.bridge.save() + (self.personal.save() if self.personal else b""))

    def load_state(self, path: str | os.PathLike[str]) -> None:
        """Take over what `save_state` wrote, before the first sample.

        An enrolment goes on where it stopped; a finished one is not repeated. Time may begin at 0 again, and
        the first window is filled anew.

        Raises
        ------
        BridgeError
            When the file cannot be read, is cut short, damaged, of another front end or of a newer version,
            or samples came already; nothing is changed.
        """
        state, learned = split_state(read_state(path))
        if learned and self.personal is None:
            raise BridgeError(f"{path}: it holds marks for a personal head, but this bundle has none.")
        personal = self._nothing_marked()
        if personal and learned:
            personal.load(learned, str(path))
        self.bridge.load(state, str(path))
        self._follow(personal)
        self._enrolment_end = self.bridge.enrolment_left

    def mark(self, label: str, start_s: float, stop_s: float) -> int:
        """Say that a stretch of the past was of one class; decisions are corrected by it from now on.

        The windows that lie whole in the stretch are used, at least 15 s apart and at most 8, evenly spread.
        Before two windows of each class are marked nothing is corrected; mark two different stretches of the
        second class (see `Personal.asks`), for one teaches only what that one was like.

        Parameters
        ----------
        label : str
            One of the task's two classes.
        start_s, stop_s : float
            In s, as decisions count time.

        Returns
        -------
        int
            Windows that are used; marks of one class that touch are of one stretch. `personal.asks` says
            what else to mark, and whether nothing is corrected since stretches contradict each other.

        Raises
        ------
        BridgeError
            When the bundle has no personal head, or as `Personal.mark`; nothing is changed.
        """
        return self._own().mark(label, start_s, stop_s)

    def forget(self) -> None:
        """Undo all marks: decisions are the model's own again.

        Raises
        ------
        BridgeError
            When the bundle has no personal head.
        """
        self._own().forget()

    def _nothing_marked(self) -> Personal | None:
        """Return the personal head as the bundle brings it."""
        if self._tables is None:
            return None
        return Personal(self._tables, self.decision, self.front_end.window_s)

    def _follow(self, personal: Personal | None) -> None:
        self.personal = personal
        if personal:
            self._deciding.follow(personal)

    def _own(self) -> Personal:
        if self.personal is None:
            raise BridgeError(
                "personal head: this bundle has none; train again with two classes, and export that run."
            )
        return self.personal

    def push(self, modality: str, samples: np.ndarray, time_s: float) -> list[Decision]:
        """Take samples of one modality and return the decisions they complete, mostly none.

        Pieces of up to two minutes may come one sensor after the other: they are held until all sensors have
        come as far, or `advance` is called.

        Parameters
        ----------
        modality : str
            One of the front end's; another one is ignored, as a wearable ignores a sensor it has no use for.
        samples : np.ndarray
            float32 [channels, frames], of any length; NaN is a lost sample.
        time_s : float
            Time of the first sample in seconds from the start.

        Warns
        -----
        BridgeWarning
            Once per sensor, when its samples come later than the others' by more than `grace_s`, or twice,
            and so are not used; and when their times make a rate that is off by over 2 %.

        Raises
        ------
        BridgeError
            When the samples do not have the front end's channels, or the last pushes of this sensor cover far
            more or far less time than their times say: they have another rate.
        """
        return self._pushing.push(modality, samples, time_s)

    def push_counted(self, modality: str, samples: np.ndarray, first_index: int) -> list[Decision]:
        """Take a radio packet that carries a sample counter instead of a time; return decisions as `push`.

        Packets may change places, come twice or not at all; see `mmq_bridge_push_counted` of the core.

        Parameters
        ----------
        modality : str
            One of the front end's; another one is ignored.
        samples : np.ndarray
            float32 [channels, frames].
        first_index : int
            Counter of the first sample; its last 32 bits count.

        Raises
        ------
        BridgeError
            When the samples do not have the front end's channels, or the counter is no whole number.
        """
        return self._pushing.push_counted(modality, samples, first_index)

    def take(self, modality: str, samples: np.ndarray, time_s: float) -> list[Decision]:
        """Do as `push` for a source that watches rate and lateness itself: nothing is said about either.

        Parameters
        ----------
        modality : str
            One of the front end's.
        samples : np.ndarray
            float32 [channels, frames].
        time_s : float
            As in `push`.

        Raises
        ------
        BridgeError
            When the samples do not have the front end's channels, or the time is impossible.
        """
        return self._pushing.take(modality, samples, time_s)

    @property
    def late_pushes(self) -> dict[str, int]:
        """By modality the pushes of which samples came too late, or twice, and were not used."""
        return self._pushing.late_pushes

    def advance(self, time_s: float) -> list[Decision]:
        """Say that it is `time_s` now and nothing older will come; return the decisions that completes.

        Needed only when every sensor may be silent: nothing else tells the device that time goes on.

        Raises
        ------
        BridgeError
            When the time is not finite.
        """
        return self._pushing.advance(time_s)

    def decide(self, recording: Any) -> Decisions:
        """Return the decisions of a whole recording, as if it were worn from its first second.

        What was pushed or loaded before does not matter and is not changed: enrolment begins anew each time.
        Only what was marked corrects these decisions too.
        The decisions are those of `push`, with the sensors interleaved second by second.

        Parameters
        ----------
        recording : object or mapping
            Something with ``signals``; or a mapping from modality to ``(samples, rate_hz)`` with samples
            ``[n]`` or ``[channels, n]`` in the front end's units, NaN where lost. All begin at 0 s.

        Returns
        -------
        Decisions
            One per token or as many as the bundle's settings say; those of the enrolment abstain.

        Warns
        -----
        UserWarning
            Where samples were resampled to the model's rate, or a modality is not the model's and is ignored.

        Raises
        ------
        BridgeError
            When a rate is not known, samples are not numbers or have the wrong number of channels, arrays
            last differently long, the model knows no modality of it, or it is too short for one decision.

        Examples
        --------
        ::

            device.decide({"ppg": (pulse, 64), "eda": (conductance, 4)}).to_frame()
        """
        signals = whole_signals(self.front_end, self._convert(recording) if self._convert else recording)
        parts = self.front_end, self.model, self.decision, self.manifest
        fresh = Device(*parts, display_s=self._display_s, head=self._tables)
        if self.personal and fresh.personal and (learned := self.personal.save()):
            fresh.personal.load(learned)
        said = Decisions()
        for now_s, chunks in steps(signals):
            for modality, samples, time_s in chunks:
                said += fresh.push(modality, samples, time_s)
            said += fresh.advance(now_s - self.front_end.grace_s)
        fresh.check_long_enough(signals, said[-1].time_s if said else 0.0)
        return said

    def check_long_enough(self, signals: Mapping[str, SignalLike], reached_s: float | None = None) -> None:
        """Raise where nothing can be decided about a recording, or could be.

        Parameters
        ----------
        signals : mapping of str to SignalLike
            The recording.
        reached_s : float
            Time of the last decision about it, in s, where it was pushed already.

        Raises
        ------
        BridgeError
            When the recording, or `reached_s`, ends before enrolment and first window do.
        """
        length_s = max((_stop_s(signal) for signal in signals.values()), default=0.0)
        if (math.ceil(length_s) if reached_s is None else reached_s) < self.shortest_s:
            raise BridgeError(self._too_short(length_s))
        if reached_s is not None and self._deciding.waiting:
            raise BridgeError(
                f"recording: nothing can be decided, for at the end of {length_s:g} s the device is still "
                f"{self._deciding.waiting}; see that a sensor other than temp and acc is worn and measures."
            )

    @property
    def shortest_s(self) -> float:
        """Time in s of the first decision: enrolment, or what a loaded state left of it, then a window."""
        tokens, every = self._enrolment_end + self.front_end.tokens, self.decision.every_tokens
        return math.ceil(tokens / every) * every * self.front_end.token_s

    def _too_short(self, length_s: float) -> str:
        front_end = self.front_end
        enrolment_s = self._enrolment_end * front_end.token_s
        return (
            f"recording: {length_s:g} s are too short for one decision: enrolment takes {enrolment_s:g} s, "
            f"the first window {front_end.window_s:g} s, so it must last {self.shortest_s:g} s, and "
            f"{front_end.grace_s:g} s more where a sensor is missing."
        )


def _stop_s(signal: SignalLike) -> float:
    return signal.start_s + signal.samples.shape[1] / signal.sampling_rate_hz
