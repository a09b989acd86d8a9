# SPDX-License-Identifier: Apache-2.0
"""Shares collected recording by recording, as rows of the results contract."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from mmq_tf.metrics.results_table import ResultRow
from mmq_tf.metrics.significance import bootstrap_intervals


class ShareTable:
    """Shares by (method, condition, metric) and subject, averaged over subjects at the end."""

    def __init__(self) -> None:
        self._shares: dict[tuple[str, str, str], dict[str, list[np.ndarray]]] = defaultdict(dict)

    def add(self, key: tuple[str, str, str], subject: str, values: Any) -> None:
        """Add what was found in one recording: 0/1 (or shares), NaN where nothing could be said."""
        values = np.asarray(values, np.float64)
        if np.isfinite(values).any():
            self._shares[key].setdefault(subject, []).append(values[np.isfinite(values)])

    def rows(self) -> tuple[ResultRow, ...]:
        """Mean over subjects with its bootstrap interval, where there are several."""
        return tuple(self._row(key, by) for key, by in self._shares.items())

    def _row(self, key: tuple[str, str, str], by_subject: dict[str, list[np.ndarray]]) -> ResultRow:
        shares = np.array([[np.concatenate(parts).mean() for parts in by_subject.values()]])
        mean, low, high = (round(float(x[0]), 4) for x in bootstrap_intervals(shares))
        several = shares.shape[1] > 1
        method, condition, metric = key
        return ResultRow(
            method=method, condition=condition, metric=metric, mean=mean,
            low=low if several else None, high=high if several else None, n=shares.shape[1],
        )  # fmt: skip
