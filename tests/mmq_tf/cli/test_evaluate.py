# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf evaluate` as a user types it, on a tiny SIMULATED run: whole, broken and resumed, refused."""

import json
import shutil
from base64 import b64encode
from functools import partial
from hashlib import sha256

import numpy as np
import pytest
from command_line import run_main
from tiny_study import train_quickly, write_tiny_study

from mmq_tf.api.finished_runs import chosen_methods
from mmq_tf.baselines import BASELINES
from mmq_tf.comparisons.ablations import ablations_of
from mmq_tf.comparisons.neural import NEURAL_BASELINES
from mmq_tf.datasets import get_dataset
from mmq_tf.evaluation import sweep
from mmq_tf.evaluation.artefact_stretch import artefact_stretch
from mmq_tf.evaluation.protocols import PROTOCOLS, levels
from mmq_tf.metrics.predictions import Predictions, read_predictions
from mmq_tf.training.run import Run
from mmq_tf.training.run_streams import load_streams

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

KEPT_BASELINES = {"majority", "logistic", "boosted_dropout"}
"""Enough to see that they are the run's; the others would only take time."""
SENSOR_CONDITIONS = ["full", "no-eda", "no-temp", "only-eda", "only-temp"]
ARTEFACT_CONDITIONS = ["E-10dB", "E-5dB", "E-0dB", "E--5dB"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder to work in, with a finished run."""
    return write_tiny_study(tmp_path_factory.mktemp("evaluate"), training={"patience": 2, "batch_size": 32})


@pytest.fixture(scope="module")
def call(home):
    """`call(arguments...)`: run the command line in this process, inside `home`; exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("MMQ_CACHE", str(home / "cache"))
        patch.setenv("COLUMNS", "140")
        train_quickly(patch, KEPT_BASELINES)
        run = partial(run_main, patch)

        assert run("train", "tiny.toml", "--data", "cohort", "--jobs", 1, "--no-final", "--out", "run") == 0
        yield run


@pytest.fixture(scope="module")
def whole(home, call):
    """The folder of an evaluation from start to end."""
    arguments = ("evaluate", "run", "--jobs", 1, "--results", "published.json", "--plots", "plots")
    assert call(*arguments) == 0
    return home / "run" / "evaluation"


def read(path):
    return json.loads(path.read_text("utf-8"))


def judged(folder, fold):
    """All methods' predictions of one fold of an evaluation."""
    return Predictions.concatenate(
        [read_predictions(p) for p in sorted((folder / "folds" / fold).glob("*.csv"))]
    )


def files(folder):
    return {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}


def test_every_method_is_judged_under_every_condition_of_every_protocol(whole):
    predictions = judged(whole, "00")
    conditions = [*SENSOR_CONDITIONS, *(f"A-{level:.1f}" for level in levels(2))]
    conditions += [f"{protocol}-{level:.1f}" for protocol in "BC" for level in levels(8)]
    assert list(dict.fromkeys(predictions.condition)) == conditions + ARTEFACT_CONDITIONS
    for method in dict.fromkeys(predictions.method):
        rows = predictions.method == method
        assert list(dict.fromkeys(predictions.condition[rows])) == conditions + ARTEFACT_CONDITIONS
        assert len(set(np.unique(predictions.condition[rows], return_counts=True)[1])) == 1


def test_the_reloaded_network_and_the_refitted_baselines_are_those_of_the_run(whole, home):
    ours = judged(whole, "01")
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
    predictions = judged(whole, "00")
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
    assert table["command"] == "mmq-tf evaluate run --jobs 1 --results published.json --plots plots"
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


FIGURES = ("missing", "subsets", "people", "confusion", "coverage", "reliability", "stretch")


def test_the_report_is_one_file_that_fetches_nothing(whole):
    page = (whole / "report.html").read_text("utf-8")
    assert page.count('<img src="data:image/svg+xml;base64,') == len(FIGURES)
    assert "<script src" not in page
    assert "http" not in page.replace("http-equiv", "")
    for words in ("Every set of sensors", "As more goes missing", "How to reproduce", "Not a medical device"):
        assert words in page


def test_every_figure_is_a_file_of_its_own_too_and_says_simulated(whole, home):
    for folder in (whole / "figures", home / "plots"):
        assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.svg" for name in FIGURES)
    page = (whole / "report.html").read_text("utf-8")
    for name in FIGURES:
        content = (home / "plots" / f"{name}.svg").read_bytes()
        assert b"SIMULATED" in content
        assert b64encode(content).decode() in page


def test_the_report_says_how_to_make_it_again(whole, home):
    page = (whole / "report.html").read_text("utf-8")
    mask = sha256((whole / "masks" / "00.npz").read_bytes()).hexdigest()
    facts = read(home / "run" / "run.json")
    known = (facts["command"], facts["streams_sha256"], facts["config_sha256"], mask, "tensorflow 2.")
    for words in (*known, get_dataset("simulated").digest(home / "cohort", "sim-01")):
        assert words in page


def test_an_artefact_changes_its_own_tokens_and_later_decisions_alone(whole, call, home, monkeypatch):
    monkeypatch.chdir(home)
    run = Run.open(home / "run")
    job = run.jobs(load_streams(run, 1)[0])[0]
    seen = artefact_stretch(run, job)
    assert seen is not None
    column, token_s = seen.modalities.index(seen.modality), seen.token_s
    start = round((seen.artefact_s[0] - seen.start_s) / token_s)
    assert np.array_equal(seen.interference[0, :start], seen.interference[1, :start], equal_nan=True)
    others = np.arange(len(seen.modalities)) != column
    assert np.array_equal(seen.interference[0][:, others], seen.interference[1][:, others], equal_nan=True)
    assert (seen.presence[0] != seen.presence[1]).any() or not np.array_equal(*seen.interference[:, start:])
    before = seen.decision_s <= seen.artefact_s[0]
    assert np.abs(seen.truth[0] - seen.truth[1])[before].max(initial=0.0) < 1e-6
    assert np.abs(seen.truth[0] - seen.truth[1])[~before].max() > 1e-6
    assert np.nansum(seen.attention[0]) > 0
    said = read_predictions(whole / "folds" / "00" / "mmqnet.csv", first="full")
    mine = said.select(said.subject == seen.subject)
    window_s = job.config.front_end.window_s
    common = [
        (mine.probabilities[i, mine.label[i]], seen.truth[0, k])
        for i, at in enumerate(mine.start_s)
        for k in np.flatnonzero(np.isclose(seen.decision_s - window_s, at))
    ]
    assert len(common) > 0
    assert np.abs(np.diff(common, axis=1)).max() < 2e-6


@pytest.fixture(scope="module")
def some(whole, call, home):
    """The folder of an evaluation by one protocol, begun with the masks of `whole` and its folds."""
    folder = home / "some"
    shutil.copytree(whole, folder)
    assert call("evaluate", "run", "--jobs", 1, "--out", "some", "--protocols", " a") == 0
    return folder


def test_other_protocols_use_the_same_masks_and_make_the_folds_again(some, whole):
    for path in (some / "masks").iterdir():
        assert path.read_bytes() == (whole / "masks" / path.name).read_bytes()
    few, all_of_them = (judged(folder, "00") for folder in (some, whole))
    assert set(few.condition) == {"full", *(f"A-{level:.1f}" for level in levels(2))}
    one, other = (p.select(p.condition == "A-0.3") for p in (few, all_of_them))
    assert np.array_equal(one.probabilities, other.probabilities)


def test_an_evaluation_stopped_within_a_fold_goes_on_at_the_method(some, call, home, capsys):
    fit = sweep.fit_baseline

    def stop_at_the_second_baseline_of_the_second_fold(name, windows, job):
        if job.index == 1 and name == "logistic":
            raise KeyboardInterrupt
        return fit(name, windows, job)

    arguments = ("evaluate", "run", "--jobs", 1, "--protocols", "A", "--out", "broken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "fit_baseline", stop_at_the_second_baseline_of_the_second_fold)
        assert call(*arguments) == 130
    assert capsys.readouterr().err.strip() == "stopped; the same command goes on where it was."
    done = {name: path.stat().st_mtime_ns for name, path in files(home / "broken" / "folds").items()}
    judged_methods = {(name.parent.name, name.stem) for name in done}
    kept = [name for name in BASELINES if name in KEPT_BASELINES]  # in the order they are judged in
    begun = ["mmqnet", *kept[: kept.index("logistic")]]
    assert judged_methods == {("00", m) for m in ("mmqnet", *kept)} | {("01", m) for m in begun}
    assert call(*arguments) == 0
    assert all((home / "broken" / "folds" / name).stat().st_mtime_ns == at for name, at in done.items())
    for name, path in files(some / "folds").items():
        if path.suffix != ".npz":  # a zip file holds the time
            assert path.read_bytes() == (home / "broken" / "folds" / name).read_bytes()
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
    (home / "damaged" / "folds" / "00" / "majority.json").unlink()
    text = refusal(call, capsys, "run", "--jobs", 1, "--protocols", ",".join(PROTOCOLS), "--out", "damaged")
    assert "00.npz is damaged" in text
    assert "\n" not in text


def test_a_configuration_is_trained_first_and_further_methods_cost_only_themselves(
    home, call, capsys, monkeypatch
):
    monkeypatch.setitem(BASELINES, "forest", BASELINES["logistic"])  # a quick one in its place
    arguments = ("evaluate", "tiny.toml", "--data", "cohort", "--set", 'name="other"', "--jobs", 1)
    assert call(*arguments, "--protocols", "D", "--seed", 4) == 0
    run = home / "runs" / "other"
    assert read(run / "metrics.json")["seeds"] == [4]
    done = {
        p: p.stat().st_mtime_ns for part in ("folds", "evaluation/folds") for p in files(run / part).values()
    }
    more = ("--methods", "cross_modal", "--null-network")
    assert call(*arguments, "--protocols", "D", "--seed", 4, *more) == 0
    assert all(path.stat().st_mtime_ns == at for path, at in done.items())
    folds_folder = run / "evaluation" / "folds"
    added = {path.stem for path in files(folds_folder).values() if path not in done}
    assert added == {"cross_modal", "mmqnet_shifted"}
    assert not list(run.rglob("state.npz"))
    joined = read_predictions(folds_folder / "00" / "cross_modal.csv")
    assert list(dict.fromkeys(joined.condition)) == SENSOR_CONDITIONS
    true, moved = (
        read_predictions(folds_folder / "01" / f"{name}.csv") for name in ("majority", "forest_shifted")
    )
    true = true.select(true.condition == "full")
    assert set(moved.condition) == {"full"}
    assert (true.label != moved.label).any()
    assert (np.bincount(true.label) == np.bincount(moved.label)).all()
    table = read(run / "evaluation" / "results.json")
    rows = {(row["method"], row["condition"]) for row in table["rows"]}
    for null in ("forest_shifted", "mmqnet_shifted"):
        assert {condition for method, condition in rows if method == null} == {"full"}
    assert any("rotated in time" in note for note in table["notes"])
    assert "Label-shift null" in (run / "evaluation" / "report.html").read_text("utf-8")
    text = refusal(call, capsys, *arguments[1:], "--seed", 5)
    assert "runs/other holds a run of another configuration or data folder" in text
    assert "belong to a CONFIG" in refusal(call, capsys, "run", "--folds", 2)
    assert "got 'cros_modal'" in refusal(call, capsys, "run", "--methods", "cros_modal")


def test_what_is_judged_beside_the_network():
    sensors = ("eda", "acc")
    assert chosen_methods((), sensors) == list(BASELINES)
    every = [*BASELINES, *NEURAL_BASELINES, *ablations_of(sensors)]
    assert chosen_methods((), sensors, neural=True, ablations=True) == every
    assert chosen_methods((), ("eda", "temp"), ablations=True)[-1] != "only_acc"
    found = chosen_methods(["only_acc", "majority"], sensors)
    assert found == [*BASELINES, "only_acc"]
