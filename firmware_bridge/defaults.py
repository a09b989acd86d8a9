"""Default settings and feature lists of each modality, each default beside its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SUPPORTED_MODALITIES = ("eeg", "ecg", "ppg", "eda", "temp", "acc")
"""Modalities this version computes; emg, eog and resp are reserved names."""

PER_CHANNEL_FEATURES: dict[str, tuple[str, ...]] = {"eeg": ("de", "psd")}
"""For each channel, kind by kind, one feature a band."""

_BEATS = ("heart_rate", "sdnn", "rmssd", "pnn50", "amplitude", "amplitude_variation", "accepted_share")
PER_MODALITY_FEATURES: dict[str, tuple[str, ...]] = {
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
}
"""Features of one token, in order; `reference.py` defines each."""

EEG_BANDS = (
    {"name": "delta", "low_hz": 1.0, "high_hz": 4.0},
    {"name": "theta", "low_hz": 4.0, "high_hz": 8.0},
    {"name": "alpha", "low_hz": 8.0, "high_hz": 14.0},
    {"name": "beta", "low_hz": 14.0, "high_hz": 31.0},
    {"name": "gamma", "low_hz": 31.0, "high_hz": 45.0},
)
"""Bands of Zheng & Lu 2015 (IEEE TAMD 7(3):162), the upper edge lowered to keep clear of 50 Hz mains."""


def _decimation(rate_hz: float, lowest_hz: float) -> int:
    """Largest power of two that keeps the rate at or above `lowest_hz` (narrow low bands want a low rate)."""
    factor = 1
    while rate_hz / (2 * factor) >= lowest_hz and factor < 32:
        factor *= 2
    return factor


def _eeg(rate_hz: float) -> dict[str, Any]:
    # Range: +-187.5 mV is what an ADS1299 at gain 24 can represent (its datasheet); rails: 90 % of it
    # (OpenBCI GUI). Flat: over 5 s (clean_rawdata's clean_flatlines).
    return {
        "unit": "uV",
        "channels": ("Fz",),
        "decimate": _decimation(rate_hz, 120.0),
        "baseline_s": 5.0,
        "bands": EEG_BANDS,
        "minimum": -187_500.0,
        "maximum": 187_500.0,
        "rail_low": -168_750.0,
        "rail_high": 168_750.0,
        "max_flat_s": 2.0,
        "hold_s": 0.02,
    }


def _ecg(rate_hz: float) -> dict[str, Any]:
    # Pulse band 5-18 Hz: close to Pan & Tompkins 1985 (5-15 Hz). Range: +-300 mV of electrode offset
    # (ANSI/AAMI EC11), rails 90 % of it. Context 30 s: shortest that gives a usable RMSSD
    # (Munoz et al. 2015, PLoS ONE 10(9):e0138921).
    return {
        "unit": "mV",
        "channels": ("ECG",),
        "decimate": _decimation(rate_hz, 120.0),
        "baseline_s": 2.0,
        "bands": ({"name": "pulse", "low_hz": 5.0, "high_hz": 18.0},),
        "context_s": 30.0,
        "minimum": -300.0,
        "maximum": 300.0,
        "rail_low": -270.0,
        "rail_high": 270.0,
        "max_flat_s": 2.0,
        "hold_s": 0.02,
    }


def _ppg(rate_hz: float) -> dict[str, Any]:
    # Pulse band 0.7-3.5 Hz: the pulse itself at 42 to 210 a minute, few of its harmonics. Chosen over the
    # 0.5-8 Hz of Elgendi et al. 2013 (PLoS ONE 8(10):e76585) on validation people of Stress-Predict (wrist).
    # Units differ by device, so range and rails are only what float32 filters bear: set the ADC's own.
    return {
        "unit": "a.u.",
        "channels": ("PPG",),
        "decimate": _decimation(rate_hz, 50.0),
        "baseline_s": 2.0,
        "bands": ({"name": "pulse", "low_hz": 0.7, "high_hz": 3.5},),
        "context_s": 30.0,
        "minimum": -1e7,
        "maximum": 1e7,
        "rail_low": -9e6,
        "rail_high": 9e6,
        "max_flat_s": 1.0,
        "hold_s": 0.05,
    }


def _eda(rate_hz: float) -> dict[str, Any]:
    # 0.05-60 uS: Kleckner et al. 2018 (PMC5880745). The lower bound is widened to 0.01 uS, since dry wrist
    # electrodes at rest sit under 0.05 for minutes and are still worn.
    return {
        "unit": "uS",
        "channels": ("EDA",),
        "context_s": 30.0,
        "minimum": 0.01,
        "maximum": 60.0,
        "rail_low": 0.0,
        "rail_high": 59.9,
        "hold_s": 0.5,
    }


def _temp(rate_hz: float) -> dict[str, Any]:
    # Worn skin is 30-40 degC (Kleckner et al. 2018), but loose straps read 21-36 in real data: the range
    # only rejects what no worn sensor reads.
    return {
        "unit": "degC",
        "channels": ("TEMP",),
        "context_s": 30.0,
        "minimum": 10.0,
        "maximum": 45.0,
        "rail_low": 10.0,
        "rail_high": 45.0,
        "hold_s": 1.0,
    }


def _acc(rate_hz: float) -> dict[str, Any]:
    # Range: +-16 g, the widest of common wrist parts. The E4's own rails are +-2 g.
    return {
        "unit": "g",
        "channels": ("x", "y", "z"),
        "minimum": -16.0,
        "maximum": 16.0,
        "rail_low": -15.9,
        "rail_high": 15.9,
        "hold_s": 0.1,
    }


MODALITY_DEFAULTS: dict[str, Callable[[float], dict[str, Any]]] = {
    "eeg": _eeg,
    "ecg": _ecg,
    "ppg": _ppg,
    "eda": _eda,
    "temp": _temp,
    "acc": _acc,
}
