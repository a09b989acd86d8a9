# SPDX-License-Identifier: Apache-2.0
"""The display filter: what is shown is the average of the probabilities of the last seconds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmq_bridge.core_binding.input_validation import plain_number
from mmq_bridge.errors import BridgeError

MAX_DISPLAY_S = 3600.0
"""Longer than an hour nobody averages; and so the filter's memory has a bound."""
_ROUNDING_S = 1e-6


def display_average(
    recording: np.ndarray, start_s: np.ndarray, probabilities: np.ndarray, display_s: float
) -> np.ndarray:
    """Average each window's probabilities with those of the windows before it, as a display would.

    The mean over the windows of the same recording that start at most at the same time and less than
    `display_s` before: causal, and of six decisions where one is made every 5 s and `display_s` is 30.

    Parameters
    ----------
    recording : int ``[N]``
        Each window's recording, in any order.
    start_s : float ``[N]``
    probabilities : float ``[N, K]``
    display_s : float
        Seconds; 0 leaves everything as it is.

    Returns
    -------
    numpy.ndarray
        float64 ``[N, K]``.

    Examples
    --------
    >>> p = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> display_average(np.zeros(3, int), np.array([0.0, 15.0, 30.0]), p, 30.0)[:, 1].tolist()
    [0.0, 0.5, 1.0]
    """
    order = np.lexsort((start_s, recording))
    recording, start_s = np.asarray(recording)[order], np.asarray(start_s)[order]
    first = np.arange(order.size)
    for lag in range(1, order.size):
        near = _near(start_s[lag:] - start_s[:-lag], display_s)
        near &= recording[lag:] == recording[:-lag]
        if not near.any():
            break
        first[lag:][near] -= 1
    stop = np.arange(1, order.size + 1)
    padded = np.concatenate([np.asarray(probabilities, np.float64)[order], np.zeros_like(probabilities[:1])])
    if not order.size:
        return padded
    sums = np.add.reduceat(padded, np.stack([first, stop], axis=1).ravel(), axis=0)[::2]
    out = np.empty_like(sums)
    out[order] = sums / (stop - first)[:, np.newaxis]
    return out


def _near(passed_s: Any, display_s: float) -> Any:
    """Whether a decision made so many seconds before the newest one is averaged with it."""
    return passed_s < display_s - _ROUNDING_S


class DisplayFilter:
    """`display_average` of decisions as they are made, one after the other.

    Parameters
    ----------
    display_s : float
        Seconds, from 0, which changes nothing, to `MAX_DISPLAY_S`.

    Raises
    ------
    BridgeError
        When `display_s` is none of these.

    Examples
    --------
    >>> shown = DisplayFilter(30.0)
    >>> shown.add(5.0, {"stress": {"rest": 1.0, "stress": 0.0}})
    {'stress': {'rest': 1.0, 'stress': 0.0}}
    >>> shown.add(10.0, {"stress": {"rest": 0.0, "stress": 1.0}})
    {'stress': {'rest': 0.5, 'stress': 0.5}}
    >>> shown.add(40.0, {"stress": {"rest": 0.0, "stress": 1.0}})
    {'stress': {'rest': 0.0, 'stress': 1.0}}
    """

    def __init__(self, display_s: float) -> None:
        self.display_s = plain_number("display", display_s)
        if not (math.isfinite(self.display_s) and 0 <= self.display_s <= MAX_DISPLAY_S):
            raise BridgeError(f"display: expected 0 to {MAX_DISPLAY_S:g} s, got {self.display_s:g}.")
        self._rows: deque[tuple[float, list[float]]] = deque()

    def add(
        self, time_s: float, probabilities: Mapping[str, Mapping[str, float]]
    ) -> dict[str, dict[str, float]]:
        """Take a decision; return what is shown with it.

        Parameters
        ----------
        time_s : float
            When it was made, in s; never before the one added last.
        probabilities : mapping
            Probability by class by task; empty where the decision was withheld, which is not averaged.

        Returns
        -------
        dict
            Averaged probability by class by task; empty where `probabilities` are.
        """
        if not probabilities:
            return {}
        self._rows.append((time_s, [value for one in probabilities.values() for value in one.values()]))
        while len(self._rows) > 1 and not _near(time_s - self._rows[0][0], self.display_s):
            self._rows.popleft()
        times_s, rows = (np.array(part) for part in zip(*self._rows, strict=True))
        values = iter(display_average(np.zeros(len(rows), int), times_s, rows, self.display_s)[-1].tolist())
        return {task: {name: next(values) for name in one} for task, one in probabilities.items()}
