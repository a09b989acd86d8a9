# SPDX-License-Identifier: Apache-2.0
"""Which modalities there are, and the features of each."""

from __future__ import annotations

from typing import Literal, get_args

Modality = Literal["eeg", "eog", "emg", "ecg", "ppg", "eda", "resp", "temp", "acc"]
MODALITIES: tuple[str, ...] = get_args(Modality)
"""Every modality there is, in the order used wherever several are listed."""

CORE_KINDS: dict[str, int] = dict(zip(MODALITIES, (0, 6, 7, 1, 2, 3, 8, 4, 5), strict=True))
"""The number of each modality in the core, `mmq_kind_t`: the order in which they were added."""

SUPPORTED_MODALITIES: tuple[str, ...] = tuple(sorted(MODALITIES, key=CORE_KINDS.__getitem__))
"""The modalities in the order of the core's numbers."""

BANK_MODALITIES = ("eeg", "eog", "emg")
"""Modalities with a filter bank: for each output, kind by kind, one feature a band."""

WAVE_MODALITIES = (*BANK_MODALITIES, "ecg", "ppg", "resp")
"""Modalities whose baseline is removed and whose samples pass filters."""

BAND_FEATURES = ("de", "psd")

_BEATS = ("heart_rate", "sdnn", "rmssd", "pnn50", "amplitude", "amplitude_variation", "accepted_share")
OUTPUT_FEATURES: dict[str, tuple[str, ...]] = {
    "eeg": (),
    "eog": (),
    "emg": ("rms", "mean_frequency"),
    "ecg": _BEATS,
    "ppg": (*_BEATS, "skewness", "spectral_rate", "spectral_purity"),
    "eda": ("tonic", "slope", "phasic_deviation", "scr_count", "scr_amplitude", "deviation"),
    "temp": ("level", "slope", "deviation"),
    "acc": (
        "magnitude_deviation",
        "jerk",
        "tilt_x",
        "tilt_y",
        "tilt_z",
        "tilt_change",
        "active_share",
    ),
    "resp": ("rate", "depth", "rate_variability", "depth_variability"),
}
"""Features of one output and token, in order, after those of the bands; `reference*.py` defines each."""

QUALITY_FEATURES: dict[str, tuple[str, ...]] = {
    "ppg": (
        "sdnn",
        "rmssd",
        "pnn50",
        "amplitude_variation",
        "accepted_share",
        "skewness",
        "spectral_purity",
    ),
    "ecg": ("accepted_share",),
}
"""Features that say how good a signal is, or that a bad pulse spoils: they are no evidence of a state."""
