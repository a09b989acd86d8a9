# SPDX-License-Identifier: Apache-2.0
"""Logistic regression: who chooses its strength, and what gaps in training teach it."""

import dataclasses

import numpy as np
import pytest
from mmq_bridge.front_end.feature_layout import FeatureLayout
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mmq_tf.baselines import Logistic, LogisticDropout
from mmq_tf.baselines.models import STRENGTHS, UNTUNED
from mmq_tf.baselines.window_statistics import window_statistics
from mmq_tf.config.training_spec import MissingConfig, ModelConfig, TrainingConfig
from mmq_tf.features.array_windows import array_spec, plain_windows
from mmq_tf.features.windows import WindowSet

SLICES = {"ppg": slice(0, 2), "eda": slice(2, 4)}
SPEC = array_spec(FeatureLayout(6, {"ppg": 2, "eda": 2}), ModelConfig(), MissingConfig(), TrainingConfig())


def cohort(seed: int, people: int = 4, signal: float = 0.3, classes: int = 2) -> WindowSet:
    rng = np.random.default_rng(seed)
    label = rng.integers(classes, size=30 * people)
    features = rng.normal(size=(label.size, 6, 4)).astype(np.float32)
    features[:, :, [0, 2]] += signal * label[:, np.newaxis, np.newaxis]
    names = np.repeat([f"s{n}" for n in range(people)], 30)
    return plain_windows(features, np.ones((label.size, 6, 2), bool), label, names)


def mean_auroc(model: Logistic, windows: WindowSet) -> float:
    said = model.predict_windows(windows)[:, 1]
    people = np.unique(windows.subject)
    return float(
        np.mean([roc_auc_score(windows.label[r], said[r]) for r in (windows.subject == p for p in people)])
    )


def of_strength(strength: float, train: WindowSet, monkeypatch: pytest.MonkeyPatch) -> Logistic:
    monkeypatch.setattr("mmq_tf.baselines.models.UNTUNED", strength)
    return Logistic().fit_windows(train, None, SPEC)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_validation_people_choose_the_strength(seed: int, monkeypatch: pytest.MonkeyPatch):
    train, validation = cohort(seed), cohort(seed + 10, people=3)
    model = Logistic().fit_windows(train, validation, SPEC)
    scores = [mean_auroc(of_strength(c, train, monkeypatch), validation) for c in STRENGTHS]
    assert model.strength == STRENGTHS[int(np.argmax(scores))]
    same = of_strength(model.strength, train, monkeypatch)
    np.testing.assert_array_equal(model.predict_windows(validation), same.predict_windows(validation))


def test_of_equals_the_smaller_strength_is_chosen():
    train = cohort(0, signal=20.0)
    assert Logistic().fit_windows(train, cohort(1, signal=20.0), SPEC).strength == STRENGTHS[0]


def test_nobody_to_choose_leaves_the_fixed_strength():
    train = cohort(0)
    one_class = dataclasses.replace(cohort(1), label=np.zeros(120, np.int8))
    unlabelled = dataclasses.replace(cohort(1), label=np.full(120, -1, np.int8))
    models = [Logistic().fit_windows(train, given, SPEC) for given in (None, one_class, unlabelled)]
    assert {model.strength for model in models} == {UNTUNED}
    answers = [model.predict_windows(train) for model in models]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])
    rows = window_statistics(train.features, train.presence, SLICES).astype(float)
    spread = rows.std(axis=0)
    rows = (rows - rows.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)
    plain = LogisticRegression(C=UNTUNED, max_iter=5000).fit(rows, train.label)
    np.testing.assert_allclose(answers[0], plain.predict_proba(rows), atol=1e-6)


def test_three_classes_are_chosen_one_against_the_rest():
    model = Logistic().fit_windows(cohort(0, classes=3), cohort(1, classes=3), SPEC)
    assert model.strength in STRENGTHS
    assert model.predict_windows(cohort(2, classes=3)).shape == (120, 3)


def test_gaps_in_training_teach_what_a_sensor_says_alone():
    """Both sensors share a nuisance: together their difference tells, so alone one of them misleads."""

    def windows(seed: int) -> WindowSet:
        made = cohort(seed, people=8, signal=0.0)
        nuisance = np.random.default_rng([seed, 1]).normal(size=(len(made), 1))
        made.features[:, :, 0] += nuisance + 0.7 * made.label[:, np.newaxis]
        made.features[:, :, 2] += nuisance + 1.2 * made.label[:, np.newaxis]
        return made

    test = windows(1)
    gone = dataclasses.replace(test, presence=test.presence & [True, False])
    plain, taught = (kind().fit_windows(windows(0), windows(2), SPEC) for kind in (Logistic, LogisticDropout))
    assert mean_auroc(taught, test) > 0.8
    assert mean_auroc(plain, gone) < 0.5
    assert mean_auroc(taught, gone) > 0.6


def test_gaps_weigh_as_much_as_the_windows_they_are_copies_of(monkeypatch: pytest.MonkeyPatch):
    """Without any gap the copies change nothing."""
    monkeypatch.setattr(
        "mmq_tf.baselines.models.training_keep", lambda rng, shape, **options: np.ones(shape, bool)
    )
    train, validation = cohort(0), cohort(1)
    plain, taught = (kind().fit_windows(train, validation, SPEC) for kind in (Logistic, LogisticDropout))
    assert plain.strength == taught.strength
    np.testing.assert_allclose(
        plain.predict_windows(validation), taught.predict_windows(validation), atol=2e-4
    )
