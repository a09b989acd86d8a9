# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon
from sklearn.metrics import roc_auc_score

from mmq_tf.errors import MMQError
from mmq_tf.metrics.significance import (
    bootstrap_counts,
    bootstrap_interval,
    bootstrap_intervals,
    compare,
    holm,
    mean_over_seeds,
    pooled_auroc_intervals,
)


def test_the_interval_of_constants_is_the_constant():
    assert bootstrap_interval(np.full(26, 0.7)) == (0.7, 0.7, 0.7)


def test_the_interval_of_one_subject_is_its_value():
    assert bootstrap_interval(np.array([0.3])) == (0.3, 0.3, 0.3)


def test_nan_subjects_are_left_out():
    mean, low, high = bootstrap_interval(np.array([0.5, np.nan, 0.5, np.nan]))
    assert (mean, low, high) == (0.5, 0.5, 0.5)
    assert np.isnan(bootstrap_interval(np.array([np.nan, np.nan]))).all()
    assert np.isnan(bootstrap_interval(np.array([]))).all()


def test_the_interval_of_many_normal_subjects_is_the_normal_one():
    values = np.random.default_rng(1).normal(size=400)
    mean, low, high = bootstrap_interval(values)
    error = values.std() / np.sqrt(400)
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(mean - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.15 * error)


def test_the_seed_decides():
    values = np.random.default_rng(2).random(20)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 99))
def test_the_interval_holds_the_mean_and_stays_within_the_values(values: list[float], seed: int):
    mean, low, high = bootstrap_interval(np.array(values), seed, draws=200)
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12
    assert min(values) - 1e-12 <= mean <= max(values) + 1e-12


def test_values_need_two_axes():
    with pytest.raises(MMQError, match=r"expected \[quantities, subjects\]"):
        bootstrap_intervals(np.zeros(3))


def test_mean_over_seeds_by_hand():
    mean, deviation = mean_over_seeds(np.array([[0.2, 0.4], [0.6, np.nan], [np.nan, np.nan]]))
    assert mean == pytest.approx(0.45)
    assert deviation == pytest.approx(np.std([0.3, 0.6], ddof=1))
    assert np.isnan(mean_over_seeds(np.array([[0.2, 0.4]]))[1])
    assert np.isnan(mean_over_seeds(np.full((2, 2), np.nan))).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_pooled_auroc_draws_are_those_of_repeated_subjects(seed: int):
    rng = np.random.default_rng(seed)
    subject = rng.integers(4, size=60)
    labels = rng.random(60) < 0.4
    scores = rng.integers(8, size=60) / 8
    found = pooled_auroc_intervals(labels, scores, subject, 4, seed=3, draws=5)
    for value, counts in zip(found, [np.ones(4, int), *bootstrap_counts(4, 3, 5)], strict=True):
        rows = np.concatenate([np.tile(np.flatnonzero(subject == s), counts[s]) for s in range(4)])
        if 0 < labels[rows].sum() < rows.size:
            assert value == pytest.approx(roc_auc_score(labels[rows], scores[rows]))
        else:
            assert np.isnan(value)


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.02, 0.03, 0.9])), [0.04, 0.06, 0.06, 0.9])
    np.testing.assert_allclose(holm(np.array([0.5, 0.6, np.nan])), [1.0, 1.0, np.nan])
    assert holm(np.array([])).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_never_lowers_a_p_value_and_keeps_the_order(values: list[float]):
    found = holm(np.array(values))
    assert (found >= np.array(values)).all()
    assert (np.diff(found[np.argsort(values, kind="stable")]) >= 0).all()


def test_comparing_methods():
    rng = np.random.default_rng(0)
    ours = 0.7 + 0.1 * rng.random(20)
    values = {
        "mmqnet": ours,
        "worse": ours - 0.05 - 0.01 * rng.random(20),
        "same": ours,
        "gone": np.full(20, np.nan),
    }
    worse, same, gone = compare(values, "mmqnet")
    assert (worse.method, worse.wins, worse.subjects) == ("worse", 20, 20)
    assert worse.p == pytest.approx(float(np.asarray(wilcoxon(values["worse"] - ours))[1]))
    assert worse.p_holm == pytest.approx(2 * worse.p)
    assert worse.difference == pytest.approx((ours - values["worse"]).mean())
    assert (same.p, same.p_holm, same.difference) == (1.0, 1.0, 0.0)
    assert gone.subjects == 0
    assert np.isnan([gone.p, gone.p_holm, gone.difference]).all()
    with pytest.raises(MMQError, match="reference: expected one of mmqnet"):
        compare(values, "other")
