# SPDX-License-Identifier: Apache-2.0
"""Logistic regression, random forest and boosted trees on window statistics."""

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mmq_tf.augmentation.missingness import training_keep
from mmq_tf.baselines.base import Baseline
from mmq_tf.baselines.window_statistics import window_statistics

_NEVER: Any = False  # scikit-learn takes a bool here, its inferred type says str


class _StatisticsBaseline(Baseline):
    """A scikit-learn classifier on `window_statistics`; a class unseen in training gets probability 0."""

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        self._fit_rows(window_statistics(features, presence, self.slices), labels, seed)

    def _fit_rows(self, rows: np.ndarray, labels: np.ndarray, seed: int) -> None:
        self.seen = np.unique(labels)
        rows = self._learn_filling(rows)
        # A classifier refuses a single class: such a training set only allows a constant answer.
        self.estimator = self._make(seed).fit(rows, labels) if self.seen.size > 1 else None

    def _predict(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        rows = self._fill(window_statistics(features, presence, self.slices))
        out = np.zeros((len(rows), self.classes))
        out[:, self.seen] = 1.0 if self.estimator is None else self.estimator.predict_proba(rows)
        return out

    def _make(self, seed: int) -> Any:
        raise NotImplementedError

    def _learn_filling(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def _fill(self, rows: np.ndarray) -> np.ndarray:
        return rows


class _FilledBaseline(_StatisticsBaseline):
    """A classifier that cannot take NaN: missing statistics become the training mean of their column."""

    def _learn_filling(self, rows: np.ndarray) -> np.ndarray:
        known = np.isfinite(rows)
        total = np.where(known, rows, 0.0).sum(axis=0, dtype=np.float64)
        self.column_means = total / np.maximum(known.sum(axis=0), 1)
        return self._fill(rows)

    def _fill(self, rows: np.ndarray) -> np.ndarray:
        return np.where(np.isfinite(rows), rows, self.column_means)


class Logistic(_FilledBaseline):
    """L2 logistic regression (C = 1) on standardised statistics, missing ones filled with training means."""

    name = "logistic"

    def _make(self, seed: int) -> LogisticRegression:
        return LogisticRegression(C=1.0, max_iter=5000, random_state=seed)

    def _learn_filling(self, rows: np.ndarray) -> np.ndarray:
        self.centre, self.spread = 0.0, 1.0
        filled = super()._learn_filling(rows)
        spread = filled.std(axis=0)
        self.centre, self.spread = filled.mean(axis=0), np.where(spread > 1e-12, spread, 1.0)
        return (filled - self.centre) / self.spread

    def _fill(self, rows: np.ndarray) -> np.ndarray:
        return (super()._fill(rows) - self.centre) / self.spread


class Forest(_FilledBaseline):
    """Random forest on statistics, missing ones filled with training means (Breiman 2001).

    Attributes
    ----------
    trees : int
        Number of trees.
    """

    name = "forest"

    def __init__(self, trees: int = 300):
        self.trees = trees

    def _make(self, seed: int) -> RandomForestClassifier:
        return RandomForestClassifier(
            n_estimators=self.trees, min_samples_leaf=2, n_jobs=1, random_state=seed
        )


class Boosted(_StatisticsBaseline):
    """Histogram gradient-boosted trees; a missing statistic is NaN, with its own branch (Ke et al. 2017)."""

    name = "boosted"

    def _learn_filling(self, rows: np.ndarray) -> np.ndarray:
        self.never_seen = ~np.isfinite(rows).any(axis=0)
        return self._fill(rows)

    def _fill(self, rows: np.ndarray) -> np.ndarray:
        # A column without a single number in training cannot be binned and has taught nothing: a constant.
        return np.where(self.never_seen, 0.0, rows)

    def _make(self, seed: int) -> HistGradientBoostingClassifier:
        # Early stopping would judge itself on windows of its own training subjects: off.
        return HistGradientBoostingClassifier(early_stopping=_NEVER, max_leaf_nodes=15, random_state=seed)


class BoostedDropout(Boosted):
    """The same boosted trees, taught with sensors hidden: each window once as it is and thrice with gaps.

    Attributes
    ----------
    copies : int
        How often each training window is repeated with other tokens hidden, as `missing.training_keep` draws
        them for the network: rate U(0, 0.9), whole modalities, blocks or scattered tokens.
    """

    name = "boosted_dropout"

    def __init__(self, copies: int = 3):
        self.copies = copies

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        rows = [window_statistics(features, presence, self.slices)]
        for _ in range(self.copies):
            seen = presence & training_keep(rng, presence.shape, max_rate=0.9, complete_share=0.0)
            rows.append(window_statistics(features, seen, self.slices))
        self._fit_rows(np.concatenate(rows), np.tile(labels, self.copies + 1), seed)
