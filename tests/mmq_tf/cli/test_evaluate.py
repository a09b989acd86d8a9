"""`mmq-tf evaluate` as a user types it, on a tiny SIMULATED run: whole, broken and gone on with, refused."""

import json
import shutil
import sys
from functools import partial

import numpy as np
import pytest

from mmq_tf import cli, folds
from mmq_tf.baselines import BASELINES
from mmq_tf.baselines.neural import NEURAL_BASELINES
from mmq_tf.datasets.simulated import write_cohort
from mmq_tf.datasets.simulator import Settings
from mmq_tf.evaluation import sweep
from mmq_tf.evaluation.predictions import read_predictions
from mmq_tf.protocols import PROTOCOLS, levels

CONFIG = """
name = "tiny"
seeds = [3]
[data]
dataset = "simulated"
task = "stress"
[front_end]
token_s = 5
tokens = 4
[front_end.modalities.eda]
sampling_rate_hz = 4
[front_end.modalities.temp]
sampling_rate_hz = 4
[normalisation]
mode = "enrolment"
enrolment_s = 60
[windows]
stride_s = 20
[artefacts]
variants = 1
[split]
folds = 2
[training]
epochs = 2
patience = 2
batch_size = 32
"""
KEPT_BASELINES = {"majority", "logistic", "boosted_dropout"}
"""Enough to see that they are the run's; the others would only take time."""
SENSOR_CONDITIONS = ["full", "no-eda", "no-temp", "only-eda", "only-temp"]
ARTEFACT_CONDITIONS = ["E-10dB", "E-5dB", "E-0dB", "E--5dB"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder to work in, with a finished run."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_cohort(folder / "cohort", 4, Settings(minutes=7, modalities=("eda", "temp")))
    (folder / "tiny.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def call(home):
    """`call(arguments...)`: run the command line in this process, inside `home`; exit code or None."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("MMQ_CACHE", str(home / "cache"))
        patch.setenv("COLUMNS", "140")
        patch.setattr(folds, "fit_network", partial(folds.fit_network, run_eagerly=True))
        for name in set(BASELINES) - KEPT_BASELINES:
            patch.delitem(BASELINES, name)

        def run(*arguments):
            patch.setattr(sys, "argv", ["mmq-tf", *map(str, arguments)])
            try:
                cli.main()
            except SystemExit as stop:
                return stop.code
            return None

        assert run("train", "tiny.toml", "--data", "cohort", "--jobs", 1, "--out", "run") is None
        yield run


@pytest.fixture(scope="module")
def whole(home, call):
    """The folder of an evaluation from start to end."""
    arguments = ("evaluate", "run", "--jobs", 1, "--results", "published.json")
    assert call(*arguments) is None
    return home / "run" / "evaluation"


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_every_method_is_judged_under_every_condition_of_every_protocol(whole):
    predictions = read_predictions(whole / "folds" / "00.csv")
    conditions = [*SENSOR_CONDITIONS, *(f"A-{level:.1f}" for level in levels(2))]
    conditions += [f"{protocol}-{level:.1f}" for protocol in "BC" for level in levels(8)]
    assert list(dict.fromkeys(predictions.condition)) == conditions + ARTEFACT_CONDITIONS
    for method in dict.fromkeys(predictions.method):
        rows = predictions.method == method
        assert list(dict.fromkeys(predictions.condition[rows])) == conditions + ARTEFACT_CONDITIONS
        assert len(set(np.unique(predictions.condition[rows], return_counts=True)[1])) == 1


def test_the_reloaded_network_and_the_refitted_baselines_are_those_of_the_run(whole, home):
    ours = read_predictions(whole / "folds" / "01.csv")
    theirs = read_predictions(home / "run" / "folds" / "01" / "predictions.csv")
    for condition in ("full", "no-eda", "no-temp"):
        for method in dict.fromkeys(theirs.method):
            mine, trained = (
                p.select((p.method == method) & (p.condition == condition)) for p in (ours, theirs)
            )
            assert len(mine) == len(trained) > 0
            assert (mine.start_s == trained.start_s).all()
            assert np.abs(mine.probabilities - trained.probabilities).max() <= 1.1e-6


def test_hiding_more_and_corrupting_more_change_what_the_network_says(whole):
    predictions = read_predictions(whole / "folds" / "00.csv")
    said = {
        c: predictions.select((predictions.method == "mmqnet") & (predictions.condition == c)).probabilities
        for c in ("full", "A-0.5", "B-0.8", "C-0.8", "E-10dB", "E--5dB")
    }
    for condition, probabilities in said.items():
        assert condition == "full" or np.abs(probabilities - said["full"]).max() > 1e-4, condition
    assert np.abs(said["E-10dB"] - said["E--5dB"]).max() > 1e-4


def test_the_table_follows_the_contract_and_says_simulated_everywhere(whole, home):
    table = read(whole / "results.json")
    assert table["simulated"]
    assert table["command"] == "mmq-tf evaluate run --jobs 1 --results published.json"
    rows = {(r["method"], r["condition"], r["metric"]): r for r in table["rows"]}
    for metric in ("auroc", "macro_f1", "balanced_accuracy", "ece", "brier"):
        assert rows["mmqnet", "B-0.7", metric]["n"] == 4
    for protocol in "ABC":
        assert rows["logistic", protocol, "area_macro_f1"]["low"] is not None
        assert 0 <= rows["logistic", protocol, "area_macro_f1_mmqnet_gains"]["n"] <= 4
        assert 0 < rows["logistic", protocol, "area_auroc_p_holm"]["mean"] <= 1
    touched = rows["front end", "E-0dB", "corrupted_share"]["mean"]
    assert 0.1 < touched < 0.6
    assert ("mmqnet", "full", "ece_pooled_before") in rows
    assert read(home / "published.json")["name"] == "published"
    assert read(home / "published.json")["rows"] == table["rows"]
    for path in (whole / "results.md", whole / "report.html", home / "published.md"):
        assert "SIMULATED" in path.read_text("utf-8"), path


def test_the_report_is_one_file_that_fetches_nothing(whole):
    page = (whole / "report.html").read_text("utf-8")
    assert page.count('<img src="data:image/svg+xml;base64,') == 4
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    for words in ("Every set of sensors", "As more goes missing", "How to reproduce", "Not a medical device"):
        assert words in page


@pytest.fixture(scope="module")
def some(whole, call, home):
    """The folder of an evaluation by one protocol, begun with the masks of `whole` and its folds."""
    folder = home / "some"
    shutil.copytree(whole, folder)
    assert call("evaluate", "run", "--jobs", 1, "--out", "some", "--protocols", " a") is None
    return folder


def test_other_protocols_use_the_same_masks_and_make_the_folds_again(some, whole):
    for path in (some / "masks").iterdir():
        assert path.read_bytes() == (whole / "masks" / path.name).read_bytes()
    few, all_of_them = (read_predictions(folder / "folds" / "00.csv") for folder in (some, whole))
    assert set(few.condition) == {"full", *(f"A-{level:.1f}" for level in levels(2))}
    one, other = (p.select(p.condition == "A-0.3") for p in (few, all_of_them))
    assert np.array_equal(one.probabilities, other.probabilities)


def test_an_evaluation_stopped_between_folds_goes_on_to_the_same_end(some, call, home, capsys):
    fit = sweep.fit_baseline

    def stop_in_the_second_fold(name, windows, job):
        if job.index == 1:
            raise KeyboardInterrupt
        return fit(name, windows, job)

    arguments = ("evaluate", "run", "--jobs", 1, "--protocols", "A", "--out", "broken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "fit_baseline", stop_in_the_second_fold)
        assert call(*arguments) == 130
    assert capsys.readouterr().err.strip() == "stopped; the same command goes on where it was."
    done = {path.name: path.stat().st_mtime_ns for path in (home / "broken" / "folds").iterdir()}
    assert done.keys() == {"00.csv", "00.json"}
    assert call(*arguments) is None
    assert all((home / "broken" / "folds" / name).stat().st_mtime_ns == at for name, at in done.items())
    for path in (some / "folds").iterdir():
        assert path.read_bytes() == (home / "broken" / "folds" / path.name).read_bytes()
    assert read(home / "broken" / "results.json")["rows"] == read(some / "results.json")["rows"]


def refusal(call, capsys, *arguments):
    capsys.readouterr()
    assert call("evaluate", *arguments) == 2
    return capsys.readouterr().err.strip()


def test_what_cannot_be_evaluated_is_refused_in_one_sentence(whole, call, home, capsys):
    assert (
        refusal(call, capsys, "cohort") == "mmq-tf: cohort is not a run folder: its run.json cannot be read."
    )
    assert "expected some of A,B,C,D,E" in refusal(call, capsys, "run", "--protocols", "A,X")
    assert "should end in .json" in refusal(call, capsys, "run", "--results", "table.csv")
    shutil.copytree(home / "run", home / "unfinished", ignore=shutil.ignore_patterns("metrics.json"))
    assert refusal(call, capsys, "unfinished", "--jobs", 1).startswith("mmq-tf: unfinished is not finished;")
    shutil.copytree(home / "run", home / "holed", ignore=shutil.ignore_patterns("01", "evaluation"))
    assert "01 is not a finished fold" in refusal(call, capsys, "holed", "--jobs", 1)
    shutil.copytree(whole, home / "damaged")
    (home / "damaged" / "masks" / "00.npz").write_bytes(b"x")
    (home / "damaged" / "folds" / "00.json").unlink()
    text = refusal(call, capsys, "run", "--jobs", 1, "--protocols", ",".join(PROTOCOLS), "--out", "damaged")
    assert "00.npz is damaged" in text
    assert "\n" not in text


def test_transformers_without_our_queries_join_when_asked(home, call, monkeypatch):
    for name in set(NEURAL_BASELINES) - {"attention_mask"}:
        monkeypatch.delitem(NEURAL_BASELINES, name)
    assert call("evaluate", "run", "--protocols", "D", "--neural", "--out", "neural", "--jobs", 1) is None
    predictions = read_predictions(home / "neural" / "folds" / "00.csv")
    rows = predictions.method == "attention_mask"
    assert list(dict.fromkeys(predictions.condition[rows])) == SENSOR_CONDITIONS
    assert "attention_mask" in (home / "neural" / "results.md").read_text("utf-8")
