# SPDX-License-Identifier: Apache-2.0
"""
A data set plug-in
==================

A data set that several people use is better written once as a small Python package. Then every command knows
it by name. The example ``examples/plugin_dataset`` is a whole package: one class, one ``pyproject.toml``.
"""

# %%
# Install it
# ----------
# In real life: ``pip install ./examples/plugin_dataset``. What pip does is to copy the module and to note the
# *entry point*. Here both are done by hand in a temporary folder, so that nothing is installed.
import inspect
import sys
import tempfile
from pathlib import Path

import numpy as np

import mmq_tf
from mmq_tf.cli import cli

here = Path(inspect.getsourcefile(lambda: None) or "").resolve().parent
source = (here if (here / "plugin_dataset").is_dir() else Path("examples").resolve()) / "plugin_dataset"
work = Path(tempfile.mkdtemp())
info = work / "finger_study-0.1.0.dist-info"
info.mkdir()
(info / "METADATA").write_text("Metadata-Version: 2.1\nName: finger-study\nVersion: 0.1.0\n")
(info / "entry_points.txt").write_text("[mmq_tf.datasets]\nfinger_study = finger_study:FingerStudy\n")

# %%
# The class says what the data set is and reads one person at a time:
print((source / "finger_study.py").read_text()[:1500])

# %%
# Files of the data set
# ---------------------
# SIMULATED: three people, whose skin conductance rises in the stress blocks.
data = work / "data"
data.mkdir()
for person in range(3):
    rng = np.random.default_rng(person)
    rows = ["eda_us,temp_degc,condition"]
    for condition in ("", "rest", "stress", "rest", "stress"):
        values = rng.normal([2.0 + (condition == "stress"), 33.0], [0.05, 0.02], (4 * 80, 2))
        rows += [f"{eda:.3f},{temp:.3f},{condition}" for eda, temp in values]
    (data / f"P{person}.csv").write_text("\n".join(rows) + "\n")

# %%
# Use it like any other
# ---------------------
# ``check`` loads every person and shows a table. ``load_windows`` gives what a model learns from.
sys.path[:0] = [str(work), str(source)]  # as if it were installed
cli(["datasets", "check", "finger_study", str(data)], standalone_mode=False)
windows = mmq_tf.load_windows(source / "finger_study.toml", data)
print(f"{len(windows)} windows of {windows.classes} in {windows.data['title']!r}")

# %%
# Train on it: ``mmq-tf train examples/plugin_dataset/finger_study.toml --data DIR``.
