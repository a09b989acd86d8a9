# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from mmq_tf.metrics.names import WEARER_METRICS
from mmq_tf.metrics.wearer import wearer_scores


def meets(
    said: ArrayLike,
    labels: ArrayLike,
    start_s: ArrayLike,
    trial: ArrayLike | None = None,
    session: ArrayLike | None = None,
    **options: Any,
) -> dict[str, float]:
    """What one wearer meets whose windows have these probabilities of class 1."""
    said = np.array(said, float)
    count = said.size
    found = wearer_scores(
        np.zeros(count, int),
        np.zeros(count, int) if session is None else np.array(session),
        np.zeros(count, int) if trial is None else np.array(trial),
        np.array(start_s, float),
        np.array(labels, int),
        np.stack([1 - said, said], axis=1),
        1,
        **options,
    )
    assert tuple(found) == WEARER_METRICS
    return {name: float(values[0]) for name, values in found.items()}


EVERY_MINUTE = 60.0 * np.arange(6)


def test_one_recording_by_hand():
    found = meets([0.9, 0.1, 0.9, 0.9, 0.1, 0.1], [0, 0, 1, 1, 1, 0], EVERY_MINUTE, [0, 0, 1, 1, 1, 2])
    # 6 windows of 60 s: a tenth of an hour. Alarms begin at 0 (rest: false) and 120 s (stress).
    assert found == pytest.approx(
        {
            "changes_per_hour": 30.0,
            "truth_changes_per_hour": 20.0,
            "false_alarms_per_hour": 10.0,
            "tasks_alarmed": 1.0,
            "withheld_share": 0.0,
        }
    )


def test_an_alarm_that_began_in_a_task_and_lasts_into_rest_is_no_false_one():
    found = meets([0.1, 0.9, 0.9, 0.9, 0.1, 0.9], [0, 1, 0, 0, 0, 0], EVERY_MINUTE)
    assert found["false_alarms_per_hour"] == pytest.approx(10.0)


def test_a_gap_ends_nothing_and_is_no_time():
    start_s = [0.0, 60.0, 7200.0, 7260.0]
    found = meets([0.9, 0.9, 0.9, 0.1], [1, 1, 0, 0], start_s, [0, 0, 1, 1])
    assert found["false_alarms_per_hour"] == 0.0  # the alarm was shown before the gap
    assert found["changes_per_hour"] == pytest.approx(15.0)
    assert found["truth_changes_per_hour"] == pytest.approx(15.0)


def test_windows_closer_than_the_stride_are_not_counted_twice():
    found = meets([0.9, 0.1, 0.1, 0.1], [0, 0, 0, 0], [0.0, 60.0, 90.0, 150.0], [0, 0, 1, 1])
    assert found["changes_per_hour"] == pytest.approx(3600 / 210)


def test_each_recording_begins_anew():
    found = meets([0.9, 0.9, 0.9, 0.9], [0, 0, 0, 0], [0.0, 60.0, 0.0, 60.0], session=[0, 0, 1, 1])
    assert found["changes_per_hour"] == 0.0
    assert found["false_alarms_per_hour"] == pytest.approx(2 / (240 / 3600))


def test_a_withheld_decision_neither_changes_nor_alarms():
    found = meets([0.9, 0.45, 0.9, 0.55, 0.1], [0, 0, 0, 1, 1], EVERY_MINUTE[:5], min_confidence=0.6)
    assert found["withheld_share"] == pytest.approx(0.4)
    assert found["changes_per_hour"] == pytest.approx(1 / (5 / 60))
    assert found["false_alarms_per_hour"] == pytest.approx(1 / (5 / 60))
    assert found["tasks_alarmed"] == 0.0
    by_row = meets(
        [0.9, 0.45, 0.9, 0.55, 0.1], [0, 0, 0, 1, 1], EVERY_MINUTE[:5], min_confidence=np.full(5, 0.6)
    )
    assert by_row == found
    nothing = meets([0.5, 0.5], [0, 1], [0.0, 60.0], min_confidence=0.9)
    assert (nothing["withheld_share"], nothing["changes_per_hour"], nothing["tasks_alarmed"]) == (
        1.0,
        0.0,
        0.0,
    )


