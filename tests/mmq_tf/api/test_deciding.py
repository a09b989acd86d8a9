# SPDX-License-Identifier: Apache-2.0
"""`mmq_tf.load` and `decide`: the decisions of `mmq-tf stream`, of recordings, arrays and MNE raws."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest
from command_line import invoke

import mmq_tf
from mmq_tf.cli.stream import command as stream_command
from mmq_tf.datasets.formats.folder import save_recording
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge import to_mne
from mmq_tf.recording import Recording, Signal

UNITS = {"ppg": "a.u.", "eda": "uS", "temp": "degC", "acc": "g"}


@pytest.fixture(scope="module")
def worn(tiny, tmp_path_factory):
    """150 s of SIMULATED signals as a recording folder."""
    signals = {
        name: Signal(
            name, s.samples, s.sampling_rate_hz, UNITS[name], tuple("xyz"[: len(s.samples)]), float(s.start_s)
        )
        for name, s in tiny.signals(150.0).items()
    }
    folder = tmp_path_factory.mktemp("api") / "P001"
    recording = Recording("P001", "1", signals, (), source="simulated", simulated=True, digest="0" * 64)
    save_recording(recording, folder)
    return folder


def test_decide_says_what_stream_prints(tiny_bundle, worn):
    done = invoke(stream_command, tiny_bundle, "--replay", worn, "--json")
    assert done.exit_code == 0, done.output
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    decisions = mmq_tf.load(tiny_bundle).decide(mmq_tf.open_recording(worn))
    said = json.loads(json.dumps([{**asdict(one), "classes": one.classes} for one in decisions]))
    for one in said:  # printed with a display filter, or a table of sensors, only
        assert one.pop("shown") is one.pop("shown_probabilities") is one.pop("next_sensor") is None
    of_recording = {"simulated", "time_unix_s", "time_utc"}
    assert said == [{key: row[key] for key in row if key not in of_recording} for row in printed]


def test_decide_takes_mne_raws(tiny_bundle, worn):
    recording = mmq_tf.open_recording(worn)
    device = mmq_tf.load(tiny_bundle)
    assert len(device.decide(to_mne(recording))) == len(device.decide(recording))


def test_load_takes_a_pretrained_name_and_names_what_there_is():
    manifest = mmq_tf.load("wrist-stress").manifest
    assert manifest is not None
    assert manifest.name == "wrist-stress"
    with pytest.raises(MMQError, match="neither a bundle's folder nor a pretrained model; those are .*wrist"):
        mmq_tf.load("no-such-bundle")


def test_import_stays_light():
    heavy = {"numpy", "scipy", "keras", "tensorflow", "sklearn", "mne", "pandas", "rich", "click"}
    code = f"import sys, mmq_tf, mmq_bridge; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(mmq_tf, "nothing" + "")
