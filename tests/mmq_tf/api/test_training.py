# SPDX-License-Identifier: Apache-2.0
"""`mmq_tf.train` on a tiny SIMULATED cohort."""

import os
from pathlib import Path
from typing import Any

import keras
import pytest
from tiny_study import train_quickly, write_tiny_study

import mmq_tf
from mmq_tf.errors import MMQError
from mmq_tf.utils.progress import WorkProgress

pytestmark = pytest.mark.slow


class Heard(WorkProgress):
    """Keeps what it is told."""

    def __init__(self):
        self.recordings, self.epochs, self.folds = [], [], []

    def on_recording(self, name, fault):
        self.recordings.append(name)

    def on_epoch(self, name, epoch, metrics):
        self.epochs.append((name, epoch))

    def on_fold(self, name):
        self.folds.append(name)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_train_makes_a_finished_run_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    write_tiny_study(tmp_path, ("eda",), artefacts={"variants": 0})
    train_quickly(monkeypatch, {"majority"})
    heard = Heard()
    folder = tmp_path / "run"
    run = mmq_tf.train(tmp_path / "tiny.toml", tmp_path / "cohort", out=folder, progress=heard, final=False)
    assert (run.folder / "metrics.json").is_file()
    assert len(heard.recordings) == 4
    assert len(heard.folds) == 2
    assert {epoch for _, epoch in heard.epochs} == {1, 2}
    again = mmq_tf.train(
        tmp_path / "tiny.toml", tmp_path / "cohort", out=run.folder, resume=True, progress=heard
    )
    assert again.folder == run.folder
    assert len(heard.folds) == 2


@pytest.mark.tensorflow
def test_what_cannot_be_trained_is_one_sentence(tmp_path):
    with pytest.raises(MMQError, match="stress_predict needs its recordings|needs its recordings"):
        mmq_tf.train("stress-predict")
    with pytest.raises(MMQError, match="not a folder"):
        mmq_tf.train("simulated", tmp_path / "nowhere")
    with pytest.raises(MMQError, match="name that folder"):
        mmq_tf.train("simulated", tmp_path, resume=True)


class Counted(keras.callbacks.Callback):
    """Counts the epochs it is told of, and stops each training after the first."""

    def __init__(self):
        super().__init__()
        self.epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        assert logs is not None
        assert "val_auroc" in logs
        self.epochs += 1
        model: Any = self.model
        model.stop_training = True


def own_callbacks(name):
    """Leave a file for each fold, from whichever process trains it."""
    folder = Path(os.environ["MMQ_TEST_SEEN"])
    return [keras.callbacks.CSVLogger(folder / f"{name}.csv")]


def test_callbacks_serve_every_fold_in_turn(study, tmp_path):
    counted = Counted()
    run = mmq_tf.train(
        study / "tiny.toml", study / "cohort", out=tmp_path / "run", callbacks=[counted], final=False
    )
    assert counted.epochs == 2  # two folds, each stopped after one epoch of two
    assert (run.folder / "metrics.json").is_file()


def test_a_function_gives_each_fold_its_own_callbacks(study, tmp_path, monkeypatch):
    seen = tmp_path / "seen"
    seen.mkdir()
    monkeypatch.setenv("MMQ_TEST_SEEN", str(seen))
    mmq_tf.train(study / "tiny.toml", study / "cohort", out=tmp_path / "run", callbacks=own_callbacks)
    assert {path.stem for path in seen.iterdir()} == {"fold 0 seed 3", "fold 1 seed 3", "all subjects"}


@pytest.mark.parametrize(
    ("callbacks", "jobs", "said"),
    [
        ([Counted()], 2, "each fold needs callbacks of its own"),
        (lambda name: [], 2, "must be importable"),
        (["early stopping"], 1, "expected keras.callbacks.Callback objects, got str"),
    ],
)
def test_callbacks_that_cannot_be_used_are_refused(study, tmp_path, callbacks, jobs, said):
    with pytest.raises(MMQError, match=said):
        mmq_tf.train(
            study / "tiny.toml", study / "cohort", out=tmp_path / "run", callbacks=callbacks, jobs=jobs
        )
    assert not (tmp_path / "run").exists()
