# SPDX-License-Identifier: Apache-2.0
"""A bundle runs where nothing of ours but mmq_bridge, no SciPy and no LiteRT can be imported."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from mmq_tf import pretrained
from mmq_tf.cli.stream import command as stream_command

pytestmark = pytest.mark.slow

SECONDS = 720  # 540 of enrolment, 60 of a window, and two minutes of decisions

OURS = ("mmq_tf", "mmq_export", "tensorflow", "keras", "mne", "scipy", "sklearn", "rich", "pandas")
EXTRAS = ("ai_edge_litert", "tflite_micro", "pylsl", "brainflow")

ALONE = """
import importlib.abc, importlib.metadata, sys

FORBIDDEN = set(sys.argv.pop(1).split(","))


class Forbid(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is forbidden here")


def from_name(name, find=importlib.metadata.Distribution.from_name):
    if name.replace("-", "_") in FORBIDDEN:  # nor is it installed, as a process of its own would find
        raise importlib.metadata.PackageNotFoundError(name)
    return find(name)


importlib.metadata.Distribution.from_name = from_name
sys.meta_path.insert(0, Forbid())
import mmq_bridge

assert not {"numpy", "pydantic", "click"} & set(sys.modules), "the package alone imports nothing"
"""

DESIGN = """
try:
    mmq_bridge.FrontEnd.wearable({"ppg": 64}).with_filters()
except mmq_bridge.BridgeError as error:
    assert "export the bundle again, or pip install scipy" in str(error)
else:
    raise AssertionError("designed without SciPy")
"""

IMPORT_ALL = """
import importlib, pkgutil

for found in pkgutil.walk_packages(mmq_bridge.__path__, "mmq_bridge."):
    if found.name.startswith("mmq_bridge.reference.") or found.name == "mmq_bridge.libmmq_bridge":
        continue  # what the core is compared with in tests, which needs SciPy; the core, which is no module
    importlib.import_module(found.name)
"""

COMMAND = """
from mmq_bridge.cli import main, readers

readers.entry_points = lambda group: []  # mmq-tf is not installed
sys.argv[0] = "mmq-bridge"
main()
"""


def run_alone(code, *arguments, without=OURS):
    command = [sys.executable, "-c", ALONE + code, ",".join(without), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def simulated_signals():
    """Samples, rate in Hz and unit by modality of SIMULATED rest, then arousal."""
    draw = np.random.default_rng(7)
    time = {rate: np.arange(SECONDS * rate) / rate for rate in (4, 32, 64)}
    aroused = {rate: t > SECONDS - 100 for rate, t in time.items()}
    phase = 2 * np.pi * np.cumsum(np.where(aroused[64], 1.6, 1.1)) / 64
    pulse = 40 * np.exp(3 * (np.cos(phase) - 1)) + draw.normal(0, 0.5, phase.size)
    responses = np.where(aroused[4], 1.0, 0.2) * np.sin(2 * np.pi * time[4] / 15).clip(0) ** 4
    return {
        "ppg": ([pulse], 64, "a.u."),
        "eda": ([2 + responses + draw.normal(0, 0.005, time[4].size)], 4, "uS"),
        "temp": ([33 - 0.5 * aroused[4] + draw.normal(0, 0.01, time[4].size)], 4, "degC"),
        "acc": (np.array([[0], [0], [1]]) + draw.normal(0, 0.02, (3, time[32].size)), 32, "g"),
    }


@pytest.fixture
def recording(tmp_path):
    """A SIMULATED recording folder."""
    signals = {}
    for name, (rows, rate, unit) in simulated_signals().items():
        samples = np.asarray(rows, np.float32)
        np.save(tmp_path / f"{name}.npy", samples)
        channels = [f"{name}{row}" for row in range(len(samples))]
        said = {"sampling_rate_hz": rate, "unit": unit, "channels": channels, "samples": samples.shape[1]}
        signals[name] = said
    said = {"simulated": True, "subject": "P1", "session": "1", "source": "simulated", "signals": signals}
    (tmp_path / "recording.json").write_text(json.dumps(said))
    return tmp_path


def test_the_shipped_bundle_decides_as_under_mmq_tf(recording):
    arguments = [str(pretrained.path("wrist-stress")), "--replay", str(recording), "--json"]
    done = run_alone(COMMAND, "stream", *arguments, without=OURS + EXTRAS)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    lines = done.stdout.splitlines()
    decisions = [json.loads(line) for line in lines]
    decided = [one["probabilities"]["stress"] for one in decisions if not one["abstained"]]
    assert len(decided) >= 10
    assert all(sum(one.values()) == pytest.approx(1) for one in decided)
    assert len({one["stress"] for one in decided}) > 5
    assert all(share > 0.5 for one in decisions[-20:] for share in one["sensors"].values())
    assert all(one["simulated"] for one in decisions)
    under_mmq_tf = CliRunner().invoke(stream_command, arguments)
    assert under_mmq_tf.exit_code == 0, under_mmq_tf.output
    assert lines == under_mmq_tf.stdout.splitlines()


def test_marks_are_learned_without_any_extra(recording, tmp_path):
    marks = tmp_path / "marks.csv"
    marks.write_text("label,start_s,stop_s\nrest,600,660\nstress,660,720\n")
    arguments = [pretrained.path("wrist-stress"), "--recording", recording, "--marks", marks]
    done = run_alone(COMMAND, "personalise", *arguments, without=OURS + EXTRAS)
    assert done.returncode == 0, done.stderr
    assert "stress  660 to 720 s: 1 windows used" in done.stdout


def test_without_scipy_no_filter_is_designed():
    done = run_alone(DESIGN)
    assert done.returncode == 0, done.stderr


def test_every_module_is_imported_without_the_extras():
    done = run_alone(IMPORT_ALL, without=OURS + EXTRAS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("verify", "BUNDLE"), "pip install 'ai-edge-litert"),
        (("stream", "BUNDLE", "--replay", "RECORDING", "--runtime", "litert"), "pip install 'ai-edge-litert"),
        (("stream", "BUNDLE", "--replay", "RECORDING", "--model", "float32"), "pip install 'ai-edge-litert"),
        (("play", "RECORDING", "--lsl"), "pip install 'mmq-bridge[live]'"),
    ],
)
def test_a_missing_extra_is_one_sentence(recording, arguments, says):
    paths = {"BUNDLE": pretrained.path("wrist-stress"), "RECORDING": recording}
    done = run_alone(COMMAND, *(paths.get(word, word) for word in arguments), without=OURS + EXTRAS)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("mmq-bridge: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
