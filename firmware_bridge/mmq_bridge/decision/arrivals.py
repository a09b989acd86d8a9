# SPDX-License-Identifier: Apache-2.0
"""Whether the samples of a sensor can be what their times say: too many or too few for the rate."""

from __future__ import annotations

from dataclasses import dataclass

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
