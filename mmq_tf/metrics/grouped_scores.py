# SPDX-License-Identifier: Apache-2.0
"""The metrics of `metrics` for many groups of windows at once, without a loop over groups.

A table of 7 methods, 5 conditions, 3 seeds and 26 subjects has 2,730 groups; scikit-learn's per-call cost
would make it a matter of minutes. Tests hold both to the same numbers.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.metrics.scores import ECE_BINS, METRICS, auroc_reason, check_predictions, confidence_bin


def factorise(values: np.ndarray | Sequence[Hashable]) -> tuple[np.ndarray, list]:
    """Assign numbers to distinct values in order of first appearance.

    Returns
    -------
    tuple
        int64 ``[N]`` numbers, and the list of distinct values.

    Examples
    --------
    >>> factorise(np.array(["b", "a", "b"]))
    (array([0, 1, 0]), ['b', 'a'])
    """
    seen: dict = {}
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    return np.array([seen.setdefault(v, len(seen)) for v in plain], np.int64), list(seen)


def grouped_scores(
    group: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, groups: int
) -> dict[str, np.ndarray]:
    """Compute every metric of `metrics.METRICS` within each group.

    Parameters
    ----------
    group : int ``[N]``
        Each window's group, 0..groups-1.
    labels : int ``[N]``
    probabilities : float ``[N, K]``
    groups : int

    Returns
    -------
    dict
        metric name -> float64 ``[groups]``; NaN where a group is empty or the metric is not defined.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount((group * classes + labels) * classes + predicted, minlength=groups * classes**2)
    scores = _confusion_scores(confusion.reshape(groups, classes, classes).astype(np.float64))
    size = np.bincount(group, minlength=groups).astype(np.float64)
    size[size == 0] = np.nan
    distance = 0.5 * ((probabilities - np.eye(classes)[labels]) ** 2).sum(axis=1)
    scores["brier"] = np.bincount(group, distance, minlength=groups) / size
    scores["ece"] = _ece(group, predicted == labels, probabilities.max(axis=1), groups) / size
    scores["auroc"] = _auroc(group, labels, probabilities, groups)
    return {name: scores[name] for name in METRICS}


def _confusion_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of confusion matrices ``[groups, true, predicted]``."""
    hit = np.diagonal(confusion, axis1=1, axis2=2)
    true, said = confusion.sum(axis=2), confusion.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * hit / (true + said)
        recall = hit / true
        return {
            "accuracy": hit.sum(axis=1) / true.sum(axis=1),
            "macro_f1": _mean_of_defined(f1),
            "balanced_accuracy": _mean_of_defined(recall),
        }


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(defined, values, 0.0).sum(axis=-1) / defined.sum(axis=-1)


def _ece(group: np.ndarray, correct: np.ndarray, confidence: np.ndarray, groups: int) -> np.ndarray:
    """Sum over bins of ``|correct - confidence|``, not yet divided by the group's size."""
    cell = group * ECE_BINS + confidence_bin(confidence)
    gap = np.bincount(cell, correct - confidence, minlength=groups * ECE_BINS)
    return np.abs(gap).reshape(groups, ECE_BINS).sum(axis=1)


def _auroc(group: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, groups: int) -> np.ndarray:
    """AUROC a group; for more than two classes one against the rest."""
    classes = probabilities.shape[1]
    of = [1] if classes == 2 else list(range(classes))
    return _mean_of_defined(
        np.stack([_auroc_of(group, labels == k, probabilities[:, k], groups) for k in of], -1)
    )


def _auroc_of(group: np.ndarray, positive: np.ndarray, score: np.ndarray, groups: int) -> np.ndarray:
    """AUROC a group by its positives' rank sum (Mann & Whitney 1947), ties sharing their mean rank."""
    order = np.lexsort((score, group))
    group, positive, score = group[order], positive[order], score[order]
    first = np.ones(group.size, bool)
    first[1:] = (group[1:] != group[:-1]) | (score[1:] != score[:-1])
    run = np.cumsum(first) - 1
    begin = np.flatnonzero(first)
    length = np.diff(np.append(begin, group.size))
    size = np.bincount(group, minlength=groups)
    before = (np.cumsum(size) - size)[group]
    rank = (begin + (length + 1) / 2)[run] - before
    positives = np.bincount(group, positive, minlength=groups)
    ranks = np.bincount(group, rank * positive, minlength=groups)
    pairs = positives * (size - positives)
    with np.errstate(invalid="ignore"):
        return np.where(
            pairs > 0, (ranks - positives * (positives + 1) / 2) / np.where(pairs > 0, pairs, 1), np.nan
        )


@dataclass(frozen=True)
class SubjectScores:
    """One row per subject.

    Attributes
    ----------
    subjects : tuple of str
        In order of first appearance.
    scores : dict
        metric name -> float64 ``[subjects]``.
    reasons : dict
        subject -> why its AUROC is NaN, for those it is NaN for.
    """

    subjects: tuple[str, ...]
    scores: dict[str, np.ndarray]
    reasons: dict[str, str]


def score_by_subject(
    subject: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, trial: np.ndarray | None = None
) -> SubjectScores:
    """Score each subject's windows, or its trials when `trial` is given.

    Parameters
    ----------
    subject : str ``[N]``
    labels : int ``[N]``
    probabilities : float ``[N, K]``
    trial : ``[N]``, optional
        What tells a subject's trials apart (with the session where numbers start anew in each). A trial's
        probabilities are the mean of its windows'.

    Raises
    ------
    MMQError
        When shapes do not fit, or a trial's windows have several labels.
    """
    code, names = factorise(np.asarray(subject))
    labels = np.asarray(labels)
    if trial is not None:
        unit = factorise(list(zip(code.tolist(), np.asarray(trial).tolist(), strict=True)))[0]
        chosen, labels, probabilities = merge_windows(unit, labels, np.asarray(probabilities))
        code = code[chosen]
    scores = grouped_scores(code, labels, probabilities, len(names))
    undefined = np.flatnonzero(np.isnan(scores["auroc"]))
    reasons = {names[i]: auroc_reason(labels[code == i]) or "" for i in undefined}
    return SubjectScores(tuple(names), scores, reasons)


def merge_windows(
    unit: np.ndarray, labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the probabilities of the windows of each unit (a trial).

    Parameters
    ----------
    unit : int ``[N]``
        Numbers 0..U-1, every one of them used.
    labels, probabilities : ``[N]``, ``[N, K]``

    Returns
    -------
    tuple
        int ``[U]`` index of each unit's first window, labels ``[U]``, probabilities ``[U, K]``.

    Raises
    ------
    MMQError
        When the windows of one unit have several labels.
    """
    _, chosen, size = np.unique(unit, return_index=True, return_counts=True)
    if not (labels == labels[chosen][unit]).all():
        raise MMQError(
            "trial: the windows of a trial have several labels, so a trial has no label; leave trial out."
        )
    sums = [np.bincount(unit, column, minlength=size.size) for column in probabilities.T]
    return chosen, labels[chosen], np.clip(np.stack(sums, axis=1) / size[:, np.newaxis], 0.0, 1.0)
