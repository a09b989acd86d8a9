# SPDX-License-Identifier: Apache-2.0
"""
An Empatica E4 folder to a report
=================================

An E4 export is a folder with ``BVP.csv``, ``EDA.csv``, ``TEMP.csv`` and ``ACC.csv``. Point mmq-tf at the
folder: nothing has to be converted. The export here is SIMULATED.
"""

# %%
# The folder
# ----------
# Row 1 of each file is the start in Unix seconds, row 2 the rate, then one sample per row.
import tempfile
from pathlib import Path

import numpy as np

import mmq_tf
from mmq_tf.cli import cli
from mmq_tf.simulation.simulator import Settings, simulate

work = Path(tempfile.mkdtemp())
folder = work / "A01234"
folder.mkdir()
worn, _ = simulate(Settings(seed=2, minutes=12), 0)
for name, modality, scale in (("BVP", "ppg", 1), ("EDA", "eda", 1), ("TEMP", "temp", 1), ("ACC", "acc", 64)):
    signal = worn.signals[modality]
    samples = np.nan_to_num(signal.samples.T * scale)
    head = [[1.7e9] * samples.shape[1], [signal.sampling_rate_hz] * samples.shape[1]]
    np.savetxt(folder / f"{name}.csv", np.vstack([head, samples]), "%.6f", delimiter=",")
print(*sorted(path.name for path in folder.iterdir()))

# %%
# Look first
# ----------
# ``mmq-tf datasets show`` draws every signal and what the quality rules say of it. Open the page in a
# browser.
page = work / "look.html"
cli(["datasets", "show", str(folder), "--out", str(page)], standalone_mode=False)

# %%
# Decide
# ------
recording = mmq_tf.open_recording(folder)
table = mmq_tf.load("wrist-stress").decide(recording).to_frame()
table.to_csv(work / "decisions.csv", index=False)
decided = table[~table["abstained"]]
stressed = (decided["stress"] == "stress").mean()
print(f"{len(table)} decisions, {len(decided)} not abstained; stress in {stressed:.0%} of those")

# %%
# How to read it
# --------------
# ``p_stress_stress`` is the probability of the class *stress*. ``used_ppg`` is the share of the last
# minute in which the pulse sensor could be used. ``reason`` says why a decision abstains. The model tells
# a stress *task* from rest; it does not see what a person feels.
print(decided[["time_s", "stress", "p_stress_stress", "used_ppg", "used_eda"]].describe().round(2))
