# SPDX-License-Identifier: Apache-2.0
"""Replay a recording as if its sensors were worn now, with sensors falling off on request."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmq_bridge.core_binding.native import SignalLike
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd

_DROP = re.compile(r"([a-z][a-z0-9_]*)@(\d{1,9}(?:\.\d{1,6})?)-(\d{1,9}(?:\.\d{1,6})?|end)")
MAX_FRAMES_A_CHUNK = 1_000_000


@dataclass(frozen=True)
class Drop:
    """One sensor is silent from `start_s` up to, not including, `stop_s` (seconds of the recording).

    Examples
    --------
    >>> Drop.parse("ppg@60-120")
    Drop(modality='ppg', start_s=60.0, stop_s=120.0)
    >>> Drop.parse("eda@90-end").stop_s
    inf
    """

    modality: str
    start_s: float
    stop_s: float

    def __post_init__(self) -> None:
        if not self.start_s < self.stop_s:
            raise BridgeError(
                f"drop of {self.modality}: expected a stop after the start, got "
                f"{self.start_s:g}-{self.stop_s:g}; "
                "write for example ppg@60-120."
            )

    @classmethod
    def parse(cls, text: str) -> Drop:
        """Read ``modality@start-stop`` in seconds; ``end`` as stop is the end of the recording.

        Raises
        ------
        BridgeError
            When the text has another form or the stop is not after the start.
        """
        match = _DROP.fullmatch(text.strip())
        if match is None:
            raise BridgeError(
                f"drop {text[:60]!r}: expected modality@start-stop in seconds; write for example ppg@60-120."
            )
        modality, start, stop = match.groups()
        return cls(modality, float(start), math.inf if stop == "end" else float(stop))


class Chunk(NamedTuple):
    """Some samples of one modality as a driver would hand them over.

    Attributes
    ----------
    modality : str
    samples : np.ndarray
        float32 [channels, frames], contiguous.
    time_s : float
        Time of the first sample, in seconds from the recording's start.
    """

    modality: str
    samples: np.ndarray
    time_s: float


def replay(
    signals: Mapping[str, SignalLike], chunk_s: float = 1.0, drop: Sequence[Drop] = ()
) -> Iterator[Chunk]:
    """Yield the samples of a recording in chunks of `chunk_s` seconds, in time order; see `steps`."""
    for _, chunks in steps(signals, chunk_s, drop):
        yield from chunks


def steps(
    signals: Mapping[str, SignalLike], chunk_s: float = 1.0, drop: Sequence[Drop] = ()
) -> Iterator[tuple[float, list[Chunk]]]:
    """Yield the recording step by step: the time in s at a step's end, and the chunks that arrived in it.

    Parameters
    ----------
    signals : mapping of str to SignalLike
        The recording; an absent sensor is an absent key.
    chunk_s : float
        Seconds a chunk covers; chunks of all sensors over the same second follow each other. Keep it under
        the front end's `grace_s`, or sensors wait for each other longer than the device waits for them.
    drop : sequence of Drop
        What is not delivered.

    Yields
    ------
    float
        Seconds of the recording that have passed.
    list of Chunk
        Each unpacks to (modality, samples float32 [channels, frames], time_s of the first sample); none where
        every sensor is silent.

    Raises
    ------
    BridgeError
        When `chunk_s` is not positive, a dropped modality is not in the recording, or a signal is malformed.
    """
    check_replay(signals, chunk_s, drop)
    stop_s = max((_time(signal, signal.samples.shape[1]) for signal in signals.values()), default=0.0)
    for step in range(math.ceil(stop_s / chunk_s)):
        low_s, high_s = step * chunk_s, (step + 1) * chunk_s
        chunks = []
        for modality, signal in signals.items():
            first, last = _index(signal, low_s), _index(signal, high_s)
            for begin, end in _kept(signal, first, last, [d for d in drop if d.modality == modality]):
                samples = np.ascontiguousarray(signal.samples[:, begin:end], dtype=np.float32)
                chunks.append(Chunk(modality, samples, _time(signal, begin)))
        yield high_s, chunks


def select(front_end: FrontEnd, signals: Mapping[str, SignalLike]) -> dict[str, SignalLike]:
    """Return the signals a front end has a use for, in its order.

    Raises
    ------
    BridgeError
        When there is none, or one has another rate or number of channels than the front end.
    """
    chosen = {name: signals[name] for name in front_end.modality_names if name in signals}
    if not chosen:
        raise BridgeError(
            f"recording: expected any of {', '.join(front_end.modality_names)}, got "
            f"{', '.join(signals) or 'nothing'}."
        )
    for name, signal in chosen.items():
        wanted = front_end.modalities[name]
        given = signal.samples.shape[0], signal.sampling_rate_hz
        if given[0] != len(wanted.channels) or not math.isclose(
            given[1], wanted.sampling_rate_hz, rel_tol=1e-6
        ):
            raise BridgeError(
                f"{name}: expected {len(wanted.channels)} channel(s) at {wanted.sampling_rate_hz:g} Hz "
                "as the front end "
                f"has them, got {given[0]} at {given[1]:g} Hz; replay a recording of the same sensors."
            )
    return chosen


def check_replay(signals: Mapping[str, SignalLike], chunk_s: float = 1.0, drop: Sequence[Drop] = ()) -> None:
    """Raise now what `steps` would raise when it is first asked for a step.

    Raises
    ------
    BridgeError
        As `steps`.
    """
    if not (math.isfinite(chunk_s) and chunk_s > 0):
        raise BridgeError(f"chunk_s: expected seconds above 0, got {chunk_s}; 1.0 is usual.")
    if not signals:
        raise BridgeError("signals: expected at least one sensor, got none; check the recording.")
    for item in drop:
        if item.modality not in signals:
            raise BridgeError(
                f"drop {item.modality}@{item.start_s:g}-{item.stop_s:g}: the recording has no "
                f"{item.modality}; "
                f"it has {', '.join(signals)}."
            )
    for modality, signal in signals.items():
        rate, start = signal.sampling_rate_hz, signal.start_s
        if signal.samples.ndim != 2 or not (math.isfinite(rate) and rate > 0) or not math.isfinite(start):
            raise BridgeError(
                f"{modality}: expected samples [channels, n], a rate above 0 and a finite start, "
                f"got shape {signal.samples.shape}, {rate} Hz, {start} s."
            )
        if rate * chunk_s > MAX_FRAMES_A_CHUNK:
            raise BridgeError(
                f"chunk_s: {chunk_s:g} s of {modality} at {rate:g} Hz is too much at once; use 1.0."
            )


def _time(signal: SignalLike, index: int) -> float:
    """Time in s of a sample."""
    return signal.start_s + index / signal.sampling_rate_hz


def _index(signal: SignalLike, time_s: float) -> int:
    """First sample at or after a time, within the signal."""
    if math.isinf(time_s):
        return signal.samples.shape[1]
    wanted = math.ceil((time_s - signal.start_s) * signal.sampling_rate_hz - 1e-6)
    return min(max(wanted, 0), signal.samples.shape[1])


def _kept(signal: SignalLike, first: int, last: int, drops: Sequence[Drop]) -> list[tuple[int, int]]:
    """Index ranges of [first, last) that are delivered."""
    ranges = [(first, last)]
    for item in drops:
        low, high = _index(signal, item.start_s), _index(signal, item.stop_s)
        ranges = [part for begin, end in ranges for part in ((begin, min(end, low)), (max(begin, high), end))]
    return [(begin, end) for begin, end in ranges if begin < end]
