# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of the way to the features: baseline, filters, averages, matrix. See `reference.py`."""

from __future__ import annotations

import numpy as np
from scipy import signal


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


def band_passed(row: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Run one band of the bank, ``g a1 a2 c1 c2``, over the last axis of `x`, float64, in the unit of `x`.

    ``y1[n] = g * (x[n] - x[n-2]) - a1 * y1[n-1] - a2 * y1[n-2]``, then
    ``y[n] = y1[n] - y1[n-2] - c1 * y[n-1] - c2 * y[n-2]``: a 4th-order Butterworth band-pass as two biquads
    with zeros at z = 1 and z = -1. Source: `mmq_bridge.front_end.filter_design.band_pass`.

    Examples
    --------
    A constant leaves nothing, a sine in the middle of the band everything.

    >>> from mmq_bridge.front_end.filter_design import band_pass
    >>> row, t = band_pass(8.0, 14.0, 128.0), np.arange(1280) / 128
    >>> float(np.abs(band_passed(row, np.ones(4000))[3000:]).max().round(9))
    0.0
    >>> float(np.abs(band_passed(row, np.sin(2 * np.pi * 10.6 * t))[640:]).max().round(2))
    1.0
    """
    gain, a1, a2, c1, c2 = np.asarray(row, dtype=np.float64)
    first = signal.lfilter([gain, 0.0, -gain], [1.0, a1, a2], x)
    return np.asarray(signal.lfilter([1.0, 0.0, -1.0], [1.0, c1, c2], first))


def averaged(x: np.ndarray, factor: int) -> np.ndarray:
    """Return means of `factor` samples in a row over the last axis; an unfinished one is left out.

    How eda, temp and resp are decimated: the mean is its own anti-alias filter, with a zero at the new rate.

    Examples
    --------
    >>> averaged(np.array([1.0, 3.0, 5.0, 7.0, 100.0]), 2)
    array([2., 6.])
    """
    whole = x.shape[-1] // factor * factor
    return np.asarray(x[..., :whole], dtype=np.float64).reshape(*x.shape[:-1], -1, factor).mean(axis=-1)


def mixed(matrix: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    """Apply a spatial matrix [outputs, channels] to samples [channels, n]: ``matrix @ x``; None leaves them.

    Examples
    --------
    >>> mixed(np.array([[1.0, -1.0]]), np.array([[3.0, 5.0], [1.0, 1.0]]))
    array([[2., 4.]])
    """
    return x if matrix is None else np.asarray(matrix, dtype=np.float64) @ x
