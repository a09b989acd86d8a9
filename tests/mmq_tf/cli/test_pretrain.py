# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf pretrain`, `train --model mhacl --init`, `export`, `verify` in a row on a tiny SIMULATED cohort."""

import json
import subprocess
import sys

import numpy as np
import pytest
from command_line import printed
from mmq_bridge.core_binding.native import extract_tokens, normalise_tokens
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.manifest import Manifest
from tiny_study import write_tiny_study

from mmq_tf.cli import export, pretrain, stream, train, verify
from mmq_tf.datasets import get_dataset
from mmq_tf.errors import MMQError
from mmq_tf.metrics.calibration import apply_temperature

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

CHANGES = {
    "seeds": [0],
    "model": {"line": True},
    "artefacts": {"variants": 0},
    "training": {"epochs": 3, "teacher_share": 0},
    "pretraining": {"seconds": 3, "steps": 2, "epochs": 2, "frozen_epochs": 1},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_tiny_study(tmp_path_factory.mktemp("pretrain"), **CHANGES)


@pytest.fixture(scope="module")
def call(home):
    """Run a command in the folder of this test, one process, and give back what it printed."""

    def run(command, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home)
            patch.setenv("MMQ_CACHE", str(home / "cache"))
            patch.setenv("COLUMNS", "160")
            return printed(command, *arguments)

    return run


@pytest.fixture(scope="module")
def encoders(call, home):
    """Encoders of both folds, and what was printed."""
    said = call(pretrain.command, "tiny.toml", "--data", "cohort", "--jobs", 1, "--out", "encoders")
    return home / "encoders", said


@pytest.fixture(scope="module")
def trained(call, home, encoders):
    """A run of ME-MHACL that began with them."""
    options = ("--model", "mhacl", "--init", "encoders", "--jobs", 1, "--no-final", "--out", "run")
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
    assert facts["model"] == {"name": "mhacl", "size": "nano", "members": 1}
    assert json.loads((folder / "run.json").read_text())["init"].endswith("encoders")
    assert "mhacl" in said
    methods = {row["method"] for row in json.loads((folder / "results.json").read_text())["rows"]}
    assert "mhacl" in methods
    assert "mmqnet" not in methods


@pytest.fixture(scope="module")
def bundle(call, home, trained):
    """What the run's network was exported to."""
    assert "int8" in call(
        export.command, "run", "--int8", "--below-chance", "--max-drop", 100, "--out", "bundle"
    )
    return home / "bundle"


def test_it_is_exported_and_verified_as_any_other(call, bundle):
    call(verify.command, bundle)


def test_its_bundle_says_of_streamed_samples_what_it_says_of_training_windows(call, home, bundle):
    rows = call(stream.command, bundle, "--replay", home / "cohort" / "sim-01", "--json").splitlines()
    decided = [row for row in map(json.loads, rows) if row["probabilities"]]
    assert len(decided) > 50
    device = Device.from_bundle(bundle)
    tokens = extract_tokens(
        device.front_end, get_dataset("simulated").load(home / "cohort", "sim-01").signals
    )
    features = normalise_tokens(device.front_end, tokens.features, tokens.presence)
    for row in decided:
        end = round(row["time_s"] / device.front_end.token_s)
        window = slice(end - device.front_end.tokens, end)
        logits = device.model.predict(features[window], tokens.presence[window])["stress"]
        wanted = apply_temperature(logits, device.decision.temperature["stress"])
        np.testing.assert_allclose(list(row["probabilities"]["stress"].values()), wanted, rtol=1e-6)


def test_it_is_pruned_and_rounded_while_trained_on(call, home, trained):
    smaller = ("--prune", 0.5, "--qat", "--epochs", 2, "--slim", "--max-drop", 100)
    said = call(export.command, "run", "--int8", "--below-chance", *smaller, "--out", "smaller")
    assert "50.0% of the larger kernels' weights are 0" in said
    tuned = Manifest.load(home / "smaller").fine_tuning
    assert tuned is not None
    assert tuned.quantisation_aware


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


def test_encoders_of_raw_windows_are_made_and_probed_and_start_nothing(call, home, encoders):
    raw = ("tiny.toml", "--data", "cohort", "--set", "pretraining.input=raw")
    said = call(pretrain.command, *raw, "--fold", 0, "--jobs", 1, "--out", "raw")
    assert "probe pretrained" in said
    assert "next:" not in said
    assert json.loads((home / "raw" / "pretraining.json").read_text())["input"] == "raw"
    for options in (raw, ("tiny.toml", "--data", "cohort", "--init", "raw")):
        with pytest.raises(MMQError, match="read front-end tokens, which is what a device delivers"):
            call(train.command, *options, "--model", "mhacl", "--out", "refused")
    for folder in ("raw", "encoders"):
        with pytest.raises(MMQError, match="holds encoders of `mmq-tf pretrain`, which decide nothing"):
            call(export.command, folder, "--int8", "--out", "refused")
    assert not (home / "refused").exists()


def test_a_fresh_process_can_read_a_run_of_me_mhacl(home, trained):
    """Nothing that `mmq-tf export` imports before may be needed to know the network's class."""
    code = (
        "import sys, pathlib; from mmq_tf.model.saved_network import load_network; "
        "load_network(pathlib.Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home / "run" / "model.keras")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
