# SPDX-License-Identifier: Apache-2.0
"""Temperature and the confidence under which a device abstains; both chosen on validation subjects only."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mmq_tf.errors import MMQError
from mmq_tf.metrics.scores import check_predictions

_LOG_RANGE = (np.log(0.05), np.log(20.0))


def apply_temperature(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Give ``softmax(logits / temperature)``, float64 ``[N, K]``: the order of classes never changes.

    Raises
    ------
    MMQError
        When the temperature is not a positive number.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise MMQError(f"temperature: expected a positive number, got {temperature}.")
    return softmax(np.asarray(logits, np.float64) / temperature, axis=-1)


def undo_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Give the probabilities before temperature: ``p^temperature``, normalised. Float64 ``[N, K]``.

    Exact up to the digits the probabilities were stored with.
    """
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-12))
    return softmax(logs * temperature, axis=-1)


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Mean of ``-log softmax(logits / temperature)[label]`` over windows, in nats."""
    logs = log_softmax(np.asarray(logits, np.float64) / temperature, axis=-1)
    return float(-np.take_along_axis(logs, np.asarray(labels)[:, np.newaxis], axis=1).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature that makes validation labels most likely (Guo et al. 2017, section 4.2).

    A one-dimensional search over log temperature between 0.05 and 20 of `negative_log_likelihood`, which is
    convex in 1 / temperature.

    Parameters
    ----------
    logits : float ``[N, K]``
        The model's logits on windows of validation subjects.
    labels : int ``[N]``
        Windows labelled -1 are left out. Without any labelled window the temperature is 1.

    Returns
    -------
    float
        Above 1 where the model was too sure of itself.

    Raises
    ------
    MMQError
        When shapes do not fit or a logit is not finite.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise MMQError(
            f"logits: expected [windows, classes] beside {labels.shape} labels, got {logits.shape}."
        )
    logits, labels = logits[labels >= 0], labels[labels >= 0].astype(np.int64)
    if not np.isfinite(logits).all():
        raise MMQError("logits: expected finite numbers, got NaN or infinity: the training has diverged.")
    if not labels.size:
        return 1.0
    best = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits, labels, float(np.exp(log_t))),
        bounds=_LOG_RANGE,
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(best.x))


def choose_min_confidence(probabilities: np.ndarray, labels: np.ndarray, coverage: float = 0.9) -> float:
    """Choose the confidence under which to abstain (selective classification, Geifman & El-Yaniv 2017).

    Of all thresholds that keep at least the share `coverage` of the validation windows, the one with the
    highest accuracy on the windows kept; the lowest such threshold where several tie. The threshold lies
    half way between the least confident window kept and the next one.

    Parameters
    ----------
    probabilities : float ``[N, K]``
        Calibrated probabilities on windows of validation subjects.
    labels : int ``[N]``
        Windows labelled -1 are left out.
    coverage : float
        In (0, 1]: the least share of windows that must still be decided.

    Returns
    -------
    float
        A window whose highest probability is below it is abstained from; 0 keeps everything.

    Raises
    ------
    MMQError
        When coverage is not in (0, 1] or shapes do not fit.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    >>> round(choose_min_confidence(p, np.array([0, 1, 1, 0]), coverage=0.75), 6)
    0.65
    """
    if not 0 < coverage <= 1:
        raise MMQError(f"coverage: expected a share above 0 and at most 1, got {coverage}.")
    known = np.asarray(labels) >= 0
    labels, probabilities = check_predictions(np.asarray(labels)[known], np.asarray(probabilities)[known])
    if not labels.size:
        return 0.0
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    confidence = confidence[order]
    right = np.cumsum(probabilities.argmax(axis=1)[order] == labels[order])
    kept = np.arange(1, labels.size + 1)
    allowed = kept >= np.ceil(coverage * labels.size - 1e-9)
    allowed[:-1] &= confidence[:-1] > confidence[1:]  # windows of equal confidence stay or go together
    accuracy = np.where(allowed, right / kept, -1.0)
    cut = labels.size - 1 - int(np.argmax(accuracy[::-1]))
    return 0.0 if cut == labels.size - 1 else float(0.5 * (confidence[cut] + confidence[cut + 1]))
