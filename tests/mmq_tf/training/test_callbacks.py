# SPDX-License-Identifier: Apache-2.0
"""A user's own Keras callbacks see one training, as in any `model.fit`."""

import csv
from typing import Any

import keras
import numpy as np
import pytest

from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import WindowSet
from mmq_tf.training.callbacks import EpochBatches
from mmq_tf.training.fit import EpochData, fit_network, new_network, predict_logits

EPOCHS = 4
SETTINGS = [
    "front_end.tokens=2",
    "front_end.modalities={eda={sampling_rate_hz=4},temp={sampling_rate_hz=4}}",
    f"training.epochs={EPOCHS}",
    "training.batch_size=16",
    "model.line=false",  # a callback sees the network before a line is fitted beside it
]
CONFIG = load_config("simulated", SETTINGS)
SPEC = CONFIG.training_spec


def make_windows(count, seed):
    """Return windows whose first feature tells the class."""
    rng = np.random.default_rng(seed)
    shape = (count, CONFIG.front_end.tokens)
    features = rng.standard_normal((*shape, CONFIG.front_end.n_features)).astype(np.float32)
    label = np.arange(count) % 2
    features[..., 0] += 3 * label[:, None]
    return WindowSet(
        features=features,
        presence=np.ones((*shape, 2), dtype=bool),
        label=label.astype(np.int8),
        subject=np.full(count, "a"),
        session=np.full(count, "1"),
        trial=np.zeros(count, dtype=np.int64),
        start_s=np.arange(count, dtype=np.float64),
        variant_features=features[None],
        variant_presence=np.ones((1, *shape, 2), dtype=bool),
        variant_corrupted=np.zeros((1, *shape, 2), dtype=bool),
    )


TRAIN, VALIDATION = make_windows(40, 0), make_windows(16, 1)


def fit(*callbacks, **options):
    """Train with callbacks, and return the training model and the history."""
    model = new_network(SPEC, 2, seed=3)
    history = fit_network(
        model,
        TRAIN,
        VALIDATION,
        SPEC,
        3,
        options.pop("state_path", None),
        callbacks=callbacks,
        run_eagerly=True,
        **options,
    )
    return model, history


class Calls(keras.callbacks.Callback):
    """Note what Keras calls, and with what logs."""

    def __init__(self):
        super().__init__()
        self.calls, self.logs = [], []

    def on_train_begin(self, logs=None):
        """Note it."""
        self.calls.append("train begin")

    def on_epoch_end(self, epoch, logs=None):
        """Note the epoch and what is known of it."""
        self.calls.append(epoch)
        self.logs.append(dict(logs or {}))

    def on_train_end(self, logs=None):
        """Note it."""
        self.calls.append("train end")


def test_a_training_begins_and_ends_once_and_callbacks_see_the_validation_scores():
    calls = Calls()
    _, history = fit(calls)
    assert calls.calls == ["train begin", *range(EPOCHS), "train end"]
    assert calls.logs == history.epochs
    assert {"loss", "classes", "val_auroc", "val_auroc_full", "val_nll"} <= set(calls.logs[0])


def test_early_stopping_stops():
    """It never sees an improvement after the first epoch, so it stops after the second."""
    stopping = keras.callbacks.EarlyStopping("val_nll", patience=1, min_delta=10**9, mode="min")
    _, history = fit(stopping)
    assert len(history.epochs) == 2
    assert stopping.stopped_epoch == 1


def test_own_patience_stops_too():
    config = load_config("simulated", [*SETTINGS, "training.patience=1", "training.learning_rate=1e-30"])
    spec = config.training_spec
    model = new_network(spec, 2, seed=3)
    history = fit_network(model, TRAIN, VALIDATION, spec, 3, None, run_eagerly=True)
    assert len(history.epochs) == 2
    assert history.best_epoch == 1


