# SPDX-License-Identifier: Apache-2.0
"""`Pushing`: samples on their way into a bridge; long pieces take turns, rates and lateness are watched."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.input_validation import plain_number, sample_rows
from mmq_bridge.decision.arrivals import Arrivals, Turns
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.replay import Chunk
from mmq_bridge.errors import BridgeError, BridgeWarning
from mmq_bridge.front_end.front_end import FrontEnd

RATE_TOLERANCE = 0.02
"""Share by which a sensor's rate may differ from the model's before `Pushing.push` says so."""


class Pushing:
    """Feeds a bridge, token by token, and returns what that decides.

    Parameters
    ----------
    front_end : FrontEnd
    bridge : Bridge
    decisions : callable
        Returns the decisions about what was pushed since it was called last.

    Attributes
    ----------
    late_pushes : dict of str to int
        By modality the pushes of which samples came too late, or twice, and were not used.
    """

    def __init__(self, front_end: FrontEnd, bridge: Bridge, decisions: Callable[[], list[Decision]]) -> None:
        self._front_end, self._bridge, self._decisions = front_end, bridge, decisions
        rates = {name: modality.sampling_rate_hz for name, modality in front_end.modalities.items()}
        self._arrivals = {name: Arrivals(name, rate, front_end.token_s) for name, rate in rates.items()}
        self._turns = Turns(rates, front_end.grace_s)
        self.late_pushes = dict.fromkeys(front_end.modality_names, 0)
        self._off_rate: set[str] = set()
        self._newest_s = -math.inf

    def push(self, modality: str, samples: np.ndarray, time_s: float) -> list[Decision]:
        """See `Device.push`."""
        if modality not in self._front_end.modalities:
            return []
        settings = self._front_end.modalities[modality]
        rows, first_s = sample_rows(modality, samples, len(settings.channels)), plain_number("time_s", time_s)
        if math.isfinite(first_s):
            self._arrivals[modality].add(first_s, rows.shape[1])
        decisions = self._take_all(self._turns.put(Chunk(modality, rows, first_s)))
        self._warn_rate(modality, settings.sampling_rate_hz)
        return decisions

    def push_counted(self, modality: str, samples: np.ndarray, first_index: int) -> list[Decision]:
        """See `Device.push_counted`."""
        if modality not in self._front_end.modalities:
            return []
        settings = self._front_end.modalities[modality]
        rows = sample_rows(modality, samples, len(settings.channels))
        step = self._frames_of_a_token(modality)
        decisions = self._take_all(self._turns.release())
        in_time = True
        for first in range(0, max(rows.shape[1], 1), step):
            part = rows[:, first : first + step]
            in_time &= self._bridge.push_counted(modality, part, first_index + first)
            decisions += self._decisions()
        self.late_pushes[modality] += not in_time
        return decisions

    def take(self, modality: str, samples: np.ndarray, time_s: float) -> list[Decision]:
        """See `Device.take`."""
        rate_hz = self._front_end.modalities[modality].sampling_rate_hz
        step, frames = self._frames_of_a_token(modality), samples.shape[1]
        decisions: list[Decision] = []
        in_time = True
        for first in range(0, max(frames, 1), step):
            part, part_s = samples[:, first : first + step], time_s + first / rate_hz
            in_time &= self._bridge.push(modality, part, part_s)
            self._newest_s = max(self._newest_s, part_s + part.shape[1] / rate_hz)
            decisions += self._decisions()
        self.late_pushes[modality] += not in_time
        return decisions

    def advance(self, time_s: float) -> list[Decision]:
        """See `Device.advance`."""
        decisions = self._take_all(self._turns.release())
        self._bridge.advance(time_s)
        self._newest_s = max(self._newest_s, float(time_s))
        return decisions + self._decisions()

    def _frames_of_a_token(self, modality: str) -> int:
        rate_hz = self._front_end.modalities[modality].sampling_rate_hz
        return max(1, int(self._front_end.token_s * rate_hz))

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
            stacklevel=4,
        )

    def _warn_late(self, modality: str, time_s: float) -> None:
        grace_s, behind_s = self._front_end.grace_s, self._newest_s - time_s
        warnings.warn(
            f"{modality} lags: samples of {time_s:g} s came when {self._newest_s:g} s had been reached "
            f"({behind_s:g} s late, or twice), so they are not used. Push all sensors in turn, none more "
            f"than {grace_s:g} s ahead of another; a whole recording goes to Device.decide.",
            BridgeWarning,
            stacklevel=5,
        )
