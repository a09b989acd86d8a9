# SPDX-License-Identifier: Apache-2.0
"""ME-MHACL's network: one encoder a modality, then attention over the modalities that are there."""

from collections.abc import Mapping

import keras
import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.model.attention import MASK_BIAS, AbsorbedAttention
from mmq_tf.model.dyt import DyT
from mmq_tf.model.keras_names import glorot, normal, ops
from mmq_tf.model.raw_encoder import RawEmbedding, plain_samples, sample_sizes
from mmq_tf.model.token_net import TokenNet
from mmq_tf.model.tokens import TokenEmbedding

_READING_HEADS = 4


@keras.saving.register_keras_serializable("mmq_tf")
class ModalityEncoder(keras.layers.Layer):
    """One vector a modality: its present tokens, embedded as MMQ-Net embeds them, weighed by attention.

    Of raw windows each token comes from a small convolution instead (`RawEmbedding`); the rest is the same.

    ``vector_m = present_m * relu(attention_m(tokens of m) + place_m)``: each modality asks with a learned
    query of its own among its own present tokens.

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    feature_sizes : mapping of str to int
        Number of features of each of M modalities, in the front end's order.
    dim, heads : int
        Width of a token and of a vector, number of attention heads.
    samples : mapping of str to (int, int), optional
        Samples a step and channels of each modality, where the input is raw windows.
    seed : int
        Seed of the initial weights.
    """

    def __init__(
        self,
        n_tokens: int,
        feature_sizes: Mapping[str, int],
        dim: int,
        heads: int,
        *,
        samples: Mapping[str, tuple[int, int]] | None = None,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.n_tokens = n_tokens
        self.feature_sizes = dict(feature_sizes)
        self.dim = dim
        self.heads = heads
        self.seed = seed
        self.samples = _checked(samples, self.feature_sizes)
        self.embedding = (
            RawEmbedding(n_tokens, self.samples, dim, seed=seed, name="embedding")
            if self.samples
            else TokenEmbedding(n_tokens, feature_sizes, dim, seed=seed, name="embedding")
        )
        self.attention = AbsorbedAttention(
            dim, heads, dim, n_queries=len(self.feature_sizes), seed=seed + 3, name="attention"
        )

    def build(self, input_shape=None):
        """Create every weight; the shapes follow from the constructor's arguments."""
        n_modalities = len(self.feature_sizes)
        self.embedding.build((None, self.n_tokens, sum(self.feature_sizes.values())))
        self.attention.build((None, self.n_tokens * n_modalities, self.dim))
        start = normal(0.3, self.seed + 5)
        self.place = self.add_weight(name="place", shape=(1, n_modalities, self.dim), initializer=start)

    def own_tokens(self) -> np.ndarray:
        """Return float32 ``[1, M * heads, T * M]``, 1 where a token is of the asking modality."""
        own = np.tile(np.eye(len(self.feature_sizes), dtype="float32"), (1, self.n_tokens))
        return np.repeat(own, self.heads, axis=0)[None]

    def call(self, features, presence):
        """Return vectors ``[B, M, dim]``, and ``[B, M]``, 1 where a modality has any token.

        Of features ``[B, T, F]`` and presence ``[B, T, M]``. The vector of a modality without tokens is 0.
        """
        n_modalities = len(self.feature_sizes)
        tokens = self.embedding(features, presence)
        here = ops.reshape(presence, (-1, 1, self.n_tokens * n_modalities))
        own = ops.convert_to_tensor(self.own_tokens(), self.compute_dtype)
        attended = self.attention(tokens, penalty=MASK_BIAS - here * (MASK_BIAS * own))
        present = ops.max(presence, axis=1)
        return ops.relu(attended + self.place) * ops.expand_dims(present, -1), present

    def encode(self, inputs):
        """Return what `call` does, of a dict of ``features`` and ``presence`` (0 or 1)."""
        return self(inputs["features"], ops.cast(inputs["presence"], self.compute_dtype))

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_tokens", "feature_sizes", "dim", "heads", "seed")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "samples": plain_samples(self.samples)}


@keras.saving.register_keras_serializable("mmq_tf")
class MHACL(TokenNet):
    """Our reading of ME-MHACL (arXiv 2308.01919, abstract only): vectors of modalities, attention, classes.

    `ModalityEncoder` gives each present modality a vector; these are the tokens of a transformer block with
    multi-head attention over the present ones; one learned query reads them, and each task's logits follow
    from what it read. Stage 1, which teaches the encoder without labels, follows SGMC (arXiv 2208.00877).

    Parameters
    ----------
    n_tokens, feature_sizes, tasks, **shared
        As for `TokenNet`. A size by name is as wide as the MMQ-Net of that name, so that the encoder can
        start either.
    samples : mapping of str to (int, int), optional
        Samples a step and channels of each modality, where the input is raw windows.

    Raises
    ------
    MMQError
        As `TokenNet`.
    """

    def __init__(
        self,
        n_tokens: int,
        feature_sizes: Mapping[str, int],
        tasks: Mapping[str, int],
        *,
        samples: Mapping[str, tuple[int, int]] | None = None,
        **shared,
    ):
        super().__init__(n_tokens, feature_sizes, tasks, **shared)
        self._make_layers(samples)
        self.build()

    @property
    def samples(self) -> dict[str, tuple[int, int]] | None:
        """Samples a step and channels by modality of raw windows; None where it reads front-end tokens."""
        return self.encoder.samples

    def _make_layers(self, samples) -> None:
        seeds = self.part_seeds()
        self.encoder = ModalityEncoder(
            self.n_tokens,
            self.feature_sizes,
            self.dim,
            _READING_HEADS,
            samples=samples,
            seed=next(seeds),
            name="encoder",
        )
        self.mixing = [self.block(index, next(seeds)) for index in range(self.blocks)]
        self.norm = DyT(affine=False, name="norm")
        self.reader = AbsorbedAttention(
            self.dim, _READING_HEADS, self.dim, n_queries=1, seed=next(seeds), name="reader"
        )
        self.read_outs = {
            task: keras.layers.Dense(count, kernel_initializer=glorot(next(seeds)), name=f"logits_{task}")
            for task, count in self.tasks.items()
        }

    def build(self, input_shape=None):
        """Create every weight, once; the shapes follow from the constructor's arguments."""
        if self.encoder.built:
            return
        self.encoder.build()
        self.encoder.built = True
        vectors = (None, self.n_modalities, self.dim)
        for part in (*self.mixing, self.norm, self.reader):
            part.build(vectors)
        for read_out in self.read_outs.values():
            read_out.build((None, self.dim))

    def call(self, inputs, training=False):
        """Return the logits ``[B, classes]`` of each task of ``features`` and ``presence`` (0 or 1)."""
        vectors, present = self.encoder.encode(inputs)
        penalty = MASK_BIAS - ops.expand_dims(present, 1) * MASK_BIAS
        for block in self.mixing:
            vectors = block(vectors, penalty=penalty, training=bool(training))
        kept = self.norm(vectors) * ops.expand_dims(present, -1)
        read = ops.reshape(ops.relu(self.reader(kept, penalty=penalty)), (-1, self.dim))
        return {task: read_out(read) for task, read_out in self.read_outs.items()}

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "samples": plain_samples(self.samples)}


def _checked(samples, feature_sizes: dict[str, int]) -> dict[str, tuple[int, int]] | None:
    """Return what was given as plain tuples, once it agrees with the sizes."""
    if samples is None:
        return None
    plain = {name: (int(count), int(channels)) for name, (count, channels) in samples.items()}
    if sample_sizes(plain) != feature_sizes:
        raise MMQError(
            f"MHACL: `samples` {plain} must give `feature_sizes` {feature_sizes}; use sample_sizes(samples)."
        )
    return plain
