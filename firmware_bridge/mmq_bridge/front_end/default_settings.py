# SPDX-License-Identifier: Apache-2.0
"""Default settings of each modality, each beside its source; what version 2 added has its own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmq_bridge.front_end.modalities import SUPPORTED_MODALITIES

EEG_BANDS = (
    {"name": "delta", "low_hz": 1.0, "high_hz": 4.0},
    {"name": "theta", "low_hz": 4.0, "high_hz": 8.0},
    {"name": "alpha", "low_hz": 8.0, "high_hz": 14.0},
    {"name": "beta", "low_hz": 14.0, "high_hz": 31.0},
    {"name": "gamma", "low_hz": 31.0, "high_hz": 45.0},
)
"""Bands of Zheng & Lu 2015 (IEEE TAMD 7(3):162), the upper edge lowered to keep clear of 50 Hz mains."""

_UNIT_BOUND = ("max_step_per_s", "min_deviation", "max_deviation")


def _decimation(rate_hz: float, lowest_hz: float) -> int:
    """Largest power of two that keeps the rate at or above `lowest_hz` (narrow low bands want a low rate)."""
    factor = 1
    while rate_hz / (2 * factor) >= lowest_hz and factor < 32:
        factor *= 2
    return factor


def _averaging(rate_hz: float, lowest_hz: float) -> int:
    """Largest whole factor, at most 64, that keeps the rate at or above `lowest_hz`."""
    return min(64, max(1, int(rate_hz / lowest_hz + 1e-9)))


def _eeg(rate_hz: float) -> dict[str, Any]:
    # Range: +-187.5 mV is what an ADS1299 at gain 24 can represent (its datasheet); rails: 90 % of it
    # (OpenBCI GUI). Flat: clean_rawdata's clean_flatlines waits 5 s; 2 s of bit-equal samples is as
    # impossible for an amplifier with noise.
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


def _eeg_2(rate_hz: float) -> dict[str, Any]:
    # Step: 50 uV/ms, the gradient criterion of BrainVision Analyzer. Weak: an ADS1299 has 0.14 uV rms of
    # noise of its own (1 uVpp, datasheet); the weakest token of eegmat has 4 uV, so 0.5. Strong: chosen; a
    # scalp shows 10 to 50 uV rms, blinks of 400 uV add some 100. Bad channels: a quarter, as PREP
    # (Bigdely-Shamlo 2015) still interpolates.
    return {"max_step_per_s": 50_000.0, "min_deviation": 0.5, "max_deviation": 500.0, "max_bad_share": 0.25}


def _eog(rate_hz: float) -> dict[str, Any]:
    # The same amplifiers and rules as eeg; strong: a saccade of 50 degrees is 1 mV (20 uV a degree,
    # Malmivuo & Plonsey 1995, chapter 28).
    return {**_eeg(rate_hz), "channels": ("EOG",)}


def _eog_2(rate_hz: float) -> dict[str, Any]:
    return {"max_step_per_s": 50_000.0, "min_deviation": 0.5, "max_deviation": 1000.0}


def _emg(rate_hz: float) -> dict[str, Any]:
    # At least 500 Hz after decimation: surface EMG lies mostly under 250 Hz. Baseline 1 s: 0.16 Hz, still
    # under the delta band but quick enough to keep drift out of the rms. Same amplifiers as eeg.
    settings = {**_eeg(rate_hz), "channels": ("EMG",)}
    return settings | {"decimate": _decimation(rate_hz, 500.0), "baseline_s": 1.0}


def _emg_2(rate_hz: float) -> dict[str, Any]:
    # Strong: surface EMG has at most 1.5 mV rms (De Luca 2002, Surface EMG: detection and recording). No step
    # limit: a contraction is steep itself.
    return {"min_deviation": 0.1, "max_deviation": 1500.0}


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


def _ecg_2(rate_hz: float) -> dict[str, Any]:
    # Step: twice the 320 mV/s an ECG device has to follow, strong: the 5 mV it has to show (both ANSI/AAMI
    # EC11). Weak: half of what QRS complexes of 0.15 mV leave, the largest that must not count as beats
    # (EC13). Kurtosis (of the pulse band): Zhao & Zhang 2018 ask for over 5, but fixed limits are fragile
    # (Rahman et al. 2022): 4 refuses 99 % of white noise in place of ECG (2.9, 99 % under 4.07), mains (1.5),
    # and 1.2 % of eegmat's tokens in which every beat looks like the others (first 10 people). Band: of all
    # frequencies 0.3 % of those tokens have under 17 %, muscle 5 %, drift alone 4 %, mains alone under 1 %.
    return {
        "max_step_per_s": 640.0,
        "min_deviation": 0.01,
        "max_deviation": 5.0,
        "min_kurtosis": 4.0,
        "min_band_share": 0.1,
    }


def _ppg(rate_hz: float) -> dict[str, Any]:
    # Pulse band 0.7-3.5 Hz: the pulse itself at 42 to 210 per minute, few of its harmonics. Chosen over the
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


def _ppg_2(rate_hz: float) -> dict[str, Any]:
    # Chosen on the first 13 people of Stress-Predict (wrist, 5 s). Where the watch itself kept beats, 99.5 %
    # of tokens have a regularity over 0.5 and a band share over 0.67; white noise has 0.27 and 9 % (16 % at
    # most), strong motion 0.28 (99 % under 0.52) and 38 % (95 % under 50 %). 0.35 and 50 % refuse 0.2 % of
    # the former, all noise, 98 % of strong motion, and 24 % of all tokens; 0.5 would refuse 40 %. Skewness
    # (Elgendi 2016) stays off: its sign is the sensor's polarity, and one token's noise has any.
    return {"min_band_share": 0.5, "min_regularity": 0.35}


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


def _eda_2(rate_hz: float) -> dict[str, Any]:
    # Step: 10 uS/s (Kleckner et al. 2018). Flat: coarse converters repeat values, 4.25 s at most in 26
    # people's Stress-Predict recordings, so 5 s. Averaged down to no less than 4 Hz, where wrist-worn EDA
    # is sampled. The step of 10 uS/s is one of 2.5 uS between samples at 4 Hz, and stays 2.5 uS at higher
    # rates, where a converter's noise alone would reach 10 uS/s.
    return {
        "decimate": _averaging(rate_hz, 4.0),
        "max_step_per_s": 10.0 * max(1.0, rate_hz / 4),
        "max_flat_s": 5.0,
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


def _temp_2(rate_hz: float) -> dict[str, Any]:
    # Chosen on Stress-Predict: 19 of 26 people never exceed 0.8 degC/s, the others do in glitches of up to
    # 19; its converter repeats values for up to 18 s. Above 4 Hz the step stays 0.5 degC, as in eda.
    return {
        "decimate": _averaging(rate_hz, 4.0),
        "max_step_per_s": 2.0 * max(1.0, rate_hz / 4),
        "max_flat_s": 60.0,
    }


def _acc(rate_hz: float) -> dict[str, Any]:
    # Range: +-16 g, the widest of common wrist parts. The E4's own rails are +-2 g. Never flat: an axis of a
    # resting wrist repeats its value for over a minute (77 s in Stress-Predict).
    return {
        "unit": "g",
        "channels": ("x", "y", "z"),
        "minimum": -16.0,
        "maximum": 16.0,
        "rail_low": -15.9,
        "rail_high": 15.9,
        "hold_s": 0.1,
    }


def _resp(rate_hz: float) -> dict[str, Any]:
    # Breath band 0.1-0.6 Hz: 6 to 36 breaths a minute (Khodadad et al. 2018, Physiol. Meas. 39:094001).
    # Context 60 s: 6 breaths of the slowest. Averaged to 8 Hz or more: breath times to an eighth of a
    # second. Belts differ in unit, so range and rails are only what float32 filters bear: set the ADC's
    # own.
    return {
        "unit": "a.u.",
        "channels": ("RESP",),
        "decimate": _averaging(rate_hz, 8.0),
        "baseline_s": 10.0,
        "bands": ({"name": "breath", "low_hz": 0.1, "high_hz": 0.6},),
        "context_s": 60.0,
        "minimum": -1e7,
        "maximum": 1e7,
        "rail_low": -9e6,
        "rail_high": 9e6,
        "max_flat_s": 2.0,
        "hold_s": 0.5,
    }


def _resp_2(rate_hz: float) -> dict[str, Any]:
    # Chosen: a belt's signal is mostly breathing, a hanging or disconnected one is not (Hexoskin's status
    # bits name the same three faults: baseline, disconnected, high frequencies). White noise has 12 %, 95 %
    # of it under 26 %.
    return {"min_band_share": 0.25}


def _nothing(rate_hz: float) -> dict[str, Any]:
    return {}


_Defaults = Callable[[float], dict[str, Any]]
_VERSION_1: dict[str, _Defaults] = {
    "eeg": _eeg, "ecg": _ecg, "ppg": _ppg, "eda": _eda, "temp": _temp, "acc": _acc,
}  # fmt: skip
_VERSION_2: dict[str, tuple[_Defaults, _Defaults]] = {
    "eeg": (_eeg, _eeg_2),
    "ecg": (_ecg, _ecg_2),
    "ppg": (_ppg, _ppg_2),
    "eda": (_eda, _eda_2),
    "temp": (_temp, _temp_2),
    "acc": (_acc, _nothing),
    "eog": (_eog, _eog_2),
    "emg": (_emg, _emg_2),
    "resp": (_resp, _resp_2),
}


def modality_defaults(name: str, rate_hz: float, version: int, unit: str | None = None) -> dict[str, Any]:
    """Return the settings a front end of this version takes where a file leaves them out.

    Parameters
    ----------
    name : str
        Modality.
    rate_hz : float
        Its sampling rate.
    version : int
        1 knows six modalities and only the rules it always had.
    unit : str, optional
        Of the samples. In another unit than the default's, limits in that unit are off instead of wrong.

    Raises
    ------
    ValueError
        When this version has no such modality.

    Examples
    --------
    >>> modality_defaults("eda", 64.0, 2)["decimate"], modality_defaults("resp", 250.0, 2)["decimate"]
    (16, 31)
    >>> "max_step_per_s" in modality_defaults("eda", 64.0, 1)
    False
    """
    known = tuple(_VERSION_1) if version == 1 else SUPPORTED_MODALITIES
    if name not in known:
        raise ValueError(f"modality {name!r} is unknown, expected one of {', '.join(known)}")
    if version == 1:
        return _VERSION_1[name](rate_hz)
    old, new = _VERSION_2[name]
    settings = {**old(rate_hz), **new(rate_hz)}
    if unit is not None and unit != settings["unit"]:
        settings = {key: value for key, value in settings.items() if key not in _UNIT_BOUND}
    return settings
