# SPDX-License-Identifier: Apache-2.0
"""Windows that count differently: for a method, a weight of two is the window twice."""

import numpy as np
import pytest

from mmq_tf.baselines import Boosted, BoostedDropout, Forest, Logistic, LogisticDropout, Majority
from mmq_tf.metrics.scores import auroc

SLICES = {"eda": slice(0, 2)}


def data(seed=0, count=60):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, 4, 2)).astype(np.float32)
    label = (features[:, :, 0].mean(1) + 0.3 * rng.standard_normal(count) > 0).astype(int)
    return features, np.ones((count, 4, 1), bool), label


def test_a_weight_of_two_is_the_window_twice():
    features, presence, label = data()
    weight = np.where(np.arange(60) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(60), weight.astype(int))
    one = Logistic().fit(features, presence, label, SLICES, sample_weight=weight)
    other = Logistic().fit(features[twice], presence[twice], label[twice], SLICES)
    for name in ("centre", "spread", "column_means"):  # of all rows as they are: not weighted
        setattr(other, name, getattr(one, name))
    other.estimator = other._estimate(
        other._fill(other._rows(features[twice], presence[twice])), label[twice], 0
    )
    np.testing.assert_allclose(
        one.predict_proba(features, presence), other.predict_proba(features, presence), atol=1e-4
    )


@pytest.mark.parametrize("kind", [Logistic, LogisticDropout, Forest, Boosted, BoostedDropout])
def test_windows_of_hardly_any_weight_are_hardly_heard(kind):
    features, presence, label = data(count=400)
    wrong = np.arange(400) >= 200
    told = np.where(wrong, 1 - label, label)
    deaf, fair = (
        kind().fit(features, presence, told, SLICES, sample_weight=np.where(wrong, weight, 1.0))
        for weight in (1e-3, 1.0)
    )
    right = [auroc(label[wrong], method.predict_proba(features, presence)[wrong]) for method in (deaf, fair)]
    assert right[0] > 0.8
    assert right[1] < 0.7


@pytest.mark.parametrize("kind", [Logistic, Forest, Boosted])
def test_without_weights_nothing_changes(kind):
    features, presence, label = data()
    plain = kind().fit(features, presence, label, SLICES)
    none = kind().fit(features, presence, label, SLICES, sample_weight=None)
    np.testing.assert_array_equal(
        plain.predict_proba(features, presence), none.predict_proba(features, presence)
    )


def test_unlabelled_windows_take_their_weight_with_them_and_shares_are_of_weight():
    features, presence, _ = data(count=4)
    label = np.array([-1, 0, 1, 1])
    found = Majority().fit(features, presence, label, SLICES, sample_weight=np.array([9.0, 2.0, 1.0, 1.0]))
    assert found.predict_proba(features, presence)[0].tolist() == [0.5, 0.5]
