# SPDX-License-Identifier: Apache-2.0
"""
EEG cleaning as one matrix
==========================

Re-referencing, regressing eye movements out, ICA, and interpolating a bad channel have one thing in
common: each output sample is a weighted sum of the input channels. So whatever MNE fitted becomes one
matrix, and a watch can execute it. The EEG is SIMULATED: noise of the brain's kind, and a blink every 5
seconds.
"""

# %%
# A cap with blinks
# -----------------
import matplotlib.pyplot as plt
import mne
import numpy as np
from scipy.signal import lfilter

from mmq_tf.cleaning import alpha_power_db, fit_spatial_filter

rate, seconds = 128.0, 60
names = ["Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2"]
rng = np.random.default_rng(0)
times = np.arange(int(rate * seconds)) / rate
sources = lfilter([1.0], [1.0, -0.95], rng.normal(size=(10, times.size)))
blink = np.exp(-0.5 * ((times % 5 - 2.5) / 0.08) ** 2)
gain = np.array([300.0, 290, 80, 70, 75, 15, 14, 13, 5, 5, 5, 2, 2])
eeg = (
    rng.normal(size=(13, 10)) @ sources * 2 + gain[:, None] * blink + 0.01 * rng.normal(size=(13, times.size))
)
eog = 200 * blink + rng.normal(size=times.size)
info = mne.create_info([*names, "VEOG"], rate, ["eeg"] * 13 + ["eog"])
raw = mne.io.RawArray(np.vstack([eeg, eog]) * 1e-6, info, verbose="ERROR")
raw.set_montage("standard_1020", verbose="ERROR")

# %%
# Fit it once, off-line
# ---------------------
# Average reference, then regression on the EOG channel. ``method="ica"`` works the same way.
fit = fit_spatial_filter(raw, method="regression")
print(fit.method)
print("matrix:", fit.matrix.shape, "outputs x inputs")

# %%
# Execute it as the device does
# -----------------------------
# ``execute`` runs the C core, in float32.
samples = raw.get_data() * 1e6
after = fit.execute(samples.astype(np.float32))
before = fit.referenced @ samples
peak = np.abs(blink) > 0.5
seen = [np.abs(signal[0, peak]).mean() for signal in (before, after)]
print(f"Fp1 in a blink: {seen[0]:.0f} uV before, {seen[1]:.0f} uV after")
change = alpha_power_db(after, rate) - alpha_power_db(before.astype(np.float32), rate)
print(f"alpha power changes by {change:+.2f} dB")

# %%
figure, axis = plt.subplots(figsize=(8, 3))
shown = times < 12
axis.plot(times[shown], before[0, shown], label="Fp1, average reference")
axis.plot(times[shown], after[0, shown], label="Fp1, cleaned on the device")
axis.set(xlabel="time in s", ylabel="uV", title="SIMULATED")
axis.legend()
figure.tight_layout()

# %%
# The front end that carries the matrix goes into training and into the bundle::
#
#     mmq-tf clean calibration.edf --method regression --eog VEOG --out frontend.json
#     mmq-tf train run.toml --set front_end=frontend.json
front_end = fit.front_end(token_s=2.0)
print(len(front_end.modalities["eeg"].channels), "channels in,", len(fit.outputs), "out")
