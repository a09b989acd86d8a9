# SPDX-License-Identifier: Apache-2.0
"""`Device`: raw samples in, decisions out, exactly as on the wearable."""

from __future__ import annotations

import math
import os
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mmq_bridge.core_binding.bridge import Enrolment
from mmq_bridge.core_binding.input_validation import plain_number, sample_rows
from mmq_bridge.core_binding.native import Bridge, SignalLike
from mmq_bridge.decision.arrivals import Arrivals, Turns
from mmq_bridge.decision.decisions import Decision, Decisions, likeliest
from mmq_bridge.decision.display import DisplayFilter
from mmq_bridge.decision.fit_together import check_fits
from mmq_bridge.decision.head_file import check_head, read_head_file
from mmq_bridge.decision.manifest import DecisionSettings, Manifest, decision_settings
from mmq_bridge.decision.personal import Personal, split_state
from mmq_bridge.decision.replay import Chunk, steps
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.decision.state_file import read_state, write_state
from mmq_bridge.decision.whole_recordings import whole_signals
from mmq_bridge.errors import BridgeError, BridgeWarning
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.head_tables import HeadTables

MODEL_FILES = {
    "int8": "model_int8.tflite",
    "int8_float_io": "model_int8_float_io.tflite",
    "float32": "model_float32.tflite",
}
RATE_TOLERANCE = 0.02
"""Share by which a sensor's rate may differ from the model's before `Device.push` says so."""
ModelName = Literal["int8", "int8_float_io", "float32"]


@dataclass
class _Window:
    """The last T tokens, oldest first."""

    features: deque[np.ndarray]
    presence: deque[np.ndarray]
    tokens_seen: int = 0
    names: tuple[str, ...] = field(default=())
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, number: int, token: tuple[np.ndarray, np.ndarray], why: dict[str, tuple[str, ...]]) -> None:
        self.features.append(token[0])
        self.presence.append(token[1])
        self.tokens_seen = number
        self.absent = {name: names for name, names in why.items() if names}

    def clear(self, n_features: int) -> None:
        """Forget all: T absent tokens."""
        for _ in range(self.features.maxlen or 0):
            self.features.append(np.zeros(n_features, np.float32))
            self.presence.append(np.zeros(len(self.names), bool))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.stack(self.features), np.stack(self.presence)

    def sensors(self) -> dict[str, float]:
        share = np.stack(self.presence).mean(axis=0)
        return {name: float(value) for name, value in zip(self.names, share, strict=True)}


