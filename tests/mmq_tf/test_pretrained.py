# SPDX-License-Identifier: Apache-2.0
"""The models that come with the package: whole, small, free of people's samples, and at work at once."""

import json

import pytest
from command_line import invoke
from mmq_bridge.bundle.verify import verify_bundle
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.manifest import Manifest

from mmq_tf import pretrained
from mmq_tf.cli.export import command as export_command
from mmq_tf.cli.stream import command as stream_command
from mmq_tf.cli.verify import command as verify_command
from mmq_tf.datasets.formats.folder import save_recording
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal

NAME = "wrist-stress"
FOLDER = pretrained.path(NAME)


def test_names_and_paths():
    assert NAME in pretrained.names()
    assert FOLDER.is_dir()
    for unknown in ("wrist", "", "..", "../pretrained/wrist-stress"):
        with pytest.raises(MMQError, match="expected one of wrist-stress"):
            pretrained.path(unknown)


def test_it_verifies_and_is_small():
    report = verify_bundle(FOLDER)
    assert report.problems == []
    assert {check.name: check.state for check in report.checks if check.state != "ok"} == {
        "C source: all": "skipped"
    }
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    assert size < 500_000
    assert report.numbers["bytes"] <= 100_000
    assert report.numbers["arena_bytes"] <= 32 * 1024


def test_it_says_what_it_learned_from_and_under_which_terms():
    manifest = Manifest.load(FOLDER)
    assert manifest.name == NAME
    assert not manifest.simulated
    assert len(manifest.train_subjects) == 26 + 23
    assert manifest.exported_model.startswith("all 49 subjects")
    assert manifest.data.licence == "Stress-Predict: MIT; CogWear 1.0.0: ODbL 1.0"
    card = (FOLDER / "MODEL_CARD.md").read_text()
    assert "Sensors 2022, 22(21):8135" in card
    assert "Contains information from CogWear" in card
    assert "could not be judged itself" in card


def test_no_sample_of_a_person_is_inside():
    """Raw samples are the golden ones alone, and those are SIMULATED; windows exist for those only."""
    index = json.loads((FOLDER / "golden/golden.json").read_text())
    assert (index["data"], index["simulated"]) == ("simulated", True)
    outside = {path.name for path in FOLDER.iterdir()} - {"golden"}
    assert outside == {
        "MODEL_CARD.md", "README.md", "frontend.json", "manifest.json", "personal_head.json", "report.html",
        "mmq_network.bin", "model_float32.tflite", "model_int8.tflite", "model_int8_float_io.tflite",
    }  # fmt: skip
    assert "no person was measured" in (FOLDER / "MODEL_CARD.md").read_text()
    text = "".join(path.read_text() for path in FOLDER.iterdir() if path.suffix in (".md", ".html", ".json"))
    assert "/home/" not in text
    assert "shared/data" not in text


@pytest.fixture(scope="module")
def worn(tiny, tmp_path_factory):
    """Eleven minutes of made-up signals, long enough for the enrolment and a minute more."""
    folder = tmp_path_factory.mktemp("worn") / "P001"
    units = {"ppg": "a.u.", "eda": "uS", "temp": "degC", "acc": "g"}
    signals = {
        name: Signal(
            name, s.samples, s.sampling_rate_hz, units[name], tuple("xyz"[: len(s.samples)]), s.start_s
        )
        for name, s in tiny.signals(660.0).items()
    }
    save_recording(
        Recording("P001", "1", signals, (), source="simulated", simulated=True, digest="0" * 64), folder
    )
    return folder


def test_stream_runs_it_by_name(worn):
    result = invoke(stream_command, "--pretrained", NAME, "--replay", worn, "--json", "--drop", "eda@640-650")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 132
    device = Device.from_bundle(FOLDER)
    assert rows[0]["reason"] == "enrolling (1 of 108 tokens measured)"
    assert set(rows[-1]["probabilities"]["stress"]) == set(device.decision.tasks["stress"])
    assert rows[-1]["sensors"]["eda"] < 1.0


def test_commands_name_it_in_their_help_and_want_one_bundle(worn):
    for command in (stream_command, verify_command, export_command):
        assert f"--pretrained [{NAME}]" in invoke(command, "--help").output
    for arguments in (["--replay", worn], ["bundle", "--pretrained", NAME, "--replay", worn]):
        result = invoke(stream_command, *arguments)
        assert result.exit_code == 2
        assert "name one of the folder BUNDLE and --pretrained NAME" in result.output
    result = invoke(verify_command, "--pretrained", "nobody")
    assert result.exit_code == 2
    assert f"'nobody' is not '{NAME}'" in result.output


@pytest.mark.slow
def test_export_writes_it_with_all_of_its_code(tmp_path):
    result = invoke(export_command, "--pretrained", NAME, "--fold", 1)
    assert result.exit_code == 2
    assert "--pretrained goes with --out and --sign only" in result.output
    result = invoke(export_command, "--pretrained", NAME, "--out", tmp_path / "watch")
    assert result.exit_code == 0, result.output
    result = invoke(verify_command, tmp_path / "watch", "--json")
    assert result.exit_code == 0, result.output
    states = {check["name"]: check["state"] for check in json.loads(result.stdout)["checks"]}
    assert states["C source: text"] == "ok"
