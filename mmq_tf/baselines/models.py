# SPDX-License-Identifier: Apache-2.0
"""Logistic regression, random forest and boosted trees on window statistics."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mmq_tf.augmentation.missingness import training_keep
from mmq_tf.baselines.base import Baseline
from mmq_tf.baselines.window_statistics import window_statistics
from mmq_tf.metrics.grouped_scores import score_by_subject

if TYPE_CHECKING:
    from mmq_tf.config.training_spec import TrainingSpec
    from mmq_tf.features.windows import WindowSet

STRENGTHS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Of logistic regression: scikit-learn's ``C``, from strong to weak regularisation."""
UNTUNED = 3e-3
"""The strength where nobody can choose it."""
_NEVER: Any = False  # scikit-learn takes a bool here, its inferred type says str


class _StatisticsBaseline(Baseline):
    """A scikit-learn classifier on `window_statistics`; a class unseen in training gets probability 0."""

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        self._fit_rows(self._rows(features, presence), labels, seed)

    def _rows(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        return window_statistics(features, presence, self.slices)

    def _fit_rows(self, rows: np.ndarray, labels: np.ndarray, seed: int) -> None:
        self._fit_filled(self._learn_filling(rows), labels, seed)

    def _fit_filled(self, rows: np.ndarray, labels: np.ndarray, seed: int) -> None:
        self.seen = np.unique(labels)
        # A classifier refuses a single class: such a training set only allows a constant answer.
        self.estimator = self._estimate(rows, labels, seed) if self.seen.size > 1 else None

    def _predict(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        return self._probabilities(self.estimator, self._fill(self._rows(features, presence)))

    def _probabilities(self, estimator: Any, rows: np.ndarray) -> np.ndarray:
        out = np.zeros((len(rows), self.classes))
        out[:, self.seen] = 1.0 if estimator is None else estimator.predict_proba(rows)
        return out

    def _estimate(self, rows: np.ndarray, labels: np.ndarray, seed: int) -> Any:
        return self._make(seed).fit(rows, labels, self._weights(labels))

    def _weights(self, labels: np.ndarray) -> np.ndarray | None:
        """Return the weight of each row; rows may be those of the windows several times over."""
        return None if self._weight is None else np.tile(self._weight, len(labels) // len(self._weight))

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


class _TaughtWithGaps(_StatisticsBaseline):
    """Mixin: each training window is seen once as it is and `copies` times with other tokens hidden."""

    copies: int

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        rows = [self._rows(features, presence)]
        for _ in range(self.copies):
            seen = presence & training_keep(rng, presence.shape, max_rate=0.9, complete_share=0.0)
            rows.append(self._rows(features, seen))
        self._fit_rows(np.concatenate(rows), np.tile(labels, self.copies + 1), seed)


class Logistic(_FilledBaseline):
    """L2 logistic regression on standardised statistics, missing ones filled with training means.

    Its strength, scikit-learn's ``C``, is the one of `STRENGTHS` that ranks the windows of the validation
    people best: AUROC, the mean over people; of equals the smaller. Without any validation person of two
    classes it is `UNTUNED`.

    Parameters
    ----------
    fixed_strength : float, optional
        Then nothing is chosen.

    Attributes
    ----------
    strength : float
        What was given or chosen.
    """

    name = "logistic"
    version = 2
    _judges: "WindowSet | None" = None

    def __init__(self, fixed_strength: float | None = None):
        self.fixed_strength = fixed_strength
        self.strength = UNTUNED if fixed_strength is None else fixed_strength

    def fit_windows(
        self,
        train: "WindowSet",
        validation: "WindowSet | None",
        spec: "TrainingSpec",
        seed: int = 0,
        classes: int | None = None,
    ) -> Self:
        """Learn from one fold, as `Baseline.fit_windows`; validation people choose the strength."""
        labelled = None if validation is None else validation.take(np.flatnonzero(validation.label >= 0))
        self._judges = labelled or None
        try:
            return super().fit_windows(train, validation, spec, seed, classes)
        finally:
            self._judges = None

    def _estimate(self, rows: np.ndarray, labels: np.ndarray, seed: int) -> LogisticRegression:
        if self.fixed_strength is not None:
            return self._regression(self.fixed_strength, rows, labels, seed)
        strengths = STRENGTHS if self._judges is not None else (UNTUNED,)
        found = {c: self._regression(c, rows, labels, seed) for c in strengths}
        self.strength = UNTUNED if self._judges is None else self._best(found, self._judges)
        return found[self.strength]

    def _regression(self, c: float, rows: np.ndarray, labels: np.ndarray, seed: int) -> LogisticRegression:
        regression = LogisticRegression(C=c, max_iter=5000, random_state=seed)
        return regression.fit(rows, labels, self._weights(labels))

    def _best(self, found: Mapping[float, LogisticRegression], judges: "WindowSet") -> float:
        """Return the strength with the best AUROC over people; the first of equals."""
        rows, labels = self._fill(self._rows(judges.features, judges.presence)), judges.label.astype(np.int64)
        scores = {
            c: score_by_subject(judges.subject, labels, self._probabilities(estimator, rows)).scores["auroc"]
            for c, estimator in found.items()
        }
        if np.isnan(scores[UNTUNED]).all():
            return UNTUNED
        return max(scores, key=lambda c: np.nanmean(scores[c]))

    def _learn_filling(self, rows: np.ndarray) -> np.ndarray:
        self.centre, self.spread = 0.0, 1.0
        filled = super()._learn_filling(rows)
        spread = filled.std(axis=0)
        self.centre, self.spread = filled.mean(axis=0), np.where(spread > 1e-12, spread, 1.0)
        return (filled - self.centre) / self.spread

    def _fill(self, rows: np.ndarray) -> np.ndarray:
        return (super()._fill(rows) - self.centre) / self.spread


class LogisticDropout(_TaughtWithGaps, Logistic):
    """The same logistic regression, taught with sensors hidden: each window once as it is, twice with gaps.

    Each of the three has a third of a window's weight. The strength is chosen on the validation people's
    windows as they are.

    Attributes
    ----------
    copies : int
        How often each training window is repeated with other tokens hidden, as for `BoostedDropout`.
    """

    name = "logistic_dropout"
    version = 1

    def __init__(self, copies: int = 2, fixed_strength: float | None = None):
        super().__init__(fixed_strength)
        self.copies = copies

    def _regression(self, c: float, rows: np.ndarray, labels: np.ndarray, seed: int) -> LogisticRegression:
        return super()._regression(c / (self.copies + 1), rows, labels, seed)


class Forest(_FilledBaseline):
    """Random forest on statistics, missing ones filled with training means (Breiman 2001).

    Attributes
    ----------
    trees : int
        Number of trees.
    min_samples_leaf : int
        Fewest rows in a leaf.
    max_features : float or str
        Share of the columns that each split looks at; ``"sqrt"`` is the root of their number.
    """

    name = "forest"

    def __init__(self, trees: int = 300, min_samples_leaf: int = 2, max_features: float | str = "sqrt"):
        self.trees = trees
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features

    def _make(self, seed: int) -> RandomForestClassifier:
        return RandomForestClassifier(
            n_estimators=self.trees,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,  # pyright: ignore[reportArgumentType]  inferred from its default
            n_jobs=1,
            random_state=seed,
        )


class Boosted(_StatisticsBaseline):
    """Histogram gradient-boosted trees; a missing statistic is NaN, with its own branch (Ke et al. 2017).

    Attributes
    ----------
    learning_rate : float
        What each tree's answer is multiplied by.
    rounds : int
        Number of trees (for each class, where there are more than two).
    leaves : int
        Most leaves of a tree.
    min_samples_leaf : int
        Fewest rows in a leaf.
    """

    name = "boosted"

    def __init__(
        self, learning_rate: float = 0.1, rounds: int = 100, leaves: int = 15, min_samples_leaf: int = 20
    ):
        self.learning_rate = learning_rate
        self.rounds = rounds
        self.leaves = leaves
        self.min_samples_leaf = min_samples_leaf

    def _learn_filling(self, rows: np.ndarray) -> np.ndarray:
        self.never_seen = ~np.isfinite(rows).any(axis=0)
        return self._fill(rows)

    def _fill(self, rows: np.ndarray) -> np.ndarray:
        # A column without a single number in training cannot be binned and has taught nothing: a constant.
        return np.where(self.never_seen, 0.0, rows)

    def _make(self, seed: int) -> HistGradientBoostingClassifier:
        # Early stopping would judge itself on windows of its own training subjects: off.
        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.rounds,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.min_samples_leaf,
            early_stopping=_NEVER,
            random_state=seed,
        )


class BoostedDropout(_TaughtWithGaps, Boosted):
    """The same boosted trees, taught with sensors hidden: each window once as it is and thrice with gaps.

    Attributes
    ----------
    copies : int
        How often each training window is repeated with other tokens hidden, as `missing.training_keep` draws
        them for the network: rate U(0, 0.9), whole modalities, blocks or scattered tokens.
    """

    name = "boosted_dropout"

    def __init__(self, copies: int = 3, **settings: Any):
        super().__init__(**settings)
        self.copies = copies
