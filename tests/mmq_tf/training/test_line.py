# SPDX-License-Identifier: Apache-2.0
"""The line is logistic regression, is chosen without the test people, and needs no past."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mmq_bridge.front_end.feature_layout import FeatureLayout
from sklearn.linear_model import LogisticRegression

from mmq_tf.config.training_spec import DataConfig, ModelConfig, TrainingSpec
from mmq_tf.features.array_windows import plain_windows
from mmq_tf.metrics.calibration import fit_temperature
from mmq_tf.model import MMQNet
from mmq_tf.model.ensemble import Ensemble
from mmq_tf.training.fit import predict_logits
from mmq_tf.training.line import STRENGTHS, LineChoice, _logistic, fit_line

NAMES = ("eda.tonic", "eda.slope", "eda.tonic.look_back", "acc.jerk")
LAYOUT = FeatureLayout(4, {"eda": 3, "acc": 1}, NAMES)


def spec_of(**model) -> TrainingSpec:
    data = DataConfig(dataset="simulated", task="stress")
    return TrainingSpec(layout=LAYOUT, data=data, model=ModelConfig(line=True, **model))


def people(count: int, seed: int, per: int = 40, weights=(1.5, 0.0, 1.0, 0.0)):
    """Windows whose stress is a line of feature means, in people who differ a little."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, count * per)
    signs = (label * 2 - 1)[:, None, None]
    features = rng.normal(size=(len(label), 4, 4)) + 0.3 * signs * np.array(weights)
    presence = rng.random((len(label), 4, 2)) < 0.9
    subject = np.repeat([f"{seed}-{k}" for k in range(count)], per)
    windows = plain_windows(features.astype("float32"), presence, label, subject)
    return replace(windows, features=windows.visible_features(LAYOUT))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_regression_is_scikit_learns(classes):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4))
    label = (rows[:, 0] + rng.normal(size=300) > 0).astype(int) + (rows[:, 1] > 1) * (classes - 2)
    weight = rng.uniform(0.5, 2, 300)
    found, bias = _logistic(rows, label, weight, 0.1, np.zeros((300, classes)), True)
    # With two classes scikit-learn has one column, the difference of ours, whose squares count half.
    theirs: Any = LogisticRegression(C=0.2 if classes == 2 else 0.1, tol=1e-8, max_iter=1000)
    theirs.fit(rows, label, sample_weight=weight)
    ours = found[:, 1:] - found[:, :1]
    wanted = theirs.coef_.T if classes == 2 else (theirs.coef_[1:] - theirs.coef_[:1]).T
    np.testing.assert_allclose(ours, wanted, atol=2e-3)
    intercept = theirs.intercept_ if classes == 2 else theirs.intercept_[1:] - theirs.intercept_[0]
    np.testing.assert_allclose(bias[1:] - bias[0], intercept, atol=2e-3)


def test_a_line_finds_a_line_and_the_share_is_of_both():
    train, validation, test = people(8, 1), people(3, 2), people(4, 3)
    net = MMQNet.from_spec(spec_of(), 2, 0)
    choice = fit_line(net, train, validation, spec_of(), 0)
    assert choice is not None
    assert {choice.evidence, choice.look_back} <= set(STRENGTHS)
    assert float(net.network_share) == pytest.approx(choice.network_share / choice.temperature)
    logits = predict_logits(net, test.features, test.presence)["stress"]
    assert np.mean(logits.argmax(1) == test.label) > 0.75


def test_the_line_is_as_sure_as_it_is_right_on_people_it_did_not_learn_from():
    train, validation = people(8, 1), people(3, 2)
    sure, unsure = (MMQNet.from_spec(spec_of(network_share=0.0), 2, 0) for _ in range(2))
    choice = fit_line(sure, train, validation, spec_of(network_share=0.0), 0)
    assert choice is not None
    fit_line(unsure, train, validation, spec_of(), 0, replace(choice, line_temperature=1.0))
    test = people(6, 3)
    found, raw = (predict_logits(net, test.features, test.presence)["stress"] for net in (sure, unsure))
    np.testing.assert_allclose(found * choice.line_temperature, raw, rtol=1e-4, atol=1e-5)
    assert choice.line_temperature < 0.9  # these strengths keep a line small
    assert abs(np.log(fit_temperature(found, test.label.astype(int)))) < abs(
        np.log(fit_temperature(raw, test.label.astype(int)))
    )


def test_without_a_past_the_line_is_that_of_the_features_alone():
    train, choice = people(8, 1), LineChoice(1e-3, 3e-3, 0.0, 1.0)
    whole, bare = (MMQNet.from_spec(spec_of(), 2, 0) for _ in range(2))
    fit_line(whole, train, None, spec_of(), 0, choice)
    fit_line(bare, train, None, spec_of(), 0, replace(choice, look_back=0.0))
    test = people(2, 3)
    test.features[..., 2] = 0
    one, two = (predict_logits(net, test.features, test.presence)["stress"] for net in (whole, bare))
    np.testing.assert_allclose(one, two, atol=1e-5)
    seen = people(2, 3)
    assert not np.allclose(predict_logits(whole, seen.features, seen.presence)["stress"], one, atol=1e-2)


def test_a_given_share_is_kept():
    net = MMQNet.from_spec(spec_of(network_share=0.0), 2, 0)
    choice = fit_line(net, people(6, 1), people(2, 2), spec_of(network_share=0.0), 0)
    assert choice is not None
    assert choice.network_share == float(net.network_share) == 0


def test_each_member_of_an_ensemble_has_its_line():
    nets = [MMQNet.from_spec(spec_of(), 2, seed) for seed in (0, 1)]
    fit_line(Ensemble(nets), people(6, 1), people(2, 2), spec_of(), 0)
    assert all(np.array(net.line.kernel).any() for net in nets)


def test_a_network_without_a_line_stays_as_it_is():
    plain = TrainingSpec(layout=LAYOUT, data=DataConfig(dataset="simulated", task="stress"))
    assert fit_line(MMQNet.from_spec(plain, 2, 0), people(2, 1), None, plain, 0) is None


def test_windows_of_hardly_any_weight_are_hardly_heard():
    given, test, choice = people(8, 1), people(4, 3), LineChoice(3e-3, 3e-3, 0.0, 1.0)
    wrong = np.arange(len(given)) % 4 != 0
    told = replace(given, label=np.where(wrong, 1 - given.label, given.label))
    right = {}
    for weight in (1e-3, 1.0):
        net = MMQNet.from_spec(spec_of(), 2, 0)
        counted = replace(told, weight=np.where(wrong, weight, 1.0).astype("float32"))
        fit_line(net, counted, None, spec_of(), 0, choice)
        logits = predict_logits(net, test.features, test.presence)["stress"]
        right[weight] = float(np.mean(logits.argmax(1) == test.label))
    assert right[1e-3] > 0.75
    assert right[1.0] < 0.4
