# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of skin conductance, skin temperature and movement features. See `reference.py`."""

from __future__ import annotations

import numpy as np

from mmq_bridge.front_end.modalities import OUTPUT_FEATURES

SCR_US = 0.01
FLOOR_US = 1e-4
ACTIVE_G = 0.05
FLOOR_G = 1e-3
SHORTEST_CONTEXT_S = 5.0


def line(x: np.ndarray) -> tuple[float, float]:
    """Least-squares slope (unit a sample) and the deviation of what is left (divisor n).

    Examples
    --------
    >>> slope, rest = line(np.array([1.0, 3.0, 5.0]))
    >>> round(slope, 12), round(rest, 12)
    (2.0, 0.0)
    >>> line(np.array([0.0, 1.0, 0.0]))[0]
    0.0
    """
    x = np.asarray(x, dtype=np.float64)
    i = np.arange(len(x)) - 0.5 * (len(x) - 1)
    slope = float(i @ x / (i @ i))
    return slope, float(np.std(x - slope * i))


def skin_conductance_responses(x: np.ndarray) -> tuple[int, float]:
    """Count rises of at least 0.01 uS from trough to peak, and add up their heights (uS).

    A rise begins when the signal is 0.01 uS above its lowest value since the last one and ends when it has
    fallen 0.005 uS from its peak. Source: smallest amplitude 0.01 to 0.05 uS, Boucsein 2012 (Electrodermal
    Activity, 2nd ed.), section 3.1.4.1.

    Examples
    --------
    >>> skin_conductance_responses(np.array([1.0, 1.5, 1.2, 1.7, 1.7, 1.0]))
    (2, 1.0)
    >>> skin_conductance_responses(np.ones(20))
    (0, 0.0)
    """
    low = high = float(x[0])
    rising, count, total = False, 0, 0.0
    for value in map(float, x[1:]):
        if rising:
            high = max(high, value)
            if high - value >= 0.5 * SCR_US:
                count, total, rising, low = count + 1, total + high - low, False, value
        else:
            low = min(low, value)
            rising, high = value - low >= SCR_US, value
    return (count + 1, total + high - low) if rising else (count, total)


def eda_features(token: np.ndarray, context: np.ndarray, rate_hz: float) -> dict[str, float]:
    """Skin conductance: level in the token, the rest over the context.

    ``tonic = ln(mean of the token)``, ln(uS); ``slope`` of the least-squares line over the token's mean,
    1/min; ``phasic_deviation = ln(d + 1e-4)``, d the deviation from that line in uS; ``scr_count`` responses
    a minute; ``scr_amplitude = ln(sum of heights a minute + 0.01)``; ``deviation = ln(d / mean + 1e-4)``.
    Source: the usual set of Boucsein 2012, in logarithms since conductance is log-normal between people.

    Examples
    --------
    >>> f = eda_features(np.full(20, np.e), np.full(120, np.e), 4.0)
    >>> round(f["tonic"], 6), abs(round(f["slope"], 6)), f["scr_count"], round(f["phasic_deviation"], 4)
    (1.0, 0.0, 0.0, -9.2103)
    """
    out = dict.fromkeys(OUTPUT_FEATURES["eda"], float("nan"))
    if len(token) == 0:
        return out
    mean = float(np.mean(token, dtype=np.float64))
    out["tonic"] = float(np.log(mean))
    if len(context) < SHORTEST_CONTEXT_S * rate_hz:
        return out
    minutes = len(context) / rate_hz / 60.0
    slope, rest = line(context)
    count, total = skin_conductance_responses(context)
    out["slope"] = slope * rate_hz * 60.0 / mean
    out["phasic_deviation"] = float(np.log(rest + FLOOR_US))
    out["scr_count"] = count / minutes
    out["scr_amplitude"] = float(np.log(total / minutes + SCR_US))
    out["deviation"] = float(np.log(rest / mean + FLOOR_US))
    return out


def temp_features(token: np.ndarray, context: np.ndarray, rate_hz: float) -> dict[str, float]:
    """Skin temperature: ``level`` of the token (degC), ``slope`` over the context (degC/min), ``deviation``.

    ``deviation = ln(d + 0.001)``, d the deviation from the context's line in degC.

    Examples
    --------
    >>> f = temp_features(np.full(20, 33.0), 33.0 + np.arange(120) / 240.0, 4.0)
    >>> f["level"], round(f["slope"], 9), round(f["deviation"], 4)
    (33.0, 1.0, -6.9078)
    """
    out = dict.fromkeys(OUTPUT_FEATURES["temp"], float("nan"))
    if len(token) == 0:
        return out
    out["level"] = float(np.mean(token, dtype=np.float64))
    if len(context) >= SHORTEST_CONTEXT_S * rate_hz:
        slope, rest = line(context)
        out["slope"] = slope * rate_hz * 60.0
        out["deviation"] = float(np.log(rest + 1e-3))
    return out


def acc_features(
    token: np.ndarray, before: np.ndarray | None, tilt_before: np.ndarray | None, rate_hz: float
) -> dict[str, float]:
    """Movement and posture in one token.

    ``magnitude_deviation = ln(std(|a|) + 0.001)``, ln(g); ``jerk = ln(rms(steps of the vector) * rate +
    0.001)``, ln(g/s); ``tilt_x/y/z`` the unit vector of the mean acceleration (gravity's direction);
    ``tilt_change = ln(length of its change since the token before + 0.01)``; ``active_share`` the share of
    steps over 0.05 g. Source: plain kinematics, as used for activity monitors.

    Parameters
    ----------
    token : ndarray, shape (3, samples)
        g.
    before : ndarray of 3, optional
        The last sample of the token before.
    tilt_before : ndarray of 3, optional
        Its tilt.
    rate_hz : float

    Examples
    --------
    >>> f = acc_features(np.tile([[0.0], [0.6], [0.8]], 10), None, np.array([0.0, 0.6, 0.8]), 32.0)
    >>> round(f["tilt_y"], 6), round(f["tilt_change"], 4), f["active_share"]
    (0.6, -4.6052, 0.0)
    >>> round(f["magnitude_deviation"], 4)
    -6.9078
    """
    out = dict.fromkeys(OUTPUT_FEATURES["acc"], float("nan"))
    if token.shape[1] == 0:
        return out
    token = np.asarray(token, dtype=np.float64)
    out["magnitude_deviation"] = float(np.log(np.linalg.norm(token, axis=0).std() + FLOOR_G))
    joined = token if before is None else np.column_stack([before, token])
    squares = (np.diff(joined, axis=1) ** 2).sum(axis=0)
    if len(squares):
        out["jerk"] = float(np.log(np.sqrt(squares.mean()) * rate_hz + FLOOR_G))
        out["active_share"] = float(np.mean(squares > ACTIVE_G**2))
    mean = token.mean(axis=1)
    if np.linalg.norm(mean) > 0.1:
        tilt = mean / np.linalg.norm(mean)
        out |= dict(zip(("tilt_x", "tilt_y", "tilt_z"), map(float, tilt), strict=True))
        if tilt_before is not None:
            out["tilt_change"] = float(np.log(np.linalg.norm(tilt - tilt_before) + 0.01))
    return out
