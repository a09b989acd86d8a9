# SPDX-License-Identifier: Apache-2.0
"""Time several ways of doing the same in interleaved rounds, so that a busy machine slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmq_tf.metrics.results_table import ResultRow


@dataclass(frozen=True)
class Contender:
    """One way to do it: what is called, prepared as a user would prepare it once.

    Attributes
    ----------
    name, condition : str
        Method and condition in the results.
    run : callable
        Does it once.
    repeats : int
        How often it is done a round: more than once where one is too short for the clock. Then each round's
        first call, which finds the caches full of the others' data, comes before the clock starts.
    """

    name: str
    condition: str
    run: Callable[[], Any]
    repeats: int = 1


def time_rounds(
    entries: Sequence[Contender], rounds: int, report: Callable[[str], None] = lambda text: None
) -> np.ndarray:
    """Return processor seconds of this process ``[rounds, entries]``, all entries in turn in each round."""
    taken = np.zeros((rounds, len(entries)))
    for row in range(rounds):
        for column, entry in enumerate(entries):
            if entry.repeats > 1:
                entry.run()
            start = time.process_time()
            for _ in range(entry.repeats):
                entry.run()
            taken[row, column] = (time.process_time() - start) / entry.repeats
        report(f"round {row + 1} of {rounds}")
    return taken


def median_row(entry: Contender, metric: str, values: np.ndarray) -> ResultRow:
    """Return the median over rounds, with the middle 95 % of the rounds as interval.

    Examples
    --------
    >>> row = median_row(Contender("core", "eeg", list), "ratio", np.array([3.0, 1.0, 2.0]))
    >>> row.mean, row.low, row.high, row.n
    (2.0, 1.05, 2.95, 3)
    """
    low, high = np.quantile(values, [0.025, 0.975])
    return ResultRow(
        method=entry.name,
        condition=entry.condition,
        metric=metric,
        mean=round(statistics.median(values.tolist()), 3),
        low=round(float(low), 3),
        high=round(float(high), 3),
        n=len(values),
    )
