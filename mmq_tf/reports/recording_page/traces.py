# SPDX-License-Identifier: Apache-2.0
"""Hours of samples as lines a picture can hold: least and greatest of every column, gaps left open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_PERCENTILE_SAMPLES = 200_000


@dataclass(frozen=True)
class Trace:
    """Lines to draw, one per channel.

    Attributes
    ----------
    time_s : float ``[points]``
    values : float ``[channels, points]``
        NaN where every sample of a column is lost, so that the line breaks there.
    lost : bool ``[channels, columns]``
        Whether any sample of the column is lost.
    edges_s : float ``[columns + 1]``
        Where the columns lie.
    """

    time_s: np.ndarray
    values: np.ndarray
    lost: np.ndarray
    edges_s: np.ndarray


def trace(samples: np.ndarray, start_s: float, rate_hz: float, columns: int) -> Trace:
    """Turn samples into at most ``2 * columns`` points a channel that keep every peak.

    Up to that many samples are drawn as they are; more are cut into equal columns, of which the least and the
    greatest sample follow each other.

    Parameters
    ----------
    samples : ndarray, shape (channels, n)
        NaN where lost; n may be 0.
    start_s, rate_hz : float
        Of the samples.
    columns : int
        How many columns the picture has.

    Examples
    --------
    >>> made = trace(np.array([[0.0, 9, 1, 2, np.nan, np.nan, 4, 4]]), 0.0, 1.0, 2)
    >>> made.values.tolist()
    [[0.0, 9.0, 4.0, 4.0]]
    >>> made.lost.tolist()
    [[False, True]]
    """
    count = samples.shape[1]
    if count <= 2 * columns:
        edges = start_s + (np.arange(count + 1) - 0.5) / rate_hz
        return Trace(start_s + np.arange(count) / rate_hz, samples, np.isnan(samples), edges)
    starts = np.arange(columns) * count // columns
    edges = start_s + np.append(starts, count) / rate_hz
    least, greatest = (limit.reduceat(samples, starts, axis=1) for limit in (np.fmin, np.fmax))
    values = np.stack([least, greatest], axis=2).reshape(len(samples), 2 * columns)
    lost = np.logical_or.reduceat(np.isnan(samples), starts, axis=1)
    return Trace(np.repeat((edges[:-1] + edges[1:]) / 2, 2), values, lost, edges)


def alone(time_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return which points ``[n]`` a line would not show, since no line leads away from them.

    Examples
    --------
    >>> alone(np.arange(6.0), np.array([1.0, np.nan, 2.0, 2.0, np.nan, 3.0])).tolist()
    [True, False, False, False, False, True]
    """
    joined = np.isfinite(values[1:]) & np.isfinite(values[:-1])
    joined &= (values[1:] != values[:-1]) | (time_s[1:] != time_s[:-1])
    return np.isfinite(values) & ~np.append(joined, False) & ~np.append(False, joined)


def percentiles(samples: np.ndarray, wanted: tuple[float, float]) -> tuple[float, float]:
    """Return two percentiles of what is not lost; of many samples, those of every so many-th.

    NaN where everything is lost.
    """
    some = samples[..., :: max(1, samples.size // MAX_PERCENTILE_SAMPLES)]
    some = some[np.isfinite(some)]
    if not some.size:
        some = samples[np.isfinite(samples)]
    return tuple(np.percentile(some, wanted).tolist()) if some.size else (np.nan, np.nan)


def limits(samples: np.ndarray) -> tuple[float, float]:
    """Choose what a value axis shows: everything, unless a few peaks would flatten the rest.

    A peak up to three times the range of 98 % of the samples is shown whole.
    """
    first, last = percentiles(samples, (1, 99))
    if np.isnan(first):
        return 0.0, 1.0
    reach = last - first
    low = min(first, max(float(np.fmin.reduce(samples, None)), first - reach))
    high = max(last, min(float(np.fmax.reduce(samples, None)), last + reach))
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def lane_scale(samples: np.ndarray) -> tuple[np.ndarray, float]:
    """Return each channel's middle ``[channels]`` and the deviation that fills half a lane, one for all.

    It is the median over channels of how far 98 % of the samples stray from the middle.
    """
    low, high = np.array([percentiles(row, (1, 99)) for row in samples]).T
    reaches = (high - low)[high > low] / 2
    return (low + high) / 2, float(np.median(reaches)) if len(reaches) else 1.0
