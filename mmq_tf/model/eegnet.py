# SPDX-License-Identifier: Apache-2.0
"""EEGNet, to compare costs with: it decides from raw EEG samples and knows no missing sensor."""

from __future__ import annotations

from typing import Any

import keras

from mmq_tf.errors import MMQError

RATE_HZ = 128.0
"""The sampling rate its kernels were made for."""
_FILTERS, _DEPTH, _POINTWISE = 8, 2, 16
_POOLS = (4, 8)


def eegnet(channels: int, samples: int, classes: int, *, dropout: float = 0.25, seed: int = 0) -> keras.Model:
    """Return EEGNet-8,2 for one window, as published for 128 Hz.

    A temporal convolution of half a second, a depthwise one over the electrodes, a separable one of an eighth
    of a second; batch normalisation, ELU, average pooling by 4 and 8, dropout after each of the last two. The
    published limits on the kernels' norms matter in training only and are left out; so is the softmax, as in
    the other models: the output is logits.

    Parameters
    ----------
    channels : int
        Electrodes.
    samples : int
        Samples of a window at `RATE_HZ`, at least 32.
    classes : int
    dropout : float
        0.25 is the published value for subjects apart.
    seed : int
        Of the initial weights.

    Returns
    -------
    keras.Model
        Input ``samples`` float32 ``[1, channels, samples, 1]``, output ``{"logits": [1, classes]}``.

    Raises
    ------
    MMQError
        If a size is too small.

    References
    ----------
    Lawhern et al. 2018, "EEGNet: a compact convolutional neural network for EEG-based brain-computer
    interfaces", J. Neural Eng. 15 056013, table 2.
    """
    if min(channels, classes - 1) < 1 or samples < _POOLS[0] * _POOLS[1]:
        raise MMQError(
            f"eegnet: expected at least 1 channel, {_POOLS[0] * _POOLS[1]} samples and 2 classes, got "
            f"{channels}, {samples} and {classes}."
        )
    layers = keras.layers

    def start(offset: int) -> Any:
        return keras.initializers.GlorotUniform(seed=seed + offset)

    inputs = keras.Input(batch_shape=(1, channels, samples, 1), name="samples")
    x = layers.Conv2D(
        _FILTERS, (1, int(RATE_HZ) // 2), padding="same", use_bias=False, kernel_initializer=start(0)
    )(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(
        (channels, 1), depth_multiplier=_DEPTH, use_bias=False, depthwise_initializer=start(1)
    )(x)
    x = layers.Activation("elu")(layers.BatchNormalization()(x))
    x = layers.Dropout(dropout, seed=seed)(layers.AveragePooling2D((1, _POOLS[0]))(x))
    x = layers.SeparableConv2D(
        _POINTWISE,
        (1, int(RATE_HZ) // 8),
        padding="same",
        use_bias=False,
        depthwise_initializer=start(2),
        pointwise_initializer=start(3),
    )(x)
    x = layers.Activation("elu")(layers.BatchNormalization()(x))
    x = layers.Dropout(dropout, seed=seed)(layers.AveragePooling2D((1, _POOLS[1]))(x))
    logits = layers.Dense(classes, kernel_initializer=start(4), name="logits")(layers.Flatten()(x))
    return keras.Model([inputs], {"logits": logits}, name="eegnet")
