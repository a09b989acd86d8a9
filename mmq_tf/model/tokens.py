# SPDX-License-Identifier: Apache-2.0
"""Features of a window become tokens."""

from collections.abc import Collection, Mapping

import keras
import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.model.block_dense import BlockDense
from mmq_tf.model.keras_names import constant, glorot, normal, ops


def feature_owner(feature_sizes: Mapping[str, int], unread: Collection[int] = ()) -> np.ndarray:
    """Return the 0/1 matrix float32 ``[M, F]``: which modality owns which feature; nobody owns `unread`."""
    owner = np.repeat(np.arange(len(feature_sizes)), list(feature_sizes.values()))
    owner[list(unread)] = -1
    return (np.arange(len(feature_sizes))[:, None] == owner[None, :]).astype("float32")


def sinusoid(n_tokens: int, dim: int) -> np.ndarray:
    """Return the sinusoidal positions float32 ``[n_tokens, dim]`` (Vaswani et al. 2017, section 3.5)."""
    angle = np.arange(n_tokens)[:, None] / 10000.0 ** (2 * (np.arange(dim)[None, :] // 2) / dim)
    return np.where(np.arange(dim) % 2 == 0, np.sin(angle), np.cos(angle)).astype("float32")


@keras.saving.register_keras_serializable("mmq_tf")
class TokenEmbedding(keras.layers.Layer):
    """Turn the features of a window into one token a modality and step.

    ``token[t, m] = presence[t, m] * Dense(relu(Dense_m(features of m at t) + modality[m] + time[t]))``. The
    first dense layer is block-diagonal over the modalities. The features of an absent token are multiplied by
    0 before anything else, so no finite value there reaches the output; the token itself is exactly 0.

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    feature_sizes : mapping of str to int
        Number of features of each modality, in the front end's order.
    dim : int
        Width of a token.
    seed : int
        Seed of the initial weights.
    unread : collection of int
        Features that count as 0.
    """

    def __init__(
        self,
        n_tokens: int,
        feature_sizes: Mapping[str, int],
        dim: int,
        *,
        seed: int = 0,
        unread: Collection[int] = (),
        **kwargs,
    ):
        super().__init__(**kwargs)
        if n_tokens < 1 or dim < 1 or not feature_sizes or min(feature_sizes.values()) < 1:
            raise MMQError(
                f"TokenEmbedding: `n_tokens`, `dim` and every size in `feature_sizes` must be at least 1, "
                f"got {n_tokens}, {dim} and {dict(feature_sizes)}."
            )
        self.n_tokens = n_tokens
        self.feature_sizes = dict(feature_sizes)
        self.dim = dim
        self.seed = seed
        self.unread = tuple(unread)
        sizes = list(self.feature_sizes.values())
        self.features_in = BlockDense(sizes, [dim] * len(sizes), seed=seed, name="features_in")
        kernel = glorot(seed + 1)
        self.out = keras.layers.Dense(dim, kernel_initializer=kernel, name="out")

    def build(self, input_shape):
        """Create the embeddings of modality ``[1, M, dim]`` and time ``[T, 1, dim]`` and the dense layers."""
        n_modalities = len(self.feature_sizes)
        start = normal(0.5, self.seed + 2)
        self.modality = self.add_weight(name="modality", shape=(1, n_modalities, self.dim), initializer=start)
        waves = 0.3 * sinusoid(self.n_tokens, self.dim)[:, None]
        self.time = self.add_weight(
            name="time",
            shape=waves.shape,
            initializer=constant(waves),
        )
        self.features_in.build((None, self.n_tokens, sum(self.feature_sizes.values())))
        self.out.build((None, self.n_tokens * n_modalities, self.dim))

    def call(self, features, presence):
        """Return tokens ``[B, T * M, dim]`` of features ``[B, T, F]`` and presence ``[B, T, M]`` (0/1)."""
        n_all = self.n_tokens * len(self.feature_sizes)
        owner = ops.convert_to_tensor(feature_owner(self.feature_sizes, self.unread), self.compute_dtype)
        features = features * ops.matmul(presence, owner)
        hidden = ops.reshape(self.features_in(features), (-1, n_all, self.dim))
        place = ops.reshape(self.modality + self.time, (1, n_all, self.dim))
        return self.out(ops.relu(hidden + place)) * ops.reshape(presence, (-1, n_all, 1))

    def compute_output_shape(self, input_shape):
        """Return ``(B, T * M, dim)``."""
        return (input_shape[0], self.n_tokens * len(self.feature_sizes), self.dim)

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_tokens", "feature_sizes", "dim", "seed")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "unread": list(self.unread)}
