# SPDX-License-Identifier: Apache-2.0
"""A live session: samples of several streams put in the order of their times, then decisions.

Streams deliver when they like. A step of the session is pushed once every stream reached its end, or once the
ones that did not have been waited for; so decisions are those of a replay of the same samples, whatever the
network does. A sensor that comes back joins in where time is by then.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

import numpy as np

from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.device import Device
from mmq_bridge.sources.timeline import RATE_TOLERANCE, Timeline

STEP_S = 1.0
"""Seconds that are pushed at once, as `replay` does."""

LEAST_PATIENCE_S = 1.0
MAX_PAUSE_S = 0.25
"""Longer pauses between two looks are our own fault, not a stream's."""

LATE_S = 10.0
"""Of samples that came too late before it is said."""

MAX_APART_S = 6 * 3600.0
"""Stamps further from the session than this are of another clock."""

SLACK_PERIODS = 1 / 16
"""Jitter of clocks that does not count, as in the core."""


class Arrival(NamedTuple):
    """Samples that came in.

    Attributes
    ----------
    modality : str
    samples : np.ndarray
        float32 [channels, n] in the front end's unit and order.
    stamps_s : np.ndarray
        float64 [n], on the source's clock.
    """

    modality: str
    samples: np.ndarray
    stamps_s: np.ndarray


