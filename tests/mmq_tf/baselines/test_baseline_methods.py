# SPDX-License-Identifier: Apache-2.0
import warnings

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mmq_tf.baselines import BASELINES
from mmq_tf.errors import MMQError

pytestmark = pytest.mark.slow

OF_FEATURES = [name for name in BASELINES if name != "clock"]
"""The clock sees no features; see test_clock.py."""
SLICES = {"ppg": slice(0, 2), "eda": slice(2, 4)}


def cohort(count: int = 160, classes: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows whose class shifts a ppg feature and, more, an eda feature."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count)
    features = rng.normal(size=(count, 6, 4)).astype(np.float32)
    features[:, :, 0] += 0.5 * labels[:, np.newaxis]
    features[:, :, 2] += 1.0 * labels[:, np.newaxis]
    presence = rng.random((count, 6, 2)) < 0.9
    return np.where(presence[:, :, [0, 0, 1, 1]], features, 0.0), presence, labels


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch):
    """Keep the forest small: its size is no part of these tests."""
    from sklearn.ensemble import RandomForestClassifier

    def small(**settings):
        return RandomForestClassifier(**{**settings, "n_estimators": 20})

    monkeypatch.setattr("mmq_tf.baselines.models.RandomForestClassifier", small)


def test_the_names_are_those_of_the_results():
    assert list(BASELINES) == [
        "majority",
        "stratified",
        "clock",
        "logistic",
        "logistic_dropout",
        "forest",
        "boosted",
        "boosted_dropout",
    ]


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("name", OF_FEATURES)
def test_every_baseline_gives_probabilities_and_repeats_itself(name: str):
    features, presence, labels = cohort()
    first, second = (BASELINES[name]().fit(features, presence, labels, SLICES, seed=3) for _ in range(2))
    found = first.predict_proba(features, presence)
    assert found.shape == (160, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found.min() >= 0
    np.testing.assert_array_equal(found, second.predict_proba(features, presence))
    assert first.predict_proba(features[:0], presence[:0]).shape == (0, 2)


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("name", ["logistic", "logistic_dropout", "forest", "boosted", "boosted_dropout"])
def test_models_learn_on_unseen_windows_and_survive_a_sensor_gone(name: str):
    model = BASELINES[name]().fit(*cohort(seed=1), SLICES, seed=0)
    features, presence, labels = cohort(seed=2)
    assert roc_auc_score(labels, model.predict_proba(features, presence)[:, 1]) > 0.9
    without = presence & [True, False]
    assert roc_auc_score(labels, model.predict_proba(features, without)[:, 1]) > 0.6
    nothing = model.predict_proba(features, np.zeros_like(presence))
    assert np.isfinite(nothing).all()
    assert np.ptp(nothing, axis=0).max() == 0, "windows with nothing present must be told apart by nothing"


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("name", OF_FEATURES)
def test_absent_tokens_are_never_read(name: str):
    features, presence, labels = cohort(count=80)
    garbage = np.where(presence[:, :, [0, 0, 1, 1]], features, 1e6)
    clean, dirty = (BASELINES[name]().fit(x, presence, labels, SLICES) for x in (features, garbage))
    np.testing.assert_array_equal(
        clean.predict_proba(features, presence), dirty.predict_proba(garbage, presence)
    )


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("name", OF_FEATURES)
def test_unknown_labels_are_left_out_and_unseen_classes_get_nothing(name: str):
    features, presence, labels = cohort(count=60, classes=2)
    unknown = labels.copy()
    unknown[::3] = -1
    known = unknown >= 0
    with_unknown = BASELINES[name]().fit(features, presence, unknown, SLICES, classes=3)
    without = BASELINES[name]().fit(features[known], presence[known], labels[known], SLICES, classes=3)
    found = with_unknown.predict_proba(features, presence)
    np.testing.assert_array_equal(found, without.predict_proba(features, presence))
    assert (found[:, 2] == 0).all()


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("name", OF_FEATURES)
def test_a_training_set_of_one_class_gives_that_class(name: str):
    features, presence, _ = cohort(count=10)
    model = BASELINES[name]().fit(features, presence, np.ones(10, int), SLICES)
    np.testing.assert_array_equal(model.predict_proba(features, presence), np.tile([0.0, 1.0], (10, 1)))


def test_a_sensor_absent_in_all_of_training_is_no_obstacle():
    features, presence, labels = cohort(count=60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("logistic", "boosted"):
            model = BASELINES[name]().fit(features, presence & [True, False], labels, SLICES)
            assert np.isfinite(model.predict_proba(features, presence)).all()


def test_guesses_know_the_training_shares_alone():
    features, presence, _ = cohort(count=2000)
    labels = np.repeat([0, 0, 0, 1], 500)
    majority = (
        BASELINES["majority"]().fit(features, presence, labels, SLICES).predict_proba(features, presence)
    )
    np.testing.assert_array_equal(majority, np.tile([0.75, 0.25], (2000, 1)))
    drawn = (
        BASELINES["stratified"]().fit(features, presence, labels, SLICES).predict_proba(features, presence)
    )
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn[:, 1].mean() == pytest.approx(0.25, abs=0.04)


def test_dropout_teaches_what_the_clean_trees_do_not_know():
    """With the strong sensor gone, trees that saw gaps in training do better than trees that did not."""
    rng = np.random.default_rng(5)

    def perfect(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        labels = rng.integers(2, size=count)
        features = rng.normal(size=(count, 6, 4)).astype(np.float32)
        features[:, :, 0] += 0.7 * labels[:, np.newaxis]
        features[:, :, 2] += 8.0 * labels[:, np.newaxis]
        return features, np.ones((count, 6, 2), bool), labels

    training, (features, presence, labels) = perfect(200), perfect(200)
    gone = presence & [True, False]
    scores = {}
    for name in ("boosted", "boosted_dropout"):
        model = BASELINES[name]().fit(*training, SLICES)
        scores[name] = roc_auc_score(labels, model.predict_proba(features, gone)[:, 1])
    assert scores["boosted_dropout"] > scores["boosted"] + 0.2


def test_wrong_use_is_said_in_one_sentence():
    features, presence, labels = cohort(count=10)
    with pytest.raises(MMQError, match="forest: predict_proba was called before fit"):
        BASELINES["forest"]().predict_proba(features, presence)
    with pytest.raises(MMQError, match="at least one labelled window"):
        BASELINES["majority"]().fit(features, presence, np.full(10, -1), SLICES)
    with pytest.raises(MMQError, match="expected one per window"):
        BASELINES["majority"]().fit(features, presence, labels[:3], SLICES)
    with pytest.raises(MMQError, match="got class 1, but there are only 1 classes"):
        BASELINES["majority"]().fit(features, presence, labels, SLICES, classes=1)
