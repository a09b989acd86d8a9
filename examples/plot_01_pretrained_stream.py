# SPDX-License-Identifier: Apache-2.0
"""
A first decision: stream a recording through the pretrained model
=================================================================

mmq-tf comes with a model for wrist devices, ``wrist-stress``. Here a SIMULATED person wears the watch for 15
minutes, and the model says every 5 seconds whether the last minute looks like rest or like a stress task.
"""

# %%
# A recording
# -----------
# A recording holds one signal per sensor, each at its own rate. Yours comes from
# ``mmq_tf.open_recording("FOLDER")``; this one is simulated.
import matplotlib.pyplot as plt

import mmq_tf
from mmq_tf.simulation.simulator import Settings, simulate

recording, _ = simulate(Settings(seed=1, minutes=15), 0)
for name, signal in recording.signals.items():
    print(f"{name:5} {signal.sampling_rate_hz:4g} Hz, {signal.samples.shape[0]} channel(s), in {signal.unit}")

# %%
# Decisions
# ---------
# The model is a *bundle*: the folder that also goes into a watch. It first learns the wearer's baseline
# from 9 measured minutes (*enrolment*). Until then it abstains and says so.
device = mmq_tf.load("wrist-stress")
decisions = device.decide(recording)
table = decisions.to_frame()
print(table["reason"].value_counts(dropna=False))
print(table.loc[~table["abstained"], ["time_s", "stress", "p_stress_stress", "used_ppg"]].head())

# %%
# What it says over time
# ----------------------
# Grey is what the simulated person was asked to do. Where the line is missing, the model had not enrolled
# yet.
figure, axis = plt.subplots(figsize=(8, 3))
for trial in recording.trials:
    if trial.labels.get("stress") == "stress":
        axis.axvspan(trial.start_s, trial.stop_s, color="0.85")
axis.plot(table["time_s"], table["p_stress_stress"])
axis.set(xlabel="time in s", ylabel="probability of stress", ylim=(0, 1), title="SIMULATED")
figure.tight_layout()

# %%
# The same from the command line::
#
#     mmq-tf simulate --out wearer --subjects 1 --minutes 15
#     mmq-tf stream --pretrained wrist-stress --replay wearer/sim-01