class LiveSource(Protocol):
    """Where live samples come from."""

    @property
    def connected(self) -> Collection[str]:
        """Modalities that are attached now."""
        ...

    def now_s(self) -> float:
        """Time on the clock of the stamps."""
        ...

    def poll(self) -> list[Arrival]:
        """Return what came in since the last call, without waiting."""
        ...

    def reject(self, modality: str) -> None:
        """Let go of the stream that gives a modality, and leave it."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class _Lane:
    """What came in of one modality and was not pushed yet."""

    def __init__(self, modality: str, rate_hz: float) -> None:
        self.modality, self.rate_hz = modality, rate_hz
        self.slack_s = SLACK_PERIODS / rate_hz
        self.timeline = Timeline(rate_hz)
        self.blocked_s = 0.0
        self.samples = self.late = 0
        self._waiting: deque[tuple[float, np.ndarray]] = deque()

    @property
    def until_s(self) -> float:
        """Everything before this came in; NaN before the first sample."""
        return self.timeline.due_s + self.slack_s

    @property
    def first_s(self) -> float | None:
        return self._waiting[0][0] if self._waiting else None

    def put(self, time_s: float, samples: np.ndarray) -> None:
        self._waiting.append((time_s, samples))
        self.samples += samples.shape[1]

    def take(self, until_s: float) -> list[tuple[float, np.ndarray]]:
        """Return the samples before a time."""
        taken = []
        while self._waiting and self._waiting[0][0] < until_s - self.slack_s:
            time_s, samples = self._waiting.popleft()
            count = math.ceil((until_s - self.slack_s - time_s) * self.rate_hz)
            if count < samples.shape[1]:
                self._waiting.appendleft((time_s + count / self.rate_hz, samples[:, count:]))
            taken.append((time_s, samples[:, :count]))
        return taken


class LiveSession:
    """The decisions of a device on a live source.

    Parameters
    ----------
    device : Device
    source : LiveSource
    tell : callable
        Takes a sentence for the wearer about a sensor that cannot be used.
    clock : callable
        Seconds that never go back.

    Attributes
    ----------
    origin_s : float
        Time of the session's start on the source's clock; NaN before the first samples.
    """

    def __init__(
        self,
        device: Device,
        source: LiveSource,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device, self.source, self.origin_s = device, source, math.nan
        self.patience_s = max(device.front_end.grace_s, LEAST_PATIENCE_S)
        self._tell, self._clock = tell, clock
        modalities = device.front_end.modalities
        self._lanes = {name: _Lane(name, part.sampling_rate_hz) for name, part in modalities.items()}
        self._steps = 0
        self._starting_s = 0.0
        self._own_clock_s = -math.inf
        self._connected: set[str] = set()
        self._looked_s = clock()

    @property
    def mark_s(self) -> float:
        """Everything before this was pushed, in seconds from the start."""
        return self._steps * STEP_S

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return by modality how many frames came in, and how many of them too late to count."""
        return {name: (lane.samples, lane.late) for name, lane in self._lanes.items()}

    def step(self) -> list[Decision]:
        """Take what came in and return the decisions it completes; call it a few times a second."""
        now_s = self._clock()
        passed_s, self._looked_s = min(now_s - self._looked_s, MAX_PAUSE_S), now_s
        self._notice_connections()
        for arrival in self.source.poll():
            self._take(arrival)
        if math.isnan(self.origin_s) and not self._start(passed_s):
            return []
        return self._push_until(self._complete_until(passed_s))

    def finish(self) -> list[Decision]:
        """Push everything that came in; return the last decisions."""
        if math.isnan(self.origin_s):
            return []
        return self._push_until(math.ceil(self._newest_s() - self.origin_s))

    def _notice_connections(self) -> None:
        connected = set(self.source.connected)
        for modality in connected - self._connected:
            self._lanes[modality].blocked_s = 0.0
        self._connected = connected

    def _take(self, arrival: Arrival) -> None:
        lane = self._lanes[arrival.modality]
        finite = np.isfinite(arrival.stamps_s)
        samples, stamps_s = arrival.samples[:, finite], arrival.stamps_s[finite]
        now_s = self.source.now_s()
        newest_s = now_s if math.isnan(self.origin_s) else max(now_s, self.origin_s + self.mark_s)
        for run in lane.timeline.place(stamps_s):
            if not now_s - MAX_APART_S < run.time_s < newest_s + MAX_APART_S:
                ahead_s = run.time_s - newest_s
                self._reject(lane, f"its time stamps are {ahead_s:+.0f} s from the session's clock")
                return
            lane.put(run.time_s, samples[:, run.begin : run.end])
            self._count_late(lane, run.time_s, run.end - run.begin)
        rate_hz = lane.timeline.measured_hz()
        if rate_hz is not None and abs(rate_hz / lane.rate_hz - 1) > RATE_TOLERANCE:
            self._reject(lane, f"expected {lane.rate_hz:g} Hz, its time stamps make {rate_hz:g} Hz")

    def _reject(self, lane: _Lane, why: str) -> None:
        self._tell(f"{lane.modality}: {why}; it counts as missing from now on.")
        self.source.reject(lane.modality)
        lane.timeline = Timeline(lane.rate_hz)

    def _count_late(self, lane: _Lane, time_s: float, frames: int) -> None:
        """Count frames of a time that has passed, which the core drops; say it once of a stream that lags."""
        if math.isnan(self.origin_s):
            return
        passed_s = self.origin_s + self.mark_s - self.device.front_end.grace_s - time_s
        before = lane.late
        lane.late += min(max(math.ceil((passed_s - lane.slack_s) * lane.rate_hz), 0), frames)
        limit = LATE_S * lane.rate_hz
        if before < limit <= lane.late:
            self._tell(f"{lane.modality}: its samples come {passed_s:.0f} s too late and do not count.")

    def _start(self, passed_s: float) -> bool:
        """Begin once all that are connected delivered something, or did not for as long as we wait."""
        firsts = {name: lane.first_s for name, lane in self._lanes.items() if lane.first_s is not None}
        if firsts:
            self._starting_s += passed_s
        if not firsts or (self._connected - set(firsts) and self._starting_s < self.patience_s):
            return False
        self.origin_s = min(firsts.values())
        return True

    def _complete_until(self, passed_s: float) -> float:
        """Return up to when, in s from the start, all that are waited for came in."""
        needed_s = self.origin_s + self.mark_s + STEP_S
        awaited = []
        for lane in (self._lanes[name] for name in self._connected):
            lane.blocked_s = 0.0 if lane.until_s >= needed_s else lane.blocked_s + passed_s
            if lane.blocked_s < self.patience_s:
                awaited.append(lane)
        if awaited:
            reached = [-math.inf if math.isnan(lane.until_s) else lane.until_s for lane in awaited]
            return min(reached) - self.origin_s
        # Nothing but our own clock says that time goes on:
        self._own_clock_s = max(self._own_clock_s, self._newest_s()) + passed_s
        return self._own_clock_s - self.origin_s

    def _newest_s(self) -> float:
        ends = [lane.until_s for lane in self._lanes.values() if not math.isnan(lane.until_s)]
        return max(ends, default=self.origin_s + self.mark_s)

    def _push_until(self, until_s: float) -> list[Decision]:
        decisions: list[Decision] = []
        while self.mark_s + STEP_S <= until_s:
            self._steps += 1
            for lane in self._lanes.values():
                for time_s, samples in lane.take(self.origin_s + self.mark_s):
                    decisions += self.device.take(lane.modality, samples, time_s - self.origin_s)
            decisions += self.device.advance(self.mark_s - self.device.front_end.grace_s)
        return decisions
