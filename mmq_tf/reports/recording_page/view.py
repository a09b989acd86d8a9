# SPDX-License-Identifier: Apache-2.0
"""A recording as people look at it before they train: its samples, and what a front end says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.units import shown_unit

from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial


@dataclass(frozen=True)
class RecordingView:
    """A stretch of a recording, with what the front end says of it.

    Attributes
    ----------
    recording : Recording
    front_end : FrontEnd or None
        None where no modality can be judged by the defaults.
    presence : bool ``[n, M]``
        Every token of the recording, from its start; M in the front end's order.
    reasons : uint16 ``[n, M]``
        `Reason` bits; 0 where present.
    notes : tuple of str
        What the reader must know of this front end and this recording, a sentence each.
    from_s, to_s : float
        What is looked at, in seconds from the recording's start.
    """

    recording: Recording
    front_end: FrontEnd | None
    presence: np.ndarray
    reasons: np.ndarray
    notes: tuple[str, ...]
    from_s: float
    to_s: float

    @property
    def judged(self) -> tuple[str, ...]:
        """Modalities with presence: those the recording has and the front end reads."""
        names = self.front_end.modality_names if self.front_end else ()
        return tuple(name for name in self.recording.modalities if name in names)

    @property
    def token_s(self) -> float:
        """Seconds of a token; not a number where nothing is judged."""
        return self.front_end.token_s if self.front_end else math.nan

    @property
    def tokens(self) -> slice:
        """Tokens that lie, at least in part, in what is looked at."""
        if self.front_end is None:
            return slice(0, 0)
        stop = min(len(self.presence), math.ceil(self.to_s / self.token_s - 1e-9))
        return slice(min(stop, math.floor(self.from_s / self.token_s + 1e-9)), stop)

    @property
    def trials(self) -> list[tuple[int, Trial]]:
        """Trials that lie, at least in part, in what is looked at, each with its index."""
        found = enumerate(self.recording.trials)
        return [(i, trial) for i, trial in found if trial.start_s < self.to_s and trial.stop_s > self.from_s]

    def presence_of(self, modality: str) -> tuple[np.ndarray, np.ndarray]:
        """Return presence bool ``[n]`` and reasons ``[n]`` of a judged modality, for the tokens looked at."""
        column = self._columns((modality,))[0]
        return self.presence[self.tokens, column], self.reasons[self.tokens, column]

    def judged_presence(self) -> np.ndarray:
        """Return presence bool ``[n, judged]`` of the tokens looked at."""
        return self.presence[self.tokens][:, self._columns(self.judged)]

    def _columns(self, modalities: Sequence[str]) -> list[int]:
        names = self.front_end.modality_names if self.front_end else ()
        return [names.index(name) for name in modalities]


def look_at(
    recording: Recording,
    front_end: FrontEnd | None = None,
    from_s: float | None = None,
    to_s: float | None = None,
) -> RecordingView:
    """Run a recording through a front end and choose the stretch to look at.

    Parameters
    ----------
    recording : Recording
    front_end : FrontEnd, optional
        By default that of `FrontEnd.wearable` for the recording's modalities, rates and channels.
    from_s, to_s : float, optional
        In seconds from the recording's start; by default the whole recording. Tokens are always made of the
        whole, since features look back.

    Raises
    ------
    MMQError
        If the stretch does not lie in the recording.
    BridgeError
        If a signal's rate or channels are not those of `front_end`.
    """
    start, stop = 0.0 if from_s is None else from_s, recording.duration_s if to_s is None else to_s
    if not 0 <= start < stop <= recording.duration_s + 1e-6:
        raise MMQError(
            f"recording of {recording.subject}: --from and --to must lie in 0 to {recording.duration_s:g} s,"
            f" --from first; got {start:g} and {stop:g} s."
        )
    notes: list[str] = []
    if front_end is None:
        front_end, notes = default_front_end(recording)
    if front_end is None:
        nothing = np.zeros((0, 0))
        return RecordingView(
            recording, None, nothing.astype(bool), nothing.astype(np.uint16), tuple(notes), start, stop
        )
    tokens = extract_tokens(front_end.without_extra_features(), recording.signals)
    notes += _notes(recording, front_end)
    return RecordingView(recording, front_end, tokens.presence, tokens.reasons, tuple(notes), start, stop)


def default_front_end(recording: Recording) -> tuple[FrontEnd | None, list[str]]:
    """Return `FrontEnd.wearable` for what a recording has, and a sentence on each signal it cannot read."""
    fitting, notes = {}, []
    for name, signal in recording.signals.items():
        try:
            _wearable({name: signal})
            fitting[name] = signal
        except BridgeError as error:
            notes.append(f"{name} is not judged by the default front end ({error}).")
    return (_wearable(fitting) if fitting else None), notes


def _wearable(signals: dict[str, Signal]) -> FrontEnd:
    rates = {name: signal.sampling_rate_hz for name, signal in signals.items()}
    return FrontEnd.wearable(rates, {name: signal.channels for name, signal in signals.items()})


def _notes(recording: Recording, front_end: FrontEnd) -> list[str]:
    notes = []
    for name, modality in front_end.modalities.items():
        if name not in recording.signals:
            notes.append(f"The front end reads {name}, which this recording does not have.")
        elif recording.signals[name].unit != modality.unit:
            notes.append(
                f"{name} is in {shown_unit(recording.signals[name].unit)}, but the front end's limits are in"
                f" {shown_unit(modality.unit)}: take what it says with care, or give a front end for this"
                " unit."
            )
    return notes


def samples_between(signal: Signal, from_s: float, to_s: float) -> tuple[float, np.ndarray]:
    """Return the time in s of the first sample in ``[from_s, to_s)``, and the samples ``[channels, n]``."""
    rate, total = signal.sampling_rate_hz, signal.samples.shape[1]
    first, last = (min(max(math.ceil((t - signal.start_s) * rate - 1e-6), 0), total) for t in (from_s, to_s))
    return signal.start_s + first / rate, signal.samples[:, first:last]
