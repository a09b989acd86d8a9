# SPDX-License-Identifier: Apache-2.0
"""The plain transformer of the neural baselines: MMQ-Net's tokens and blocks, without a single query."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import numpy as np

from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.errors import MMQError
from mmq_tf.model import losses
from mmq_tf.model.attention import MASK_BIAS
from mmq_tf.model.dyt import DyT
from mmq_tf.model.encoder import EncoderBlock
from mmq_tf.model.keras_names import glorot, ops
from mmq_tf.model.token_net import TokenNet
from mmq_tf.model.tokens import TokenEmbedding, feature_owner
from mmq_tf.model.wrapper import NetTraining


class TokenTransformer(TokenNet):
    """What all transformers here share: embed every token, make one vector of them, read each task's logits.

    Subclasses make their blocks with `block`, build them in `build_blocks`, and say in `pool` how a window
    becomes a vector; they may pass the read-out's width. Nothing an absent token holds may reach it.

    Parameters
    ----------
    *arguments, **shared
        As for `TokenNet`.
    blocks : int
        Encoder blocks. The transformer of a size has two more than the MMQ-Net, in place of the attention of
        the modality queries and of the category queries: as deep, and within a few per cent as many weights.

    Raises
    ------
    MMQError
        As `TokenNet`.
    """

    def __init__(self, *arguments, blocks: int = 3, **shared):
        super().__init__(*arguments, blocks=blocks, **shared)
        self.embedding = TokenEmbedding(
            self.n_tokens, self.feature_sizes, self.dim, seed=self.part_seed(0), name="embedding"
        )
        self.norm = DyT(affine=False, name="norm")
        self.read_outs = {
            task: keras.layers.Dense(
                count, kernel_initializer=glorot(self.part_seed(90)), name=f"logits_{task}"
            )
            for task, count in self.tasks.items()
        }

    @classmethod
    def sizes_of(cls, size: str, widths: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
        """Return the arguments that a size stands for: an MMQ-Net's, and two more blocks."""
        sizes = super().sizes_of(size, widths)
        return {**sizes, "blocks": sizes["blocks"] + 2}

    @property
    def pooled_width(self) -> int:
        """Width of what `pool` returns."""
        return self.dim

    def numbered_block(self, index: int) -> EncoderBlock:
        """Return the encoder block of this number, counted from 1."""
        return self.block(index, self.part_seed(index))

    def build(self, input_shape=None):
        """Create every weight, once; the shapes follow from the constructor's arguments."""
        if self.embedding.built:
            return
        self.embedding.build((None, self.n_tokens, self.n_features))
        self.norm.build((None, self.n_all, self.dim))
        self.build_blocks()
        for read_out in self.read_outs.values():
            read_out.build((None, self.pooled_width))

    def build_blocks(self) -> None:
        """Create the weights of the subclass."""
        raise NotImplementedError

    def pool(self, features, presence, training):
        """Return one vector ``[B, pooled_width]`` of ``features`` and ``presence`` (floats)."""
        raise NotImplementedError

    def call(self, inputs, training=False):
        """Return the logits ``[B, classes]`` of each task of ``features`` and ``presence`` (0 or 1)."""
        presence = ops.cast(inputs["presence"], self.compute_dtype)
        return self.read(self.pool(inputs["features"], presence, bool(training)))

    def read(self, pooled) -> dict:
        """Return the logits ``[B, classes]`` of each task of a vector."""
        return {task: read_out(pooled) for task, read_out in self.read_outs.items()}


