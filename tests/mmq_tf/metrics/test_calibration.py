# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmq_tf.errors import MMQError
from mmq_tf.metrics.calibration import (
    apply_temperature,
    choose_min_confidence,
    fit_temperature,
    negative_log_likelihood,
    undo_temperature,
)
from mmq_tf.metrics.scores import ece


def overconfident(factor: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose true temperature is `factor`."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(count, 2))
    labels = (rng.random(count) < apply_temperature(logits, 1.0)[:, 1]).astype(int)
    return logits * factor, labels


def test_temperature_by_hand():
    # Three of four right at logit margin m: likeliest where sigmoid(m / T) = 3/4, so T = m / ln 3.
    logits = np.tile([0.0, 2.0], (4, 1))
    assert fit_temperature(logits, np.array([1, 1, 1, 0])) == pytest.approx(2 / np.log(3), rel=1e-4)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_true_temperature_is_found_and_calibrates(factor: float):
    logits, labels = overconfident(factor)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(factor, rel=0.15)
    assert ece(labels, apply_temperature(logits, temperature)) < 0.03


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_no_other_temperature_is_likelier(seed: int):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(30, 3)), rng.integers(3, size=30)
    best = negative_log_likelihood(logits, labels, fit_temperature(logits, labels))
    for other in (0.05, 0.3, 1.0, 2.0, 7.0, 20.0):
        assert best <= negative_log_likelihood(logits, labels, other) + 1e-6


def test_unknown_labels_are_left_out():
    logits, labels = overconfident(2.0, 200)
    unknown = np.concatenate([labels, np.full(200, -1)])
    assert fit_temperature(np.tile(logits, (2, 1)), unknown) == fit_temperature(logits, labels)
    assert fit_temperature(logits, np.full(200, -1)) == 1.0


def test_undoing_gives_the_probabilities_before():
    logits = np.random.default_rng(0).normal(size=(50, 3))
    after = apply_temperature(logits, 1.7)
    np.testing.assert_allclose(undo_temperature(after, 1.7), apply_temperature(logits, 1.0), atol=1e-12)


def test_bad_temperatures_and_logits_are_refused():
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(MMQError, match="expected a positive number"):
            apply_temperature(np.zeros((1, 2)), wrong)
    with pytest.raises(MMQError, match="training has diverged"):
        fit_temperature(np.array([[np.nan, 0.0]]), np.array([0]))
    with pytest.raises(MMQError, match=r"expected \[windows, classes\]"):
        fit_temperature(np.zeros(3), np.zeros(3, int))


def certain(confidence: list[float]) -> np.ndarray:
    p = np.array(confidence)
    return np.stack([p, 1 - p], axis=1)


def test_the_threshold_drops_the_wrong_and_unsure():
    p = certain([0.95, 0.9, 0.8, 0.7, 0.6])
    labels = np.array([0, 0, 0, 1, 0])
    assert choose_min_confidence(p, labels, coverage=0.6) == pytest.approx(0.75)  # keeps three, all right
    assert choose_min_confidence(p, labels, coverage=0.8) == 0.0  # four kept: 3/4; all five: 4/5
    assert choose_min_confidence(p, labels, coverage=1.0) == 0.0


def test_equal_confidences_stay_together():
    p = certain([0.9, 0.7, 0.7, 0.7])
    assert choose_min_confidence(p, np.array([0, 0, 1, 1]), coverage=0.5) == 0.0


def test_nothing_known_keeps_everything():
    assert choose_min_confidence(certain([0.9]), np.array([-1])) == 0.0


@pytest.mark.parametrize("coverage", [0.0, 1.1, -1.0, np.nan])
def test_impossible_coverage_is_refused(coverage: float):
    with pytest.raises(MMQError, match="coverage: expected a share"):
        choose_min_confidence(certain([0.9]), np.array([0]), coverage)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1.0))
def test_coverage_is_kept_and_accuracy_never_falls(seed: int, coverage: float):
    rng = np.random.default_rng(seed)
    p = certain((0.5 + 0.5 * rng.integers(0, 10, size=25) / 10).tolist())
    labels = rng.integers(2, size=25)
    keep = p.max(axis=1) >= choose_min_confidence(p, labels, coverage)
    assert keep.mean() >= coverage - 1e-9
    right = p.argmax(axis=1) == labels
    assert right[keep].mean() >= right.mean() - 1e-12
