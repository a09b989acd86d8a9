# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of the filter bank's features (eeg, eog, emg), on NumPy and SciPy.

`reference*.py` are what the tests compare the core with: `reference_filters.py` the way to the features,
`reference_pulse.py` ecg and ppg, `reference_slow.py` eda, temp and acc, `reference_breath.py` resp,
`reference_shape.py` and `reference_quality.py` the quality rules. Each function takes plain arrays and
returns floats; `reference_stream.py` cuts recordings into tokens with them. A feature that cannot be
measured is NaN. Written for reading, not for speed; never used in training.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

HALF_LOG_2_PI_E = 0.5 * np.log(2 * np.pi * np.e)
SMALLEST = 1e-12
FLOOR_RMS = 1e-3


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


def log_rms(x: np.ndarray) -> float:
    """Natural logarithm of the rms of the signal without its mean, ln(unit).

    ``ln(sqrt(mean(x^2) - mean(x)^2) + 0.001)``: the rms of a zero-mean EMG is its standard deviation, and
    what the running baseline left of the offset does not count. Source: De Luca 1997 (J. Appl. Biomech.
    13:135): the rms is the measure of EMG amplitude.

    Examples
    --------
    A sine of amplitude 2 has an rms of sqrt(2); a constant gives the floor.

    >>> round(float(np.exp(log_rms(2 * np.sin(2 * np.pi * np.arange(100) / 20)))), 6)
    1.415214
    >>> round(log_rms(np.ones(10)), 6)
    -6.907755
    >>> round(float(np.exp(log_rms(np.random.default_rng(0).standard_normal(100_000)))), 2)
    1.0
    """
    return float(np.log(np.std(np.asarray(x, dtype=np.float64)) + FLOOR_RMS))


def mean_frequency(x: np.ndarray, rate_hz: float, size: int) -> float:
    """Mean frequency of the power spectrum, Hz.

    ``sum(f_k * P_k) / sum(P_k)`` over the bins 1 to `size` / 2 of the powers of Hann segments of `size`
    samples, half overlapping, not detrended; NaN without a whole segment or without power. Source:
    Phinyomark et al. 2012 (in Computational Intelligence in Electromyography Analysis, ch. 8); it falls as a
    muscle tires.

    Parameters
    ----------
    x : ndarray, shape (samples,)
    rate_hz : float
    size : int

    Examples
    --------
    A sine has its own frequency, white noise the middle of its bins: 2 to 64 Hz.

    >>> round(mean_frequency(np.sin(2 * np.pi * 16 * np.arange(256) / 128), 128.0, 64), 6)
    16.0
    >>> noise = np.random.default_rng(0).standard_normal(100_000)
    >>> round(mean_frequency(noise, 128.0, 64), 0)
    33.0
    >>> bool(np.isnan(mean_frequency(np.zeros(256), 128.0, 64)))
    True
    """
    x = np.asarray(x, dtype=np.float64)
    if len(x) < size:
        return float("nan")
    window = signal.get_window("hann", size)
    starts = range(0, len(x) - size + 1, size // 2)
    power = sum(np.abs(np.fft.rfft(x[start : start + size] * window)) ** 2 for start in starts)
    frequency, power = np.arange(1, size // 2 + 1) * rate_hz / size, np.asarray(power)[1:]
    return float(frequency @ power / power.sum()) if power.sum() > 0 else float("nan")
