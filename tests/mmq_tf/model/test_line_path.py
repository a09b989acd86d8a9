# SPDX-License-Identifier: Apache-2.0
"""The line beside the queries: exact statistics, nothing of what is absent, and the same in a saved file."""

from typing import Any

import keras
import numpy as np
import pytest

from mmq_tf.errors import MMQError
from mmq_tf.model import MMQNet
from mmq_tf.model.line_path import KNOTS, SQUASH, STEEPNESS, LinePath

T, FEATURES = 4, {"ppg": 3, "eda": 2}
M, F, S = 2, 5, 15


def windows(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    presence = (rng.random((count, T, M)) < 0.7).astype("float32")
    return {"features": rng.normal(0, 2, (count, T, F)).astype("float32"), "presence": presence}


def net_with_line(**own) -> MMQNet:
    return MMQNet.from_size("nano", T, FEATURES, {"stress": 2}, seed=3, line=True, **own)


def logits(net, inputs) -> np.ndarray:
    return np.array(net(inputs)["stress"])


def test_statistics_of_a_small_window():
    line = LinePath(3, {"ppg": 1, "eda": 1}, {"stress": 2})
    features = np.array([[[0.5, 0.1], [-0.9, 0.2], [0.3, 0.3]]], "float32")
    presence = np.array([[[1, 0], [0, 0], [1, 0]]], "float32")
    found, here = (np.array(part) for part in line.statistics(features, presence))
    high, low = np.tanh(0.5 / SQUASH), np.tanh(0.3 / SQUASH)
    np.testing.assert_allclose(found[0], [(high + low) / 2, 0, high, 0, low, 0], atol=1e-6)
    np.testing.assert_array_equal(here[0], [1, 0, 1, 0, 1, 0])


def test_a_small_squash_leaves_the_direction():
    line = LinePath(3, {"ppg": 1}, {"stress": 2}, squash=0.05)
    features, presence = np.array([[[0.4], [-3.0], [0.3]]], "float32"), np.ones((1, 3, 1), "float32")
    assert np.array(line.statistics(features, presence)[0])[0] == pytest.approx([1 / 3, 1, -1], abs=1e-4)


def test_tokens_that_are_not_believed_count_less_in_the_mean():
    line = LinePath(2, {"ppg": 1}, {"stress": 2}, squash=0.05)
    features, presence = np.array([[[1.0], [0.0]]], "float32"), np.ones((1, 2, 1), "float32")
    scores = np.array([[[-np.log(3.0)], [0.0]]], "float32")
    assert np.array(line.statistics(features, presence, scores)[0])[0, 0] == pytest.approx(0.25, abs=1e-6)


def test_a_fresh_gate_changes_nothing():
    inputs = windows(6)
    for one, two in zip(
        net_with_line(line_gate=True).line_statistics(inputs),
        net_with_line().line_statistics(inputs),
        strict=True,
    ):
        np.testing.assert_array_equal(np.array(one), np.array(two))


def test_features_that_are_no_evidence_are_not_read():
    net = net_with_line(quality=(1, 2))
    inputs = windows(6)
    other = {**inputs, "features": inputs["features"].copy()}
    other["features"][..., [1, 2]] += 1.0
    np.testing.assert_array_equal(net.embedding.unread, (1, 2))
    mean = slice(0, F)  # the means may move, since quality decides which tokens are believed
    for one, two in zip(net.line_statistics(inputs), net.line_statistics(other), strict=True):
        np.testing.assert_array_equal(np.array(one)[:, mean.stop :], np.array(two)[:, mean.stop :])
    assert not np.array(net.line_statistics(inputs)[1])[:, [1, 2]].any()


def test_quality_moves_interference_alone():
    net = net_with_line(quality=(1, 2))
    inputs = windows(6)
    other = {**inputs, "features": inputs["features"].copy()}
    other["features"][..., 1] -= 3.0
    one, two = net.trace(inputs), net.trace(other)
    np.testing.assert_array_equal(np.array(one["tokens"]), np.array(two["tokens"]))
    assert not np.allclose(np.array(one["interference_scores"]), np.array(two["interference_scores"]))


@pytest.mark.parametrize("steps", [False, True])
def test_what_is_absent_cannot_matter(steps):
    net = net_with_line(line_steps=steps)
    rng = np.random.default_rng(1)
    for name in ("centre", "scale", "kernel", *(["usual"] if steps else [])):
        weight = getattr(net.line, name)
        weight.assign(rng.normal(size=weight.shape))
    inputs = windows(20)
    absent = np.repeat(inputs["presence"], [3, 2], axis=-1) == 0
    other = {**inputs, "features": np.where(absent, 77.0, inputs["features"]).astype("float32")}
    np.testing.assert_array_equal(logits(net, inputs), logits(net, other))


def test_steps_of_a_small_window():
    line = LinePath(2, {"ppg": 1, "eda": 1}, {"stress": 2}, squash=0.05, steps=True)
    line.build()
    line.scale.assign(np.ones(6))
    line.usual.assign(np.full(30, 0.25))
    kernel = np.zeros((30, 2))
    kernel[[0, 18], 1] = 1.0, 10.0  # the mean of ppg at the first knot, the least of ppg's at the fourth
    kernel[[1, 7], 1] = 100.0  # of eda, which is absent
    line.kernel.assign(kernel)
    features, presence = (
        np.array([[[3.0, 3.0], [3.0, 3.0]]], "float32"),
        np.array([[[1, 0], [1, 0]]], "float32"),
    )
    squashed = np.tanh(1.0)
    first, fourth = (np.tanh(STEEPNESS * (squashed - knot)) - 0.25 for knot in (KNOTS[0], KNOTS[3]))
    wanted = first + 10 * fourth
    assert np.array(line(features, presence)["stress"])[0] == pytest.approx([0.0, wanted], abs=1e-5)


def test_without_a_sensor_steps_say_nothing():
    net, inputs = net_with_line(line_steps=True), windows(4)
    for name in ("centre", "scale", "kernel", "usual"):
        weight = getattr(net.line, name)
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    nothing = {"features": 0 * inputs["features"], "presence": 0 * inputs["presence"]}
    np.testing.assert_array_equal(net.trace(nothing)["line"]["stress"], np.zeros((4, 2)))


def test_the_logit_is_the_weighted_sum():
    net = net_with_line()
    net.line.kernel.assign(np.random.default_rng(1).normal(size=(2 * S, 2)))
    net.line.scale.assign(np.full(S, 0.5))
    net.network_share.assign(0.3)
    trace = {name: value for name, value in net.trace(windows(5)).items() if isinstance(value, dict)}
    line, network = (np.array(trace[name]["stress"]) for name in ("line", "network"))
    np.testing.assert_allclose(np.array(trace["logits"]["stress"]), line + 0.3 * network, atol=1e-6)
    assert np.abs(line).max() > 0.1


def test_a_fresh_line_says_nothing():
    inputs = windows(5)
    plain = MMQNet.from_size("nano", T, FEATURES, {"stress": 2}, seed=3)
    squashed = {**inputs, "features": np.tanh(inputs["features"] / SQUASH)}
    np.testing.assert_allclose(logits(net_with_line(), inputs), logits(plain, squashed), atol=1e-5)


def test_several_tasks_read_their_own_classes():
    net = MMQNet.from_size("nano", T, FEATURES, {"stress": 2, "load": 3}, line=True)
    net.line.bias.assign([1.0, 2.0, 3.0, 4.0, 5.0])
    line = net.trace(windows(1))["line"]
    assert {task: np.array(value)[0].tolist() for task, value in line.items()} == {
        "stress": [1.0, 2.0],
        "load": [3.0, 4.0, 5.0],
    }


def test_saved_and_read_back(tmp_path):
    net, inputs = net_with_line(quality=(2,), line_squash=0.2, line_gate=True, line_steps=True), windows(4)
    net.line.kernel.assign(np.random.default_rng(1).normal(size=net.line.kernel.shape))
    net.line_gate.kernel.assign(np.random.default_rng(2).normal(size=(F, M)))
    net.save(tmp_path / "net.keras")
    again: Any = keras.models.load_model(tmp_path / "net.keras")
    assert (again.quality, again.line.squash, again.line.steps) == ((2,), 0.2, True)
    np.testing.assert_array_equal(logits(net, inputs), logits(again, inputs))


def test_without_a_line_there_are_no_statistics():
    with pytest.raises(MMQError, match="line=True"):
        MMQNet.from_size("nano", T, FEATURES, {"stress": 2}).line_statistics(windows(1))
