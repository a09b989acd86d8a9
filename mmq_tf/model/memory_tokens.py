# SPDX-License-Identifier: Apache-2.0
"""The network of the baseline ``memory_tokens``: what lacks is rebuilt from the rest, then all is fused."""

from __future__ import annotations

from typing import Any

import keras

from mmq_tf.model import losses
from mmq_tf.model.attention import MASK_BIAS
from mmq_tf.model.keras_names import normal, ops
from mmq_tf.model.transformer import TokenTransformer, TransformerTraining


@keras.saving.register_keras_serializable("mmq_tf")
class MemoryTransformer(TokenTransformer):
    """ActionMAE-type, our reading: an autoencoder completes the tokens, a transformer fuses them.

    The encoder sees the present tokens and one learned memory token a modality, which stay whatever lacks.
    The decoder puts the encoded memory of its modality, plus the place, where a token is absent, and rebuilds
    the token there. The fusing blocks then see ``present * token + (1 - present) * rebuilt``, and the mean
    over all tokens is read. One block encodes, one decodes, the others fuse.

    Parameters
    ----------
    *arguments, **shared
        As for `TokenTransformer`.

    References
    ----------
    Woo et al. 2023, "Towards Good Practices for Missing Modality Robust Action Recognition", AAAI,
    arXiv 2211.13916, figure 3: there a modality is one token, here it is one a step.
    """

    def __init__(self, *arguments, **shared):
        super().__init__(*arguments, **shared)
        self.encoder = self.numbered_block(1)
        self.decoder = self.numbered_block(2)
        self.fusion = [self.numbered_block(index) for index in range(3, self.blocks + 1)]
        self.build()

    def build_blocks(self) -> None:
        """Create the memory ``[1, M, dim]`` and the blocks' weights."""
        self.memory = self.add_weight(
            name="memory",
            shape=(1, self.n_modalities, self.dim),
            initializer=normal(0.5, self.part_seed(80)),
        )
        self.encoder.build((None, self.n_all + self.n_modalities, self.dim))
        for part in (self.decoder, *self.fusion):
            part.build((None, self.n_all, self.dim))

    def pool(self, features, presence, training):
        """Return the mean over the fused tokens."""
        return self.trace(features, presence, training)["pooled"]

    def trace(self, features, presence, training) -> dict:
        """Return ``tokens`` and ``rebuilt`` ``[B, T * M, dim]``, and ``pooled`` ``[B, dim]``."""
        here = ops.reshape(presence, (-1, self.n_all, 1))
        tokens = self.embedding(features, presence)
        rebuilt = self._rebuild(tokens, here, training)
        fused = tokens + (1.0 - here) * rebuilt
        for block in self.fusion:
            fused = block(fused, training=training)
        return {"tokens": tokens, "rebuilt": rebuilt, "pooled": ops.mean(self.norm(fused), axis=1)}

    def _rebuild(self, tokens, here, training):
        n_all, dim = self.n_all, self.dim
        memory = ops.zeros_like(tokens[:, : self.n_modalities]) + self.memory
        absent = ops.reshape(1.0 - here, (-1, 1, n_all))
        penalty = MASK_BIAS * ops.concatenate([absent, ops.zeros_like(memory[:, None, :, 0])], axis=2)
        encoded = self.encoder(ops.concatenate([tokens, memory], axis=1), penalty=penalty, training=training)
        of_modality = ops.expand_dims(encoded[:, n_all:], 1)
        place = ops.reshape(of_modality + self.embedding.modality + self.embedding.time, (-1, n_all, dim))
        return self.decoder(here * encoded[:, :n_all] + (1.0 - here) * place, training=training)


@keras.saving.register_keras_serializable("mmq_tf")
class MemoryTraining(TransformerTraining):
    """Train a `MemoryTransformer`: cross-entropy on both views, and rebuilding what the first one hides.

    The rebuilt token is held to the token of the complete window, without gradient, at MMQ-Net's weight
    `rebuild_tokens`. Parameters as for `TransformerTraining`.
    """

    net: MemoryTransformer

    def call(self, inputs, training=False):
        """Return the logits ``[2 B, classes]`` by task, and the ``tokens`` and ``rebuilt`` of both views."""
        both = self.both_views(inputs)
        trace = self.net.trace(both["features"], both["presence"], bool(training))
        return {"logits": self.net.read(trace["pooled"]), **trace}

    def compute_loss(self, x=None, y=None, y_pred: Any = None, sample_weight=None, training=True):
        """Return the weighted cross-entropy plus the weighted error of rebuilding."""
        entropy = super().compute_loss(x, y, y_pred["logits"], sample_weight, training)
        given: Any = x
        hidden = ops.cast(given["presence_full"], self.compute_dtype) * (
            1.0 - ops.cast(given["presence"], self.compute_dtype)
        )
        rebuilt, _ = ops.split(y_pred["rebuilt"], 2, axis=0)
        _, tokens = ops.split(y_pred["tokens"], 2, axis=0)
        error = losses.rebuild_error(rebuilt, tokens, ops.reshape(hidden, (-1, self.net.n_all, 1)))
        return entropy + self.loss_weights.rebuild_tokens * error
