# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf datasets show` as a user types it, on a SIMULATED wrist."""

import re
import shutil
import subprocess
import sys

import pytest
from command_line import invoke
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from PIL import Image

from mmq_tf.cli.datasets import command
from mmq_tf.errors import MMQError
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

pytestmark = pytest.mark.slow


def call(*arguments):
    return invoke(command, "show", *arguments)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("show") / "cohort"
    return write_cohort(folder, 1, Settings(minutes=7.0, modalities=("eda", "temp")))


def test_a_folder_becomes_a_page_in_this_folder(cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(cohort / "sim-01")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("SIMULATED · sim-01")
    assert re.search(r"eda \d+ %", result.output)
    assert [path.name for path in tmp_path.iterdir()] == ["sim-01.html"]
    assert "stress" in (tmp_path / "sim-01.html").read_text("utf-8")


def test_a_subject_of_a_data_set_becomes_a_picture(cohort, tmp_path):
    result = call("simulated:sim-01", "--data", cohort, "--out", tmp_path / "page.png", "--to", 60)
    assert result.exit_code == 0, result.output
    assert "1:00 min:s" in result.output
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.format == "PNG"


def test_the_name_of_a_data_set_page_is_a_files_name(cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("simulated:sim-01", "--data", cohort, "--to", 30).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["simulated-sim-01.html"]


def test_a_front_end_from_a_file_judges(cohort, tmp_path):
    strict = FrontEnd.from_json(
        '{"modalities": {"eda": {"sampling_rate_hz": 4, "minimum": 59}}, "token_s": 10, "tokens": 4}'
    )
    strict.save(tmp_path / "frontend.json")
    out = tmp_path / "page.html"
    result = call(cohort / "sim-01", "--front-end", tmp_path / "frontend.json", "--out", out)
    assert result.exit_code == 0, result.output
    assert "eda 0 %" in result.output
    assert "temp not judged" in result.output
    assert strict.digest() in out.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is nothing"),
        (["simulated:sim-01"], "name the folder of the data set 'simulated' with --data"),
        (["simulated:sim-09", "--data", "COHORT"], "no recording of subject 'sim-09'; there are sim-01"),
        (["other:sim-01", "--data", "COHORT"], "data set must be one of"),
        (["COHORT/sim-01", "--out", "page.pdf"], "must end in .html or .png"),
        (["COHORT/sim-01", "--from", "50", "--to", "40"], "--from and --to must lie in 0 to 420 s"),
        (["COHORT/sim-01", "--from", "500"], "--from and --to must lie in 0 to 420 s"),
        (["COHORT/sim-01", "--front-end", "nowhere.json"], "cannot be read as a front end"),
        (["COHORT/sim-01", "--front-end", "fast.json"], "expected 8 Hz as in the front end, got 4 Hz"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_sentence(cohort, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    FrontEnd.wearable({"eda": 8}).save("fast.json")
    result = call(*(argument.replace("COHORT", str(cohort)) for argument in arguments))
    assert isinstance(result.exception, MMQError | BridgeError)
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["fast.json"]


def test_the_command_line_exits_with_two_and_no_traceback(tmp_path):
    command_line = [sys.executable, "-m", "mmq_tf", "datasets", "show", "nowhere"]
    result = subprocess.run(command_line, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("mmq-tf: nowhere")
    assert "Traceback" not in result.stderr


def test_a_real_hour_of_a_wrist(mmq_data, tmp_path):
    out = tmp_path / "S10.png"
    result = call("stress_predict:S10", "--data", mmq_data / "stress_predict", "--out", out)
    assert result.exit_code == 0, result.output
    assert "50:39 min:s" in result.output
    assert re.search(r"ppg [5-8]\d %, eda 100 %", result.output)
    assert "SIMULATED" not in result.output


def test_one_recording_of_a_folder_with_a_manifest(cohort, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(cohort / "sim-01", study / "P01")
    (study / "mmq-tf.toml").write_text(
        'title = "t"\nlicence = "l"\nattribution = "a"\nlabel_kind = "k"\nsimulated = true\n'
        '[[files]]\npath = "{subject}"\nformat = "recording"\n[trials]\nsource = "recording"\n'
        '[tasks.stress]\nclasses = ["rest", "stress"]\n'
    )
    result = call(f"{study}:P01", "--out", tmp_path / "page.png", "--to", 30)
    assert result.exit_code == 0, result.output
    assert "P01" in result.output
    assert (tmp_path / "page.png").is_file()
