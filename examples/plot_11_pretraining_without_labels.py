# SPDX-License-Identifier: Apache-2.0
"""
Pretraining without labels
==========================

Recordings are many, labels are few. Stage 1 of ME-MHACL (our reading of it) learns from recordings alone
which people met the same moment, or, where they did not watch the same thing, which windows of one
person lie next to each other. A second training, with labels, then starts from that encoder. The people
are SIMULATED.
"""

# %%
# People
# ------
import contextlib
import io
import json
import tempfile
from pathlib import Path

import mmq_tf
from mmq_tf.cli import cli
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

work = Path(tempfile.mkdtemp())
cohort = write_cohort(work / "cohort", 4, Settings(minutes=9, modalities=("eda", "temp")))
small = ["front_end.modalities={eda={sampling_rate_hz=4}, temp={sampling_rate_hz=4}}", "split.folds=2"]

# %%
# Stage 1: no labels
# ------------------
# One encoder per fold, which sees the training people of that fold only.
brief = [*small, *(f"pretraining.{one}" for one in ("epochs=2", "steps=4", "seconds=3", "projection=16"))]
words = ["pretrain", "simulated", "--data", str(cohort), "--jobs", "1", "--out", str(work / "encoders")]
with contextlib.redirect_stdout(io.StringIO()):
    cli([*words, *(part for one in brief for part in ("--set", one))], standalone_mode=False)
facts = json.loads((work / "encoders" / "pretraining.json").read_text())
print(facts["rule"])
for name, epoch in facts["folds"].items():
    print(name, {key: round(value, 3) for key, value in epoch.items()})

# %%
# Stage 2: with labels
# --------------------
# ``init`` starts from the encoders; each fold takes its own.
short = [*small, "training.epochs=2", "artefacts.variants=0"]
run = mmq_tf.train("simulated", cohort, out=work / "run", overrides=short, init=work / "encoders")
print((run.folder / "results.md").read_text()[:1200])

# %%
# Whether it helps is a question for your data: ``results/mhacl_label_efficiency.md`` says when it did here.
