# SPDX-License-Identifier: Apache-2.0
"""The losses of MMQ-Net: pure functions of tensors, for any Keras backend."""

from mmq_tf.model.keras_names import ops

_TINY = 1e-6
REAL = "real"
"""Name of a training batch's input ``[B]`` that is 1 for windows, 0 for what only fills the batch up."""


def weighted_mean(values, weights):
    """Return ``sum(values * weights) / sum(weights)``, or 0 where all weights are 0 (same shapes)."""
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), _TINY)


def mean_over_windows(values, real=None):
    """Return the mean of ``[B, ...]`` over windows that are `real` ``[B]`` (0 or 1); over all without it."""
    if real is None:
        return ops.mean(values)
    weights = ops.reshape(ops.cast(real, values.dtype), (-1, *[1] * (len(values.shape) - 1)))
    return weighted_mean(values, ops.broadcast_to(weights, ops.shape(values)))


def unit_vectors(x):
    """Return ``x`` ``[..., D]`` scaled to length 1 along its last axis."""
    return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + _TINY)


def class_cross_entropy(logits, labels, *, smoothing: float = 0.0, weights=None):
    """Cross-entropy with label smoothing over the windows whose label is known.

    ``-sum_k q_k log p_k`` with ``q = (1 - smoothing) * onehot + smoothing / classes`` (Szegedy et al. 2016).

    Parameters
    ----------
    logits : tensor ``[B, classes]``
    labels : int tensor ``[B]`` or float tensor ``[B, classes]``
        Class numbers, -1 where unknown; or probabilities of the classes.
    smoothing : float
    weights : tensor ``[B]``, optional
        Weight of each window.

    Returns
    -------
    scalar tensor, 0 where no label is known.
    """
    n_classes = logits.shape[-1]
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) == 2 and labels.shape[-1] == n_classes:
        target = ops.cast(labels, logits.dtype)
        known = ops.ones_like(target[:, 0])
    else:
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        known = ops.cast(labels >= 0, logits.dtype)
        target = ops.one_hot(ops.maximum(labels, 0), n_classes, dtype=logits.dtype)
    target = (1.0 - smoothing) * target + smoothing / n_classes
    entropy = -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)
    return weighted_mean(entropy, known if weights is None else known * ops.reshape(weights, (-1,)))


def rebuild_error(rebuilt, target, hidden):
    """Mean squared error where training hid something that exists; no gradient reaches the target.

    Parameters
    ----------
    rebuilt, target : tensor ``[B, N, D]``
    hidden : tensor ``[B, N, 1]`` or ``[B, N, D]``
        1 where the value exists and was hidden.
    """
    error = ops.square(rebuilt - ops.stop_gradient(target))
    return weighted_mean(error, ops.broadcast_to(ops.cast(hidden, error.dtype), ops.shape(error)))


def orthogonality(category, interference, real=None):
    """Mean squared cosine between category outputs ``[B, C, D]`` and interference outputs ``[B, K, D]``.

    Over the windows that are `real`, see `mean_over_windows`.
    """
    cosine = ops.matmul(unit_vectors(category), ops.swapaxes(unit_vectors(interference), 1, 2))
    return mean_over_windows(ops.square(cosine), real)


def reverse_gradient(x):
    """Return ``x`` forwards and minus its gradient backwards (Ganin & Lempitsky 2015): ``2 sg(x) - x``."""
    return 2.0 * ops.stop_gradient(x) - x


def consistency(logits, full_logits, real=None):
    """Kullback-Leibler divergence of the masked prediction from the complete one.

    Both are logits ``[B, classes]``; no gradient reaches the complete one. Over the windows that are `real`,
    see `mean_over_windows`.
    """
    log_full = ops.stop_gradient(ops.log_softmax(full_logits, axis=-1))
    difference = log_full - ops.log_softmax(logits, axis=-1)
    return mean_over_windows(ops.sum(ops.exp(log_full) * difference, axis=-1), real)


def interference_teaching(scores, corrupted, presence):
    """Binary cross-entropy of interference scores on present tokens, both kinds of token weighing the same.

    Parameters
    ----------
    scores, corrupted, presence : tensor ``[B, N]``
        Scores are logits of "this token was corrupted"; the others are 0 or 1.
    """
    bad = ops.cast(corrupted, scores.dtype) * presence
    good = presence - bad
    return 0.5 * (weighted_mean(ops.softplus(-scores), bad) + weighted_mean(ops.softplus(scores), good))
