# SPDX-License-Identifier: Apache-2.0
"""When live samples were taken: time stamps without their jitter, and where samples were lost."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BREAK_S = 0.25
"""Stamps of neighbours further apart than this, and than `BREAK_PERIODS`, have lost samples between them."""

BREAK_PERIODS = 1.5
RATE_TOLERANCE = 0.02
"""Share by which a stream's real rate may differ from the one it names."""

SMOOTH_S = 10.0
"""Time constant of the line through the stamps: radio jitters within a second, crystals drift in hours."""

RATE_CHECK_S = 30.0
"""Of samples before the rate that their stamps make is believed: the jitter of two stamps weighs little."""


class SampleRun(NamedTuple):
    """Neighbouring samples without a loss between them.

    Attributes
    ----------
    begin, end : int
        Range of the samples.
    time_s : float
        Of the first one, on the clock of the stamps.
    """

    begin: int
    end: int
    time_s: float


class Timeline:
    """A line at the nominal rate through the time stamps of one stream, which follows their drift.

    Within a run the samples lie on the line; its offset is the mean of what the stamps said, over the last
    `SMOOTH_S`. A break of the stamps, forwards or backwards, begins a new run and a new line.

    Parameters
    ----------
    rate_hz : float
        Nominal rate.

    Examples
    --------
    >>> line = Timeline(4.0)
    >>> line.place(np.array([10.0, 10.25, 10.5]))
    [SampleRun(begin=0, end=3, time_s=10.0)]
    >>> line.place(np.array([10.75, 13.0]))
    [SampleRun(begin=0, end=1, time_s=10.75), SampleRun(begin=1, end=2, time_s=13.0)]
    """

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.limit_s = max(BREAK_S, BREAK_PERIODS / rate_hz)
        self._last_s = self._due_s = math.nan
        self._weight = 0.0
        self._steps, self._length_s = 0, 0.0

    @property
    def due_s(self) -> float:
        """When the next sample is due; NaN before the first one."""
        return self._due_s

    def place(self, stamps_s: np.ndarray) -> list[SampleRun]:
        """Return the runs that samples with these finite stamps, float64 [n], make."""
        if not len(stamps_s):
            return []
        steps = np.diff(stamps_s, prepend=self._last_s)
        steady = np.abs(steps) <= self.limit_s  # NaN, before the first stamp, is none
        self._steps += int(steady.sum())
        self._length_s += float(steps[steady].sum())
        self._last_s = float(stamps_s[-1])
        edges = sorted({0, *np.flatnonzero(~steady).tolist(), len(stamps_s)})
        return [
            SampleRun(begin, end, self._follow(stamps_s[begin:end], new=not steady[begin]))
            for begin, end in zip(edges, edges[1:], strict=False)
        ]

    def measured_hz(self) -> float | None:
        """Return the rate that the stamps make, once every `RATE_CHECK_S`; None in between."""
        if self._steps < RATE_CHECK_S * self.rate_hz:
            return None
        rate = self._steps / self._length_s if self._length_s > 0 else math.inf
        self._steps, self._length_s = 0, 0.0
        return rate

    def _follow(self, stamps_s: np.ndarray, new: bool) -> float:
        """Return the time of the first of these samples and move the line on beyond the last."""
        count = len(stamps_s)
        said = float(np.mean(stamps_s - np.arange(count) / self.rate_hz))
        if new or abs(said - self._due_s) > self.limit_s:
            self._due_s, self._weight = said, 0.0
        self._weight = min(self._weight + count, SMOOTH_S * self.rate_hz)
        first = self._due_s + (said - self._due_s) * min(count / self._weight, 1.0)
        self._due_s = first + count / self.rate_hz
        return first
