# SPDX-License-Identifier: Apache-2.0
"""Soft labels: of trees that never saw the wearer, and asked once for the same windows."""

from dataclasses import replace

import numpy as np
import pytest

from mmq_tf.features.array_windows import plain_windows
from mmq_tf.training import distillation as teacher
from mmq_tf.training.distillation import out_of_fold_probabilities

SLICES = {"eda": slice(0, 2)}


@pytest.fixture
def windows():
    rng = np.random.default_rng(0)
    label = np.arange(60) % 2
    features = rng.standard_normal((60, 3, 2)).astype(np.float32) + 2 * label[:, None, None]
    subject = np.array([f"s{number}" for number in np.repeat(np.arange(6), 10)])
    return plain_windows(features, np.ones((60, 3, 1), bool), label, subject)


@pytest.mark.slow
def test_a_subjects_own_labels_do_not_move_its_soft_labels(windows):
    own = windows.subject == "s2"
    turned = replace(windows, label=np.where(own, 1 - windows.label, windows.label))
    soft, again = (out_of_fold_probabilities(given, SLICES, 2, 0) for given in (windows, turned))
    np.testing.assert_array_equal(again[own], soft[own])
    assert not np.array_equal(again[~own], soft[~own])
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-6)


def test_one_subject_keeps_its_labels(windows):
    alone = windows.take(np.flatnonzero(windows.subject == "s0"))
    np.testing.assert_array_equal(
        out_of_fold_probabilities(alone, SLICES, 2, 0), np.eye(2, dtype=np.float32)[alone.label]
    )


def test_the_forests_are_asked_once_for_the_same_and_again_for_anything_else(windows, monkeypatch):
    asked = []
    monkeypatch.setattr(teacher, "_latest", {})
    monkeypatch.setattr(
        teacher, "_ask_forests", lambda given, *rest: asked.append(rest) or np.zeros((len(given), 2))
    )
    other = replace(windows, features=windows.features + 1)
    for given, seed in ((windows, 0), (windows, 0), (windows, 1), (other, 1), (other, 1)):
        out_of_fold_probabilities(given, SLICES, 2, seed)
    assert len(asked) == 3