@keras.saving.register_keras_serializable("mmq_tf")
class Transformer(TokenTransformer):
    """Embed every token, encode, take the mean over tokens, read each task's logits from it.

    What an absent token holds never reaches the answer. Either `fill` stands in its place and the network is
    not told that anything lacks, or (`masked`) it is left out of all attention and of the mean.

    Parameters
    ----------
    *arguments, **shared
        As for `TokenTransformer`.
    fill : sequence of float, optional
        What absent features are taken to be, F numbers; zeros by default.
    masked : bool
        Whether absent tokens are masked instead of filled.

    Raises
    ------
    MMQError
        If the number of fillings is not that of the features.
    """

    def __init__(
        self,
        *arguments,
        fill: Sequence[float] | None = None,
        masked: bool = False,
        **shared,
    ):
        super().__init__(*arguments, **shared)
        width = self.n_features
        self.fill = [0.0] * width if fill is None else [float(value) for value in fill]
        if len(self.fill) != width:
            raise MMQError(f"Transformer: `fill` must hold {width} numbers, got {len(self.fill)}.")
        self.masked = masked
        self.encoder = [self.numbered_block(index) for index in range(1, self.blocks + 1)]
        self.build()

    def build_blocks(self) -> None:
        """Create the encoder's weights."""
        for part in self.encoder:
            part.build((None, self.n_all, self.dim))

    def pool(self, features, presence, training):
        """Return the mean over encoded tokens: over all of them, or over the present ones."""
        return (self._encode_masked if self.masked else self._encode_filled)(features, presence, training)

    def _encode_filled(self, features, presence, training):
        owner = ops.convert_to_tensor(feature_owner(self.feature_sizes), self.compute_dtype)
        visible = ops.matmul(presence, owner)
        filled = features * visible
        if any(self.fill):
            filled = filled + (1.0 - visible) * ops.convert_to_tensor(self.fill, self.compute_dtype)
        encoded = self.embedding(filled, ops.ones_like(presence))
        for block in self.encoder:
            encoded = block(encoded, training=training)
        return ops.mean(self.norm(encoded), axis=1)

    def _encode_masked(self, features, presence, training):
        penalty = MASK_BIAS * (1.0 - ops.reshape(presence, (-1, 1, self.n_all)))
        encoded = self.embedding(features, presence)
        for block in self.encoder:
            encoded = block(encoded, penalty=penalty, training=training)
        here = ops.reshape(presence, (-1, self.n_all, 1))
        count = ops.maximum(ops.sum(here, axis=1), 1.0)
        return ops.sum(self.norm(encoded) * here, axis=1) / count

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "fill": self.fill, "masked": self.masked}


@keras.saving.register_keras_serializable("mmq_tf")
class TransformerTraining(NetTraining):
    """Train a `TokenNet` on the same two views of each window, and at the same weights, as MMQ-Net.

    Inputs and labels are those of `mmq_tf.model.training_model.MMQTraining`: what is shown, and the clean
    complete window. The loss is cross-entropy on both, the only losses that need no queries.

    Parameters
    ----------
    net : TokenNet
        Its weights are the ones trained.
    loss_weights : LossWeights, optional
        Of these `classes`, `classes_full` and `label_smoothing` are used.
    """

    def __init__(self, net: TokenNet, loss_weights: LossWeights | dict | None = None, **kwargs):
        super().__init__(net, loss_weights, **kwargs)
        self.build()

    def call(self, inputs, training=False):
        """Return the logits ``[2 B, classes]`` by task: of the shown windows, then of the complete ones."""
        return self.net(self.both_views(inputs), training=bool(training))

    def both_views(self, inputs) -> dict:
        """Return the net's inputs of both views, one below the other."""
        return {
            name: ops.concatenate(
                [ops.cast(inputs[part], self.compute_dtype) for part in (name, f"{name}_full")], axis=0
            )
            for name in ("features", "presence")
        }

    def compute_loss(self, x=None, y=None, y_pred: Any = None, sample_weight=None, training=True):
        """Return the weighted cross-entropy of both views, averaged over tasks."""
        weights, total = self.loss_weights, 0.0
        for task, labels in (y or {}).items():
            halves = ops.split(y_pred[task], 2, axis=0)
            for weight, logits in zip((weights.classes, weights.classes_full), halves, strict=True):
                total = total + weight * losses.class_cross_entropy(
                    logits, labels, smoothing=weights.label_smoothing, weights=sample_weight
                )
        return total / max(len(y or {}), 1)


def mean_of_present(features: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return the mean float64 ``[F]`` of visible features ``[N, T, F]``; 0 where none ever was."""
    total = np.where(visible, features, 0.0).sum(axis=(0, 1), dtype=np.float64)
    return total / np.maximum(visible.sum(axis=(0, 1)), 1)
