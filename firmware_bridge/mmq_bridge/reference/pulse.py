# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of beats, heart rate variability and the pulse spectrum (ecg, ppg). See `reference.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import signal

INTERVAL_TOLERANCE = 0.25
SLOWEST_BEAT_S = 2.0
FLOOR_S = 1e-3
FLOOR_SHARE = 1e-3
SHORTEST_SKEWNESS = 8


@dataclass(frozen=True)
class Beats:
    """Beats of a stretch, all in samples or the signal's unit.

    Attributes
    ----------
    places, intervals : ndarray
        Fractional samples; an interval is to the beat before, 0 where unknown.
    amplitudes : ndarray
    known_at : ndarray
        Sample at which the beat's block ended.
    samples : ndarray
        Whole sample nearest to each place, where the energy is greatest.
    """

    places: np.ndarray
    intervals: np.ndarray
    amplitudes: np.ndarray
    known_at: np.ndarray
    samples: np.ndarray


def find_beats(
    y: np.ndarray, peak_window: int, beat_window: int, refractory: int, offset: float, *, rectify: bool
) -> Beats:
    """Beats where a short moving average of the energy exceeds a long one.

    Energy is ``y^2``, with `rectify` that of the positive half (PPG). A block is a run of samples with
    ``short > long + offset * mean``, `mean` being a slow mean of the long average; a block of at least
    `peak_window` samples gives a beat at its greatest energy, refined by a parabola. Its amplitude is, with
    `rectify`, the peak less the lowest value since the beat before, else the peak's absolute value.
    Source: Elgendi et al. 2013, PLoS ONE 8(9):e73557 (ECG) and 8(10):e76585 (PPG), with a running mean.

    Parameters
    ----------
    y : ndarray
        Band-passed samples.
    peak_window, beat_window : int
        Odd lengths of the two averages, samples.
    refractory : int
        No second beat within so many samples.
    offset : float
        Share of the mean energy.
    rectify : bool

    Examples
    --------
    >>> t = np.arange(640) / 64
    >>> beats = find_beats(np.maximum(np.sin(2 * np.pi * 1.0 * t), 0) ** 3, 7, 43, 19, 0.02, rectify=True)
    >>> [round(float(p), 2) for p in beats.places[:3]]
    [80.0, 144.0, 208.0]
    """
    y = np.asarray(y, dtype=np.float64)
    energy = np.where(rectify & (y < 0), 0.0, y * y)
    half = beat_window // 2
    if len(y) < beat_window:
        return Beats(*(np.zeros(0) for _ in range(5)))
    long_mean = np.convolve(energy, np.ones(beat_window) / beat_window, "valid")
    short_mean = np.convolve(energy, np.ones(peak_window) / peak_window, "same")[half : half + len(long_mean)]
    slow = np.asarray(signal.lfilter([0.002], [1.0, -0.998], long_mean))
    above = np.concatenate([[False], short_mean > long_mean + offset * slow, [False]]).astype(int)
    starts, stops = (np.flatnonzero(np.diff(above) == s) for s in (1, -1))
    beats = _collect(y, energy, starts + half, stops + half, peak_window, refractory, len(y) - half)
    if rectify:
        return beats
    return replace(beats, amplitudes=np.sqrt(energy[beats.samples.astype(int)]))


def _collect(y, energy, starts, stops, shortest, refractory, end) -> Beats:  # noqa: ANN001
    rows, lowest_from, floor = [], 0, 0.0
    for start, stop in zip(starts, stops, strict=True):
        if stop >= end or stop - start < shortest:
            continue
        best = start + int(np.argmax(energy[start:stop]))
        before = energy[best - 1] if best > len(y) - end else 0.0
        curve = before - 2 * energy[best] + energy[best + 1]
        shift = float(np.clip(0.5 * (before - energy[best + 1]) / curve, -0.5, 0.5)) if curve < 0 else 0.0
        if rows and best - rows[-1][4] < refractory:
            continue
        lowest = min(floor, y[max(lowest_from, len(y) - end) : stop + 1].min())
        interval = best + shift - rows[-1][0] if rows else 0.0
        rows.append((best + shift, interval, y[best] - lowest, stop, best))
        lowest_from, floor = stop + 1, y[best]
    table = np.array(rows).reshape(-1, 5)
    return Beats(*table.T)


def accepted_intervals(intervals: np.ndarray, slowest: float) -> tuple[np.ndarray, float]:
    """Mark the intervals within 25 % of their median; robust while most are right.

    Parameters
    ----------
    intervals : ndarray
        0 where unknown; same unit as `slowest`.
    slowest : float
        Longer ones do not enter the median.

    Returns
    -------
    ndarray of bool, float
        The marks and the median (NaN under three intervals).

    Examples
    --------
    >>> accepted_intervals(np.array([0.0, 0.8, 0.82, 0.81, 1.62, 0.4]), 2.0)
    (array([False,  True,  True,  True, False, False]), 0.81)
    """
    usable = intervals[(intervals > 0) & (intervals < slowest)]
    if len(usable) < 3:
        return np.zeros(len(intervals), bool), float("nan")
    median = float(np.median(usable))
    return np.abs(intervals - median) <= INTERVAL_TOLERANCE * median, median


