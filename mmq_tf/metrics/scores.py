# SPDX-License-Identifier: Apache-2.0
"""The metrics of every table, from labels and class probabilities; predictions are the most probable class.

For all functions here `labels` is int ``[N]`` in 0..K-1 and `probabilities` float ``[N, K]``, rows summing
to 1. Empty input gives NaN. `grouped` computes the same for many groups of windows at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from mmq_tf.errors import MMQError

ECE_BINS = 15


def check_predictions(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as int ``[N]`` and float64 ``[N, K]``, or say what is wrong.

    Raises
    ------
    MMQError
        When shapes do not fit, a label is not a class, or a probability is not in 0..1.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise MMQError(
            f"probabilities: expected [windows, classes] beside labels {labels.shape}, "
            f"got {probabilities.shape}."
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < probabilities.shape[1]):
        raise MMQError(
            f"labels: expected classes 0..{probabilities.shape[1] - 1}, got {labels.min()}..{labels.max()}; "
            "leave unknown windows (-1) out."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise MMQError("probabilities: expected numbers from 0 to 1, got some outside or NaN.")
    return labels.astype(np.int64), probabilities


def accuracy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Share of windows whose most probable class is right."""
    labels, probabilities = check_predictions(labels, probabilities)
    return float(accuracy_score(labels, probabilities.argmax(axis=1))) if labels.size else np.nan


def macro_f1(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over classes of F1 = 2 TP / (2 TP + FP + FN), as scikit-learn's ``f1_score(average="macro")``.

    A class that neither occurs nor is predicted has no F1 and is left out.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    if not labels.size:
        return np.nan
    return float(f1_score(labels, probabilities.argmax(axis=1), average="macro"))


def balanced_accuracy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean recall over the classes that occur (Brodersen et al. 2010), as scikit-learn's."""
    labels, probabilities = check_predictions(labels, probabilities)
    if not labels.size:
        return np.nan
    occurring = np.unique(labels)
    return float(recall_score(labels, probabilities.argmax(axis=1), labels=occurring, average="macro"))


def auroc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive window is ranked above a negative one, ties half.

    Two classes: of class 1 (Hanley & McNeil 1982). More: the mean over classes of one against the rest,
    over the classes that occur and are not alone. NaN when fewer than two classes occur; `auroc_reason`
    then says so.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    if auroc_reason(labels):
        return np.nan
    if probabilities.shape[1] == 2:
        return float(roc_auc_score(labels, probabilities[:, 1]))
    return float(np.mean([roc_auc_score(labels == k, probabilities[:, k]) for k in np.unique(labels)]))


def auroc_reason(labels: np.ndarray) -> str | None:
    """Say why these labels have no AUROC, or None when they have one."""
    occurring = np.unique(labels)
    if occurring.size > 1:
        return None
    return f"only class {occurring[0]} occurs" if occurring.size else "no window"


def ece(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the expected calibration error, 15 bins of equal width on confidence (Guo et al. 2017, eq. 3).

    ``sum_b n_b / N * |accuracy_b - confidence_b|``, bin b holding the confidences (the highest class
    probability) in ``(b/15, (b+1)/15]``. With few windows it is biased upwards.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    if not labels.size:
        return np.nan
    gap = reliability_bins(labels, probabilities)
    return float(np.abs(gap.correct - gap.confidence).sum() / labels.size)


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Half the mean squared distance of probabilities from the one-hot label, 0 best, 1 worst (Brier 1950).

    For two classes this is the usual mean of ``(p_1 - label)^2``.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    if not labels.size:
        return np.nan
    return float(0.5 * ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1).mean())


@dataclass(frozen=True)
class ReliabilityBins:
    """Sums over the windows of each confidence bin, ``[bins]`` each."""

    count: np.ndarray
    correct: np.ndarray
    confidence: np.ndarray


def confidence_bin(confidence: np.ndarray, bins: int = ECE_BINS) -> np.ndarray:
    """Give each confidence its bin number: b for ``(b/bins, (b+1)/bins]``."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def reliability_bins(labels: np.ndarray, probabilities: np.ndarray, bins: int = ECE_BINS) -> ReliabilityBins:
    """Sort windows into equal-width bins of confidence and sum, for `ece` and the reliability diagram."""
    labels, probabilities = check_predictions(labels, probabilities)
    confidence = probabilities.max(axis=1)
    which = confidence_bin(confidence, bins)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    sums = (np.bincount(which, weights, minlength=bins) for weights in (None, right, confidence))
    return ReliabilityBins(*sums)


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "auroc": auroc,
    "macro_f1": macro_f1,
    "balanced_accuracy": balanced_accuracy,
    "accuracy": accuracy,
    "ece": ece,
    "brier": brier,
}
"""Every metric by its name in the results."""
