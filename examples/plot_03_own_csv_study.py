# SPDX-License-Identifier: Apache-2.0
"""
Your own CSV study
==================

Five people, one CSV file per person and sensor, and a table that says who did what when. mmq-tf looks at the
files, writes what it found into one small text file, and asks for the rest. The data are SIMULATED.
"""

# %%
# The files
# ---------
# The name of the person and the sensor stand in the file name: ``P1_eda.csv``.
import tempfile
from pathlib import Path

import numpy as np

import mmq_tf
from mmq_tf.cli import cli
from mmq_tf.simulation.simulator import Settings, simulate

work = Path(tempfile.mkdtemp())
study = work / "study"
study.mkdir()
rows = ["subject,start,stop,stress"]
for index in range(5):
    person, _ = simulate(Settings(seed=3, minutes=9, modalities=("eda", "temp")), index)
    for modality, signal in person.signals.items():
        seconds = np.arange(signal.samples.shape[1]) / signal.sampling_rate_hz
        table = np.column_stack([seconds, signal.samples.T])
        column = {"eda": "eda_us", "temp": "temp_degc"}[modality]
        path = study / f"P{index}_{modality}.csv"
        np.savetxt(path, table, "%.4f", delimiter=",", header=f"time_s,{column}", comments="")
    rows += [f"P{index},{one.start_s},{one.stop_s},{one.labels['stress']}" for one in person.trials]
(study / "trials.csv").write_text("\n".join(rows) + "\n")

# %%
# Describe them
# -------------
# ``mmq-tf datasets new`` writes ``mmq-tf.toml``. Lines marked ``choose:`` are yours to fill in.
cli(["datasets", "new", str(study)], standalone_mode=False)
manifest = study / "mmq-tf.toml"
print(manifest.read_text())

# %%
# Fill in what only you know
# --------------------------
# Here by a few replacements; you would use an editor.
filled = manifest.read_text()
for found, chosen in (
    ('title = ""', 'title = "Study (SIMULATED)"'),
    ('licence = ""', 'licence = "own recordings"'),
    ('attribution = ""', 'attribution = "nobody: SIMULATED"'),
    ('label_kind = ""', 'label_kind = "condition by the protocol"'),
    ('unit = ""  # choose: uS', 'unit = "uS"  # uS'),
    ('unit = ""  # choose: degC', 'unit = "degC"  # degC'),
    ('time_unit = ""', 'time_unit = "s"'),
    ("classes = []", 'classes = ["rest", "stress"]'),
):
    filled = filled.replace(found, chosen)
manifest.write_text(filled.replace("choose:", "chosen:"))
cli(["datasets", "check", "manifest", str(study)], standalone_mode=False)

# %%
# Train
# -----
# ``mmq-tf datasets config`` writes a run that fits the recordings. Trees, logistic regression and a clock are
# trained on the same people beside the network. One short training shows the job; leave ``overrides`` away in
# earnest.
own = work / "own.toml"
cli(["datasets", "config", str(study), "--out", str(own)], standalone_mode=False)
short = ["training.epochs=3", "split.folds=2", "artefacts.variants=0", "model.size=nano"]
run = mmq_tf.train(own, study, out=work / "run", overrides=short)

# %%
# The report is a page, ``run/report.html``; the same numbers lie in ``run/results.md``.
print("\n".join((run.folder / "results.md").read_text().splitlines()[:24]))
