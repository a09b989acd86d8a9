# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf clean` as a user types it, on a SIMULATED cap."""

import subprocess
import sys

import numpy as np
import pytest
from command_line import invoke
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.cli.clean import command
from mmq_tf.config.run_config import load_config
from mmq_tf.datasets.formats.folder import save_recording
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal

RATE = 128.0
NAMES = ("Fp1", "Fz", "Cz", "Pz", "Oz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    times = np.arange(0, 40, 1 / RATE)
    blink = np.exp(-0.5 * ((times[:, None] - np.arange(3, 38, 5)) / 0.08) ** 2).sum(axis=1)
    brain = 8 * np.sin(2 * np.pi * 10 * times + rng.uniform(0, 6, (5, 1))) + rng.normal(size=(5, len(times)))
    eeg = (brain + np.outer([200, 80, 30, 10, 3], blink)).astype(np.float32)
    eog = (150 * blink + rng.normal(size=len(times))).astype(np.float32)[None]
    signals = {
        "eeg": Signal("eeg", eeg, RATE, "uV", NAMES),
        "eog": Signal("eog", eog, RATE, "uV", ("VEOG",)),
    }
    path = tmp_path_factory.mktemp("calibration") / "S1"
    save_recording(Recording("S1", "1", signals, source="simulated", simulated=True, digest="0" * 64), path)
    return path


def test_clean_writes_a_front_end_and_says_what_it_did(folder, tmp_path):
    out = tmp_path / "frontend.json"
    result = invoke(command, folder, "--method", "regression", "--bads", "Pz", "--out", out)
    assert result.exit_code == 0, result.output
    modality = FrontEnd.load(out).modalities["eeg"]
    assert modality.channels == (*NAMES, "VEOG")
    assert modality.spatial is not None
    assert modality.spatial.outputs == NAMES
    assert "SIMULATED" in result.output
    assert "Pz interpolated" in result.output
    assert "Fp1" in result.output
    assert "the C core against MNE" in result.output


def test_a_run_takes_the_front_end_it_wrote(folder, tmp_path):
    out = tmp_path / "frontend.json"
    base = tmp_path / "base.json"
    FrontEnd.wearable({"eeg": RATE, "ecg": 500}, token_s=2.0, tokens=5).save(base)
    options = ("--method", "reference", "--reference", "none", "--front-end", base)
    assert invoke(command, folder, *options, "--out", out).exit_code == 0
    config = load_config("eegmat", [f"front_end={out}"])
    assert config.front_end == FrontEnd.load(out)
    assert config.front_end.modality_names == ("eeg", "ecg")
    saved = tmp_path / "config.toml"
    saved.write_text(config.to_toml(), "utf-8")
    assert load_config(saved) == config
    with pytest.raises(BridgeError, match="nothing.json"):
        load_config("eegmat", ["front_end=nothing.json"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "ica"), "more than 11 good EEG channels"),
        (("--method", "regression", "--eog", "HEOG"), "eog_channels: HEOG"),
        (("--method", "regression", "--reference", "A1,A2"), "got A1, A2"),
        (("--method", "reference", "--front-end", "eegmat"), "comes at 500 Hz"),
        (("--method", "reference", "--front-end", "nonsense"), "neither a preset"),
    ],
)
def test_what_cannot_be_done_writes_nothing(folder, tmp_path, arguments, message):
    out = tmp_path / "frontend.json"
    result = invoke(command, folder, *arguments, "--out", out)
    assert isinstance(result.exception, MMQError | BridgeError)
    assert message in str(result.exception)
    assert not out.exists()


def test_mne_is_not_imported_before_it_is_needed():
    code = "import sys, mmq_tf.cleaning, mmq_tf.cli.clean; sys.exit('mne' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
