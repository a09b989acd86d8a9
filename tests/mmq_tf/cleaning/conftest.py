# SPDX-License-Identifier: Apache-2.0
"""Simulated caps with a known mixing, and the real recording with its blinks."""

from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from mmq_tf.mne_bridge.eeg_raw import standard_montage

RATE = 128.0
EEG = (
    "Fp1",
    "Fp2",
    "F3",
    "Fz",
    "F4",
    "FC5",
    "FC6",
    "C3",
    "Cz",
    "C4",
    "P3",
    "Pz",
    "P4",
    "O1",
    "Oz",
    "O2",
)
BLINKS_AT = np.arange(3.0, 1e4, 5.0)


class Cap:
    """SIMULATED: 12 independent sources and a blink, mixed into 16 electrodes; the EOG sees the blink alone.

    The sources come in bursts, and their spectra fall with frequency, as the brain's do: MNE takes flat ones
    for muscles.
    """

    def __init__(self, seed=0, seconds=60.0):
        rng = np.random.default_rng(seed)
        n = int(seconds * RATE)
        bursts = np.exp(lfilter([0.1], [1.0, -0.99], rng.normal(size=(12, n))))
        self.sources = bursts * lfilter([1.0], [1.0, -0.95], rng.normal(size=(12, n)))
        times = np.arange(n) / RATE
        self.peaks = np.round(BLINKS_AT[seconds - 2 > BLINKS_AT] * RATE).astype(int)
        self.blink = np.exp(-0.5 * ((times[:, None] - self.peaks / RATE) / 0.08) ** 2).sum(axis=1)
        self.mixing = rng.normal(size=(16, 12)) * 2.0
        self.gain = np.array([300.0, 290, 80, 70, 75, 30, 28, 15, 14, 13, 5, 5, 5, 2, 2, 2])
        self.brain = self.mixing @ self.sources
        self.noise = rng.normal(size=(16, n)) * 0.01
        self.eeg = self.brain + self.gain[:, None] * self.blink + self.noise
        self.eog = 200.0 * self.blink + rng.normal(size=n)

    def raw(self, eog=True):
        import mne

        names, rows = list(EEG), self.eeg
        if eog:
            names, rows = [*names, "VEOG"], np.vstack([rows, self.eog])
        types: Any = ["eog" if name == "VEOG" else "eeg" for name in names]
        info = mne.create_info(names, RATE, types)
        raw = mne.io.RawArray(rows * 1e-6, info, verbose="ERROR")
        raw.set_montage(standard_montage(), on_missing="ignore", verbose="ERROR")
        return raw


@pytest.fixture(scope="package")
def cap():
    return Cap()


@pytest.fixture(scope="package")
def sample(mmq_data):
    """The EEGLAB sample recording: 30 EEG and 2 EOG channels, 238 s at 128 Hz, real blinks."""
    from mmq_tf.cleaning import read_eeg, to_raw

    path = mmq_data / "eeglab_sample" / "eeglab_data.set"
    if not path.is_file():
        pytest.skip(f"no recording with real blinks: {path} is absent")
    return to_raw(read_eeg(path), ("EOG1", "EOG2"))
