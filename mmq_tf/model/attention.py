# SPDX-License-Identifier: Apache-2.0
"""Attention whose key, value and output projections are absorbed by their neighbours."""

from typing import Any

import keras

from mmq_tf.errors import MMQError
from mmq_tf.model.keras_names import glorot, normal, ops

MASK_BIAS = 16.0
"""What is taken off the score of an absent token: hides it, yet leaves an int8 scale its precision."""


def push_down(scores, interference):
    """Lower ``scores`` where interference scores a token higher: ``s - relu6(s_int - s)``.

    Bounded (never by more than 6) and made of operations that stay right in int8.

    Parameters
    ----------
    scores : tensor ``[B, Q, N]``
    interference : tensor ``[B, 1, N]``
    """
    return scores - ops.relu6(interference - scores)


class Projecting:
    """A layer whose `query_projection` keeps its path of saved files, ``asking``."""

    query_projection: Any

    @property
    def asking(self) -> Any:
        """The query projection; Keras names weights after the first attribute, by letter, that holds them."""
        return self.query_projection


@keras.saving.register_keras_serializable("mmq_tf")
class AbsorbedAttention(Projecting, keras.layers.Layer):
    """Multi-query attention whose keys and values are the tokens themselves.

    With one key and value head (Shazeer 2019) the key projection can be multiplied into the queries, and the
    value projection into the output's: ``softmax(Q X^T - penalty) X``, then one dense layer over the heads.
    That leaves two batch products and no transposition, a third of the operations of the textbook form. The
    usual ``1/sqrt(dim)`` lies in the queries' initial scale.

    Parameters
    ----------
    dim : int
        Width of a token.
    heads : int
        Number of heads.
    units : int
        Width of the output.
    n_queries : int
        Number of learned constant queries; 0 for self-attention, where each token asks.
    use_bias : bool
        Whether the output's dense layer has a bias.
    seed : int
        Seed of the initial weights.

    References
    ----------
    Shazeer 2019, "Fast Transformer Decoding: One Write-Head is All You Need", arXiv 1911.02150.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        units: int,
        *,
        n_queries: int = 0,
        use_bias: bool = True,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if min(dim, heads, units) < 1 or n_queries < 0:
            raise MMQError(
                f"AbsorbedAttention: `dim`, `heads` and `units` must be at least 1, `n_queries` at least 0, "
                f"got {dim}, {heads}, {units} and {n_queries}."
            )
        self.dim = dim
        self.heads = heads
        self.units = units
        self.n_queries = n_queries
        self.use_bias = use_bias
        self.seed = seed
        start = normal(1.0 / dim, seed)
        self.query_projection = (
            None if n_queries else keras.layers.Dense(heads * dim, kernel_initializer=start, name="asking")
        )
        self.out = keras.layers.Dense(
            units, use_bias=use_bias, kernel_initializer=glorot(seed + 1), name="out"
        )

    def build(self, input_shape):
        """Create the constant queries ``[n_queries * heads, dim]`` or the dense layer that makes them."""
        if input_shape[-1] != self.dim:
            raise MMQError(f"AbsorbedAttention: tokens must be dim = {self.dim} wide, got {input_shape[-1]}.")
        if self.query_projection is None:
            start = normal(self.dim**-0.5, self.seed)
            shape = (self.n_queries * self.heads, self.dim)
            self.queries = self.add_weight(name="queries", shape=shape, initializer=start)
        else:
            self.query_projection.build(input_shape)
        self.out.build((*input_shape[:-1], self.heads * self.dim))

    def scores(self, tokens):
        """Return the raw scores ``[B, Q * heads, N]`` (``[1, ...]`` broadcasts) of tokens ``[B, N, dim]``."""
        if self.query_projection is None:
            queries = ops.expand_dims(ops.convert_to_tensor(self.queries), 0)
        else:
            queries = ops.reshape(self.query_projection(tokens), (-1, tokens.shape[1] * self.heads, self.dim))
        return ops.matmul(queries, ops.swapaxes(tokens, 1, 2))

    def shares(self, tokens, penalty=None, interference=None):
        """Return how each query shares its attention, ``[B, Q * heads, N]``; arguments as of `call`."""
        scores = self.scores(tokens)
        if interference is not None:
            scores = push_down(scores, interference)
        if penalty is not None:
            scores = scores - penalty
        return ops.softmax(scores, axis=-1)

    def call(self, tokens, penalty=None, interference=None):
        """Attend to ``tokens``.

        Parameters
        ----------
        tokens : tensor ``[B, N, dim]``
        penalty : tensor ``[B, 1, N]``, optional
            Taken off the scores.
        interference : tensor ``[B, 1, N]``, optional
            Interference scores that push the attention down (see `push_down`).

        Returns
        -------
        tensor ``[B, Q, units]``, with ``Q = n_queries``, or ``N`` for self-attention.
        """
        mixed = ops.matmul(self.shares(tokens, penalty, interference), tokens)
        n_queries = self.n_queries or tokens.shape[1]
        return self.out(ops.reshape(mixed, (-1, n_queries, self.heads * self.dim)))

    def compute_output_shape(self, input_shape):
        """Return ``(B, Q, units)``."""
        return (input_shape[0], self.n_queries or input_shape[1], self.units)

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("dim", "heads", "units", "n_queries", "use_bias", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
