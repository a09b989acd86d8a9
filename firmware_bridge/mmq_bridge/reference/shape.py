# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of what the quality rules measure in a token's waveform. See `reference_quality.py`."""

from __future__ import annotations

import numpy as np


def deviation(x: np.ndarray) -> float:
    """Return the population standard deviation, in the unit of `x`.

    ``sqrt(mean((x - mean(x))^2))``.

    Examples
    --------
    >>> round(deviation(2 * np.sin(2 * np.pi * np.arange(100) / 20)), 6), deviation(np.ones(9))
    (1.414214, 0.0)
    """
    return float(np.std(np.asarray(x, dtype=np.float64)))


def kurtosis(x: np.ndarray) -> float:
    """Fourth standardised moment, no unit; 3 for a constant, as for Gaussian noise.

    ``mean((x - mean)^4) / var^2``. An ECG whose QRS complexes stand out has over 5: Zhao & Zhang 2018 (Front.
    Physiol. 9:727).

    Examples
    --------
    A sine has 1.5, noise 3, ten peaks in a hundred samples over 8.

    >>> round(kurtosis(np.sin(2 * np.pi * np.arange(100) / 20)), 6)
    1.5
    >>> round(kurtosis(np.random.default_rng(0).standard_normal(100_000)), 1)
    3.0
    >>> round(kurtosis(np.arange(100) % 10 == 0), 3), kurtosis(np.ones(9))
    (8.111, 3.0)
    """
    x = np.asarray(x, dtype=np.float64)
    rest = x - x.mean()
    variance = float(np.mean(rest**2))
    return float(np.mean(rest**4) / variance**2) if variance > 0 else 3.0


def band_share(band: np.ndarray, whole: np.ndarray) -> float:
    """Variance of the band-passed samples over that of all, no unit; NaN, never judged, for a constant.

    Source: the relative power of the QRS of Zhao & Zhang 2018 (Front. Physiol. 9:727), with the filter at
    hand.

    Examples
    --------
    >>> t = np.arange(200) / 20
    >>> slow, quick = np.sin(2 * np.pi * t), np.sin(2 * np.pi * 5 * t)
    >>> round(band_share(slow, slow + 3 * quick), 6)
    0.1
    >>> band_share(np.zeros(9), np.ones(9))
    nan
    """
    variance = float(np.var(np.asarray(whole, dtype=np.float64)))
    return float(np.var(np.asarray(band, dtype=np.float64))) / variance if variance > 0 else np.nan


def regularity(x: np.ndarray, low_lag: int, high_lag: int) -> float:
    """Greatest autocorrelation at a lag between two beats, no unit; 0 for a constant.

    ``max over lags of sum(x[i] * x[i+lag]) / sqrt(sum(x[i]^2) * sum(x[i+lag]^2))`` without the mean of `x`:
    1 where each pulse repeats the one before. Where `x` is NaN, of the pairs that are there; NaN when a lag
    has fewer of them than `high_lag`. Source: template matching as Orphanidou et al. 2015 (IEEE JBHI
    19(3):832), with the wave one beat earlier as its template.

    Parameters
    ----------
    x : ndarray, shape (samples,)
        Band-passed pulse wave.
    low_lag, high_lag : int
        Samples between two beats, at least and at most.

    Examples
    --------
    A sine of 16 samples a period repeats itself, noise does not.

    >>> round(regularity(np.sin(2 * np.pi * np.arange(160) / 16), 5, 23), 6)
    1.0
    >>> regularity(np.random.default_rng(0).standard_normal(500), 5, 23) < 0.15
    True
    >>> regularity(np.ones(100), 5, 23)
    0.0

    Some lost samples leave it as it is; too many do not let it be judged.

    >>> x = np.sin(2 * np.pi * np.arange(80) / 16)
    >>> x[20:30] = np.nan
    >>> regularity(x, 5, 23) > 0.99, regularity(x[:50], 5, 23)
    (True, nan)
    """
    x = np.asarray(x, dtype=np.float64)
    x = x - np.nanmean(x)
    pairs = [(x[:-lag], x[lag:]) for lag in range(low_lag, high_lag + 1)]
    parts = [(a[good], b[good]) for a, b in pairs if (good := np.isfinite(a * b)).sum() >= high_lag]
    if len(parts) < len(pairs):
        return float("nan")
    if not np.nanstd(x) > 1e-12:
        return 0.0
    return max(float(a @ b / np.sqrt((a @ a) * (b @ b))) for a, b in parts)
