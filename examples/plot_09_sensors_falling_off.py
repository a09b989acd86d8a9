# SPDX-License-Identifier: Apache-2.0
"""
Sensors falling off
===================

The pulse sensor comes loose, then the skin conductance electrode, then both. A missing sensor is an ordinary
input: decisions go on with what is left, and when too little is left they abstain and say why. The person is
SIMULATED.
"""

# %%
# One recording, sensors dropped
# ------------------------------
# A lost sample is NaN.
import matplotlib.pyplot as plt
import numpy as np

import mmq_tf
from mmq_tf.simulation.simulator import Settings, simulate

recording, _ = simulate(Settings(seed=5, minutes=22, artefacts=False), 0)
drops = [("ppg", 750, 840), ("eda", 900, 990), *((name, 1080, 1200) for name in recording.signals)]
for modality, start_s, stop_s in drops:
    signal = recording.signals[modality]
    first, last = (round(one * signal.sampling_rate_hz) for one in (start_s, stop_s))
    signal.samples[:, first:last] = np.nan

# %%
# What the device says
# --------------------
table = mmq_tf.load("wrist-stress").decide(recording).to_frame()
for time_s in (700, 830, 980, 1190, 1300):
    row = table[table["time_s"] == time_s].iloc[0]
    said = row["reason"] if row["abstained"] else row["stress"]
    print(f"{time_s} s: used ppg {row['used_ppg']:.0%}, eda {row['used_eda']:.0%}; {said}")

# %%
# Over time
# ---------
# Above the probability, below which share of the last minute each sensor gave.
figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 4), sharex=True)
top.plot(table["time_s"], table["p_stress_stress"])
top.plot(table["time_s"].where(table["abstained"]), table["p_stress_stress"], color="0.7", label="abstains")
top.set(ylabel="p(stress)", ylim=(0, 1), title="SIMULATED")
top.legend()
for name in ("ppg", "eda", "temp", "acc"):
    bottom.plot(table["time_s"], table[f"used_{name}"], label=name)
bottom.set(xlabel="time in s", ylabel="share used")
bottom.legend(ncol=4)
figure.tight_layout()

# %%
# On the command line: ``mmq-tf stream --pretrained wrist-stress --replay DIR --drop ppg@750-840``. How
# much accuracy a lost sensor costs is measured by ``mmq-tf evaluate RUN``.
