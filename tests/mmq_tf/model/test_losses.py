# SPDX-License-Identifier: Apache-2.0
"""Losses against numbers worked out by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from mmq_tf.errors import MMQError
from mmq_tf.model import LossWeights, losses


def number(value) -> float:
    return float(np.array(value))


def gradient(function, start: np.ndarray) -> np.ndarray:
    """Return the gradient of a scalar function of one array, by one step of plain descent at rate 1."""

    class Descent(keras.Model):
        def __init__(self):
            super().__init__()
            self.value = self.add_weight(
                shape=start.shape, initializer=lambda s, dtype: ops.cast(start, dtype)
            )
            self.built = True

        def call(self, x):
            return x

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return function(self.value) + 0.0 * ops.sum(self.value)

    model = Descent()
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    model.train_on_batch(np.zeros((1, 1), "float32"))
    return start - ops.convert_to_numpy(model.value)


def test_cross_entropy_of_even_logits_is_log_of_the_classes():
    assert number(losses.class_cross_entropy(np.zeros((2, 4), "float32"), [0, 3])) == pytest.approx(np.log(4))


def test_cross_entropy_ignores_unknown_labels_and_weighs_windows():
    logits = np.log(np.array([[0.8, 0.2], [0.1, 0.9], [0.5, 0.5]], "float32"))
    assert number(losses.class_cross_entropy(logits, [0, -1, -1])) == pytest.approx(-np.log(0.8), rel=1e-5)
    weighted = losses.class_cross_entropy(logits, [0, 1, -1], weights=np.array([1, 3, 9], "float32"))
    assert number(weighted) == pytest.approx(-(np.log(0.8) + 3 * np.log(0.9)) / 4, rel=1e-5)
    assert number(losses.class_cross_entropy(logits, [-1, -1, -1])) == 0


def test_label_smoothing_spreads_the_target():
    logits = np.log(np.array([[0.8, 0.2]], "float32"))
    smooth = losses.class_cross_entropy(logits, [0], smoothing=0.1)
    assert number(smooth) == pytest.approx(-(0.95 * np.log(0.8) + 0.05 * np.log(0.2)), rel=1e-5)


def test_rebuild_error_counts_hidden_tokens_only():
    rebuilt, target = np.ones((1, 3, 2), "float32"), np.zeros((1, 3, 2), "float32")
    target[0, 1] = 3.0
    hidden = np.array([[[0], [1], [0]]], "float32")
    assert number(losses.rebuild_error(rebuilt, target, hidden)) == pytest.approx(4.0)
    assert number(losses.rebuild_error(rebuilt, target, 0 * hidden)) == 0


def test_rebuild_error_does_not_move_its_target():
    ones = np.ones((1, 2, 2), "float32")
    towards = gradient(lambda value: losses.rebuild_error(ones, value, ones), 0 * ones)
    away = gradient(lambda value: losses.rebuild_error(value, ones, ones), 0 * ones)
    assert (towards == 0).all()
    assert (away != 0).all()


def test_orthogonality_is_the_mean_squared_cosine():
    category = np.array([[[1, 0], [0, 2]]], "float32")
    assert number(losses.orthogonality(category, category[:, :1])) == pytest.approx(0.5, rel=1e-4)
    assert number(losses.orthogonality(category[:, :1], category[:, 1:])) == pytest.approx(0.0, abs=1e-6)


def test_reverse_gradient_keeps_the_value_and_turns_the_gradient():
    x = np.array([1.0, -2.0], "float32")
    np.testing.assert_array_equal(losses.reverse_gradient(x), x)
    np.testing.assert_allclose(
        gradient(lambda value: ops.sum(losses.reverse_gradient(value) * 3.0), x), [-3, -3]
    )


def test_consistency_is_the_divergence_from_the_complete_prediction():
    full = np.log(np.array([[0.9, 0.1]], "float32"))
    shown = np.log(np.array([[0.5, 0.5]], "float32"))
    expected = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)
    assert number(losses.consistency(shown, full)) == pytest.approx(expected, rel=1e-5)
    assert number(losses.consistency(full, full + 2)) == pytest.approx(0, abs=1e-6)
    assert (gradient(lambda value: losses.consistency(shown, value), full) == 0).all()


def test_interference_teaching_weighs_both_kinds_of_token_the_same():
    scores = np.array([[2.0, -1.0, -1.0, 9.0]], "float32")
    corrupted = np.array([[1, 0, 0, 1]], "float32")
    presence = np.array([[1, 1, 1, 0]], "float32")
    expected = 0.5 * (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(-1.0)))
    assert number(losses.interference_teaching(scores, corrupted, presence)) == pytest.approx(
        expected, rel=1e-5
    )
    assert np.isfinite(number(losses.interference_teaching(scores, corrupted, 0 * presence)))


@pytest.mark.parametrize("wrong", [{"classes": -1.0}, {"label_smoothing": 1.0}, {"no_label": float("nan")}])
def test_impossible_loss_weights_are_named(wrong):
    with pytest.raises(MMQError, match=next(iter(wrong))):
        LossWeights(**wrong)
