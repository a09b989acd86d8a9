# SPDX-License-Identifier: Apache-2.0
"""The counter of multiply-accumulates on layers whose number is known by hand."""

from typing import Any

import keras
import pytest
from mmq_bridge.bundle.flatbuffer import count_macs, list_ops
from mmq_export.convert import convert_any
from mmq_export.recipes import RECIPES

layers = keras.layers


def macs(*stack: Any, shape: tuple[int, ...]) -> tuple[int, set[str]]:
    x = inputs = keras.Input(batch_shape=(1, *shape), name="x")
    for layer in stack:
        x = layer(x)
    content = convert_any(keras.Model([inputs], {"y": x}), None, RECIPES["float32"])
    return count_macs(content), set(list_ops(content))


@pytest.mark.parametrize(
    ("stack", "shape", "expected", "op"),
    [
        # 6 x 8 places, 3 filters of 1 x 5 over 2 channels; then its 3 channels by 2 kernels of 6 x 1 each
        ([layers.Conv2D(3, (1, 5), padding="same")], (6, 8, 2), 6 * 8 * 3 * 5 * 2, "CONV_2D"),
        ([layers.DepthwiseConv2D((6, 1), depth_multiplier=2)], (6, 8, 3), 8 * 6 * 6, "DEPTHWISE_CONV_2D"),
        ([layers.Dense(4), layers.ReLU(), layers.Dense(2)], (5, 7), 5 * (7 * 4 + 4 * 2), "FULLY_CONNECTED"),
    ],
)
def test_a_layer_counts_what_it_multiplies(stack, shape, expected, op):
    found, ops = macs(*stack, shape=shape)
    assert op in ops
    assert found == expected


def test_attention_counts_both_products():
    class Attend(layers.Layer):
        def call(self, x):
            scores: Any = keras.ops.matmul(x, keras.ops.swapaxes(x, 1, 2))
            return keras.ops.matmul(keras.ops.softmax(scores), x)

    found, ops = macs(Attend(), shape=(6, 3))
    assert "BATCH_MATMUL" in ops
    assert found == 2 * 6 * 6 * 3
