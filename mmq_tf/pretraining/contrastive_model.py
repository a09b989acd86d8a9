# SPDX-License-Identifier: Apache-2.0
"""An encoder with the projectors that exist in pretraining only."""

from typing import Any

import keras

from mmq_tf.model.block_dense import BlockDense
from mmq_tf.model.keras_names import ops
from mmq_tf.pretraining.contrastive import (
    TEMPERATURE,
    contrastive_accuracy,
    group_maximum,
    nt_xent,
    similarities,
)


class Contrastive(keras.Model):
    """Teach an encoder that the two groups of one moment belong together.

    A batch is what a bank's `take` gives: 2 P Q offspring. Each modality's vector goes through a projector of
    its own (two dense layers), a group's vector is the maximum over its members that have the modality, and
    NT-Xent pulls the two groups of one moment together among all others of that modality.

    Parameters
    ----------
    encoder : keras.layers.Layer
        Its ``encode(inputs)`` returns vectors ``[B, M, dim]`` and presence ``[B, M]``.
    n_modalities, dim : int
        M and dim.
    moments, members : int
        P and Q.
    projection : int
        Width of the projected vectors.
    temperature : float
    seed : int
        Of the projectors' initial weights.
    """

    def __init__(
        self,
        encoder: Any,
        n_modalities: int,
        dim: int,
        *,
        moments: int,
        members: int,
        projection: int = 64,
        temperature: float = TEMPERATURE,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.net = encoder
        self.moments = moments
        self.members = members
        self.temperature = temperature
        widths = [[dim] * n_modalities, [projection] * n_modalities, [projection] * n_modalities]
        self.project = [
            BlockDense(before, after, seed=seed * 1000 + 950 + index, name=f"project_{index}")
            for index, (before, after) in enumerate(zip(widths, widths[1:], strict=False))
        ]
        self.widths = (n_modalities, dim, projection)
        self.accuracy = keras.metrics.Mean(name="accuracy")
        self.build()

    def build(self, input_shape=None):
        """Build the projectors, once."""
        n_modalities, dim, projection = self.widths
        if not self.project[0].built:
            self.project[0].build((None, n_modalities * dim))
            self.project[1].build((None, n_modalities * projection))

    def call(self, inputs, training=False):
        """Return cosines ``[M, 2 P, 2 P]`` of the groups and which count, ``[M, 2 P]``."""
        n_modalities, dim, projection = self.widths
        vectors, present = self.net.encode(inputs)
        hidden = ops.relu(self.project[0](ops.reshape(vectors, (-1, n_modalities * dim))))
        batch = (2, self.moments, self.members, n_modalities)
        projected = ops.reshape(self.project[1](hidden), (*batch, projection))
        return similarities(*group_maximum(projected, ops.reshape(present, batch)))

    def compute_loss(self, x=None, y=None, y_pred: Any = None, sample_weight=None, training=True):
        """Return NT-Xent of the batch."""
        cosines, known = y_pred
        self.accuracy.update_state(contrastive_accuracy(cosines, known))
        return nt_xent(cosines, known, self.temperature)