def test_each_trial_counts_once_whatever_its_length():
    found = meets([0.9, 0.1, 0.1, 0.1, 0.1, 0.9], [1, 1, 1, 1, 0, 0], EVERY_MINUTE, [0, 0, 1, 1, 2, 2])
    assert found["tasks_alarmed"] == 0.5
    without = meets([0.9, 0.1], [0, 0], EVERY_MINUTE[:2])
    assert np.isnan(without["tasks_alarmed"])


def test_the_order_of_the_windows_does_not_matter():
    rng = np.random.default_rng(0)
    said, labels = rng.random(40), rng.integers(2, size=40)
    start_s, session = 15.0 * np.tile(np.arange(20), 2), np.repeat([0, 1], 20)
    mixed = rng.permutation(40)
    found = meets(said, labels, start_s, session=session, display_s=30.0)
    other = meets(said[mixed], labels[mixed], start_s[mixed], session=session[mixed], display_s=30.0)
    assert found == pytest.approx(other)


def test_the_filter_takes_single_flickers_away():
    said = [0.1, 0.1, 0.8, 0.1, 0.1, 0.1]
    labels, start_s = [0] * 6, 10.0 * np.arange(6)
    assert meets(said, labels, start_s)["changes_per_hour"] == pytest.approx(2 / (60 / 3600))
    assert meets(said, labels, start_s, display_s=30.0)["changes_per_hour"] == 0.0


def test_many_wearers_at_once_are_those_one_by_one():
    rng = np.random.default_rng(3)
    group, session = np.repeat(np.arange(4), 30), np.tile(np.repeat([0, 1], 15), 4)
    start_s = 15.0 * np.tile(np.arange(15), 8)
    labels, said = rng.integers(2, size=120), rng.random(120)
    trial = np.arange(120) // 5
    p = np.stack([1 - said, said], axis=1)
    found = wearer_scores(group, session, trial, start_s, labels, p, 5, display_s=30.0, min_confidence=0.55)
    for one in range(4):
        here = group == one
        alone = meets(
            said[here],
            labels[here],
            start_s[here],
            trial[here],
            session[here],
            display_s=30.0,
            min_confidence=0.55,
        )
        assert {name: values[one] for name, values in found.items()} == pytest.approx(alone)
    assert all(np.isnan(values[4]) for values in found.values())


def test_more_classes_have_changes_but_no_alarms():
    p = np.eye(3)[[0, 1, 2, 2]]
    zeros = np.zeros(4, int)
    found = wearer_scores(zeros, zeros, zeros, 60.0 * np.arange(4), np.array([0, 0, 1, 1]), p, 1)
    assert found["changes_per_hour"][0] == pytest.approx(30.0)
    assert np.isnan(found["false_alarms_per_hour"][0])
    assert np.isnan(found["tasks_alarmed"][0])


def test_without_two_windows_of_one_trial_no_hour_is_known():
    found = meets([0.9, 0.1], [1, 0], [0.0, 600.0], [0, 1])
    assert np.isnan(found["changes_per_hour"])
    assert found["tasks_alarmed"] == 1.0
    empty = meets([], [], [])
    assert all(np.isnan(value) for value in empty.values())


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 25), st.sampled_from([0.0, 0.55, 0.8]))
def test_random_recordings_are_as_a_person_would_count(seed, count, limit):
    rng = np.random.default_rng(seed)
    said, labels = rng.random(count), rng.integers(2, size=count)
    start_s = np.cumsum(60.0 * rng.integers(1, 4, size=count))
    start_s = np.append(start_s, start_s[-1] + 60.0)  # so that the stride is 60 s
    said, labels = np.append(said, 0.2), np.append(labels, labels[-1])
    shown, changes, false = None, 0, 0
    for p, truth in zip(said, labels, strict=True):
        if max(p, 1 - p) < limit:
            continue
        now = p > 0.5
        changes += shown is not None and now != shown
        false += bool(now and not shown and truth == 0)
        shown = now
    hours = (count + 1) * 60 / 3600
    found = meets(said, labels, start_s, min_confidence=limit)
    assert found["changes_per_hour"] == pytest.approx(changes / hours)
    assert found["false_alarms_per_hour"] == pytest.approx(false / hours)
