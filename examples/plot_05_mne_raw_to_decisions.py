# SPDX-License-Identifier: Apache-2.0
"""
From MNE raws to decisions
==========================

Who records with MNE keeps working with MNE: a recording becomes MNE raws, raws become a recording, and a
bundle decides on either. The person is SIMULATED.
"""

# %%
# A recording as raws
# -------------------
# Sensors of different rates become one raw each; trials become annotations, lost samples are NaN.
import warnings

import mmq_tf
from mmq_tf.mne_bridge import from_mne, to_mne
from mmq_tf.simulation.simulator import Settings, simulate

recording, _ = simulate(Settings(seed=4, minutes=12), 0)
raws = to_mne(recording)
for name, raw in raws.items():
    print(name, raw.info["sfreq"], "Hz,", len(raw.annotations), "annotations")

# %%
# Work on them
# ------------
# Mark a stretch as bad, as you would in MNE's browser: for the model these samples are missing.
eda = raws["eda"]
eda.annotations.append(onset=600, duration=60, description="BAD_movement")

# %%
# Decide
# ------
device = mmq_tf.load("wrist-stress")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MNE keeps trial times to a microsecond
    table = device.decide(raws).to_frame()
shown = table[(table["time_s"] >= 590) & (table["time_s"] <= 690)]
print(shown[["time_s", "stress", "p_stress_stress", "used_eda", "used_ppg"]].iloc[::3].to_string(index=False))

# %%
# ``used_eda`` falls while the marked minute passes through the window, and the decisions go on with what
# is left.
back = from_mne(raws)
print(back.subject, back.source, sorted(back.signals))
