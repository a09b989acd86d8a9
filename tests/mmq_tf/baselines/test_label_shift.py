# SPDX-License-Identifier: Apache-2.0
"""The label-shift null: at chance where signals say nothing, above it where time alone does."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mmq_tf.baselines import Forest
from mmq_tf.baselines.label_shift import is_shifted, shift_labels, shifted_name, unshifted_name
from mmq_tf.features.array_windows import plain_windows

STRIDE_S = 20.0
WINDOWS = 60
"""A session: 20 minutes."""


def cohort(feature, subjects=24):
    """Sessions whose second half is stress; `feature(time, label, rng)` is what the one sensor says."""
    rng = np.random.default_rng(0)
    time = np.tile(np.arange(WINDOWS) / WINDOWS, subjects)
    label = (time >= 0.5).astype(np.int64)
    values = feature(time, label, rng)[:, np.newaxis, np.newaxis].astype(np.float32)
    names = np.repeat([f"s{n:02d}" for n in range(subjects)], WINDOWS)
    windows = plain_windows(values, np.ones((len(time), 1, 1), bool), label, names)
    return dataclasses.replace(windows, start_s=np.tile(np.arange(WINDOWS) * STRIDE_S, subjects))


def null_auroc(windows):
    """Mean over seeds and test subjects of the AUROC of a forest fitted and judged on moved labels."""
    scores = []
    names = np.unique(windows.subject)
    for seed in range(3):
        moved = shift_labels(windows, seed)
        for test in np.array_split(names, 3):
            held = np.isin(moved.subject, test)
            train, rest = (moved.take(np.flatnonzero(rows)) for rows in (~held, held))
            slices = {"eda": slice(0, 1)}
            model = Forest(trees=20).fit(train.features, train.presence, train.label, slices)
            said = model.predict_proba(rest.features, rest.presence)[:, 1]
            of = [rest.subject == name for name in test]
            scores += [roc_auc_score(rest.label[rows], said[rows]) for rows in of]
    return np.mean(scores)


def test_without_a_relation_the_null_is_at_chance():
    assert null_auroc(cohort(lambda time, label, rng: rng.normal(size=time.size))) == pytest.approx(
        0.5, abs=0.03
    )


def test_where_the_signal_drifts_with_the_session_the_null_is_above_chance():
    assert null_auroc(cohort(lambda time, label, rng: time + 0.02 * rng.normal(size=time.size))) > 0.56


def test_labels_move_by_minutes_and_keep_their_runs():
    windows = cohort(lambda time, label, rng: time)
    moved = shift_labels(windows, seed=1)
    shifts = []
    for name in np.unique(windows.subject):
        before, after = windows.label[windows.subject == name], moved.label[windows.subject == name]
        found = [k for k in range(WINDOWS) if np.array_equal(np.roll(before, k), after)]
        assert len(found) == 1
        shifts.append(min(found[0], WINDOWS - found[0]) * STRIDE_S)
    assert min(shifts) >= 180
    assert len(set(shifts)) > 5
    np.testing.assert_array_equal(moved.label, shift_labels(windows, seed=1).label)
    assert not np.array_equal(moved.label, shift_labels(windows, seed=2).label)


def test_a_session_moves_alike_wherever_it_is_and_whatever_the_order():
    windows = cohort(lambda time, label, rng: time)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(windows.subject, ["s03", "s20"])))
    np.testing.assert_array_equal(
        shift_labels(windows.take(rows), 4).label, shift_labels(windows, 4).label[rows]
    )


def test_a_short_session_moves_by_a_sixth_at_least():
    windows = cohort(lambda time, label, rng: time, subjects=1)
    few = windows.take(np.arange(20, 40))  # 400 s, ten windows of each class
    kept = [(shift_labels(few, seed).label == few.label).sum() for seed in range(40)]
    assert max(kept) == 20 - 2 * 3
    assert min(kept) == 0
    assert shift_labels(windows.take(np.arange(1)), 0).label.tolist() == [0]


def test_names():
    assert is_shifted(shifted_name("forest"))
    assert not is_shifted("forest")
    assert unshifted_name(shifted_name("mmqnet")) == "mmqnet"
