# SPDX-License-Identifier: Apache-2.0
"""Constants whose rows are sums of two, as of a place in time and a sensor: fewer bytes, the same bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FRACTION = 7
"""Bits behind the point of the summands."""
MIN_ROWS = 8


@dataclass(frozen=True, eq=False)
class OuterSum:
    """``constant[r] = (slow[r // period] + fast[r % period]) >> FRACTION``, each int16 ``[rows, count]``."""

    slow: np.ndarray
    fast: np.ndarray

    @property
    def period(self) -> int:
        """How many rows there are before a row of `fast` comes again."""
        return len(self.fast)


def outer_sum(constant: np.ndarray) -> OuterSum | None:
    """Return int8 ``[rows, count]`` as sums, where they are exact and fewer bytes than half as many again."""
    rows = len(constant)
    if rows < MIN_ROWS:
        return None
    periods = [n for n in range(2, rows) if rows % n == 0 and 3 * (n + rows // n) <= 2 * rows]
    for period in sorted(periods, key=lambda n: n + rows // n):
        if (found := _summands(constant.reshape(-1, period, constant.shape[1]))) is not None:
            return found
    return None


def _summands(constant: np.ndarray) -> OuterSum | None:
    """Solve ``least <= slow + fast <= most`` for whole numbers: shortest paths, all columns at once."""
    least = constant.astype(np.int64) << FRACTION
    most = least + (1 << FRACTION) - 1
    slow, less = np.zeros_like(least[:, 0]), np.zeros_like(least[0])  # `less`: -fast
    for _ in range(sum(constant.shape[:2]) + 1):
        new = np.minimum(slow, (less + most).min(1))
        lower = np.minimum(less, (new[:, None] - least).min(0))
        if np.array_equal(new, slow) and np.array_equal(lower, less):
            return _centred(slow, -less)
        slow, less = new, lower
    return None


def _centred(slow: np.ndarray, fast: np.ndarray) -> OuterSum | None:
    """Move what both may share so that they fit int16; None where they do not."""
    middle = (fast.max(0) + fast.min(0)) // 2
    slow, fast = slow + middle, fast - middle
    largest = max(np.abs(slow).max(), np.abs(fast).max())
    return OuterSum(slow.astype(np.int16), fast.astype(np.int16)) if largest < 1 << 15 else None
