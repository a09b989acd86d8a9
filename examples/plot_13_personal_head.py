# SPDX-License-Identifier: Apache-2.0
"""
A personal head: the wearer corrects the model
==============================================

People differ. A wearer can mark a few stretches of the past, "this was rest", "this was stress". From
these marks a small correction of the model's answer is learned on the device, within fixed bounds. The
person is SIMULATED.
"""

# %%
# Wear it
# -------
import matplotlib.pyplot as plt
from mmq_bridge.decision.replay import replay

import mmq_tf
from mmq_tf.simulation.simulator import Settings, simulate

recording, _ = simulate(Settings(seed=6, minutes=30, artefacts=False), 1)
device = mmq_tf.load("wrist-stress")
for modality, samples, time_s in replay(recording.signals):
    device.push(modality, samples, time_s)
print(device.personal.asks())

# %%
# Mark
# ----
# Here the protocol plays the wearer: the first blocks after enrolment are marked, the later ones are not.
blocks = [one for one in recording.trials if one.start_s >= 660]
for block in blocks[:5]:
    label = block.labels["stress"]
    windows = device.mark(label, block.start_s, block.stop_s)
    print(f"{label:7} {block.start_s:4.0f} to {block.stop_s:4.0f} s: {windows} windows")
print("adapted:", device.personal.adapted, "| still asked for:", device.personal.asks())

# %%
# Before and after
# ----------------
# Left of the line the marks were made; only the right side says something about new stretches.
times, before, after = zip(*device.personal.before_and_after(), strict=True)
figure, axis = plt.subplots(figsize=(8, 3))
for block in blocks:
    if block.labels["stress"] == "stress":
        axis.axvspan(block.start_s, block.stop_s, color="0.85")
axis.plot(times, before, label="model")
axis.plot(times, after, label="with the wearer's marks")
axis.axvline(blocks[4].stop_s, color="black")
axis.set(xlabel="time in s", ylabel="p(stress)", ylim=(0, 1), title="SIMULATED")
axis.legend()
figure.tight_layout()

# %%
# ``device.forget()`` undoes it all; ``device.save_state(FILE)`` keeps it over a restart. On the command line:
# ``mmq-tf personalise``. What it gained on real people is in ``results/personal_head.md``.
device.forget()
print(device.personal.counts)
