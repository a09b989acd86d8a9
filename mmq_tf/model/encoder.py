# SPDX-License-Identifier: Apache-2.0
"""The transformer block over the completed stream of tokens."""

import keras

from mmq_tf.model.attention import AbsorbedAttention
from mmq_tf.model.dyt import DyT
from mmq_tf.model.keras_names import glorot


@keras.saving.register_keras_serializable("mmq_tf")
class EncoderBlock(keras.layers.Layer):
    """Pre-norm transformer block: ``x += attention(DyT(x))``, then ``x += Dense(relu(Dense(DyT(x))))``.

    Parameters
    ----------
    dim, heads, hidden : int
        Width of a token, number of heads, width of the feed-forward layer.
    dropout : float
        Share of the feed-forward layer's hidden units dropped in training.
    seed : int
        Seed of the initial weights and of the dropout.
    """

    def __init__(self, dim: int, heads: int, hidden: int, *, dropout: float = 0.0, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.heads = heads
        self.hidden = hidden
        self.dropout = dropout
        self.seed = seed
        kernels = [glorot(seed + i) for i in range(2)]
        self.attention_norm = DyT(affine=False, name="attention_norm")
        self.attention = AbsorbedAttention(dim, heads, dim, seed=seed + 2, name="attention")
        self.hidden_norm = DyT(affine=False, name="hidden_norm")
        self.expand = keras.layers.Dense(
            hidden, activation="relu", kernel_initializer=kernels[0], name="expand"
        )
        self.drop = keras.layers.Dropout(dropout, seed=seed, name="drop")
        self.shrink = keras.layers.Dense(dim, kernel_initializer=kernels[1], name="shrink")

    def build(self, input_shape):
        """Build the parts for tokens ``[B, N, dim]``."""
        for part in (self.attention_norm, self.attention, self.hidden_norm, self.expand):
            part.build(input_shape)
        self.shrink.build((*input_shape[:-1], self.hidden))

    def call(self, x, penalty=None, training=False):
        """Return ``[B, N, dim]``; ``penalty`` ``[B, 1, N]`` is taken off the attention's scores."""
        x = x + self.attention(self.attention_norm(x), penalty=penalty)
        hidden = self.drop(self.expand(self.hidden_norm(x)), training=training)
        return x + self.shrink(hidden)

    def compute_output_shape(self, input_shape):
        """Keep the shape."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("dim", "heads", "hidden", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
