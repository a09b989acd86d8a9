# SPDX-License-Identifier: Apache-2.0
"""SIMULATED signals of every modality, the same on every machine: rounded to the steps of a converter.

Sines differ in their last bits between versions of NumPy; a multiple of a power of two does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmq_bridge.targets.script import uniform

STEP = {"eeg": 2.0**-5, "eog": 2.0**-5, "emg": 2.0**-5, "ecg": 2.0**-10, "ppg": 2.0**-6, "eda": 2.0**-12}
STEP |= {"temp": 2.0**-7, "acc": 2.0**-9, "resp": 2.0**-9}
"""Least significant bit of each modality's converter, in its unit."""
TYPICAL_BEAT_S = 0.8


@dataclass(frozen=True)
class PlainSignal:
    """Samples float32 [channels, n], rate in Hz, start in s."""

    samples: np.ndarray
    sampling_rate_hz: float
    start_s: float = 0.0


def simulate(name: str, channels: int, rate_hz: float, seconds: float, seed: int) -> PlainSignal:
    """Make up one modality.

    Parameters
    ----------
    name : str
        One of the nine.
    channels : int
        Rows; accelerometers have three each.
    rate_hz, seconds : float
    seed : int
        Of noise and beats.
    """
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    rows = [_MAKERS[name](t, channel, seed) for channel in range(channels)]
    samples = np.round(np.array(rows) / STEP[name]) * STEP[name]
    return PlainSignal(samples.astype(np.float32), rate_hz)


def noise(n: int, seed: int) -> np.ndarray:
    """Nearly normal noise of standard deviation 1: the sum of four uniform numbers."""
    return (uniform(4 * n, seed).reshape(4, n).sum(axis=0) - 2.0) * np.sqrt(3.0)


def _events(stop_s: float, period_s: float, spread_s: float, seed: int) -> np.ndarray:
    draws = uniform(int(stop_s / (period_s - spread_s)) + 2, seed)
    return np.cumsum(period_s + spread_s * (2 * draws - 1))


def _bumps(t: np.ndarray, events_s: np.ndarray, width_s: float) -> np.ndarray:
    """Put a Gaussian bump of height 1 at every event."""
    out = np.zeros(len(t))
    for at in events_s:
        first, last = np.searchsorted(t, (at - 6 * width_s, at + 6 * width_s))
        out[first:last] += np.exp(-0.5 * ((t[first:last] - at) / width_s) ** 2)
    return out


def _sine(t: np.ndarray, hz: float, phase: float = 0.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * t + phase)


def _beats(t: np.ndarray, seed: int) -> np.ndarray:
    return _events(t[-1] + 2 if len(t) else 2, TYPICAL_BEAT_S, 0.06, seed)


def _eeg(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """Alpha, a slow wave, mains, broadband noise on an electrode offset; uV."""
    mains, offset = 6 * _sine(t, 50.0, 0.3 * channel), 300.0 - 70.0 * channel
    waves = 14 * _sine(t, 10.2, 0.2 * channel) + 9 * _sine(t, 2.1, 0.5 * channel)
    return offset + waves + mains + 7 * noise(len(t), seed + 31 * channel)


def _eog(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """Blinks and slow drift; uV."""
    blinks = _bumps(t, _events(t[-1] + 4, 3.1, 1.0, seed), 0.09)
    return 180 * blinks / (1 + channel) + 30 * _sine(t, 0.3) + 4 * noise(len(t), seed + 17 * channel)


def _emg(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """Bursts of noise; uV."""
    bursts = 4 + 60 * _bumps(t, _events(t[-1] + 4, 2.7 + channel, 0.5, seed), 0.4)
    return 40.0 + bursts * noise(len(t), seed + 13 * channel)


def _ecg(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """R peaks, T waves and wander; mV."""
    beats = _beats(t, seed)
    waves = _bumps(t, beats, 0.011) + 0.22 * _bumps(t, beats + 0.28, 0.05)
    return (1.1 - 0.3 * channel) * waves + 0.2 * _sine(t, 0.2) + 0.02 * noise(len(t), seed + 7 * channel)


def _ppg(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """Pulse waves, each with a second, smaller one; a.u."""
    beats = _beats(t, seed) + 0.2
    waves = _bumps(t, beats, 0.085) + 0.3 * _bumps(t, beats + 0.3, 0.1)
    return 200 + (60 - 20 * channel) * waves + 4 * _sine(t, 0.25) + 0.4 * noise(len(t), seed + 5 * channel)


def _eda(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """Skin conductance responses on a tonic level; uS."""
    responses = _bumps(t, _events(t[-1] + 9, 9.0, 3.0, seed + channel), 1.6)
    return 2.2 + 0.5 * channel + 0.002 * t + 0.35 * responses + 0.002 * noise(len(t), seed + 3 * channel)


def _temp(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """Slowly warming skin; degC."""
    return 33.1 + 0.4 * channel + 0.002 * t + 0.01 * noise(len(t), seed + channel)


def _acc(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """Gravity, and moves now and then; g."""
    gravity = (0.12, -0.2, 0.96)[channel % 3]
    moving = 0.01 + 0.3 * _bumps(t, _events(t[-1] + 12, 11.0, 2.0, seed + channel // 3), 1.0)
    return gravity + moving * noise(len(t), seed + 101 * channel)


def _resp(t: np.ndarray, channel: int, seed: int) -> np.ndarray:
    """Breaths of changing length and depth; a.u."""
    breaths = _bumps(t, _events(t[-1] + 8, 3.8, 0.6, seed), 1.0)
    return (
        10.0 + (2.0 - 0.5 * channel) * breaths + 0.1 * _sine(t, 0.05) + 0.01 * noise(len(t), seed + channel)
    )


_MAKERS = {"eeg": _eeg, "eog": _eog, "emg": _emg, "ecg": _ecg, "ppg": _ppg, "eda": _eda, "temp": _temp}
_MAKERS |= {"acc": _acc, "resp": _resp}
