"""`mmq-tf pretrain`, `train --model mhacl --init`, `export`, `verify` in a row on a tiny SIMULATED cohort."""

import json

import pytest
from click.testing import CliRunner

from mmq_tf.cli import export, pretrain, train, verify
from mmq_tf.datasets.simulated import write_cohort
from mmq_tf.datasets.simulator import Settings
from mmq_tf.errors import MMQError

CONFIG = """
name = "tiny"
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
variants = 0
[split]
folds = 2
[training]
epochs = 3
batch_size = 16
teacher_share = 0
[pretraining]
seconds = 3
steps = 2
epochs = 2
frozen_epochs = 1
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrain")
    write_cohort(folder / "cohort", 4, Settings(minutes=7, modalities=("eda", "temp")))
    (folder / "tiny.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def call(home):
    """Run a command in the folder of this test, one process, and give back what it printed."""

    def run(command, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home)
            patch.setenv("MMQ_CACHE", str(home / "cache"))
            patch.setenv("COLUMNS", "160")
            outcome = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)
            assert outcome.exit_code == 0, outcome.output
            return outcome.output

    return run


@pytest.fixture(scope="module")
def encoders(call, home):
    """Encoders of both folds, and what was printed."""
    said = call(pretrain.command, "tiny.toml", "--data", "cohort", "--jobs", 1, "--out", "encoders")
    return home / "encoders", said


@pytest.fixture(scope="module")
def trained(call, home, encoders):
    """A run of ME-MHACL that began with them."""
    options = ("--model", "mhacl", "--init", "encoders", "--jobs", 1, "--out", "run")
    return home / "run", call(train.command, "tiny.toml", "--data", "cohort", *options)


def test_it_says_rule_source_and_probe(encoders):
    folder, said = encoders
    assert "SIMULATED" in said
    assert "2208.00877" in said
    assert "neighbouring windows of the same person" in said
    assert "probe pretrained" in said
    facts = json.loads((folder / "pretraining.json").read_text())
    assert facts["simulated"] is True
    assert set(facts["folds"]) == {"00", "01"}


def test_training_starts_from_them_and_says_so(trained):
    folder, said = trained
    facts = json.loads((folder / "metrics.json").read_text())
    assert facts["model"] == {"name": "mhacl", "size": "nano"}
    assert json.loads((folder / "run.json").read_text())["init"].endswith("encoders")
    assert "mhacl" in said
    methods = {row["method"] for row in json.loads((folder / "results.json").read_text())["rows"]}
    assert "mhacl" in methods
    assert "mmqnet" not in methods


def test_it_is_exported_and_verified_as_any_other(call, home, trained):
    said = call(export.command, "run", "--int8", "--max-drop", 100, "--out", "bundle")
    assert "int8" in said
    call(verify.command, "bundle")


def test_a_finished_pretraining_stays_and_a_fold_can_be_asked_for(call, home, encoders):
    before = {path: path.stat().st_mtime_ns for path in (home / "encoders").rglob("encoder.keras")}
    call(pretrain.command, "--resume", "--out", "encoders", "--jobs", 1)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    call(pretrain.command, "tiny.toml", "--data", "cohort", "--fold", 1, "--jobs", 1, "--out", "one")
    assert [path.name for path in (home / "one" / "folds").iterdir()] == ["01"]
    with pytest.raises(MMQError, match="--fold 7: there is no such fold"):
        call(pretrain.command, "tiny.toml", "--data", "cohort", "--fold", 7, "--out", "none")
    assert not (home / "none").exists()


def test_what_is_no_pretraining_is_refused_before_anything_is_written(call, home):
    with pytest.raises(MMQError, match="expected the folder of a finished `mmq-tf pretrain`"):
        call(train.command, "tiny.toml", "--data", "cohort", "--init", "cohort", "--out", "refused")
    assert not (home / "refused").exists()
