# SPDX-License-Identifier: Apache-2.0
"""The display filter over a whole table; on a device the core does the same (`mmq_display_show`)."""

from __future__ import annotations

import math
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


def display_seconds(value: Any) -> float:
    """Return over how many seconds a display averages, from 0, which changes nothing, to `MAX_DISPLAY_S`.

    Raises
    ------
    BridgeError
        When `value` is none of these.
    """
    display_s = plain_number("display", value)
    if not (math.isfinite(display_s) and 0 <= display_s <= MAX_DISPLAY_S):
        raise BridgeError(f"display: expected 0 to {MAX_DISPLAY_S:g} s, got {display_s:g}.")
    return display_s
