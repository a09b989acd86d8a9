# SPDX-License-Identifier: Apache-2.0
"""The gate of a line learns which tokens to believe, and nothing else moves."""

from dataclasses import replace

import numpy as np
import pytest
from mmq_bridge.front_end.feature_layout import FeatureLayout

from mmq_tf.config.training_spec import DataConfig, ModelConfig, TrainingSpec
from mmq_tf.features.array_windows import plain_windows
from mmq_tf.model import MMQNet
from mmq_tf.training.line import LineChoice, fit_line
from mmq_tf.training.line_gate import fit_gate

LAYOUT = FeatureLayout(6, {"eda": 2}, ("eda.tonic", "eda.slope"))
CHOICE = LineChoice(1e-2, 0.0, 0.0, 1.0)


def spec() -> TrainingSpec:
    model = ModelConfig(line=True, line_gate=True)
    return TrainingSpec(layout=LAYOUT, data=DataConfig(dataset="simulated", task="stress"), model=model)


def people(seed: int, weight: float = 1.0):
    """Windows in which tonic EDA says the class where the slope is low, and lies where it is high."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, 600)
    slope = rng.choice([-2.0, 2.0], (600, 6), p=[0.6, 0.4])
    tonic = np.where(slope < 0, 1.0, -1.0) * (label * 2 - 1)[:, None] + rng.normal(size=slope.shape)
    subject = np.repeat([f"{seed}-{k}" for k in range(6)], 100)
    presence = np.ones((600, 6, 1), bool)
    windows = plain_windows(np.stack([tonic, slope], -1).astype("float32"), presence, label, subject)
    return replace(windows, weight=np.full(600, weight, np.float32))


def fitted(gate: bool = True) -> MMQNet:
    net = MMQNet.from_spec(spec(), 2, 0, line_gate=gate)
    fit_line(net, people(1), None, spec(), 0, CHOICE)
    return net


def right(net: MMQNet) -> float:
    windows = people(2)
    inputs = {"features": windows.features, "presence": windows.presence.astype("float32")}
    return float(np.mean(np.array(net.line_logits(inputs)["stress"]).argmax(1) == windows.label))


def test_the_gate_believes_the_tokens_that_tell():
    gated, plain = fitted(), fitted(gate=False)
    kernel = np.array(gated.line_gate.kernel)
    assert kernel[1, 0] < 0  # a high slope is not believed
    assert right(gated) > right(plain) + 0.03


def test_nothing_else_moves_and_what_was_trainable_still_is():
    net = fitted()
    names = [weight.path for weight in net.weights]
    before = [np.array(weight) for weight in net.weights]
    flags = [layer.trainable for layer in net._flatten_layers()]
    fit_gate(net, [people(3)], spec(), 1)
    moved = [
        name
        for name, old, new in zip(names, before, net.weights, strict=True)
        if not np.array_equal(old, np.array(new))
    ]
    assert moved == [net.line_gate.kernel.path]
    assert flags == [layer.trainable for layer in net._flatten_layers()]
    assert not net.line_gate.trainable


def test_it_is_fitted_anew_each_time():
    first, again = fitted(), fitted()
    fit_gate(again, [people(3)], spec(), 1)
    fit_gate(again, [people(1)], spec(), 0)
    np.testing.assert_allclose(np.array(first.line_gate.kernel), np.array(again.line_gate.kernel), atol=1e-5)


def test_a_gate_needs_a_line():
    with pytest.raises(ValueError, match="line_gate: it is a part of the line"):
        ModelConfig(line_gate=True)
