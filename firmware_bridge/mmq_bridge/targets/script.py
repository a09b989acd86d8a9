# SPDX-License-Identifier: Apache-2.0
"""A script of calls to the bridge, as the C harness `replay.c` reads it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mmq_bridge.core_binding.native import SignalLike
from mmq_bridge.front_end.front_end import FrontEnd

MAX_PUSH_SAMPLES = 8192
"""Longest push, channels times frames: the harness has room for so many."""
PUSH, LEAD_OFF, ADVANCE, COUNTED = 0, 1, 2, 3
LONGEST_CHUNK_S, SHORTEST_CHUNK_S = 0.7, 0.04


@dataclass(frozen=True)
class Operation:
    """One call: samples [channels, frames] pushed with a time or a counter, leads off, or time advanced."""

    modality: int
    time_s: float = 0.0
    samples: np.ndarray | None = None
    lead_off: int | None = None
    first_index: int | None = None

    @property
    def kind(self) -> int:
        """PUSH, LEAD_OFF, ADVANCE or COUNTED."""
        if self.samples is not None:
            return PUSH if self.first_index is None else COUNTED
        return ADVANCE if self.lead_off is None else LEAD_OFF

    def encode(self) -> bytes:
        """Write little-endian: a head of 16 bytes, then a push's float32 samples."""
        what = self.kind << 24 | self.modality
        if self.lead_off is not None:
            return struct.pack("<IIQ", what, 0, self.lead_off)
        samples = np.zeros((0, 0), "<f4") if self.samples is None else self.samples.astype("<f4", copy=False)
        frames, content = samples.shape[1], np.ascontiguousarray(samples).tobytes()
        if self.first_index is not None:
            return struct.pack("<IIQ", what, frames, self.first_index) + content
        return struct.pack("<IId", what, frames, self.time_s) + content


def encode(operations: Iterable[Operation]) -> bytes:
    """Write a whole script."""
    return b"".join(operation.encode() for operation in operations)


def uniform(n: int, seed: int) -> np.ndarray:
    """Draw n numbers in [0, 1), the same with every version of NumPy: it keeps only raw bits stable."""
    return (np.random.PCG64(seed).random_raw(n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def pushes(
    front_end: FrontEnd, signals: Mapping[str, SignalLike], seed: int, jitter: float = 0.0
) -> list[Operation]:
    """Cut signals into pushes of irregular length, as sensors would deliver them, ordered by arrival.

    Parameters
    ----------
    front_end : FrontEnd
        Whose modalities are taken.
    signals : mapping
        By modality: samples float32 [channels, n], rate and start.
    seed : int
        Of the lengths.
    jitter : float
        Largest error of a push's time, in sample periods.

    Returns
    -------
    list of Operation
    """
    arrivals: list[tuple[float, Operation]] = []
    for index, name in enumerate(front_end.modality_names):
        if name in signals:
            arrivals += _cut(index, signals[name], seed + index, jitter)
    return [operation for _, operation in sorted(arrivals, key=lambda arrival: arrival[0])]


def _cut(index: int, signal: SignalLike, seed: int, jitter: float) -> list[tuple[float, Operation]]:
    rate, samples = float(signal.sampling_rate_hz), np.asarray(signal.samples, np.float32)
    channels, total = samples.shape
    draws = uniform(2 * total + 2, seed)
    at, done = 0, []
    while at < total:
        length_s = SHORTEST_CHUNK_S + (LONGEST_CHUNK_S - SHORTEST_CHUNK_S) * draws[2 * len(done)]
        frames = min(max(int(length_s * rate), 1), MAX_PUSH_SAMPLES // channels, total - at)
        time_s = signal.start_s + (at + jitter * (2 * draws[2 * len(done) + 1] - 1)) / rate
        part = np.ascontiguousarray(samples[:, at : at + frames])
        at += frames
        done.append((signal.start_s + at / rate, Operation(index, time_s, part)))
    return done


def counted_packets(
    front_end: FrontEnd, signals: Mapping[str, SignalLike], seed: int, most: int
) -> list[Operation]:
    """Cut signals into packets with a counter that wraps: some are lost, swapped or come twice.

    Parameters
    ----------
    front_end : FrontEnd
        Whose modalities are taken.
    signals : mapping
        By modality: samples float32 [channels, n] and rate; all begin together.
    seed : int
    most : int
        Longest packet, in frames.

    Returns
    -------
    list of Operation
    """
    arrivals: list[tuple[float, Operation]] = []
    for index, name in enumerate(front_end.modality_names):
        arrivals += _radio(index, signals[name], seed + index, most)
    return [operation for _, operation in sorted(arrivals, key=lambda arrival: arrival[0])]


def _radio(index: int, signal: SignalLike, seed: int, most: int) -> list[tuple[float, Operation]]:
    """One sensor's packets; the first two arrive as they are, or nobody could know where it begins."""
    rate, samples = float(signal.sampling_rate_hz), np.asarray(signal.samples, np.float32)
    draws, start = uniform(2 * samples.shape[1] + 2, seed), 2**32 - 8 * most
    at, sent = 0, []
    while at < samples.shape[1]:
        part = np.ascontiguousarray(samples[:, at : at + 1 + int(most * draws[2 * len(sent)])])
        at += part.shape[1]
        sent.append(
            (at / rate, Operation(index, samples=part, first_index=(start + at - part.shape[1]) % 2**32))
        )
    came, k = sent[:2], 2
    while k < len(sent):
        fate, swapped = draws[2 * k + 1], k + 1 < len(sent)
        if fate < 0.08:
            pass
        elif fate < 0.16 and swapped:
            came += [sent[k + 1], (sent[k + 1][0], sent[k][1])]
            k += 1
        else:
            came += [sent[k]] * (2 if fate < 0.2 else 1)
        k += 1
    return came
