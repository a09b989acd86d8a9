# SPDX-License-Identifier: Apache-2.0
"""A script full of what goes wrong on a body: lost, wild and repeated samples, loose leads, bad clocks."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

import numpy as np

from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.targets.script import Operation, pushes
from mmq_bridge.targets.simulated import PlainSignal

ODD_NAN = struct.unpack("<f", b"\x45\x23\xc1\xff")[0]
"""A NaN of unusual bits: they must not travel into a feature."""
SAMPLE_FAULTS = (
    ("eeg", 2, 20.0, 23.0, math.nan),
    ("eeg", 4, 30.0, 36.0, 17.0),
    ("eeg", 5, 40.0, 41.5, 180_000.0),
    ("eeg", None, 50.0, 57.0, math.nan),
    ("ecg", None, 24.0, 29.0, 0.25),
    ("ecg", 1, 40.0, 43.0, 280.0),
    ("ppg", None, 16.0, 18.0, 1e9),
    ("ppg", None, 33.0, 33.1, math.inf),
    ("ppg", None, 60.0, 60.04, ODD_NAN),
    ("eda", None, 20.0, 26.0, 0.0),
    ("eda", None, 40.0, 40.3, 14.0),
    ("temp", None, 28.0, 40.0, 5.0),
    ("acc", 0, 44.0, 49.0, 15.95),
    ("acc", 1, 52.0, 52.05, ODD_NAN),
    ("resp", None, 36.0, 36.1, -math.inf),
)
"""Modality, channel (None: all), from and to in s, what the samples read instead."""
SILENCES = (("temp", 0.0, 12.0), ("ppg", 44.0, 52.0), ("eda", 60.0, 80.0), ("resp", 76.0, 1e9))
"""A late start, a gap, a sensor that comes back, one that does not."""
LEADS = ((60.0, "eeg", 0b11), (66.0, "eeg", 0), (70.0, "ecg", 0b11), (74.0, "ecg", 0))
"""When the chip says which leads are off."""
BAD_TIMES = (math.nan, math.inf, 5e9, 1e6)
LATE_S, TWICE, BACKWARDS, EARLY_ADVANCE_S, END_S = 30.0, 7, 40, 70.0, 110.0


def faulty(front_end: FrontEnd, signals: Mapping[str, PlainSignal], seed: int) -> list[Operation]:
    """Break signals and their delivery.

    Parameters
    ----------
    front_end : FrontEnd
    signals : mapping
        Good signals of at least 96 s, by modality.
    seed : int
        Of the pushes' lengths.
    """
    broken = {name: _broken(name, signal) for name, signal in signals.items()}
    out: list[Operation] = []
    names, leads = front_end.modality_names, [lead for lead in LEADS if lead[1] in signals]
    advanced = False
    for i, operation in enumerate(pushes(front_end, broken, seed, jitter=0.3)):
        if any(n == names[operation.modality] and a <= operation.time_s < b for n, a, b in SILENCES):
            continue
        while leads and operation.time_s >= leads[0][0]:
            _, name, mask = leads.pop(0)
            out.append(Operation(names.index(name), lead_off=mask))
        if not advanced and operation.time_s >= EARLY_ADVANCE_S:
            out.append(Operation(0, EARLY_ADVANCE_S + 1.0))
            advanced = True
        out.append(operation)
        out += _repeated(i, operation)
    return [*out, Operation(0, END_S)]


def _broken(name: str, signal: PlainSignal) -> PlainSignal:
    samples = signal.samples.copy()
    for modality, channel, start_s, stop_s, value in SAMPLE_FAULTS:
        if modality != name:
            continue
        first, last = (int(round(s * signal.sampling_rate_hz)) for s in (start_s, stop_s))
        rows = slice(None) if channel is None else slice(channel, channel + 1)
        samples[rows, first : max(last, first + 1)] = np.float32(value)
    return PlainSignal(samples, signal.sampling_rate_hz, signal.start_s)


def _repeated(i: int, operation: Operation) -> list[Operation]:
    """Repeat some pushes, some with a clock that went back or makes no sense."""
    if i % BACKWARDS == BACKWARDS - 1:
        return [Operation(operation.modality, operation.time_s - LATE_S, operation.samples)]
    if i % BACKWARDS == BACKWARDS // 2:
        bad = BAD_TIMES[i // BACKWARDS % len(BAD_TIMES)]
        return [Operation(operation.modality, bad, operation.samples)]
    return [operation] if i % TWICE == TWICE - 1 else []
