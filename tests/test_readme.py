# SPDX-License-Identifier: Apache-2.0
"""The Python of README.md and docs/python.md runs, block after block, on a small SIMULATED cohort."""

import re
from pathlib import Path

import keras
import pytest
from command_line import printed

from mmq_tf.cli.stream import command as stream
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

ROOT = Path(__file__).parents[1]


@pytest.mark.filterwarnings("ignore")  # what a notebook would show: resampled rates, losses of the net alone
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    text = "".join((ROOT / page).read_text("utf-8") for page in ("README.md", "docs/python.md"))
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    write_cohort("cohort", 6, Settings(minutes=13))
    keras.utils.set_random_seed(0)  # where an earlier test made operations deterministic, they need one
    names = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"Python block {number}", "exec"), names)
    assert len(names["decisions"]) > 100
    assert names["bundle"].verify().problems == []
    assert (tmp_path / "net.onnx").is_file()
    assert (tmp_path / "bundles" / "watch" / "manifest.json").is_file()


def test_what_is_tried_in_a_minute_decides():
    text = (ROOT / "README.md").read_text("utf-8")
    lines = [line.partition("#")[0].split() for line in text.splitlines() if line.startswith("mmq-tf stream")]
    assert len(lines) == 2
    for line in lines:
        said = printed(stream, *line[2:])
        assert re.search(r"\n +60\.0 s +stress: rest", said)
        assert said.startswith("SIMULATED")
