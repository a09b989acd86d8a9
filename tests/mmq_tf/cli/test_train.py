# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf train` as a user types it, on a tiny SIMULATED cohort: whole, broken and resumed, and refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from command_line import run_main
from tiny_study import train_quickly, write_tiny_study

from mmq_tf.cli import train
from mmq_tf.config.preset_files import preset_names

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

EPOCHS = 15
TRAINING = {"epochs": EPOCHS, "patience": EPOCHS}
FILES = {
    "config.toml",
    "folds",
    "frontend.json",
    "golden.npz",
    "metrics.json",
    "model.keras",
    "personal_head.json",
    "predictions.csv",
    "report.html",
    "results.json",
    "results.md",
    "run.json",
    "validation.npz",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder to work in: a cohort of four, a configuration, a cache of its own."""
    return write_tiny_study(tmp_path_factory.mktemp("train"), training=TRAINING)


def start(home, *arguments):
    program = "from mmq_tf.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "train", *map(str, arguments)],
        cwd=home,
        env={**os.environ, "MMQ_CACHE": str(home / "cache"), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background of a shell inherits "ignore SIGINT"; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(process):
    stdout, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stderr
    return stdout, stderr


@pytest.fixture(scope="module")
def unbroken(home):
    """A run from start to end in one process, and what it printed."""
    options = ["--jobs", 1, "--no-final", "--out", "unbroken", "--results", "published.json"]
    options += ["--track", "mlflow"] if find_spec("mlflow") else []
    return home / "unbroken", *finish(start(home, "tiny.toml", "--data", "cohort", *options))


@pytest.fixture(scope="module")
def broken(home, unbroken):
    """The same run with two workers and a network of all, stopped by Ctrl-C in its first epochs."""
    folder = home / "broken"
    process = start(home, "tiny.toml", "--data", "cohort", "--jobs", 2, "--out", folder.name)
    while not list(folder.glob("folds/*/state.npz")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    stdout, stderr = process.communicate(timeout=300)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return folder, process.returncode, stdout, stderr, left


@pytest.fixture(scope="module")
def resumed(home, broken):
    """The broken run, resumed."""
    folder = broken[0]
    return folder, *finish(start(home, "--resume", "--jobs", 2, "--out", folder.name))


def read(folder, name="metrics.json"):
    return json.loads((folder / name).read_text())


def test_a_run_leaves_the_promised_files_and_nothing_else(unbroken, home):
    folder, stdout, stderr = unbroken
    assert {path.name for path in folder.iterdir()} == FILES
    fold_files = {
        "frontend.json", "metrics.json", "model.keras", "personal_head.json", "predictions.csv",
        "validation.npz",
    }  # fmt: skip
    for fold in ("00", "01"):
        assert {path.name for path in (folder / "folds" / fold).iterdir()} == fold_files
    assert stderr == ""
    assert "next: mmq-tf export unbroken --int8" in stdout
    assert len(list(home.glob("mlruns/*/*/metrics/full/auroc"))) == (find_spec("mlflow") is not None)
    assert read(home, "published.json")["name"] == "published"
    assert read(home, "published.json")["rows"] == read(folder, "results.json")["rows"]


def test_every_output_says_simulated(unbroken, home):
    folder, stdout, _ = unbroken
    assert stdout.startswith("SIMULATED")
    assert stdout.count("SIMULATED") >= 3
    for path in (
        folder / "report.html",
        folder / "results.md",
        folder / "metrics.json",
        home / "published.md",
    ):
        assert "SIMULATED" in path.read_text(), path
    assert read(folder, "results.json")["simulated"]
    assert read(folder)["data"]["simulated"]


def test_every_subject_is_tested_once_and_never_by_a_model_that_saw_it(unbroken):
    facts = [read(unbroken[0] / "folds" / name) for name in ("00", "01")]
    assert sorted(facts[0]["test_subjects"] + facts[1]["test_subjects"]) == [f"sim-0{n}" for n in range(1, 5)]
    for fact in facts:
        sides = [set(fact[f"{side}_subjects"]) for side in ("train", "validation", "test")]
        assert sum(map(len, sides)) == len(set.union(*sides)) == 4
    exported = read(unbroken[0])
    for key in ("exported_model", "train_subjects", "validation_subjects", "test_subjects", "decision"):
        assert exported[key] == facts[0][key]


def test_ctrl_c_stops_without_tracebacks_and_leaves_nothing_half_written(broken):
    _, code, _, stderr, left = broken
    assert code == 130
    assert stderr.strip() == "stopped; resume with: mmq-tf train --resume --out broken"
    assert "metrics.json" not in left
    files = {name.rpartition("/")[2] for name in left}
    assert files <= {"config.toml", "run.json", "folds", "00", "01", "state.npz"}


def test_a_resumed_run_in_two_workers_equals_an_unbroken_one_in_one(unbroken, resumed):
    one, two = unbroken[0], resumed[0]
    assert (one / "predictions.csv").read_bytes() == (two / "predictions.csv").read_bytes()
    assert read(one)["results"] == read(two)["results"]
    for fold in ("folds/00", "folds/01"):
        assert read(one / fold) == read(two / fold)
    assert {path.name for path in two.iterdir()} == FILES
    assert resumed[2] == ""


def test_final_is_remembered_and_trains_on_all_subjects_for_the_median_epoch(resumed):
    folder = resumed[0]
    facts = read(folder)
    best = [read(folder / "folds" / name)["history"]["best_epoch"] for name in ("00", "01")]
    assert facts["exported_model"] == f"all 4 subjects, {round(np.median(best))} epochs (the folds' median)"
    assert facts["train_subjects"] == [f"sim-0{n}" for n in range(1, 5)]
    assert facts["test_subjects"] == facts["validation_subjects"] == []
    model = (folder / "model.keras").read_bytes()
    assert all(model != path.read_bytes() for path in folder.glob("folds/*/model.keras"))


@pytest.fixture
def run(home, monkeypatch, capsys):
    """`run(arguments...)`: the exit code and the last line of stderr, from inside the test's process."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("MMQ_CACHE", str(home / "cache"))

    def call(*arguments):
        code = run_main(monkeypatch, "train", *arguments)
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return code, error.strip().splitlines()[-1]

    return call


BAD = [
    (["stress-predict"], "needs its recordings: give their folder with --data DIR."),
    (["no-such-preset"], "is neither a preset ("),
    (["stres_predict"], "Did you mean 'stress-predict'?"),
    (["tiny.toml", "--data", "absent"], "--data absent is not a folder."),
    (["tiny.toml", "--data", "tiny.toml"], "--data tiny.toml is not a folder."),
    (["tiny.toml", "--data", "."], "expected recordings of the data set 'simulated'; found no subject."),
    (
        ["tiny.toml", "--set", "training.epoch=3"],
        "unknown key training.epoch. Did you mean 'training.epochs'?",
    ),
    (["tiny.toml", "--set", "training.epochs=0"], "training.epochs:"),
    (["tiny.toml", "--set", "epochs"], "is not of the form key=value"),
    (["tiny.toml", "--set", "split.unit=windows"], "only unit = 'subjects' is offered"),
    (["tiny.toml", "--loso", "--folds", "3"], "--loso and --folds exclude each other."),
    (["tiny.toml", "--data", "cohort", "--folds", "5"], "4 subjects cannot be split into 5 folds"),
    (["tiny.toml", "--data", "cohort", "--set", "front_end.tokens=200"], "fold 0: its train subjects have"),
    (["tiny.toml", "--data", "cohort", "--results", "table.csv"], "should end in .json."),
    (["--resume"], "no unfinished run under runs/; name one with --out."),
    (["--resume", "--out", "cohort"], "cohort is not a run folder: its run.json cannot be read."),
    (["--resume", "--seed", "4"], "--resume resumes a run as it was started"),
    (["--resume", "--skip-bad"], "--resume resumes a run as it was started"),
    (["tiny.toml", "--resume"], "--resume resumes a run as it was started"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(bad[0]) for bad in BAD])
def test_bad_input_is_one_sentence_and_leaves_nothing(run, home, arguments, message):
    before = {path.name for path in home.iterdir()} | {"cache"}
    code, error = run(*arguments)
    assert (code, message in error) == (2, True), error
    assert {path.name for path in home.iterdir()} | {"cache"} == before


def test_the_help_names_every_preset():
    text = " ".join((train.command.help or "").split())
    assert not [name for name in preset_names() if f" {name}" not in text]


@pytest.fixture
def begun(home, tmp_path):
    """A run that was only begun, made by hand."""
    folder = tmp_path / "begun"
    folder.mkdir()
    shutil.copy(home / "tiny.toml", folder / "config.toml")
    facts = {"command": "mmq-tf train", "data_folder": str(home / "cohort")}
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


def test_a_run_is_replaced_only_by_force_and_only_when_it_is_one(run, begun, home):
    code, error = run("tiny.toml", "--data", "cohort", "--out", begun)
    assert code == 2
    assert "already holds a run; use --resume to go on, --force to start anew, or another --out." in error
    other = ["tiny.toml", "--data", "cohort", "--force", "--out"]
    (begun / "run.json").unlink()  # a config.toml alone may be anyone's
    for place, message in ((begun, "holds other files"), (home / "tiny.toml", "is a file or a link")):
        code, error = run(*other, place)
        assert (code, message in error) == (2, True), error
    assert (begun / "config.toml").read_text() == (home / "tiny.toml").read_text()


def test_force_keeps_the_older_run_while_the_new_one_cannot_begin(run, begun, home):
    code, _ = run("tiny.toml", "--data", "cohort", "--folds", 5, "--force", "--out", begun)
    assert code == 2
    assert (begun / "config.toml").read_text() == (home / "tiny.toml").read_text()


def test_a_run_whose_configuration_was_changed_is_not_resumed(run, unbroken, tmp_path):
    shutil.copytree(unbroken[0], tmp_path / "run")
    config = tmp_path / "run/config.toml"
    config.write_text(config.read_text().replace("batch_size = 16", "batch_size = 32"))
    code, error = run("--resume", "--out", tmp_path / "run")
    assert code == 2
    assert "config.toml was changed after the run began" in error
    config.write_text("name = ")
    code, error = run("--resume", "--out", tmp_path / "run")
    assert (code, "config.toml is not valid TOML" in error) == (2, True)


def test_a_run_whose_recordings_have_changed_is_not_resumed(run, unbroken, home, tmp_path):
    shutil.copytree(unbroken[0], tmp_path / "run")
    shutil.copytree(home / "cohort", tmp_path / "cohort")
    facts = read(tmp_path / "run", "run.json") | {"data_folder": str(tmp_path / "cohort")}
    (tmp_path / "run/run.json").write_text(json.dumps(facts))
    path = tmp_path / "cohort/sim-02/eda.npy"
    np.save(path, np.load(path) + np.float32(1))
    code, error = run("--resume", "--out", tmp_path / "run")
    assert (code, "have changed since" in error) == (2, True), error
    shutil.rmtree(tmp_path / "cohort")
    code, error = run("--resume", "--out", tmp_path / "run")
    assert code == 2
    assert str(tmp_path / "cohort") in error


def test_a_bad_recording_is_left_out_only_when_asked_and_named_in_the_table(
    home, run, tmp_path, monkeypatch, capsys
):
    cohort = shutil.copytree(home / "cohort", tmp_path / "cohort")
    (cohort / "sim-03" / "eda.npy").write_bytes(b"")
    options = ["tiny.toml", "--data", cohort, "--jobs", 1, "--set", "training.epochs=1", "--out"]
    code, error = run(*options, tmp_path / "run")
    assert (code, "eda.npy" in error) == (2, True), error
    assert not (tmp_path / "run").exists()
    train_quickly(monkeypatch, {"majority"})
    assert run_main(monkeypatch, "train", *options, tmp_path / "run", "--loso", "--skip-bad") == 0
    assert "bad sim-03: " in capsys.readouterr().out
    assert read(tmp_path / "run", "run.json")["left_out"].startswith("sim-03: ")
    assert any(
        "Left out as bad: sim-03: " in note for note in read(tmp_path / "run", "results.json")["notes"]
    )
    assert "sim-03" not in (tmp_path / "run" / "predictions.csv").read_text()


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"command": 3, "data_folder": "x"}', b'{"data_folder": "x"}', b"[" * 100_000],
    ids=["cut", "a list", "a number", "a key missing", "nested"],
)
def test_a_damaged_run_is_not_resumed(run, begun, content):
    (begun / "run.json").write_bytes(content)
    code, error = run("--resume", "--out", begun)
    assert code == 2
    assert "run.json" in error
