"""Float64 twin of every feature in the C core, on NumPy and SciPy: what the tests compare the core with.

Each function takes plain arrays and returns floats; `reference_stream.py` cuts recordings into tokens with
them. A feature that cannot be measured is NaN. Written for reading, not for speed; never used in training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import signal

HALF_LOG_2_PI_E = 0.5 * np.log(2 * np.pi * np.e)
SMALLEST = 1e-12
SCR_US = 0.01
INTERVAL_TOLERANCE = 0.25
SLOWEST_BEAT_S = 2.0
FLOOR_S = 1e-3
FLOOR_SHARE = 1e-3
SHORTEST_SKEWNESS = 8


def second_order(rows: np.ndarray) -> np.ndarray:
    """Turn ``b0 b1 b2 a1 a2`` rows into SciPy's sections, float64, shape (sections, 6)."""
    wide = np.asarray(rows, dtype=np.float64)
    return np.column_stack([wide[:, :3], np.ones(len(wide)), wide[:, 3:]])


def filtered(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Run second-order sections over the last axis of `x`, float64; no rows leave it as it is."""
    return np.asarray(signal.sosfilt(second_order(rows), x, axis=-1)) if len(rows) else np.asarray(x)


def remove_baseline(x: np.ndarray, alpha: float) -> np.ndarray:
    """Subtract a running baseline that starts at the first sample.

    ``b[0] = x[0]``, ``y[i] = x[i] - b[i]``, ``b[i+1] = b[i] + alpha * y[i]``: a one-pole high-pass, in the
    unit of `x`. Source: first-order DC blocker, as in any analogue front end.

    Examples
    --------
    >>> remove_baseline(np.full(4, 7.0), 0.1)
    array([0., 0., 0., 0.])
    >>> remove_baseline(np.array([0.0, 1.0, 1.0]), 0.5)
    array([0. , 1. , 0.5])
    """
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(signal.lfilter([1.0, -1.0], [1.0, alpha - 1.0], x - x[0]))


def differential_entropy(x: np.ndarray) -> float:
    """Differential entropy of a Gaussian with the variance of `x`, in nats.

    ``0.5 * ln(2 * pi * e * var(x))``, variance with divisor n, at least 1e-12.
    Source: Duan, Zhu & Lu 2013 (IEEE NER, p. 81).

    Examples
    --------
    A sine of amplitude 2 over whole periods has variance 2; a constant gives the floor.

    >>> x = 2 * np.sin(2 * np.pi * np.arange(100) / 20)
    >>> round(differential_entropy(x), 6)
    1.765512
    >>> round(differential_entropy(np.ones(10)), 6)
    -12.396572
    >>> x = np.random.default_rng(0).standard_normal(100_000)
    >>> round(differential_entropy(x), 2)
    1.42
    """
    return float(HALF_LOG_2_PI_E + 0.5 * np.log(max(np.var(np.asarray(x, dtype=np.float64)), SMALLEST)))


def log_power_density(x: np.ndarray, rate_hz: float, bins: np.ndarray, size: int) -> np.ndarray:
    """Natural logarithm of the mean power density of each band, ln(unit^2/Hz).

    Welch's mean over Hann segments of `size` samples, half overlapping, not detrended:
    ``2 / (rate * sum(w^2)) * |X_k|^2``, averaged over the bins ``[first, stop)`` of a band, at least 1e-12.
    Source: Welch 1967 (IEEE Trans. Audio Electroacoust. 15(2):70).

    Parameters
    ----------
    x : ndarray, shape (samples,)
    rate_hz : float
    bins : ndarray of int, shape (bands, 2)
    size : int

    Examples
    --------
    A sine of amplitude 1 on bin 8 of 64 puts 0.5 into three bins of 1 Hz.

    >>> x = np.sin(2 * np.pi * 8 * np.arange(128) / 64)
    >>> round(float(np.exp(log_power_density(x, 64.0, np.array([[7, 10]]), 64))[0]), 6)
    0.166667
    >>> bool(np.isnan(log_power_density(x[:10], 64.0, np.array([[7, 10]]), 64))[0])
    True
    """
    x = np.asarray(x, dtype=np.float64)
    if len(x) < size:
        return np.full(len(bins), np.nan)
    _, density = signal.welch(x, rate_hz, "hann", size, size // 2, detrend=False)  # type: ignore[arg-type]
    return np.log([max(float(density[a:b].mean()), SMALLEST) for a, b in bins])


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
    """

    places: np.ndarray
    intervals: np.ndarray
    amplitudes: np.ndarray
    known_at: np.ndarray


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
        return Beats(*(np.zeros(0) for _ in range(4)))
    long_mean = np.convolve(energy, np.ones(beat_window) / beat_window, "valid")
    short_mean = np.convolve(energy, np.ones(peak_window) / peak_window, "same")[half : half + len(long_mean)]
    slow = np.asarray(signal.lfilter([0.002], [1.0, -0.998], long_mean))
    above = np.concatenate([[False], short_mean > long_mean + offset * slow, [False]]).astype(int)
    starts, stops = (np.flatnonzero(np.diff(above) == s) for s in (1, -1))
    beats = _collect(y, energy, starts + half, stops + half, peak_window, refractory, len(y) - half)
    if rectify:
        return beats
    return replace(beats, amplitudes=np.sqrt(energy[np.round(beats.places).astype(int)]))


def _collect(y, energy, starts, stops, shortest, refractory, end) -> Beats:  # noqa: ANN001
    rows, lowest_from, floor = [], 0, 0.0
    for start, stop in zip(starts, stops, strict=True):
        if stop >= end or stop - start < shortest:
            continue
        best = start + int(np.argmax(energy[start:stop]))
        before = energy[best - 1] if best > len(y) - end else 0.0
        curve = before - 2 * energy[best] + energy[best + 1]
        shift = float(np.clip(0.5 * (before - energy[best + 1]) / curve, -0.5, 0.5)) if curve < 0 else 0.0
        if rows and best - round(rows[-1][4]) < refractory:
            continue
        lowest = min(floor, y[max(lowest_from, len(y) - end) : stop + 1].min())
        interval = best + shift - rows[-1][0] if rows else 0.0
        rows.append((best + shift, interval, y[best] - lowest, stop, best))
        lowest_from, floor = stop + 1, y[best]
    table = np.array(rows).reshape(-1, 5)
    return Beats(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


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
