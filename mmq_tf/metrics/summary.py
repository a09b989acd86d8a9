# SPDX-License-Identifier: Apache-2.0
"""From predictions to the rows of a results table: every number is a function of the prediction file."""

import logging
from dataclasses import dataclass

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.metrics.grouped_scores import factorise, grouped_scores, merge_windows
from mmq_tf.metrics.predictions import Predictions
from mmq_tf.metrics.results_table import ResultRow
from mmq_tf.metrics.scores import METRICS
from mmq_tf.metrics.significance import (
    DRAWS,
    Comparison,
    bootstrap_intervals,
    compare,
    mean_over_seeds,
    pooled_auroc_intervals,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubjectTable:
    """Scores of every (method, condition), seed and subject.

    Attributes
    ----------
    pairs : tuple of (method, condition)
    seeds : tuple of int
    subjects : tuple of str
    scores : dict
        metric -> float64 ``[pairs, seeds, subjects]``, NaN where there is none.
    """

    pairs: tuple[tuple[str, str], ...]
    seeds: tuple[int, ...]
    subjects: tuple[str, ...]
    scores: dict[str, np.ndarray]

    def of(self, method: str, condition: str, metric: str) -> np.ndarray:
        """Give each subject's score, its mean over seeds, float64 ``[subjects]``.

        Raises
        ------
        MMQError
            When this method and condition, or this metric, were not predicted.
        """
        if (method, condition) not in self.pairs or metric not in self.scores:
            raise MMQError(f"{method}, {condition}, {metric}: no such predictions; there are {self.pairs}.")
        return _mean_over(self.scores[metric][self.pairs.index((method, condition))], axis=0)


def subject_table(predictions: Predictions, per_trial: bool = False) -> SubjectTable:
    """Score every method, condition, seed and subject.

    Parameters
    ----------
    predictions : Predictions
    per_trial : bool
        Score trials (mean of their windows' probabilities) in place of windows.

    Raises
    ------
    MMQError
        With `per_trial`, when a trial's windows have several labels.
    """
    pair, pairs = _pair_codes(predictions)
    seed, seeds = factorise(predictions.seed)
    subject, subjects = factorise(predictions.subject)
    shape = (len(pairs), len(seeds), len(subjects))
    cell = (pair * shape[1] + seed) * shape[2] + subject
    labels, probabilities = predictions.label, predictions.probabilities
    if per_trial:
        chosen, labels, probabilities = merge_windows(_trial_codes(predictions, cell), labels, probabilities)
        cell = cell[chosen]
    scores = grouped_scores(cell, labels, probabilities, int(np.prod(shape)))
    return SubjectTable(
        tuple(pairs), tuple(seeds), tuple(subjects), {name: s.reshape(shape) for name, s in scores.items()}
    )


def _pair_codes(predictions: Predictions) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Assign numbers to the (method, condition) pairs, methods first, both in order of first appearance."""
    method, methods = factorise(predictions.method)
    condition, conditions = factorise(predictions.condition)
    used, pair = np.unique(method * max(1, len(conditions)) + condition, return_inverse=True)
    return pair, [(methods[u // len(conditions)], conditions[u % len(conditions)]) for u in used.tolist()]


def _trial_codes(predictions: Predictions, cell: np.ndarray) -> np.ndarray:
    """Assign numbers to the trials within each cell, 0.. without holes."""
    session, sessions = factorise(predictions.session)
    trial, trials = factorise(predictions.trial)
    return np.unique(
        (cell * max(1, len(sessions)) + session) * max(1, len(trials)) + trial, return_inverse=True
    )[1]


def results_from_predictions(
    predictions: Predictions, bootstrap_seed: int = 0, draws: int = DRAWS
) -> list[ResultRow]:
    """Compute every row of a run's table.

    For each method and condition: ``auroc``, ``macro_f1``, ``balanced_accuracy``, ``accuracy``, ``ece``,
    ``brier`` per window and, as ``trial_...``, per trial (mean of the windows' probabilities): the mean
    over seeds of the mean over subjects, with a bootstrap interval over subjects. And ``auroc_pooled``: the
    AUROC of all subjects' windows together, mean over seeds, its interval from the same draws of subjects.
    A subject for whom a metric is not defined (AUROC with one class) is left out of that metric: `n` counts
    those left in. Where trials hold windows of several labels there are no ``trial_`` rows.

    Parameters
    ----------
    predictions : Predictions
    bootstrap_seed, draws : int

    Returns
    -------
    list of ResultRow
        Methods, then conditions, then metrics, each in order of first appearance.
    """
    if not len(predictions):
        return []
    tables = {"": subject_table(predictions)}
    try:
        tables["trial_"] = subject_table(predictions, per_trial=True)
    except MMQError as error:
        _log.warning("no results per trial: %s", error)
    pairs = tables[""].pairs
    columns = [_subject_rows(table, prefix, bootstrap_seed, draws) for prefix, table in tables.items()]
    columns.insert(1, _pooled_rows(predictions, pairs, bootstrap_seed, draws))
    return [row for index in range(len(pairs)) for column in columns for row in column[index]]


def _subject_rows(table: SubjectTable, prefix: str, seed: int, draws: int) -> list[list[ResultRow]]:
    """Rows of one table, a list a pair."""
    stacked = np.stack([table.scores[name] for name in METRICS], axis=1)  # [pairs, metrics, seeds, subjects]
    per_subject = _mean_over(stacked, axis=2)
    flat = per_subject.reshape(-1, per_subject.shape[-1])
    mean, low, high = (part.reshape(per_subject.shape[:2]) for part in bootstrap_intervals(flat, seed, draws))
    counted = (~np.isnan(per_subject)).sum(axis=-1)
    return [
        [
            ResultRow(
                method=method,
                condition=condition,
                metric=prefix + metric,
                mean=float(mean[i, j]),
                low=float(low[i, j]),
                high=float(high[i, j]),
                n=int(counted[i, j]),
                seed_std=mean_over_seeds(stacked[i, j])[1],
            )
            for j, metric in enumerate(METRICS)
        ]
        for i, (method, condition) in enumerate(table.pairs)
    ]


def _pooled_rows(
    predictions: Predictions, pairs: tuple[tuple[str, str], ...], bootstrap_seed: int, draws: int
) -> list[list[ResultRow]]:
    """AUROC over all windows of all subjects, a list of one row a pair."""
    pair, _ = _pair_codes(predictions)
    seed, seeds = factorise(predictions.seed)
    subject, subjects = factorise(predictions.subject)
    classes = len(predictions.classes)
    of = [1] if classes == 2 else list(range(classes))
    rows = []
    for index, (method, condition) in enumerate(pairs):
        values = np.full((len(seeds), len(of), 1 + draws), np.nan)
        for s in range(len(seeds)):
            here = np.flatnonzero((pair == index) & (seed == s))
            for j, k in enumerate(of):
                values[s, j] = pooled_auroc_intervals(
                    predictions.label[here] == k,
                    predictions.probabilities[here, k],
                    subject[here],
                    len(subjects),
                    bootstrap_seed,
                    draws,
                )
        rows.append(
            [_pooled_row(method, condition, _mean_over(values, axis=1), _count(subject, pair == index))]
        )
    return rows


def _pooled_row(method: str, condition: str, values: np.ndarray, subjects: int) -> ResultRow:
    """Make the row from ``[seeds, 1 + draws]``."""
    over_seeds = _mean_over(values, axis=0)
    drawn = over_seeds[1:][~np.isnan(over_seeds[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn.size else (np.nan, np.nan)
    return ResultRow(
        method=method,
        condition=condition,
        metric="auroc_pooled",
        mean=float(over_seeds[0]),
        low=float(low),
        high=float(high),
        n=subjects,
        seed_std=mean_over_seeds(values[:, :1])[1],
    )


def _count(subject: np.ndarray, rows: np.ndarray) -> int:
    return int(np.unique(subject[rows]).size)


def _mean_over(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over an axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis=axis) / known.sum(axis=axis)


def compare_methods(
    table: SubjectTable, reference: str, condition: str = "full", metric: str = "auroc"
) -> list[Comparison]:
    """Compare every method with the reference under one condition, over subjects (means over seeds).

    Raises
    ------
    MMQError
        When the reference was not predicted under this condition.
    """
    methods = [m for m, c in table.pairs if c == condition]
    return compare({m: table.of(m, condition, metric) for m in methods}, reference)