def test_a_checkpoint_holds_the_best_epoch(tmp_path):
    """The file of the best `val_auroc` holds what `fit_network` keeps."""
    path = tmp_path / "best.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(
        str(path), monitor="val_auroc", mode="max", save_best_only=True
    )
    model, history = fit(checkpoint)
    assert float(checkpoint.best) == history.best_score
    saved: Any = keras.saving.load_model(path, compile=False)
    windows = VALIDATION.features, VALIDATION.presence
    np.testing.assert_array_equal(
        predict_logits(saved.net, *windows)["stress"], predict_logits(model.net, *windows)["stress"]
    )


def test_csv_logger_writes_every_epoch_under_one_heading(tmp_path):
    _, history = fit(keras.callbacks.CSVLogger(str(tmp_path / "log.csv")))
    with open(tmp_path / "log.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(EPOCHS))
    assert [float(row["val_auroc"]) for row in rows] == [epoch["val_auroc"] for epoch in history.epochs]


def test_tensorboard_gets_one_file_of_losses_and_one_of_scores(tmp_path):
    fit(keras.callbacks.TensorBoard(str(tmp_path), write_graph=False))
    events = {path.parent.name: path.read_bytes() for path in tmp_path.rglob("events.*")}
    assert set(events) == {"train", "validation"}
    assert len(list(tmp_path.rglob("events.*"))) == 2
    assert events["train"].count(b"epoch_loss") == EPOCHS
    assert events["validation"].count(b"epoch_auroc") >= EPOCHS


@pytest.mark.parametrize(
    ("callback", "rates"),
    [
        (keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)), [0.01, 0.005, 0.01 / 3]),
        (
            keras.callbacks.ReduceLROnPlateau("val_nll", factor=0.5, patience=1, min_delta=10**9, mode="min"),
            [0.001, 0.0005, 0.00025],
        ),
    ],
    ids=["LearningRateScheduler", "ReduceLROnPlateau"],
)
def test_callbacks_may_set_the_learning_rate(callback, rates):
    """There is no cosine then, which Keras would not let them change."""
    model, seen = new_network(SPEC, 2, seed=3), []
    noting = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(float(model.optimizer.learning_rate))
    )
    callbacks = [callback, noting]
    fit_network(model, TRAIN, VALIDATION, SPEC, 3, None, epochs=3, callbacks=callbacks, run_eagerly=True)
    np.testing.assert_allclose(seen, rates, rtol=1e-6)


def test_what_is_no_callback_is_refused():
    with pytest.raises(MMQError, match=r"expected keras\.callbacks\.Callback objects, got str"):
        fit("EarlyStopping")


def test_callbacks_that_only_watch_change_nothing(tmp_path):
    plain, watched = fit(), fit(Calls(), keras.callbacks.CSVLogger(str(tmp_path / "log.csv")))
    assert plain[1] == watched[1]
    for one, other in zip(plain[0].net.get_weights(), watched[0].net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_training_only_reads_its_state(tmp_path):
    state = tmp_path / "state.npz"
    first, history = fit(state_path=state)
    calls = Calls()
    again, read = fit(calls, state_path=state)
    assert calls.calls == []
    assert read.epochs == history.epochs
    for one, other in zip(first.net.get_weights(), again.net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_batches_are_the_epochs_draw_cut_in_order():
    data = EpochData(TRAIN, SPEC, 2, 5)
    batches = EpochBatches(data.draw, 16, 2)
    for epoch in (2, 3):
        batches.show(epoch)
        inputs, labels = data.draw(epoch)
        shown = [batches[index] for index in range(len(batches))]
        assert [len(batch[1]["stress"]) for batch in shown] == [16, 16, 8]
        for name, part in inputs.items():
            np.testing.assert_array_equal(np.concatenate([batch[0][name] for batch in shown]), part)
        np.testing.assert_array_equal(
            np.concatenate([batch[1]["stress"] for batch in shown]), labels["stress"]
        )
