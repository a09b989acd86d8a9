# SPDX-License-Identifier: Apache-2.0
"""Boosting takes the columns that help, and a line of steps finds a curve that no straight line is."""

from dataclasses import replace

import numpy as np
import pytest
from mmq_bridge.front_end.feature_layout import FeatureLayout

from mmq_tf.config.training_spec import DataConfig, ModelConfig, TrainingSpec
from mmq_tf.features.array_windows import plain_windows
from mmq_tf.metrics.calibration import fit_temperature
from mmq_tf.model import MMQNet
from mmq_tf.training.fit import predict_logits
from mmq_tf.training.fold import fit_decision
from mmq_tf.training.line import LineChoice, fit_line
from mmq_tf.training.line_steps import RATE, RIDGE, ROUNDS, boosted

NAMES = ("eda.tonic", "eda.slope", "eda.tonic.look_back", "acc.jerk")
LAYOUT = FeatureLayout(4, {"eda": 3, "acc": 1}, NAMES)


def spec_of(**model) -> TrainingSpec:
    data = DataConfig(dataset="simulated", task="stress")
    given = {"line": True, "line_steps": True, "network_share": 0.0, **model}
    return TrainingSpec(layout=LAYOUT, data=data, model=ModelConfig(**given))


def people(count: int, seed: int, per: int = 40, wide: float = 0.5):
    """Windows that are stress where the first feature is far from its usual, to either side."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, count * per)
    middle = np.where(label == 1, rng.choice([-2.0, 2.0], len(label)), 0.0)[:, None]
    features = rng.normal(0, wide, size=(len(label), 4, 4))
    features[:, :, 0] += middle
    presence = np.ones((len(label), 4, 2), bool)
    subject = np.repeat([f"{seed}-{k}" for k in range(count)], per)
    windows = plain_windows(features.astype("float32"), presence, label, subject)
    return replace(windows, features=windows.visible_features(LAYOUT))


def accuracy(net, test) -> float:
    logits = predict_logits(net, test.features, test.presence)["stress"]
    return float(np.mean(logits.argmax(1) == test.label))


def test_the_first_round_is_a_share_of_newtons_step():
    label, column = np.array([0, 0, 1, 1]), np.array([-1.0, 0.0, 0.0, 1.0])
    ((kernel, bias),) = boosted(column[:, None], label, np.ones(4), 2, [1], 0)
    step = RATE * 0.5 * 1.0 / (2 * 0.25 + RIDGE)  # half of slope 1 over curvature 1/4 of two rows
    np.testing.assert_allclose(kernel, [[-step, step]])
    np.testing.assert_allclose(bias, [0.0, 0.0])


def test_what_tells_classes_apart_is_taken_and_a_constant_never():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 300)
    columns = np.concatenate(
        [rng.normal(size=(300, 18)), np.zeros((300, 1)), (label == 2)[:, None] - 1 / 3], 1
    )
    few, many = boosted(columns, label, np.ones(300), 3, [20, 200], 0)
    assert np.abs(few[0]).sum() < np.abs(many[0]).sum()
    assert not many[0][18].any()
    assert np.abs(many[0][19]).max() > 5 * np.abs(many[0][:18]).max()


def test_steps_find_what_no_straight_line_does():
    train, validation, test = people(8, 1), people(3, 2), people(4, 3)
    net = MMQNet.from_spec(spec_of(), 2, 0)
    choice = fit_line(net, train, validation, spec_of(), 0)
    assert choice is not None
    assert (choice.evidence in ROUNDS, choice.look_back) == (True, 0.0)
    assert accuracy(net, test) > 0.9
    by_rounds = MMQNet.from_spec(spec_of(), 2, 0)
    fit_line(by_rounds, train, validation, spec_of(), 0, choice)
    np.testing.assert_allclose(np.array(net.line.kernel), np.array(by_rounds.line.kernel))


def test_the_whole_is_as_sure_as_it_was_right_before_it_learned_from_validation_people():
    train, validation, test = people(6, 1, wide=2.0), people(3, 2, wide=2.0), people(12, 3, wide=2.0)
    net = MMQNet.from_spec(spec_of(), 2, 0)
    fit_line(net, train, validation, spec_of(), 0)
    decision = fit_decision(net, validation, "stress")
    assert decision["temperature"] == {"stress": 1.0}
    found = predict_logits(net, test.features, test.presence)["stress"]
    again = predict_logits(net, validation.features, validation.presence)["stress"]
    unseen = abs(np.log(fit_temperature(found, test.label.astype(int))))
    assert unseen < 0.35
    assert (
        fit_temperature(again, validation.label.astype(int)) < 1.0
    )  # what it has learned from it knows better


def test_the_past_is_left_out():
    net = MMQNet.from_spec(spec_of(), 2, 0)
    fit_line(net, people(8, 1), None, spec_of(), 0, LineChoice(200, 0.0, 0.0, 1.0))
    kernel = np.array(net.line.kernel).reshape(net.line.pieces, 3, 4, 2)
    assert kernel[:, :, [0, 1, 3]].any()
    assert not kernel[:, :, 2].any()


def test_steps_go_with_a_line():
    with pytest.raises(ValueError, match="line_steps: it is a part of the line"):
        ModelConfig(line_steps=True)
