# SPDX-License-Identifier: Apache-2.0
"""`mmq_tf.train` on a tiny SIMULATED cohort."""

import pytest
from tiny_study import write_tiny_study

import mmq_tf
from mmq_tf.errors import MMQError
from mmq_tf.utils.progress import WorkProgress


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
    heard = Heard()
    run = mmq_tf.train(tmp_path / "tiny.toml", tmp_path / "cohort", out=tmp_path / "run", progress=heard)
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
