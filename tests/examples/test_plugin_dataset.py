# SPDX-License-Identifier: Apache-2.0
"""The example of a data set of one's own, as a user would run it: list, check, train."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugin_dataset"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder with SIMULATED files of four people, and the example as if it were installed."""
    folder = tmp_path_factory.mktemp("plugin")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    info = folder / "site" / f"finger_study-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [f"{name} = {value}" for name, value in project["entry-points"]["mmq_tf.datasets"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[mmq_tf.datasets]", *lines, ""]))
    (folder / "data").mkdir()
    for person in range(4):
        (folder / "data" / f"P{person}.csv").write_text(csv_of(person))
    return folder


def csv_of(person):
    rng = np.random.default_rng(person)
    rows = ["eda_us,temp_degc,condition"]
    for condition in ("", "rest", "stress", "rest", "stress"):
        values = rng.normal([2.0 + (condition == "stress"), 33.0], [0.05, 0.02], (4 * 80, 2))
        rows += [f"{eda:.3f},{temp:.3f},{condition}" for eda, temp in values]
    return "\n".join(rows) + "\n"


def run(home, *arguments, code=0):
    paths = os.pathsep.join([str(home / "site"), str(EXAMPLE), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", "from mmq_tf.cli import main; main()", *map(str, arguments)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": paths, "MMQ_CACHE": str(home / "cache"), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_every_command_knows_it(home):
    assert "\nfinger_study " in run(home, "datasets", "list")
    assert "finger_study: Finger study (an example)" in run(home, "datasets", "list", "finger_study")
    checked = run(home, "datasets", "check", "finger_study", home / "data")
    assert "4 of 4 subjects are there: 4 ok" in checked
    assert "P2.csv: expected numbers" in run(home, "datasets", "check", "finger_study", broken(home), code=1)


def broken(home):
    folder = home / "broken"
    folder.mkdir()
    for name in ("P1", "P2"):
        (folder / f"{name}.csv").write_text(csv_of(1).replace("eda_us", "eda_us" if name == "P1" else "eda"))
    return folder


def test_it_trains(home):
    preset = EXAMPLE / "finger_study.toml"
    small = ("training.epochs=1", "artefacts.variants=0", "windows.stride_s=20", "split.folds=2")
    changes = [part for value in small for part in ("--set", value)]
    run(home, "prepare", preset, "--data", home / "data", *changes, "--jobs", "1")
    run(home, "train", preset, "--data", home / "data", "--no-final", "--out", home / "run", *changes)
    assert (home / "run" / "report.html").is_file()
    assert "finger_study" in (home / "run" / "results.json").read_text("utf-8")
