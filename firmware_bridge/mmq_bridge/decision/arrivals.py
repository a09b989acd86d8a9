# SPDX-License-Identifier: Apache-2.0
"""Samples as they are pushed: whether their times can be true, and the turns of long pieces."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mmq_bridge.decision.replay import Chunk
from mmq_bridge.errors import BridgeError

PUSHES = 5
"""So many steps from push to push, one after the other, must agree that the rate is too high."""
SLOW_PUSHES = 16
"""And so many that it is too low: fewer happen to lose every second packet on a bad link."""
LEAST_S = 1.0
"""And they must be wrong by so much in all, in s."""
TIMES = 1.5
"""A rate is wrong when it is this many times too high or too low."""
SAME = 0.02
"""Relative difference up to which steps are equally slow: lost packets leave unequal gaps."""

STEP_S = 1.0
"""Long pieces of several sensors go on in turns of so many seconds."""
WAIT_S = 120.0
"""A sensor that is behind another one by more is not waited for."""


@dataclass
class Arrivals:
    """How many samples of one sensor came in what time.

    Parameters
    ----------
    name : str
        Modality.
    rate_hz : float
        Of the front end.
    longest_s : float
        A longer step in time says nothing about the rate: the sensor paused.
    """

    name: str
    rate_hz: float
    longest_s: float
    _last: tuple[float, int] | None = None
    _steps: int = 0
    _seconds: float = 0.0
    _frames: int = 0

    def add(self, time_s: float, frames: int) -> None:
        """Take note of a push: its first sample's time in s, and its samples per channel.

        Raises
        ------
        BridgeError
            When the last pushes have another rate than the front end.
        """
        if frames == 0:
            return
        if self._last is not None:
            self._step(time_s - self._last[0], self._last[1])
        self._last = (time_s, frames)
        wrong_s = abs(self._frames / self.rate_hz - self._seconds)
        pushes = PUSHES if self._frames > self.rate_hz * self._seconds else SLOW_PUSHES
        if self._steps >= pushes and wrong_s >= LEAST_S:
            raise BridgeError(self._sentence())

    def _step(self, seconds: float, frames: int) -> None:
        """Take up a step that goes the way of those before, or begin anew."""
        covered_s = frames / self.rate_hz
        fast = 0 < TIMES * seconds < covered_s
        slow = TIMES * covered_s < seconds <= self.longest_s
        goes_on = self._same_rate(seconds, frames) if slow else self._frames > self.rate_hz * self._seconds
        if not (fast or slow) or not goes_on:
            self._steps, self._seconds, self._frames = 0, 0.0, 0
        if fast or slow:
            self._steps, self._seconds, self._frames = (
                self._steps + 1,
                self._seconds + seconds,
                self._frames + frames,
            )

    def _same_rate(self, seconds: float, frames: int) -> bool:
        wanted = self._frames * seconds
        return abs(frames * self._seconds - wanted) <= SAME * wanted

    def _sentence(self) -> str:
        return (
            f"{self.name}: {self._frames} samples came in {self._seconds:.3g} s by their times, "
            f"{self._frames / self._seconds:.3g} per second, but the model's rate is {self.rate_hz:g} Hz; "
            "resample them, or give the whole recording with its rate to Device.decide."
        )


class Turns:
    """Long pieces, pushed one sensor after the other, are held until the slowest sensor has come as far.

    A piece of a second, or as long as the core waits for a sensor, goes on at once unless others are held; a
    sensor that is over `WAIT_S` behind is not waited for. So no more than `WAIT_S` of each sensor is held.

    Parameters
    ----------
    rates_hz : mapping of str to float
        By modality.
    grace_s : float
        How long the core waits for a sensor, in s.
    """

    def __init__(self, rates_hz: Mapping[str, float], grace_s: float) -> None:
        self._rates_hz, self._short_s = dict(rates_hz), max(grace_s, STEP_S)
        self._held: list[Chunk] = []
        self._ends_s: dict[str, float] = {}

    def put(self, piece: Chunk) -> list[Chunk]:
        """Take a piece; return what may go on, in order: often just this piece, perhaps nothing.

        Parameters
        ----------
        piece : Chunk
            Its time is in s.
        """
        if not math.isfinite(piece.time_s):
            return [piece]
        newest_s = max(self._ends_s.values(), default=-math.inf)
        behind, begins = self._end_s(piece) < newest_s - WAIT_S, piece.time_s > newest_s + WAIT_S
        ready = self.release() if behind or begins else []
        if begins:  # the first piece, or all paused
            self._ends_s = dict.fromkeys(self._rates_hz, piece.time_s)
        self._ends_s[piece.modality] = self._end_s(piece)
        short = self._end_s(piece) - piece.time_s <= self._short_s
        if behind or (short and not self._held):
            return [*ready, piece]
        if begins:  # its first samples go on: the core sees whether the time is possible
            first, *self._held = self._parts(piece)
            return [*ready, first, *self._ready()]
        self._held.append(piece)
        return self._ready()

    def release(self) -> list[Chunk]:
        """Return everything that is held, in order."""
        return self._until(math.inf)

    def clear(self) -> None:
        """Forget what is held and how far the sensors came."""
        self._held, self._ends_s = [], {}

    def _ready(self) -> list[Chunk]:
        newest_s = max(self._ends_s.values())
        reached_s = min(end_s for end_s in self._ends_s.values() if end_s >= newest_s - WAIT_S)
        return self._until(math.inf if newest_s - reached_s <= self._short_s else reached_s)

    def _end_s(self, piece: Chunk) -> float:
        return piece.time_s + piece.samples.shape[1] / self._rates_hz[piece.modality]

    def _until(self, time_s: float) -> list[Chunk]:
        """Take out what begins before a time: second by second, the sensors in turn."""
        if time_s == math.inf and len({piece.modality for piece in self._held}) < 2:
            ready, self._held = self._held, []
            return ready
        places = {name: place for place, name in enumerate(self._rates_hz)}
        held, self._held = self._held, []
        ready = []
        for piece in (part for whole in held for part in self._parts(whole)):
            (ready if piece.time_s < time_s else self._held).append(piece)
        return sorted(ready, key=lambda part: (math.floor(part.time_s / STEP_S), places[part.modality]))

    def _parts(self, piece: Chunk) -> Iterator[Chunk]:
        """Cut a piece at whole seconds."""
        rate_hz, frames = self._rates_hz[piece.modality], piece.samples.shape[1]
        first_s, stop_s = piece.time_s, self._end_s(piece)
        seconds = np.arange(math.floor(first_s / STEP_S) + 1, math.ceil(stop_s / STEP_S)) * STEP_S
        cuts = np.clip(np.ceil((seconds - first_s) * rate_hz - 1e-6), 0, frames).astype(int)
        edges = sorted({0, *cuts.tolist(), frames})
        for begin, end in zip(edges[:-1], edges[1:], strict=True):
            yield Chunk(piece.modality, piece.samples[:, begin:end], first_s + begin / rate_hz)
