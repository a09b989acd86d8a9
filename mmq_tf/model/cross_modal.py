# SPDX-License-Identifier: Apache-2.0
"""The network of the baseline ``cross_modal``: every sensor asks every other one, then looks at itself."""

from __future__ import annotations

import keras
import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.model.attention import MASK_BIAS, Projecting
from mmq_tf.model.dyt import DyT
from mmq_tf.model.keras_names import glorot, normal, ops
from mmq_tf.model.transformer import TokenTransformer


@keras.saving.register_keras_serializable("mmq_tf")
class CrossModalBlock(Projecting, keras.layers.Layer):
    """Pre-norm block in which each token attends to each other modality apart: target <- source.

    ``softmax`` runs over the steps of one source; the M - 1 mixtures (of half the width, in all heads) are
    put side by side and projected: the concatenation. A feed-forward layer follows. All pairs share the
    projections of queries and values and are told apart by the modality embeddings in the tokens; the output
    has a kernel of its own for each source. So the weights grow with M, not with M * (M - 1), and all pairs
    are one attention over the window, regrouped: the time of plain attention.

    Parameters
    ----------
    n_tokens, n_modalities : int
        T and M.
    dim, heads, hidden : int
        Width of a token, number of heads, width of the feed-forward layer.
    dropout : float
        Share of the feed-forward layer's hidden units dropped in training.
    seed : int
        Seed of the initial weights and of the dropout.

    Raises
    ------
    MMQError
        If `dim` cannot be parted among the heads.
    """

    def __init__(
        self,
        n_tokens: int,
        n_modalities: int,
        dim: int,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if dim % (2 * heads):
            raise MMQError(f"CrossModalBlock: `dim` must be a multiple of 2 * heads, got {dim} and {heads}.")
        self.n_tokens = n_tokens
        self.n_modalities = n_modalities
        self.dim = dim
        self.heads = heads
        self.hidden = hidden
        self.dropout = dropout
        self.seed = seed
        self.norm = DyT(affine=False, name="norm")
        self.query_projection = keras.layers.Dense(
            heads * dim, kernel_initializer=normal(1.0 / dim, seed), name="asking"
        )
        self.values = keras.layers.Dense(
            dim // 2, use_bias=False, kernel_initializer=glorot(seed + 1), name="values"
        )
        self.out = keras.layers.Dense(dim, kernel_initializer=glorot(seed + 2), name="out")
        self.hidden_norm = DyT(affine=False, name="hidden_norm")
        self.expand = keras.layers.Dense(
            hidden, activation="relu", kernel_initializer=glorot(seed + 3), name="expand"
        )
        self.drop = keras.layers.Dropout(dropout, seed=seed, name="drop")
        self.shrink = keras.layers.Dense(dim, kernel_initializer=glorot(seed + 4), name="shrink")

    def build(self, input_shape):
        """Build the parts for tokens ``[B, T * M, dim]``."""
        for part in (self.norm, self.query_projection, self.values, self.hidden_norm, self.expand):
            part.build(input_shape)
        self.out.build((*input_shape[:-1], self.n_modalities * self.dim // 2))
        self.shrink.build((*input_shape[:-1], self.hidden))

    def call(self, x, sources, here, training=False):
        """Return ``[B, T * M, dim]``.

        Parameters
        ----------
        x, sources : tensor ``[B, T * M, dim]``
            Those who ask, and the tokens they ask, in the order (step, modality).
        here : tensor ``[B, T * M, 1]``
            1 where a source token is present.
        training : bool
        """
        x = x + self.out(self._mixtures(self.norm(x), self.norm(sources), here))
        return x + self.shrink(self.drop(self.expand(self.hidden_norm(x)), training=training))

    def _mixtures(self, targets, sources, here):
        """Return what each token got of each other modality, ``[B, T * M, M * dim / 2]``; own modality: 0."""
        steps, modalities, heads = self.n_tokens, self.n_modalities, self.heads
        n_all, width = steps * modalities, self.dim // (2 * heads)
        queries = ops.reshape(self.query_projection(targets), (-1, n_all * heads, self.dim))
        scores = ops.matmul(queries, ops.swapaxes(sources, 1, 2))
        scores = scores - MASK_BIAS * (1.0 - ops.swapaxes(here, 1, 2))
        shares = ops.softmax(ops.reshape(scores, (-1, n_all, heads, steps, modalities)), axis=3)
        values = ops.reshape(self.values(sources) * here, (-1, steps, modalities, heads, width))
        mixed = ops.einsum("bnhtm,btmhw->bnmhw", shares, values)
        others = np.tile(1.0 - np.eye(modalities), (steps, 1)).reshape(1, n_all, modalities, 1, 1)
        mixed = mixed * ops.convert_to_tensor(others, self.compute_dtype)
        return ops.reshape(mixed, (-1, n_all, modalities * self.dim // 2))

    def compute_output_shape(self, input_shape):
        """Keep the shape."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_tokens", "n_modalities", "dim", "heads", "hidden", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("mmq_tf")
class CrossModalTransformer(TokenTransformer):
    """MulT-type, our reading: cross-modal blocks, self-attention within each target, concatenation.

    Half of the blocks (rounded down) are cross-modal, and all of these ask the tokens as embedded, as in the
    paper. In the others, which all modalities share, each modality attends to its own steps. The mean over a
    modality's present tokens is its vector; the vectors side by side are read. Absent tokens are masked out
    everywhere.

    Parameters
    ----------
    *arguments, **shared
        As for `TokenTransformer`.

    References
    ----------
    Tsai et al. 2019, "Multimodal Transformer for Unaligned Multimodal Language Sequences", ACL,
    arXiv 1906.00295. There every pair has weights of its own, and pairs are joined after their last layer.
    """

    def __init__(self, *arguments, **shared):
        super().__init__(*arguments, **shared)
        first_own = self.blocks // 2 + 1
        self.crossing = [
            CrossModalBlock(
                self.n_tokens,
                self.n_modalities,
                self.dim,
                self.heads,
                self.hidden,
                dropout=self.dropout,
                seed=self.part_seed(index),
                name=f"crossing_{index}",
            )
            for index in range(1, first_own)
        ]
        self.own = [self.numbered_block(index) for index in range(first_own, self.blocks + 1)]
        self.build()

    @property
    def pooled_width(self) -> int:
        """Width of the concatenation."""
        return self.n_modalities * self.dim

    def build_blocks(self) -> None:
        """Create the blocks' weights."""
        for part in self.crossing:
            part.build((None, self.n_all, self.dim))
        for part in self.own:
            part.build((None, self.n_tokens, self.dim))

    def pool(self, features, presence, training):
        """Return the modalities' vectors side by side."""
        steps, modalities, dim = self.n_tokens, self.n_modalities, self.dim
        sources = self.embedding(features, presence)
        here = ops.reshape(presence, (-1, self.n_all, 1))
        x = sources
        for block in self.crossing:
            x = block(x, sources, here, training=training)

        def by_modality(values, width):
            values = ops.reshape(values, (-1, steps, modalities, width))
            return ops.reshape(ops.swapaxes(values, 1, 2), (-1, steps, width))

        x, here = by_modality(x, dim), by_modality(here, 1)
        penalty = MASK_BIAS * (1.0 - ops.swapaxes(here, 1, 2))
        for block in self.own:
            x = block(x, penalty=penalty, training=training)
        mean = ops.sum(self.norm(x) * here, axis=1) / ops.maximum(ops.sum(here, axis=1), 1.0)
        return ops.reshape(mean, (-1, self.pooled_width))
