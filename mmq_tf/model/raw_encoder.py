# SPDX-License-Identifier: Apache-2.0
"""Raw samples of a window become tokens: small convolutions in place of the front end's features."""

from collections.abc import Mapping

import keras

from mmq_tf.errors import MMQError
from mmq_tf.model.keras_names import constant, glorot, normal, ops
from mmq_tf.model.tokens import sinusoid

FILTERS, DEPTH = 8, 2
"""Filters in time, and filters over the channels for each of them (EEGNet-8,2)."""

KERNEL_STEPS, RECTIFIED_STEPS, POOLED_STEPS = 64, 32, 8
"""About how many samples a filter in time covers; values a token keeps once rectified, then pooled."""


@keras.saving.register_keras_serializable("mmq_tf")
class RawConvolution(keras.layers.Layer):
    """Samples of one modality become one vector a step: filters in time, over channels, rectified, averaged.

    The first two layers of EEGNet: each of `FILTERS` filters in time, then `DEPTH` filters over the channels
    for each. Both are linear, so they are done as one convolution, whose kernels are products of the two.
    What comes out is rectified, goes through a second filter in time, is rectified and averaged over the
    step. A modality of one channel has one spatial weight a filter.

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    samples, channels : int
        Of a step.
    dim : int
        Width of the vectors.
    seed : int
        Seed of the initial weights.

    References
    ----------
    Lawhern et al. 2018, "EEGNet: a compact convolutional neural network for EEG-based brain-computer
    interfaces", J. Neural Eng. 15 056013, table 2; batch normalisation is left out, the samples come
    normalised. SGMC (arXiv 2208.00877) takes a residual network instead.
    """

    def __init__(self, n_tokens: int, samples: int, channels: int, dim: int, *, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        if min(n_tokens, samples, channels, dim) < 1:
            raise MMQError(
                "RawConvolution: `n_tokens`, `samples`, `channels` and `dim` must be at least 1, got "
                f"{n_tokens}, {samples}, {channels} and {dim}."
            )
        self.n_tokens = n_tokens
        self.samples = samples
        self.channels = channels
        self.dim = dim
        self.seed = seed
        self.depth = min(DEPTH, channels)
        self.stride = _divisor(samples, samples // RECTIFIED_STEPS)
        pooled = _divisor(samples // self.stride, samples // self.stride // POOLED_STEPS)
        self.second = keras.layers.Conv1D(
            dim,
            2 * pooled + 1,
            strides=pooled,
            padding="same",
            activation="relu",
            kernel_initializer=glorot(seed + 1),
            name="second",
        )

    def build(self, input_shape=None):
        """Create the filters in time ``[K, FILTERS]``, those over channels, and the second layer."""
        kernel = max(3, min(KERNEL_STEPS, self.samples // 2))
        start = normal(kernel**-0.5, self.seed + 2)
        self.in_time = self.add_weight(name="in_time", shape=(kernel, FILTERS), initializer=start)
        self.over_channels = self.add_weight(
            name="over_channels",
            shape=(self.channels, FILTERS, self.depth),
            initializer=normal(self.channels**-0.5, self.seed),
        )
        self.bias = self.add_weight(name="bias", shape=(FILTERS * self.depth,), initializer="zeros")
        self.second.build((None, None, FILTERS * self.depth))

    def filtered(self, samples):
        """Return ``[B, T * S / stride, FILTERS * DEPTH]`` of samples ``[B, T * S, C]``, not rectified."""
        in_time = ops.reshape(self.in_time, (-1, 1, FILTERS, 1))
        kernel = ops.reshape(in_time * self.over_channels, (-1, self.channels, FILTERS * self.depth))
        return ops.conv(samples, kernel, strides=self.stride, padding="same") + self.bias

    def call(self, samples):
        """Return ``[B, T, dim]`` of samples ``[B, T * S, C]``."""
        values = self.second(ops.relu(self.filtered(samples)))
        by_step = ops.reshape(values, (-1, self.n_tokens, values.shape[1] // self.n_tokens, self.dim))
        return ops.mean(by_step, axis=2)

    def compute_output_shape(self, input_shape):
        """Return ``(B, T, dim)``."""
        return (input_shape[0], self.n_tokens, self.dim)

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_tokens", "samples", "channels", "dim", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("mmq_tf")
class RawEmbedding(keras.layers.Layer):
    """Turn the raw samples of a window into one token a modality and step, as `TokenEmbedding` does features.

    ``token[t, m] = presence[t, m] * Dense(relu(convolution_m(samples of m)[t] + modality[m] + time[t]))``.
    The samples of an absent token are multiplied by 0 before anything else.

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    samples : mapping of str to (int, int)
        Samples a step, and channels, of each modality; they lie side by side, a sample's channels together.
    dim : int
        Width of a token.
    seed : int
        Seed of the initial weights.
    """

    def __init__(
        self, n_tokens: int, samples: Mapping[str, tuple[int, int]], dim: int, *, seed: int = 0, **kwargs
    ):
        super().__init__(**kwargs)
        if not samples:
            raise MMQError("RawEmbedding: `samples` must name at least one modality, got none.")
        self.n_tokens = n_tokens
        self.samples = {name: (int(count), int(wide)) for name, (count, wide) in samples.items()}
        self.dim = dim
        self.seed = seed
        self.convolutions = [
            RawConvolution(n_tokens, count, channels, dim, seed=seed + 10 * index, name=f"of_{name}")
            for index, (name, (count, channels)) in enumerate(self.samples.items())
        ]
        self.out = keras.layers.Dense(dim, kernel_initializer=glorot(seed + 1), name="out")

    def build(self, input_shape=None):
        """Create the embeddings of modality ``[1, M, dim]`` and time ``[T, 1, dim]`` and the layers."""
        n_modalities = len(self.samples)
        start = normal(0.5, self.seed + 2)
        self.modality = self.add_weight(name="modality", shape=(1, n_modalities, self.dim), initializer=start)
        waves = 0.3 * sinusoid(self.n_tokens, self.dim)[:, None]
        self.time = self.add_weight(name="time", shape=waves.shape, initializer=constant(waves))
        for convolution in self.convolutions:
            convolution.build()
            convolution.built = True
        self.out.build((None, self.n_tokens * n_modalities, self.dim))

    def call(self, features, presence):
        """Return tokens ``[B, T * M, dim]`` of samples ``[B, T, F]`` and presence ``[B, T, M]`` (0/1)."""
        parts, first = [], 0
        for index, convolution in enumerate(self.convolutions):
            size = convolution.samples * convolution.channels
            seen = features[:, :, first : first + size] * presence[:, :, index : index + 1]
            shape = (-1, self.n_tokens * convolution.samples, convolution.channels)
            parts.append(convolution(ops.reshape(seen, shape)))
            first += size
        n_all = self.n_tokens * len(parts)
        hidden = ops.relu(ops.stack(parts, axis=2) + self.modality + self.time)
        return self.out(ops.reshape(hidden, (-1, n_all, self.dim))) * ops.reshape(presence, (-1, n_all, 1))

    def compute_output_shape(self, input_shape):
        """Return ``(B, T * M, dim)``."""
        return (input_shape[0], self.n_tokens * len(self.samples), self.dim)

    def get_config(self):
        """Return the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("n_tokens", "dim", "seed")}
        return {**super().get_config(), **own, "samples": plain_samples(self.samples)}


def sample_sizes(samples: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Return the numbers of a step by modality: samples times channels."""
    return {name: count * channels for name, (count, channels) in samples.items()}


def plain_samples(samples: Mapping[str, tuple[int, int]] | None) -> dict[str, list[int]] | None:
    """Return samples and channels as JSON keeps them."""
    return None if samples is None else {name: list(shape) for name, shape in samples.items()}


def _divisor(number: int, most: int) -> int:
    """Return the largest divisor of a number that is at most that, at least 1."""
    return max(one for one in range(1, max(1, most) + 1) if number % one == 0)
