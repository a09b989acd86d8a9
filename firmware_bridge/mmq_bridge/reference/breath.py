# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of breathing rate, depth and their variability (resp). See `reference.py`."""

from __future__ import annotations

import numpy as np

from mmq_bridge.front_end.modalities import OUTPUT_FEATURES

HYSTERESIS = 0.5
FLOOR_S = 1e-3
FLOOR_SHARE = 1e-3


def extrema(y: np.ndarray, step: float) -> tuple[list[int], list[float]]:
    """Find maxima, and the minimum between each two, by hysteresis.

    A maximum is confirmed when `y` falls `step` below it, a minimum when it rises `step` above it, in turns;
    the first may be either. Source: like the adaptive threshold of Khodadad et al. 2018 (Physiol. Meas.
    39(9):094001).

    Parameters
    ----------
    y : ndarray, shape (samples,)
    step : float
        Above 0, in the unit of `y`.

    Returns
    -------
    list of int, list of float
        Places of the maxima; the minima between neighbours, one fewer.

    Examples
    --------
    >>> extrema(np.array([0.0, 2.0, 0.0, 0.5, 0.2, 3.0, 1.0, 4.0, 3.9]), 1.0)
    ([1, 5], [0.0])
    """
    maxima: list[int] = []
    high_at = low_at = 0
    seek_high = seek_low = True
    for i, value in enumerate(y):
        high_at = i if value > y[high_at] else high_at
        low_at = i if value < y[low_at] else low_at
        if seek_high and value <= y[high_at] - step:
            maxima.append(high_at)
            low_at, seek_high, seek_low = i, False, True
        elif seek_low and value >= y[low_at] + step:
            high_at, seek_high, seek_low = i, True, False
    return maxima, [float(np.min(y[a:b])) for a, b in zip(maxima[:-1], maxima[1:], strict=True)]


def resp_features(y: np.ndarray, rate_hz: float) -> dict[str, float]:
    """Breathing over the context.

    Breaths end at the maxima of the band-passed signal, found with a hysteresis of half its deviation; a
    period is the time between two, a depth the maximum less the minimum before it. ``rate = 60 /
    mean(period)``, 1/min; ``depth = ln(mean(depth))``, ln(unit); ``rate_variability = ln(std(period) +
    0.001)``, ln(s); ``depth_variability = ln(std(depth) + 0.001 * mean(depth))``, ln(unit), both with
    divisor n. Rate and depth need two breaths, the variabilities three. Source: Khodadad et al. 2018
    (extrema); the logarithms, since all but the rate are skewed to the right.

    Parameters
    ----------
    y : ndarray, shape (samples,)
        Band-passed samples of the context.
    rate_hz : float

    Examples
    --------
    A sine of amplitude 2 at 15 breaths a minute.

    >>> f = resp_features(2 * np.sin(2 * np.pi * 0.25 * np.arange(480) / 8), 8.0)
    >>> f["rate"], round(float(np.exp(f["depth"])), 6)
    (15.0, 4.0)
    >>> round(f["rate_variability"], 4), round(float(np.exp(f["depth_variability"])), 6)
    (-6.9078, 0.004)
    >>> resp_features(np.ones(480), 8.0)["rate"]
    nan
    """
    out = dict.fromkeys(OUTPUT_FEATURES["resp"], float("nan"))
    y = np.asarray(y, dtype=np.float64)
    step = HYSTERESIS * float(np.std(y)) if len(y) else 0.0
    if not step > 0:
        return out
    maxima, minima = extrema(y, step)
    periods, depths = np.diff(maxima) / rate_hz, y[maxima[1:]] - np.array(minima)
    if len(periods) >= 2:
        out["rate"], out["depth"] = 60.0 / float(periods.mean()), float(np.log(depths.mean()))
    if len(periods) >= 3:
        out["rate_variability"] = float(np.log(periods.std() + FLOOR_S))
        out["depth_variability"] = float(np.log(depths.std() + FLOOR_SHARE * depths.mean()))
    return out
