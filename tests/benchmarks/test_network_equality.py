# SPDX-License-Identifier: Apache-2.0
"""Models of every kind, with random weights: the C network's bits are TFLite Micro's, in every tensor."""

import pytest
from methods.network_models import MODELS, random_model
from network_equality import compare

pytest.importorskip("tflite_micro")
KINDS = (
    "small", "two-tasks-line", "nano-line-gate", "one-sensor-line", "without-category",
    "without-modality-line", "without-queries-line", "ensemble", "ensemble-line", "mhacl",
)  # fmt: skip
"""Between them every operation and layout; `benchmarks/network_equality.py` runs all kinds."""


@pytest.mark.parametrize("name", KINDS)
def test_every_tensor_is_micros(name):
    counts = compare(random_model(name), [], 40)
    assert counts.differing == 0
    assert counts.values > 40 * 10_000
    assert name in MODELS
