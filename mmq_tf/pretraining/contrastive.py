# SPDX-License-Identifier: Apache-2.0
"""NT-Xent between groups of offspring, a modality at a time: pure functions for any Keras backend."""

from mmq_tf.model.keras_names import ops
from mmq_tf.model.losses import unit_vectors, weighted_mean

TEMPERATURE = 0.1
_NEVER = -1e9


def group_maximum(vectors, present):
    """Return the maximum over a group's members that have the modality, and whether any has.

    Parameters
    ----------
    vectors : tensor ``[2, P, Q, M, D]``
        Of Q members of both groups of P moments.
    present : tensor ``[2, P, Q, M]``
        1 where the member has the modality.

    Returns
    -------
    tensor ``[2, P, M, D]`` and tensor ``[2, P, M]``; the vector of a group without it is not to be read.
    """
    hidden = ops.expand_dims(1.0 - present, -1)
    return ops.max(vectors + _NEVER * hidden, axis=2), ops.max(present, axis=2)


def similarities(groups, present):
    """Return cosines between all groups of one modality, and which of them count.

    Parameters
    ----------
    groups : tensor ``[2, P, M, D]``
    present : tensor ``[2, P, M]``

    Returns
    -------
    tensor ``[M, 2 P, 2 P]`` and tensor ``[M, 2 P]``: cosines, and 1 where a group and its complement both
    have the modality. Group ``p`` and group ``P + p`` are of the same moment.
    """
    n_moments, n_modalities, width = groups.shape[1:]
    both = ops.min(present, axis=0)
    known = ops.transpose(ops.concatenate([both, both], axis=0))
    flat = ops.reshape(groups, (2 * n_moments, n_modalities, width))
    unit = unit_vectors(ops.transpose(flat, (1, 0, 2)) * ops.expand_dims(known, -1))
    return ops.matmul(unit, ops.swapaxes(unit, 1, 2)), known


def nt_xent(cosines, known, temperature: float = TEMPERATURE):
    """Normalised temperature-scaled cross-entropy (Chen et al. 2020, arXiv 2002.05709), mean over groups.

    ``-log(exp(s_ij / tau) / sum_{k != i} exp(s_ik / tau))`` for each group i and its complement j, over the
    groups that have the modality; a modality is one problem of its own.

    Parameters
    ----------
    cosines : tensor ``[M, 2 P, 2 P]``
    known : tensor ``[M, 2 P]``
        1 where a group and its complement both have the modality.
    temperature : float

    Returns
    -------
    scalar tensor, 0 where no group counts.
    """
    scores = cosines / temperature + _NEVER * _unasked(cosines, known)
    right = ops.sum(ops.log_softmax(scores, axis=-1) * _complements(cosines), axis=-1)
    return weighted_mean(-right, known)


def contrastive_accuracy(cosines, known):
    """Share of groups whose complement is the most similar of all others, modalities taken together.

    A modality speaks where a group and its complement both have it. Arguments as `nt_xent`.
    """
    scores = ops.mean(cosines, axis=0, keepdims=True)
    unasked = ops.expand_dims(ops.eye(cosines.shape[-1]), 0)
    hit = ops.argmax(scores + _NEVER * unasked, axis=-1) == ops.argmax(_complements(cosines), axis=-1)
    return weighted_mean(ops.cast(hit, cosines.dtype), ops.max(known, axis=0, keepdims=True))


def _unasked(cosines, known):
    """Return 1 for a group itself, and for groups without the modality."""
    itself = ops.expand_dims(ops.eye(cosines.shape[-1], dtype=cosines.dtype), 0)
    return ops.maximum(itself, 1.0 - ops.expand_dims(known, 1))


def _complements(cosines):
    """Return ``[1, 2 P, 2 P]``, 1 where the column is the row's complement."""
    count = cosines.shape[-1]
    return ops.expand_dims(ops.roll(ops.eye(count, dtype=cosines.dtype), count // 2, axis=1), 0)
