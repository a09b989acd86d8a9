# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from mmq_tf.errors import MMQError
from mmq_tf.metrics.grouped_scores import grouped_scores, score_by_subject
from mmq_tf.metrics.scores import (
    METRICS,
    accuracy,
    auroc,
    auroc_reason,
    balanced_accuracy,
    brier,
    ece,
    macro_f1,
)


def binary(positive: list[float]) -> np.ndarray:
    p = np.array(positive)
    return np.stack([1 - p, p], axis=1)


def draw(seed: int, classes: int, count: int, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups, labels and probabilities with ties, missing classes and empty groups."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 6, size=(count, classes)) + 0.5
    group = rng.integers(groups, size=count)
    labels = np.where(group % 3 == 0, 0, rng.integers(classes, size=count))
    return group, labels, raw / raw.sum(axis=1, keepdims=True)


def test_auroc_by_hand():
    labels = np.array([0, 0, 1, 1])
    assert auroc(labels, binary([0.1, 0.4, 0.35, 0.8])) == 0.75  # one of four pairs is the wrong way round
    assert auroc(labels, binary([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert auroc(labels, binary([0.9, 0.8, 0.2, 0.1])) == 0.0


def test_auroc_of_several_classes_is_the_mean_of_one_against_the_rest():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.6, 0.4, 0.0], [0.3, 0.5, 0.2], [0.4, 0.6, 0.0], [0.2, 0.3, 0.5]])
    assert auroc(labels, probabilities) == pytest.approx((0.75 + 0.5) / 2)  # class 2 never occurs


def test_auroc_of_one_class_is_nan_with_a_reason():
    assert np.isnan(auroc(np.array([1, 1]), binary([0.2, 0.3])))
    assert auroc_reason(np.array([1, 1])) == "only class 1 occurs"
    assert auroc_reason(np.array([], int)) == "no window"
    assert auroc_reason(np.array([0, 1])) is None


def test_ece_by_hand():
    # Bins of 1/15: 0.9 and 0.92 share (13/15, 14/15], 0.6 is the upper edge of its own, 0.7 is alone.
    probabilities = binary([0.9, 0.92, 0.6, 0.3])
    labels = np.array([1, 0, 1, 0])
    expected = (abs(1 - 1.82) + abs(1 - 0.6) + abs(1 - 0.7)) / 4
    assert ece(labels, probabilities) == pytest.approx(expected)


def test_a_bins_upper_edge_is_its_own():
    # 0.55 and 0.6 share (8/15, 9/15], so their errors cancel in part; apart they would not.
    assert ece(np.array([1, 0]), binary([0.6, 0.55])) == pytest.approx(abs(1 - 1.15) / 2)


def test_ece_of_certain_and_right_is_nothing():
    assert ece(np.array([1, 0]), binary([1.0, 0.0])) == 0.0
    assert ece(np.array([1, 0]), binary([0.0, 1.0])) == 1.0


def test_brier_by_hand():
    assert brier(np.array([1, 0]), binary([0.8, 0.4])) == pytest.approx((0.04 + 0.16) / 2)
    assert brier(np.array([2]), np.array([[1.0, 0.0, 0.0]])) == 1.0


def test_counts_by_hand():
    labels = np.array([0, 0, 0, 1])
    probabilities = binary([0.1, 0.2, 0.9, 0.8])  # one of three rests called stress
    assert accuracy(labels, probabilities) == 0.75
    assert balanced_accuracy(labels, probabilities) == pytest.approx((2 / 3 + 1) / 2)
    assert macro_f1(labels, probabilities) == pytest.approx((2 * 2 / (3 + 2) + 2 * 1 / (1 + 2)) / 2)


def test_a_class_neither_true_nor_said_has_no_f1():
    probabilities = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]])
    assert macro_f1(np.array([0, 1]), probabilities) == 1.0


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4), count=st.integers(0, 60))
def test_grouped_scores_are_the_single_ones(seed: int, classes: int, count: int):
    group, labels, probabilities = draw(seed, classes, count, groups=5)
    found = grouped_scores(group, labels, probabilities, 6)
    assert list(found) == list(METRICS)
    for name, metric in METRICS.items():
        expected = [metric(labels[group == g], probabilities[group == g]) for g in range(6)]
        np.testing.assert_allclose(found[name], expected, atol=1e-12, err_msg=name)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_two_classes_agree_with_scikit_learn(seed: int):
    _, _, probabilities = draw(seed, 2, 40, groups=1)
    labels = np.arange(40) % 2
    assert brier(labels, probabilities) == pytest.approx(sk.brier_score_loss(labels, probabilities[:, 1]))
    assert auroc(labels, probabilities) == pytest.approx(sk.roc_auc_score(labels, probabilities[:, 1]))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4))
def test_every_metric_stays_in_its_range(seed: int, classes: int):
    _, labels, probabilities = draw(seed, classes, 30, groups=4)
    for name, metric in METRICS.items():
        value = metric(labels, probabilities)
        assert np.isnan(value) or 0 <= value <= 1, name


def test_scores_by_subject_and_by_trial():
    subject = np.array(["b", "b", "b", "b", "a", "a"])
    trial = np.array([1, 1, 2, 2, 1, 1])
    labels = np.array([0, 0, 1, 1, 1, 1])
    probabilities = binary([0.1, 0.7, 0.4, 0.9, 0.8, 0.1])
    windows = score_by_subject(subject, labels, probabilities)
    assert windows.subjects == ("b", "a")
    assert windows.scores["accuracy"].tolist() == [0.5, 0.5]
    assert windows.scores["auroc"][0] == 0.75
    assert windows.reasons == {"a": "only class 1 occurs"}
    trials = score_by_subject(subject, labels, probabilities, trial)
    # b: trial means 0.40 (rest, right) and 0.65 (stress, right); a: 0.45 (stress, wrong)
    assert trials.scores["accuracy"].tolist() == [1.0, 0.0]
    assert trials.scores["brier"][1] == pytest.approx(0.55**2)


def test_a_trial_of_two_labels_is_refused():
    with pytest.raises(MMQError, match="windows of a trial have several labels"):
        score_by_subject(np.array(["a", "a"]), np.array([0, 1]), binary([0.5, 0.5]), np.array([1, 1]))


def test_empty_input_gives_nan():
    for name, metric in METRICS.items():
        assert np.isnan(metric(np.zeros(0, int), np.zeros((0, 2)))), name


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1, 1], [[0.5, 0.5]], "expected \\[windows, classes\\]"),
        ([-1], [[0.5, 0.5]], "leave unknown windows"),
        ([2], [[0.5, 0.5]], "expected classes 0..1"),
        ([0], [[np.nan, 0.5]], "outside or NaN"),
        ([0], [[1.5, -0.5]], "outside or NaN"),
    ],
)
def test_impossible_predictions_are_refused(labels: list, probabilities: list, message: str):
    with pytest.raises(MMQError, match=message):
        accuracy(np.array(labels), np.array(probabilities))