def heart_rate_variability(intervals_s: np.ndarray, context_s: float) -> dict[str, float]:
    """Heart rate and its variability from the accepted intervals.

    ``heart_rate = 60 / mean`` per minute; ``sdnn = ln(d + 0.001)``, d their deviation in s (divisor n);
    ``rmssd = ln(r + 0.001)``, r the root mean square in s of steps between neighbours, both accepted (both
    ln(s)); ``pnn50`` the share of steps over 50 ms; ``accepted_share`` accepted seconds over `context_s`. At
    least 3 intervals, for steps at least 3. Source: Task Force 1996 (Circulation 93:1043), in logarithms
    because both are skewed to the right.

    Examples
    --------
    >>> hrv = heart_rate_variability(np.array([0.8, 0.9, 0.8, 0.9, 0.8]), 30.0)
    >>> round(hrv["heart_rate"], 3), round(float(np.exp(hrv["rmssd"])), 6), hrv["pnn50"]
    (71.429, 0.101, 1.0)
    >>> round(float(np.exp(hrv["sdnn"])), 5), round(hrv["accepted_share"], 3)
    (0.04999, 0.14)
    >>> heart_rate_variability(np.zeros(0), 30.0)["accepted_share"]
    0.0
    """
    out = dict.fromkeys(("heart_rate", "sdnn", "rmssd", "pnn50"), float("nan")) | {"accepted_share": 0.0}
    good, median = accepted_intervals(intervals_s, SLOWEST_BEAT_S)
    if np.isnan(median):
        return out
    chosen = intervals_s[good]
    out["accepted_share"] = float(chosen.sum() / context_s)
    if len(chosen) < 3:
        return out
    out["heart_rate"], out["sdnn"] = 60.0 / float(chosen.mean()), float(np.log(chosen.std() + FLOOR_S))
    steps = np.diff(intervals_s)[good[1:] & good[:-1]]
    if len(steps) >= 3:
        out["rmssd"] = float(np.log(np.sqrt(np.mean(steps**2)) + FLOOR_S))
        out["pnn50"] = float(np.mean(np.abs(steps) > 0.05))
    return out


def pulse_amplitude(amplitudes: np.ndarray) -> tuple[float, float]:
    """Compute the logs of the median pulse height and of the heights' deviation, both ln(unit).

    ``ln(median)`` and ``ln(std + 0.001 * median)``, divisor n; at least 3 pulses. A pulse that shrinks varies
    less, so the deviation is not divided by the median: the difference of the two is the log of the share.

    Examples
    --------
    >>> level, variation = pulse_amplitude(np.array([1.0, 2.0, 3.0]))
    >>> round(level, 6), round(float(np.exp(variation)), 6)
    (0.693147, 0.818497)
    """
    if len(amplitudes) < 3 or not np.median(amplitudes) > 1e-9:
        return float("nan"), float("nan")
    median = float(np.median(amplitudes))
    return float(np.log(median)), float(np.log(np.std(amplitudes) + FLOOR_SHARE * median))


def skewness(x: np.ndarray) -> float:
    """Third standardised moment of the band-passed pulse wave of one token, no unit.

    ``mean(((x - mean) / std)^3)``. Source: Elgendi 2016 (Bioengineering 3(4):21): the best single PPG index.

    Examples
    --------
    >>> round(skewness(np.sin(2 * np.pi * np.arange(100) / 20)), 6) + 0.0
    0.0
    >>> round(skewness(np.array([0.0, 0.0, 0.0, 1.0])), 6)
    1.154701
    """
    x = np.asarray(x, dtype=np.float64)
    deviation = x.std()
    return float(np.mean(((x - x.mean()) / deviation) ** 3)) if deviation > 1e-12 else float("nan")


def spectral_pulse(x: np.ndarray, rate_hz: float, size: int, low: int, high: int) -> tuple[float, float]:
    """Pulse rate (per minute) of the highest spectral peak, and the share of power within 3 bins of it.

    Hann window, zero-padded to `size`, peak among bins low to high refined by a parabola; the share is of the
    power in those bins. Robust where beats are lost: Temko 2017 (IEEE TBME 64(9):2016) starts likewise.

    Examples
    --------
    >>> t = np.arange(480) / 16
    >>> rate, purity = spectral_pulse(np.sin(2 * np.pi * 1.2 * t), 16.0, 512, 22, 112)
    >>> round(rate, 1), round(purity, 2)
    (71.8, 1.0)
    """
    window = signal.get_window("hann", len(x))
    power = np.abs(np.fft.rfft(np.asarray(x, dtype=np.float64) * window, size)) ** 2
    total = power[low : high + 1].sum()
    if not total > 0:
        return float("nan"), float("nan")
    best = low + int(np.argmax(power[low : high + 1]))
    left, middle, right = power[best - 1 : best + 2]
    curve = left - 2 * middle + right
    shift = float(np.clip(0.5 * (left - right) / curve, -0.5, 0.5)) if curve < 0 else 0.0
    return (best + shift) * 60.0 * rate_hz / size, float(power[best - 3 : best + 4].sum() / total)
