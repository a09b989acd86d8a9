# SPDX-License-Identifier: Apache-2.0
"""A training followed in a tracker."""

import sys
from types import SimpleNamespace

import pytest
from made_table import made_table

from mmq_tf.api.tracking import PROJECT, tracked
from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import ResultRow
from mmq_tf.utils.progress import WorkProgress

ROWS = [
    ResultRow(method="mmqnet", condition="full", metric="auroc", mean=0.8, n=4),
    ResultRow(method="forest", condition="full", metric="auroc", mean=0.7, n=4),
]


class Heard(WorkProgress):
    def __init__(self):
        self.epochs, self.results = [], []

    def on_epoch(self, name, epoch, metrics):
        self.epochs.append((name, epoch))

    def on_results(self, results):
        self.results.append(results)


def a_training(names, folder, stops=False):
    """What a training tells; it is stopped before its table where it is told so."""
    heard = Heard()
    with tracked(names, load_config("simulated"), folder, heard) as progress:
        progress.on_epoch("fold 0", 1, {"loss": 0.9})
        progress.on_epoch("fold 0", 2, {"loss": 0.7})
        if stops:
            raise KeyboardInterrupt
        progress.on_results(made_table(ROWS))
    return heard


def test_mlflow_keeps_settings_epochs_and_table_in_files(tmp_path, monkeypatch):
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.html").write_text("a report")
    heard = a_training(["mlflow"], tmp_path / "run")
    assert heard.epochs == [("fold 0", 1), ("fold 0", 2)]
    assert len(heard.results) == 1
    with pytest.raises(KeyboardInterrupt):
        a_training(["mlflow"], tmp_path / "stopped", stops=True)
    client = tracking.MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    place = client.get_experiment_by_name(PROJECT).experiment_id
    found = {run.info.run_name: run for run in client.search_runs([place])}
    assert {name: run.info.status for name, run in found.items()} == {"run": "FINISHED", "stopped": "KILLED"}
    run = found["run"]
    assert run.data.params["training.batch_size"] == "32"
    assert run.data.metrics == {"fold 0/loss": 0.7, "full/auroc": 0.8}
    history = client.get_metric_history(run.info.run_id, "fold 0/loss")
    assert [(one.step, one.value) for one in history] == [(1, 0.9), (2, 0.7)]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["report.html"]


def test_wandb_gets_each_epoch_with_its_number(tmp_path, monkeypatch):
    told = []
    run = SimpleNamespace(
        summary=SimpleNamespace(update=lambda values: told.append(("summary", values))),
        log=lambda values: told.append(("log", values)),
        finish=lambda exit_code: told.append(("finish", exit_code)),
    )

    def init(*, project, name, config):
        told.append((project, name, config["data.dataset"]))
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, __spec__=object()))
    a_training(["wandb", "tensorboard"], tmp_path / "run")
    assert told == [
        (PROJECT, "run", "simulated"),
        ("log", {"fold 0/loss": 0.9, "epoch": 1}),
        ("log", {"fold 0/loss": 0.7, "epoch": 2}),
        ("summary", {"full/auroc": 0.8}),
        ("finish", 0),
    ]
    with pytest.raises(KeyboardInterrupt):
        a_training(["wandb"], tmp_path / "run", stops=True)
    assert told[-1] == ("finish", 1)


@pytest.mark.parametrize(
    ("name", "module", "words"),
    [
        ("mlflow", "mlflow", r"pip install mmq-tf\[mlflow\]"),
        ("wandb", "wandb", r"pip install mmq-tf\[wandb\]"),
        ("excel", "x", "expected some of mlflow, wandb, tensorboard; got 'excel'"),
    ],
)
def test_a_tracker_that_is_not_there_is_said(tmp_path, monkeypatch, name, module, words):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with pytest.raises(MMQError, match=words):
        a_training([name], tmp_path / "run")
