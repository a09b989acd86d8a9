# SPDX-License-Identifier: Apache-2.0
"""Abstaining: how accurate a method is on the windows it is surest of."""

import numpy as np

from mmq_tf.metrics.grouped_scores import factorise

COVERAGES = np.round(np.arange(0.1, 1.001, 0.05), 2)
"""Shares of the windows that are decided."""


def accuracy_at_coverage(
    labels: np.ndarray, probabilities: np.ndarray, coverages: np.ndarray = COVERAGES
) -> np.ndarray:
    """Accuracy on the surest share of some windows (El-Yaniv & Wiener 2010), float64 ``[coverages]``.

    Of N windows, ``max(1, round(coverage * N))`` with the highest class probability are decided. Windows of
    equal confidence count with their mean accuracy, since nothing says which of them comes first.

    Parameters
    ----------
    labels : int ``[N]``
    probabilities : float ``[N, K]``
    coverages : float ``[C]``
        In (0, 1].

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.6, 0.4]])
    >>> accuracy_at_coverage(np.array([0, 1, 1, 0]), p, np.array([0.5, 0.75, 1.0])).round(3).tolist()
    [1.0, 0.833, 0.75]
    """
    if not len(labels):
        return np.full(len(coverages), np.nan)
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == labels)[order].astype(np.float64)
    level = np.unique(-confidence[order], return_inverse=True)[1]
    right = (np.bincount(level, right) / np.bincount(level))[level]
    decided = np.maximum(1, np.round(np.asarray(coverages) * len(labels)).astype(np.int64))
    return np.cumsum(right)[decided - 1] / decided


def subject_coverage(
    seed: np.ndarray, subject: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, subjects: list[str]
) -> np.ndarray:
    """Give `accuracy_at_coverage` of each seed and subject, float64 ``[seeds, subjects, COVERAGES]``.

    A subject's windows are ranked among themselves. Seeds in order of first appearance; NaN where a
    subject has no windows.
    """
    codes, seeds = factorise(seed)
    out = np.full((len(seeds), len(subjects), len(COVERAGES)), np.nan)
    for number in range(len(seeds)):
        for place, name in enumerate(subjects):
            rows = (codes == number) & (subject == name)
            out[number, place] = accuracy_at_coverage(labels[rows], probabilities[rows])
    return out
