# SPDX-License-Identifier: Apache-2.0
"""The examples of the docs: each one is a page, imports what is there, and runs."""

import ast
import importlib.util
import os
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("plot_*.py"))
OURS = ("mmq_tf", "mmq_bridge", "mmq_export")
ALONE = {"plot_15_live_lsl_loop_back"}
"""In a process of its own: liblsl reads its settings once."""
NEEDS = {"plot_14_c_on_an_emulated_cortex_m": "emulator", "plot_16_web_in_node": "browser"}


def marked(path):
    marks = [pytest.mark.slow, pytest.mark.tensorflow]
    marks += [getattr(pytest.mark, NEEDS[path.stem])] if path.stem in NEEDS else []
    return pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_a_page_whose_imports_are_there(path):
    tree = ast.parse(path.read_text("utf-8"))
    text = ast.get_docstring(tree) or ""
    title, rule = text.splitlines()[:2]
    assert re.fullmatch("=+", rule)
    assert len(rule) == len(title)
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in modules if name.startswith(OURS)}
    assert not [name for name in sorted(ours) if importlib.util.find_spec(name) is None]


@pytest.mark.parametrize("path", [marked(path) for path in EXAMPLES])
@pytest.mark.filterwarnings(
    "ignore"
)  # what a reader would see too: the losses of a net alone, resampled rates
def test_it_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if path.stem in ALONE:
        pytest.importorskip("pylsl")
        subprocess.run([sys.executable, str(path)], check=True, timeout=200, env=os.environ)
        return
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    import matplotlib.pyplot as plt

    runpy.run_path(str(path))
    plt.close("all")
