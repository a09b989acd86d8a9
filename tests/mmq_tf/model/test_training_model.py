# SPDX-License-Identifier: Apache-2.0
"""Training: every weight moves, every loss is there, and a toy task is learned."""

from typing import Any

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mmq_tf.errors import MMQError
from mmq_tf.model import LossWeights, MMQNet, MMQTraining
from mmq_tf.model.tokens import feature_owner

T, FEATURES, TASKS = 4, {"ppg": 3, "eda": 2, "acc": 2}, {"stress": 2}
OWNER = feature_owner(FEATURES)


def toy(count: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Windows whose class shifts ppg and eda; tokens are hidden at a random rate and some are corrupted."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    signal = (2 * labels - 1)[:, None, None] * np.array([1, 0, 0, 1, 0, 0, 0]) * 0.7
    full = (rng.normal(size=(count, T, 7)) + signal).astype("float32")
    shape = (count, T, len(FEATURES))
    presence_full = (rng.random(shape) < 0.95).astype("float32")
    presence = presence_full * (rng.random(shape) >= rng.uniform(0, 0.8, (count, 1, 1)))
    corrupted = presence * (rng.random(shape) < 0.2)
    noise = 4.0 * rng.choice([-1, 1], (count, T, 7)) + rng.normal(size=(count, T, 7))
    shown = np.where(corrupted @ OWNER > 0, noise, full)
    inputs = {
        "features": shown * (presence @ OWNER),
        "presence": presence,
        "features_full": full * (presence_full @ OWNER),
        "presence_full": presence_full,
        "corrupted": corrupted,
    }
    return {name: value.astype("float32") for name, value in inputs.items()}, {
        "stress": labels.astype("int32")
    }


def make(eager: bool = True) -> MMQTraining:
    model = MMQTraining(MMQNet(T, FEATURES, TASKS, dim=16, hidden=32, seed=1))
    model.compile(keras.optimizers.Adam(5e-3), run_eagerly=eager)
    return model


@pytest.fixture
def training() -> MMQTraining:
    return make()


def test_training_changes_every_weight(training):
    inputs, labels = toy(64, 0)
    before = [np.array(weight) for weight in training.trainable_variables]
    training.fit(inputs, labels, batch_size=32, epochs=1)
    paths = [weight.path for weight in training.trainable_variables]
    same = [
        path
        for path, weight, old in zip(paths, training.trainable_variables, before, strict=True)
        if np.array_equal(weight, old)
    ]
    assert same == []
    assert len(paths) > len(training.net.trainable_variables)


@pytest.mark.slow
def test_it_learns_the_toy_task_and_finds_corrupted_tokens():
    training = make(eager=False)
    inputs, labels = toy(600, 0)
    quiet: Any = 0
    history = training.fit(inputs, labels, batch_size=60, epochs=10, verbose=quiet).history
    assert history["rebuild_features"][-1] < history["rebuild_features"][0]
    shown, truth = toy(500, 1)
    trace = training.net.trace({name: shown[name] for name in ("features", "presence")})
    right = np.argmax(trace["logits"]["stress"], axis=-1) == truth["stress"]
    assert right.mean() > 0.75
    scores = np.array(trace["interference_scores"])[shown["presence"].reshape(500, -1) == 1]
    corrupted = shown["corrupted"][shown["presence"] == 1] == 1
    assert roc_auc_score(corrupted, scores) > 0.9


def test_unlabelled_windows_train_without_a_class_loss(training):
    inputs, labels = toy(32, 0)
    unknown = {"stress": np.full_like(labels["stress"], -1)}
    logs = training.train_on_batch(inputs, unknown, return_dict=True)
    assert logs["classes"] == 0
    assert logs["no_label"] == 0
    assert np.isfinite(logs["loss"])
    assert logs["rebuild_tokens"] > 0


def test_loss_is_the_weighted_sum_of_the_named_losses(training):
    inputs, labels = toy(32, 0)
    logs = training.test_on_batch(inputs, labels, return_dict=True)
    weights = training.loss_weights
    total = sum(getattr(weights, name) * logs[name] for name in training.trackers)
    assert logs["loss"] == pytest.approx(total, rel=1e-5)


def test_window_weights_weigh_the_class_loss(training):
    inputs, labels = toy(32, 0)
    mask = np.arange(32) < 16
    masked = {"stress": np.where(mask, labels["stress"], -1)}
    weighted = training.test_on_batch(inputs, labels, mask.astype("float32"), return_dict=True)
    training.reset_metrics()
    assert weighted["classes"] == pytest.approx(
        training.test_on_batch(inputs, masked, return_dict=True)["classes"], rel=1e-5
    )


def test_saved_training_goes_on_where_it_was(training, tmp_path):
    inputs, labels = toy(32, 0)
    training.train_on_batch(inputs, labels)
    training.save(tmp_path / "training.keras")
    again = keras.saving.load_model(tmp_path / "training.keras")
    assert isinstance(again, MMQTraining)
    assert again.loss_weights == training.loss_weights
    for model in (training, again):
        model.reset_metrics()
    assert again.test_on_batch(inputs, labels) == training.test_on_batch(inputs, labels)


def test_missing_inputs_and_unknown_tasks_are_named(training):
    inputs, labels = toy(8, 0)
    with pytest.raises(MMQError, match="corrupted"):
        training({name: value for name, value in inputs.items() if name != "corrupted"})
    with pytest.raises(MMQError, match="arousal"):
        training.losses_by_name(inputs, {"arousal": labels["stress"]}, training(inputs))


def test_loss_weights_may_come_as_a_dict():
    net = MMQNet(T, FEATURES, TASKS, dim=16)
    assert MMQTraining(net, {"no_label": 0.5}).loss_weights == LossWeights(no_label=0.5)
