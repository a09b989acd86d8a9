# SPDX-License-Identifier: Apache-2.0
"""The line beside the queries: a linear read-out of what a window's present tokens say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np

from mmq_tf.model.attention import MASK_BIAS
from mmq_tf.model.keras_names import ops
from mmq_tf.model.tokens import feature_owner

SQUASH = 1.5
"""Where a feature, in the wearer's own deviations, stops counting in full unless said otherwise."""

STATISTICS = ("mean", "max", "min")
"""What the line reads of each feature over the present tokens of a window."""

REACH = 2.0
"""Deviations at which a standardised statistic stops counting in full: ``tanh(z / REACH)``."""

PIECES = 2
"""Columns the line has of a statistic: ``s`` and ``max(s, 0)``."""

KNOTS = (-0.6, -0.3, 0.0, 0.3, 0.6)
"""Where a line of steps has its steps, in each standardised and squashed statistic."""

STEEPNESS = 8.0
"""Of a step at k: ``tanh(STEEPNESS * (s - k))``."""


@keras.saving.register_keras_serializable("mmq_tf")
class LinePath(keras.layers.Layer):
    """A logit that is linear in statistics of each feature, each squashed; fitted, not trained by gradients.

    Each feature is squashed, ``tanh(x / squash)``. Of it over the present tokens of its modality: the mean,
    weighted by ``softmax(scores)`` over time, so that others decide which tokens to believe; the largest and
    the smallest. Each is standardised with the training windows' mean and deviation, 0 where the modality is
    absent, and squashed; beside it stands what of it is above 0, so that the logit may bend at a training
    person's usual. Which numbers these are `mmq_tf.training.line.fit_line` decides; before that the
    line says nothing. The coefficients are L2 logistic regression's, so that a line that has seen few people
    stays small.

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    feature_sizes : mapping of str to int
        The M modalities in order, each with its number of features.
    tasks : mapping of str to int
        Number of classes of each task.
    unread : collection of int
        Features that are no evidence and are left out.
    squash : float
        In the wearer's own deviations. Where it is small, a mean is little but the share of tokens above the
        wearer's usual less the share below, which is what people of other protocols have in common.
    steps : bool
        Instead of the statistic and its bend, soft steps at `KNOTS`, each less its mean over training windows
        that have the modality and 0 where it is absent: a sum of free curves, one a statistic, for data
        of few people. Boosting fits them (see `mmq_tf.training.line_steps`).
    """

    def __init__(
        self,
        n_tokens: int,
        feature_sizes: Mapping[str, int],
        tasks: Mapping[str, int],
        *,
        unread: Collection[int] = (),
        squash: float = SQUASH,
        steps: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.squash, self.steps = float(squash), bool(steps)
        self.n_tokens, self.tasks = n_tokens, dict(tasks)
        self.feature_sizes, self.unread = dict(feature_sizes), tuple(unread)
        self.owner = feature_owner(self.feature_sizes, self.unread)

    @property
    def n_statistics(self) -> int:
        """Columns of `statistics`, S; the line has `pieces` of each."""
        return len(STATISTICS) * self.owner.shape[1]

    @property
    def pieces(self) -> int:
        """Columns the line has of a statistic, P."""
        return len(KNOTS) if self.steps else PIECES

    def build(self, input_shape=None) -> None:
        """Create ``centre``, ``scale`` ``[S]``, ``kernel`` ``[P * S, C]``, ``bias`` ``[C]`` of all.

        With steps also ``usual`` ``[P * S]``, their means over training windows.
        """
        wide, classes = self.n_statistics, sum(self.tasks.values())
        kernel = self.pieces * wide, classes
        shapes = {"centre": (wide,), "scale": (wide,), "kernel": kernel, "bias": (classes,)}
        if self.steps:
            shapes["usual"] = (self.pieces * wide,)
        for name, shape in shapes.items():
            weight = self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)
            setattr(self, name, weight)

    def statistics(self, features, presence, scores=None):
        """Return the statistics ``[B, S]``, and 1 where their modality has a token, ``[B, S]``; 0 elsewhere.

        Parameters
        ----------
        features : tensor ``[B, T, F]``
            In the wearer's own deviations.
        presence : tensor ``[B, T, M]``
        scores : tensor ``[B, T, M]``, optional
            How much the mean believes a token, `MASK_BIAS` lower where it is absent; without them all present
            ones count alike.
        """
        owner = ops.convert_to_tensor(self.owner, self.compute_dtype)
        seen = ops.matmul(presence, owner)
        shown = ops.tanh(features * (1.0 / self.squash)) * seen
        scores = MASK_BIAS * presence - MASK_BIAS if scores is None else scores
        shares = ops.softmax(ops.transpose(scores, (0, 2, 1)), axis=-1)
        pooled = ops.matmul(shares, shown) * owner  # [B, M, F], each modality's own features alone
        mean = float(self.owner.shape[0]) * ops.mean(pooled, axis=1)
        here = ops.max(seen, axis=1)
        # What is absent is 0 in both, and a squashed feature above -1: so the largest is one that is there.
        most = ops.max(shown + seen, axis=1) - here
        least = here - ops.max(seen - shown, axis=1)
        found = ops.concatenate([mean, most, least], axis=-1)
        return found, ops.concatenate([here] * len(STATISTICS), axis=-1)

    def standardised(self, features, presence, scores=None):
        """Return the squashed statistics ``[B, S]``; arguments as of `statistics`."""
        return self._squashed(*self.statistics(features, presence, scores))

    def _squashed(self, found, here):
        return ops.tanh((found - here * self.centre) * self.scale)

    def _steps(self, squashed, here):
        """Return the steps ``[B, P * S]`` of squashed statistics, 0 where the modality is absent."""
        knots = np.repeat(KNOTS, self.n_statistics).astype(np.float32)
        steps = ops.tanh((ops.concatenate([squashed] * len(KNOTS), axis=-1) - knots) * STEEPNESS)
        return (steps - self.usual) * ops.concatenate([here] * len(KNOTS), axis=-1)

    def call(self, features, presence, scores=None) -> dict:
        """Return the logits ``[B, classes]`` of each task; arguments as of `statistics`."""
        found, here = self.statistics(features, presence, scores)
        squashed, wide = self._squashed(found, here), self.n_statistics
        if self.steps:
            logits = ops.matmul(self._steps(squashed, here), self.kernel) + self.bias
        else:
            # Two products, since int8 has another scale for what is above 0.
            logits = ops.matmul(squashed, self.kernel[:wide]) + self.bias
            logits = logits + ops.matmul(ops.relu(squashed), self.kernel[wide:])
        stops = np.cumsum(list(self.tasks.values())).tolist()
        parts = {
            task: logits[:, stop - count : stop]
            for (task, count), stop in zip(self.tasks.items(), stops, strict=True)
        }
        return {task: logits for task in self.tasks} if len(self.tasks) == 1 else parts

    def compute_output_shape(self, features_shape, *others):
        """Return ``(B, classes)`` by task."""
        return {task: (features_shape[0], count) for task, count in self.tasks.items()}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"n_tokens": self.n_tokens, "feature_sizes": self.feature_sizes, "tasks": self.tasks}
        more = {"unread": list(self.unread), "squash": self.squash, "steps": self.steps}
        return {**super().get_config(), **own, **more}
