# SPDX-License-Identifier: Apache-2.0
"""From predictions to the rows of a results table: every number is a function of the prediction file."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.metrics.grouped_scores import factorise, grouped_scores, merge_windows
from mmq_tf.metrics.names import CLOCK, DISPLAY, DISPLAY_S, FULL, TIME_MATCHED
from mmq_tf.metrics.predictions import Predictions
from mmq_tf.metrics.results_table import ResultRow
from mmq_tf.metrics.significance import (
    DRAWS,
    Comparison,
    bootstrap_intervals,
    compare,
    mean_over_seeds,
    pooled_auroc_intervals,
)
from mmq_tf.metrics.time_matched import drawn_shares, matched_wins, rests_on_one
from mmq_tf.metrics.wearer import display_average, wearer_scores

NO_LIMITS: Mapping[tuple[str, int, int], float] = MappingProxyType({})

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
    cells = _Cells.of(predictions)
    cell, labels, probabilities = cells.cell, predictions.label, predictions.probabilities
    if per_trial:
        chosen, labels, probabilities = merge_windows(_trial_codes(predictions, cell), labels, probabilities)
        cell = cell[chosen]
    return cells.table(grouped_scores(cell, labels, probabilities, cells.count))


def wearer_table(
    predictions: Predictions, display_s: float = 0.0, limits: Mapping[tuple[str, int, int], float] = NO_LIMITS
) -> SubjectTable:
    """Score what each wearer meets: `WEARER_METRICS`, and with a display filter ``macro_f1`` beside it.

    Parameters
    ----------
    predictions : Predictions
    display_s : float
        Length of the display filter in seconds; 0 is off.
    limits : mapping
        (method, seed, fold) -> the confidence below which a decision is withheld; other methods' never are.
    """
    cells = _Cells.of(predictions)
    session, trial = factorise(predictions.session)[0], predictions.trial
    scores = wearer_scores(
        cells.cell,
        session,
        trial,
        predictions.start_s,
        predictions.label,
        predictions.probabilities,
        cells.count,
        display_s=display_s,
        min_confidence=predictions.limits(limits),
    )
    if display_s:
        recording = cells.cell * (session.max(initial=0) + 1) + session
        shown = display_average(recording, predictions.start_s, predictions.probabilities, display_s)
        judged = grouped_scores(cells.cell, predictions.label, np.clip(shown, 0.0, 1.0), cells.count)
        scores = {"macro_f1": judged["macro_f1"], **scores}
    return cells.table(scores)


@dataclass(frozen=True)
class _Cells:
    """Which (method, condition), seed and subject each row is of; `cell` int ``[N]`` is their number."""

    pairs: list[tuple[str, str]]
    seeds: list[int]
    subjects: list[str]
    cell: np.ndarray

    @classmethod
    def of(cls, predictions: Predictions) -> "_Cells":
        pair, pairs = _pair_codes(predictions)
        seed, seeds = factorise(predictions.seed)
        subject, subjects = factorise(predictions.subject)
        return cls(pairs, seeds, subjects, (pair * len(seeds) + seed) * len(subjects) + subject)

    @property
    def count(self) -> int:
        return len(self.pairs) * len(self.seeds) * len(self.subjects)

    def table(self, scores: Mapping[str, np.ndarray]) -> SubjectTable:
        shape = (len(self.pairs), len(self.seeds), len(self.subjects))
        shaped = {name: values.reshape(shape) for name, values in scores.items()}
        return SubjectTable(tuple(self.pairs), tuple(self.seeds), tuple(self.subjects), shaped)


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
    predictions: Predictions,
    bootstrap_seed: int = 0,
    draws: int = DRAWS,
    limits: Mapping[tuple[str, int, int], float] = NO_LIMITS,
) -> list[ResultRow]:
    """Compute every row of a run's table.

    For each method and condition: ``auroc``, ``macro_f1``, ``balanced_accuracy``, ``accuracy``, ``ece``,
    ``brier`` per window and, as ``trial_...``, per trial (mean of the windows' probabilities): the mean
    over seeds of the mean over subjects, with a bootstrap interval over subjects. And ``auroc_pooled``: the
    AUROC of all subjects' windows together, mean over seeds, its interval from the same draws of subjects;
    then `time_matched_rows`. For each method under ``full`` also `wearer_rows`.
    A subject for whom a metric is not defined (AUROC with one class) is left out of that metric: `n` counts
    those left in. Where trials hold windows of several labels there are no ``trial_`` rows.

    Parameters
    ----------
    predictions : Predictions
    bootstrap_seed, draws : int
    limits : mapping
        Of `wearer_rows`.

    Returns
    -------
    list of ResultRow
        Methods, then conditions, then metrics, each in order of first appearance; a method's rows under the
        display filter last.
    """
    if not len(predictions):
        return []
    tables = {"": subject_table(predictions)}
    try:
        tables["trial_"] = subject_table(predictions, per_trial=True)
    except MMQError as error:
        _log.warning("no results per trial: %s", error)
    found = [row for part in _subject_rows(tables.pop(""), "", bootstrap_seed, draws) for row in part]
    found += _pooled_rows(predictions, bootstrap_seed, draws)
    found += time_matched_rows(predictions, bootstrap_seed, draws)
    for prefix, table in tables.items():
        found += [row for part in _subject_rows(table, prefix, bootstrap_seed, draws) for row in part]
    found += wearer_rows(predictions, limits, bootstrap_seed, draws)
    pairs = _pair_codes(predictions)[1]
    methods = list(dict.fromkeys(method for method, _ in pairs))
    conditions = [*dict.fromkeys(condition for _, condition in pairs), DISPLAY]
    return sorted(found, key=lambda row: (methods.index(row.method), conditions.index(row.condition)))


def wearer_rows(
    predictions: Predictions,
    limits: Mapping[tuple[str, int, int], float] = NO_LIMITS,
    bootstrap_seed: int = 0,
    draws: int = DRAWS,
) -> list[ResultRow]:
    """Compute what a wearer meets under ``full``, as predicted and through the display filter of 30 s.

    The rows of `WEARER_METRICS` under ``full``; under ``display-30s`` the same and ``macro_f1``, which is
    what the filter costs. What nobody has a value for has no row.

    Parameters
    ----------
    predictions : Predictions
    limits : mapping
        (method, seed, fold) -> the confidence below which a decision is withheld; other methods' never are.
    bootstrap_seed, draws : int
    """
    full = predictions.select(predictions.condition == FULL)
    if not len(full):
        return []
    table, shown = wearer_table(full, 0.0, limits), wearer_table(full, DISPLAY_S, limits)
    shown = replace(shown, pairs=tuple((method, DISPLAY) for method, _ in shown.pairs))
    parts = [part for of in (table, shown) for part in _subject_rows(of, "", bootstrap_seed, draws)]
    return [row for part in parts for row in part if row.mean is not None]


def time_matched_rows(
    predictions: Predictions, bootstrap_seed: int = 0, draws: int = DRAWS
) -> list[ResultRow]:
    """Compute ``time_matched_auroc`` of each method and condition.

    No row where no windows can be paired, or one and the same person is in more than half of the pairs.

    The share ranked right of the pairs of a positive window of one person and a negative one of another at
    the same elapsed time (see `mmq_tf.metrics.time_matched`), over the people of all folds together; with
    more than two classes the mean over classes of one against the rest. Mean over seeds, the interval from
    draws of people; `n` counts the people who are in a pair.
    """

    def drawn(rows: Predictions, code: np.ndarray, subjects: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        wins, pairs = matched_wins(rows.label == k, rows.probabilities[:, k], code, rows.start_s, subjects)
        if rests_on_one(pairs):
            return np.full(1 + draws, np.nan), np.zeros(subjects, bool)
        return drawn_shares(wins, pairs, bootstrap_seed, draws), (pairs + pairs.T).sum(axis=0) > 0

    found = _drawn_rows(predictions, TIME_MATCHED, drawn, draws)
    return [row for row in found if row.mean is not None]


def _subject_rows(table: SubjectTable, prefix: str, seed: int, draws: int) -> list[list[ResultRow]]:
    """Rows of one table, a list a pair."""
    stacked = np.stack(list(table.scores.values()), axis=1)  # [pairs, metrics, seeds, subjects]
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
            for j, metric in enumerate(table.scores)
        ]
        for i, (method, condition) in enumerate(table.pairs)
    ]


def _pooled_rows(predictions: Predictions, bootstrap_seed: int, draws: int) -> list[ResultRow]:
    """AUROC over all windows of all subjects, a row a pair."""

    def drawn(rows: Predictions, code: np.ndarray, subjects: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        values = pooled_auroc_intervals(
            rows.label == k, rows.probabilities[:, k], code, subjects, bootstrap_seed, draws
        )
        return values, np.bincount(code, minlength=subjects) > 0

    return _drawn_rows(predictions, "auroc_pooled", drawn, draws)


_Drawn = Callable[[Predictions, np.ndarray, int, int], tuple[np.ndarray, np.ndarray]]
"""Of some rows, their people's numbers, how many people there are, and a class: the value and its draws
``[1 + draws]``, and which people it is of, bool."""


def _drawn_rows(predictions: Predictions, metric: str, drawn: _Drawn, draws: int) -> list[ResultRow]:
    """Make a row a pair of what is measured over all subjects together, one class against the rest."""
    pair, pairs = _pair_codes(predictions)
    seed, seeds = factorise(predictions.seed)
    subject, subjects = factorise(predictions.subject)
    classes = len(predictions.classes)
    of = [1] if classes == 2 else list(range(classes))
    rows = []
    for index, (method, condition) in enumerate(pairs):
        values = np.full((len(seeds), len(of), 1 + draws), np.nan)
        counted = np.zeros(len(subjects), bool)
        for s in range(len(seeds)):
            here = np.flatnonzero((pair == index) & (seed == s))
            for j, k in enumerate(of):
                values[s, j], seen = drawn(predictions.select(here), subject[here], len(subjects), k)
                counted |= seen
        rows.append(_drawn_row(method, condition, metric, _mean_over(values, axis=1), int(counted.sum())))
    return rows


def _drawn_row(method: str, condition: str, metric: str, values: np.ndarray, subjects: int) -> ResultRow:
    """Make the row from ``[seeds, 1 + draws]``."""
    over_seeds = _mean_over(values, axis=0)
    drawn = over_seeds[1:][~np.isnan(over_seeds[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn.size else (np.nan, np.nan)
    return ResultRow(
        method=method,
        condition=condition,
        metric=metric,
        mean=float(over_seeds[0]),
        low=float(low),
        high=float(high),
        n=subjects,
        seed_std=mean_over_seeds(values[:, :1])[1],
    )


def _mean_over(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over an axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis=axis) / known.sum(axis=axis)


def compare_methods(
    table: SubjectTable, reference: str, condition: str = FULL, metric: str = "auroc"
) -> list[Comparison]:
    """Compare every method with the reference under one condition, over subjects (means over seeds).

    All but the clock, which is no rival.

    Raises
    ------
    MMQError
        When the reference was not predicted under this condition.
    """
    methods = [m for m, c in table.pairs if c == condition and m != CLOCK]
    return compare({m: table.of(m, condition, metric) for m in methods}, reference)
