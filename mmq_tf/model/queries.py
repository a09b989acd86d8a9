# SPDX-License-Identifier: Apache-2.0
"""The three kinds of learned queries: modality, category and interference."""

from collections.abc import Mapping

import keras

from mmq_tf.model.attention import MASK_BIAS, AbsorbedAttention
from mmq_tf.model.block_dense import BlockDense
from mmq_tf.model.keras_names import glorot, normal, ops

QUERIES = ("modality", "category", "interference")
"""The kinds of queries, by the names that `MMQNet` takes."""


@keras.saving.register_keras_serializable("mmq_tf")
class InterferenceQueries(keras.layers.Layer):
    """Learned vectors that look for tokens taken by an artefact, on the raw present tokens.

    The score of a token is the largest product with any of the vectors; above 0 means "rather corrupted". An
    absent token is exactly 0, and so is its score. What the queries take up (`outputs`) exists for the losses
    only; their gradient reaches the queries, not the tokens.

    Parameters
    ----------
    n_queries : int
        Number of vectors, K.
    dim : int
        Width of a token.
    seed : int
        Seed of the initial weights.
    """

    def __init__(self, n_queries: int, dim: int, *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.n_queries = n_queries
        self.dim = dim
        self.seed = seed
        self.attention = AbsorbedAttention(dim, 1, dim, n_queries=n_queries, seed=seed, name="attention")

    def build(self, input_shape):
        """Build the attention for tokens ``[B, N, dim]``."""
        self.attention.build(input_shape)

    def call(self, tokens):
        """Return the interference score ``[B, N]`` of each token of ``[B, N, dim]``."""
        return ops.max(ops.matmul(tokens, ops.transpose(self.attention.queries)), axis=-1)

    def outputs(self, tokens, absence):
        """Return what the queries take up, ``[B, K, dim]``; ``absence`` ``[B, 1, N]`` is 1 where absent."""
        return self.attention(ops.stop_gradient(tokens), penalty=MASK_BIAS * absence)

    def compute_output_shape(self, input_shape):
        """Return ``(B, N)``."""
        return (input_shape[0], input_shape[1])

    def get_config(self):
        """Return the constructor's arguments."""
        own = {"n_queries": self.n_queries, "dim": self.dim, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("mmq_tf")
class ModalityQueries(keras.layers.Layer):
    """Rebuild every token of a window from the present ones.

    One query a token (a learned vector a modality, plus a learned vector a step) attends to the tokens;
    ``rebuilt = Dense(relu(attended + place))``.

    Parameters
    ----------
    n_tokens, n_modalities : int
        Steps and modalities of a window, T and M.
    dim, heads, hidden : int
        Width of a token, number of heads, width of the hidden layer.
    seed : int
        Seed of the initial weights.
    """

    def __init__(
        self, n_tokens: int, n_modalities: int, dim: int, heads: int, hidden: int, *, seed: int = 0, **kwargs
    ):
        super().__init__(**kwargs)
        self.n_tokens = n_tokens
        self.n_modalities = n_modalities
        self.dim = dim
        self.heads = heads
        self.hidden = hidden
        self.seed = seed
        self.attention = AbsorbedAttention(
            dim, heads, hidden, n_queries=n_tokens * n_modalities, use_bias=False, seed=seed, name="attention"
        )
        kernel = glorot(seed + 1)
        self.out = keras.layers.Dense(dim, kernel_initializer=kernel, name="out")

    def build(self, input_shape):
        """Create the place vectors of modality ``[1, M, hidden]`` and time ``[T, 1, hidden]``."""
        starts = [normal(0.3, self.seed + i) for i in (2, 3)]
        shapes = (1, self.n_modalities, self.hidden), (self.n_tokens, 1, self.hidden)
        self.modality = self.add_weight(name="modality", shape=shapes[0], initializer=starts[0])
        self.time = self.add_weight(name="time", shape=shapes[1], initializer=starts[1])
        self.attention.build(input_shape)
        self.out.build((*input_shape[:-1], self.hidden))

    def call(self, tokens, penalty=None):
        """Return the rebuilt tokens ``[B, N, dim]`` of tokens ``[B, N, dim]``, ``N = T * M``."""
        place = ops.reshape(self.modality + self.time, (1, self.n_tokens * self.n_modalities, self.hidden))
        return self.out(ops.relu(self.attention(tokens, penalty=penalty) + place))

    def compute_output_shape(self, input_shape):
        """Keep the shape."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_tokens", "n_modalities", "dim", "heads", "hidden", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("mmq_tf")
class CategoryQueries(keras.layers.Layer):
    """One learned query a class of each task, decoded from the encoded stream.

    ``h_k = relu(attended_k + place_k)``. Where interference scores a token above a category query, the
    query's attention to it is pushed down by ``relu6(s_int - s_cat)``.

    Parameters
    ----------
    n_classes : int
        Number of classes of all tasks together, C.
    dim, heads : int
        Width of a token, number of heads.
    seed : int
        Seed of the initial weights.
    """

    def __init__(self, n_classes: int, dim: int, heads: int, *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.n_classes = n_classes
        self.dim = dim
        self.heads = heads
        self.seed = seed
        self.attention = AbsorbedAttention(
            dim, heads, dim, n_queries=n_classes, use_bias=False, seed=seed, name="attention"
        )

    def build(self, input_shape):
        """Create the place vectors ``[1, C, dim]``."""
        start = normal(0.3, self.seed + 1)
        self.place = self.add_weight(name="place", shape=(1, self.n_classes, self.dim), initializer=start)
        self.attention.build(input_shape)

    def call(self, encoded, interference=None, penalty=None):
        """Return ``h`` ``[B, C, dim]`` of encoded ``[B, N, dim]``; see `AbsorbedAttention.call`."""
        attended = self.attention(encoded, penalty=penalty, interference=interference)
        return ops.relu(attended + self.place)

    def shares(self, encoded, interference=None, penalty=None):
        """Return where each query and head looks, ``[B, C * heads, N]``; arguments as of `call`."""
        return self.attention.shares(encoded, penalty=penalty, interference=interference)

    def compute_output_shape(self, input_shape):
        """Return ``(B, C, dim)``."""
        return (input_shape[0], self.n_classes, self.dim)

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_classes", "dim", "heads", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def read_outs(tasks: Mapping[str, int], dim: int, seed: int) -> dict[str, BlockDense]:
    """Return a read-out a task: ``logit_k = w_k . h_k + b_k`` over the flat ``[C * dim]`` of all classes.

    References
    ----------
    Liu et al. 2021, "Query2Label", arXiv 2107.10834.
    """
    n_classes = sum(tasks.values())
    heads, first = {}, 0
    for index, (task, count) in enumerate(tasks.items()):
        outputs = [int(first <= k < first + count) for k in range(n_classes)]
        heads[task] = BlockDense([dim] * n_classes, outputs, seed=seed + index, name=f"logits_{task}")
        first += count
    return heads


def mean_read_outs(tasks: Mapping[str, int], dim: int, seed: int) -> dict[str, keras.layers.Dense]:
    """Return a dense read-out a task from a mean of tokens ``[dim]``: what stands in for category queries."""
    return {
        task: keras.layers.Dense(count, kernel_initializer=glorot(seed + index), name=f"logits_{task}")
        for index, (task, count) in enumerate(tasks.items())
    }
