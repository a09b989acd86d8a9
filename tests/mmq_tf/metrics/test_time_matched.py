# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmq_tf.metrics.significance import bootstrap_counts
from mmq_tf.metrics.time_matched import drawn_shares, matched_wins, rests_on_one, time_matched_auroc


def long_way(positive, scores, subject, start_s, within_s, weight=None):
    """Every pair looked at; `weight` says how often each person is there."""
    right = every = 0.0
    for i in np.flatnonzero(positive):
        for j in np.flatnonzero(~positive):
            if subject[i] == subject[j] or abs(start_s[i] - start_s[j]) > within_s + 1e-6:
                continue
            often = 1 if weight is None else weight[subject[i]] * weight[subject[j]]
            every += often
            right += often * (1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0)
    return right / every if every else np.nan


def test_a_window_is_compared_with_other_people_at_the_same_time_alone():
    positive = np.array([True, False, False, False, False])
    subject = np.array(["a", "a", "b", "b", "c"])
    start_s = np.array([100.0, 100.0, 115.0, 120.0, 85.0])
    scores = np.array([0.5, 0.9, 0.4, 0.9, 0.5])  # the second is his own, the fourth 20 s away
    assert time_matched_auroc(positive, scores, subject, start_s) == 0.75
    assert np.isnan(time_matched_auroc(positive, scores, subject, start_s, within_s=14.0))
    assert time_matched_auroc(positive, scores, subject, start_s, within_s=20.0) == 0.5


def test_a_clock_has_chance_within_one_time_and_knows_the_order_otherwise():
    start_s = np.tile([0.0, 600.0], 4)
    subject = np.repeat(np.arange(4), 2)
    in_order = np.tile([False, True], 4)
    assert np.isnan(time_matched_auroc(in_order, start_s, subject, start_s))
    swapped = in_order.copy()
    swapped[:4] = ~swapped[:4]
    assert time_matched_auroc(swapped, start_s, subject, start_s) == 0.5


def test_people_and_pairs_are_counted_by_who_was_positive():
    positive, subject = np.array([True, False, True]), np.array([0, 1, 1])
    wins, pairs = matched_wins(positive, np.array([0.7, 0.2, 0.1]), subject, np.zeros(3), 3)
    assert wins.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert pairs.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_one_person_against_all_others_is_noticed():
    pairs = np.zeros((5, 5))
    pairs[0, 1:] = 10
    assert rests_on_one(pairs)
    pairs[1:, 1:] = 4
    np.fill_diagonal(pairs, 0)
    assert not rests_on_one(pairs)
    assert rests_on_one(np.eye(3)[[1, 2, 0]])  # three people: each in two of three pairs
    assert not rests_on_one(np.zeros((4, 4)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 6), st.sampled_from([0.0, 5.0, 15.0, 1e4]))
def test_value_and_every_draw_are_those_of_the_long_way(seed, count, people, within_s):
    rng = np.random.default_rng(seed)
    positive, subject = rng.random(count) < 0.4, rng.integers(people, size=count)
    start_s, scores = 5.0 * rng.integers(20, size=count), rng.integers(6, size=count) / 5
    parts = matched_wins(positive, scores, subject, start_s, people, within_s)
    found = drawn_shares(*parts, seed=seed, draws=5)
    expected = [long_way(positive, scores, subject, start_s, within_s)]
    expected += [
        long_way(positive, scores, subject, start_s, within_s, weight)
        for weight in bootstrap_counts(people, seed, 5)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[0] == pytest.approx(
        time_matched_auroc(positive, scores, subject, start_s, within_s), nan_ok=True
    )


def test_many_pairs_are_counted_in_parts(monkeypatch):
    rng = np.random.default_rng(1)
    arguments = (rng.random(200) < 0.5, rng.random(200), rng.integers(4, size=200), 5.0 * np.arange(200), 4)
    whole = matched_wins(*arguments)
    monkeypatch.setattr("mmq_tf.metrics.time_matched._PAIRS_AT_ONCE", 9)
    for one, other in zip(whole, matched_wins(*arguments), strict=True):
        np.testing.assert_array_equal(one, other)
