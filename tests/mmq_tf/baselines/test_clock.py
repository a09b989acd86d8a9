# SPDX-License-Identifier: Apache-2.0
"""The clock: elapsed time and nothing else."""

import dataclasses

import numpy as np
import pytest
from mmq_bridge.front_end.feature_layout import FeatureLayout
from sklearn.metrics import roc_auc_score

from mmq_tf.baselines import Clock
from mmq_tf.config.training_spec import MissingConfig, ModelConfig, TrainingConfig
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import array_spec, plain_windows

SPEC = array_spec(FeatureLayout(1, {"eda": 1}), ModelConfig(), MissingConfig(), TrainingConfig())


def cohort(seed: int, people: int = 6):
    """Everyone rests, is stressed and rests again, at nearly the same times; the sensor says nothing."""
    rng = np.random.default_rng(seed)
    start_s = np.tile(15.0 * np.arange(60), people) + np.repeat(rng.uniform(0, 30, people), 60)
    label = ((start_s > 300) & (start_s < 600)).astype(np.int8)
    features = rng.normal(size=(label.size, 1, 1)).astype(np.float32)
    names = np.repeat([f"s{n}" for n in range(people)], 60)
    windows = plain_windows(features, np.ones((label.size, 1, 1), bool), label, names)
    return dataclasses.replace(windows, start_s=start_s)


def test_it_knows_a_fixed_order_of_tasks_and_nothing_of_the_sensors():
    clock = Clock(trees=20).fit_windows(cohort(0), None, SPEC, seed=1)
    test = cohort(1)
    found = clock.predict_windows(test)
    assert roc_auc_score(test.label, found[:, 1]) > 0.95
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    hidden = dataclasses.replace(
        test, features=np.full_like(test.features, np.nan), presence=np.zeros_like(test.presence)
    )
    np.testing.assert_array_equal(clock.predict_windows(hidden), found)
    later = dataclasses.replace(test, start_s=np.full(len(test), 450.0))
    assert np.ptp(clock.predict_windows(later), axis=0).max() == 0


def test_the_same_seed_gives_the_same_clock_and_unknown_labels_are_left_out():
    train, test = cohort(0), cohort(1)
    known = np.arange(len(train)) % 3 > 0
    some = dataclasses.replace(train, label=np.where(known, train.label, -1).astype(np.int8))
    one, other = (
        Clock(trees=5).fit_windows(given, None, SPEC, seed=4)
        for given in (some, train.take(np.flatnonzero(known)))
    )
    np.testing.assert_array_equal(one.predict_windows(test), other.predict_windows(test))
    assert one.predict_windows(test.take(np.zeros(0, int))).shape == (0, 2)


def test_without_times_it_refuses():
    windows = cohort(0)
    given = windows.features, windows.presence
    with pytest.raises(MMQError, match="clock: features do not say when a window begins"):
        Clock().fit(*given, windows.label, {"eda": slice(0, 1)})
    with pytest.raises(MMQError, match="call predict_windows"):
        Clock().predict_proba(*given)
    with pytest.raises(MMQError, match="called before fit"):
        Clock().predict_windows(windows)