class Device:
    """Front end, model and decision rules of one bundle, fed with raw samples.

    Parameters
    ----------
    front_end : FrontEnd
        With normalisation, and with quantisation where the model is integer.
    model : TFLiteModel
    decision : DecisionSettings or mapping
        The bundle's decision settings.
    manifest : Manifest, optional
        Kept for the caller, for example to mark simulated data.
    convert : callable, optional
        What `decide` calls first: it may turn an object it knows (an MNE raw) into a recording, and returns
        every other one as it is.
    display_s : float
        Each decision also gets what a display shows: the average of the probabilities of the last so many
        seconds, see `DisplayFilter`. 0 is off.
    head : HeadTables, optional
        Of the bundle's personal head.

    Attributes
    ----------
    personal : Personal or None
        The wearer's own correction of the decisions; None where the bundle has none.
    late_pushes : dict of str to int
        By modality the pushes of which samples came too late, or twice, and were not used.

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
        model: TFLiteModel,
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
        self._tables = head
        self.personal = self._nothing_marked()
        self._convert, self._display = convert, DisplayFilter(display_s)
        self._bridge = Bridge(front_end)
        self._enrolment_end = front_end.enrolment_tokens
        self._waiting: str | None = None
        length = front_end.tokens
        self._window = _Window(deque(maxlen=length), deque(maxlen=length), names=front_end.modality_names)
        self._arrivals = {
            name: Arrivals(name, modality.sampling_rate_hz, front_end.token_s)
            for name, modality in front_end.modalities.items()
        }
        self._turns = Turns(
            {name: modality.sampling_rate_hz for name, modality in front_end.modalities.items()},
            front_end.grace_s,
        )
        self.late_pushes = dict.fromkeys(front_end.modality_names, 0)
        self._off_rate: set[str] = set()
        self._newest_s = -math.inf

    @classmethod
    def from_bundle(
        cls,
        folder: str | os.PathLike[str],
        model: ModelName = "int8",
        convert: Callable[[Any], Any] | None = None,
        enrolment_s: float | None = None,
        display_s: float = 0.0,
    ) -> Device:
        """Open a bundle; only files whose digests are the manifest's are used. `convert`: see `Device`.

        Parameters
        ----------
        enrolment_s : float, optional
            A shorter enrolment than the model was trained with, in s.
        display_s : float
            Of the display filter, see `Device`.

        Warns
        -----
        BridgeWarning
            When the enrolment is shorter than the model's.

        Raises
        ------
        BridgeError
            When the bundle is not complete, was changed, `model` is not one of its models, `enrolment_s` is
            no shorter enrolment, or `display_s` cannot be.
        """
        if model not in MODEL_FILES:
            raise BridgeError(f"model: expected one of {', '.join(MODEL_FILES)}, got {model!r}.")
        manifest = Manifest.load(folder)
        front_end = read_front_end(manifest, folder)
        if enrolment_s is not None:
            front_end = _enrolled_shorter(front_end, enrolment_s)
        content = manifest.read(folder, MODEL_FILES[model])
        loaded = TFLiteModel(content, str(Path(folder) / MODEL_FILES[model]))
        head = read_head_file(manifest, folder, front_end)
        return cls(front_end, loaded, manifest.decision, manifest, convert, display_s, head)

    def save_state(self, path: str | os.PathLike[str]) -> None:
        """Write what the wearer taught to a file, whole or not at all: enrolment and marks, not the signals.

        Raises
        ------
        BridgeError
            When it cannot be written.
        """
        write_state(path, self._bridge.save() + (self.personal.save() if self.personal else b""))

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
        self._bridge.load(state, str(path))
        self.personal = personal
        self._enrolment_end = self._bridge.enrolment_left

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
            Windows that are used.

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
        if modality not in self.front_end.modalities:
            return []
        settings = self.front_end.modalities[modality]
        rows, first_s = sample_rows(modality, samples, len(settings.channels)), plain_number("time_s", time_s)
        if math.isfinite(first_s):
            self._arrivals[modality].add(first_s, rows.shape[1])
        decisions = self._take_all(self._turns.put(Chunk(modality, rows, first_s)))
        self._warn_rate(modality, settings.sampling_rate_hz)
        return decisions

    def _take_all(self, pieces: Sequence[Chunk]) -> list[Decision]:
        """Take pieces in their order; say once of a sensor that it lags."""
        decisions: list[Decision] = []
        for modality, samples, time_s in pieces:
            known = self.late_pushes[modality] > 0
            try:
                decisions += self.take(modality, samples, time_s)
            except BridgeError:
                self._turns.clear()
                raise
            if not known and self.late_pushes[modality]:
                self._warn_late(modality, time_s)
        return decisions

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
        if modality not in self.front_end.modalities:
            return []
        settings = self.front_end.modalities[modality]
        rows = sample_rows(modality, samples, len(settings.channels))
        step = max(1, int(self.front_end.token_s * settings.sampling_rate_hz))
        decisions = self._take_all(self._turns.release())
        in_time = True
        for first in range(0, max(rows.shape[1], 1), step):
            part = rows[:, first : first + step]
            in_time &= self._bridge.push_counted(modality, part, first_index + first)
            decisions += self._decisions()
        self.late_pushes[modality] += not in_time
        return decisions

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
        settings = self.front_end.modalities[modality]
        step, frames = max(1, int(self.front_end.token_s * settings.sampling_rate_hz)), samples.shape[1]
        decisions: list[Decision] = []
        in_time = True
        for first in range(0, max(frames, 1), step):
            part, part_s = samples[:, first : first + step], time_s + first / settings.sampling_rate_hz
            in_time &= self._bridge.push(modality, part, part_s)
            self._newest_s = max(self._newest_s, part_s + part.shape[1] / settings.sampling_rate_hz)
            decisions += self._decisions()
        self.late_pushes[modality] += not in_time
        return decisions

    def _warn_rate(self, modality: str, rate_hz: float) -> None:
        """Say once when the times of a sensor's samples make another rate than the model's."""
        found_hz = self._bridge.rate(modality)
        if modality in self._off_rate or found_hz is None or abs(found_hz / rate_hz - 1) <= RATE_TOLERANCE:
            return
        self._off_rate.add(modality)
        warnings.warn(
            f"{modality}: its samples come at {found_hz:.4g} Hz by their times, the model expects "
            f"{rate_hz:g} Hz; resample them, or correct the times.",
            BridgeWarning,
            stacklevel=3,
        )

    def _warn_late(self, modality: str, time_s: float) -> None:
        grace_s, behind_s = self.front_end.grace_s, self._newest_s - time_s
        warnings.warn(
            f"{modality} lags: samples of {time_s:g} s came when {self._newest_s:g} s had been reached "
            f"({behind_s:g} s late, or twice), so they are not used. Push all sensors in turn, none more "
            f"than {grace_s:g} s ahead of another; a whole recording goes to Device.decide.",
            BridgeWarning,
            stacklevel=4,
        )

    def advance(self, time_s: float) -> list[Decision]:
        """Say that it is `time_s` now and nothing older will come; return the decisions that completes.

        Needed only when every sensor may be silent: nothing else tells the device that time goes on.

        Raises
        ------
        BridgeError
            When the time is not finite.
        """
        decisions = self._take_all(self._turns.release())
        self._bridge.advance(time_s)
        self._newest_s = max(self._newest_s, float(time_s))
        return decisions + self._decisions()

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
        fresh = Device(*parts, display_s=self._display.display_s, head=self._tables)
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
        if reached_s is not None and self._waiting:
            raise BridgeError(
                f"recording: nothing can be decided, for at the end of {length_s:g} s the device is still "
                f"{self._waiting}; see that a sensor other than temp and acc is worn and measures."
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

    def _decisions(self) -> list[Decision]:
        tokens = []
        while (token := self._bridge.pop_token()) is not None:
            tokens.append(token)
        first = self._bridge.closed - len(tokens)
        if first > self._window.tokens_seen:  # after a long silence the core skips tokens: all were absent
            self._window.clear(self.front_end.n_features)
        decisions = []
        for number, token in enumerate(tokens, start=first + 1):
            self._window.add(number, token, self._bridge.reasons(number - 1))
            if number % self.decision.every_tokens == 0:
                decisions.append(self._shown(replace(self._decide(number), absent=self._window.absent)))
        return decisions

    def _shown(self, said: Decision) -> Decision:
        """Return a decision with what the display filter shows of it, where there is one."""
        if self._display.display_s == 0:
            return said
        averaged = self._display.add(said.time_s, said.probabilities)
        least = self.decision.min_confidence
        shown = {
            task: name
            for task, name in likeliest(averaged).items()
            if averaged[task][name] >= least.get(task, 0.0)
        }
        return replace(said, shown_probabilities=averaged, shown=shown)

    def _decide(self, number: int) -> Decision:
        """Decide at the end of the token before `number`."""
        window, enrolment = self._window, self._bridge.enrolment(number - 1)
        time_s, sensors = number * self.front_end.token_s, window.sensors()
        self._waiting = self._waits(enrolment, number)
        if self._waiting:
            return Decision(time_s, {}, sensors, True, self._waiting)
        said = self._judge(time_s, sensors)
        return replace(said, not_enrolled=self._not_enrolled(enrolment, window.arrays()[1]))

    def _judge(self, time_s: float, sensors: dict[str, float]) -> Decision:
        """Ask the model about the window, where enough of it is present."""
        features, presence = self._window.arrays()
        share = float(presence.mean())
        if share < self.decision.min_present_share or not presence.any():
            needed = self.decision.min_present_share
            return Decision(
                time_s, {}, sensors, True, f"too little present ({share:.0%} of {needed:.0%} needed)"
            )
        logits = self.model.predict(features, presence)
        own = self.personal
        added = {own.task: own.follow(time_s, features, presence, logits)} if own else {}
        probabilities = self._probabilities(logits, added)
        reason = self._doubt(probabilities)
        return Decision(time_s, probabilities, sensors, reason is not None, reason)

    def _waits(self, enrolment: Enrolment, number: int) -> str | None:
        """Why no window is ready yet, or None."""
        front_end, left = self.front_end, enrolment.left
        if left > 0 and front_end.counts_evidence:
            aim = front_end.enrolment_tokens
            return f"enrolling ({aim - left} of {aim} tokens measured)"
        if left > 0:
            return f"enrolling ({left * front_end.token_s:g} s left)"
        left = (enrolment.end or 0) + front_end.tokens - number
        return f"filling the first window ({left * front_end.token_s:g} s left)" if left > 0 else None

    def _not_enrolled(self, enrolment: Enrolment, presence: np.ndarray) -> tuple[str, ...]:
        """Return the modalities of which a token of the window was normalised by the population."""
        if not self.front_end.counts_evidence:
            return ()
        shown = zip(self.front_end.modality_names, enrolment.measured, presence.sum(axis=0), strict=True)
        least = self.front_end.enrolment_least
        return tuple(name for name, measured, seen in shown if seen and measured - seen + 1 < least)

    def _probabilities(
        self, logits: Mapping[str, np.ndarray], added: Mapping[str, float]
    ) -> dict[str, dict[str, float]]:
        """Return the classes' probabilities; `added` is what corrects the second class's logit of a task."""
        settings, result = self.decision, {}
        for task, names in settings.tasks.items():
            scaled = np.asarray(logits[task], np.float64) / settings.temperature.get(task, 1.0)
            scaled[1] += added.get(task, 0.0)
            values = softmax(scaled)
            result[task] = {name: float(value) for name, value in zip(names, values, strict=True)}
        return result

    def _doubt(self, probabilities: Mapping[str, Mapping[str, float]]) -> str | None:
        """Name the first task whose likeliest class is under its threshold."""
        for task, values in probabilities.items():
            best, needed = max(values.values()), self.decision.min_confidence.get(task, 0.0)
            if best < needed:
                return f"confidence under threshold ({task} {best:.2f} < {needed:.2f})"
        return None


def _enrolled_shorter(front_end: FrontEnd, enrolment_s: float) -> FrontEnd:
    shorter = front_end.with_shorter_enrolment(enrolment_s)
    if shorter.enrolment_tokens < front_end.enrolment_tokens and front_end.normalisation:
        trained_s = front_end.normalisation.enrolment_s
        text = (
            f"enrolment: {enrolment_s:g} s, but the model was trained with {trained_s:g} s: expect worse "
            "decisions."
        )
        warnings.warn(text, BridgeWarning, stacklevel=3)
    return shorter


def _stop_s(signal: SignalLike) -> float:
    return signal.start_s + signal.samples.shape[1] / signal.sampling_rate_hz


def read_front_end(manifest: Manifest, folder: str | os.PathLike[str]) -> FrontEnd:
    """Return the checked front end of a bundle.

    Raises
    ------
    BridgeError
        When ``frontend.json`` is absent, changed or not a front end.
    """
    content = manifest.read(folder, "frontend.json")
    where = str(Path(folder) / "frontend.json")
    try:
        return FrontEnd.from_json(content.decode("utf-8"), where)
    except UnicodeDecodeError as error:
        raise BridgeError(f"{where}: expected UTF-8 text; export the bundle again.") from error


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax of a vector of logits.

    Examples
    --------
    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()
