# SPDX-License-Identifier: Apache-2.0
"""Samples at another rate, gaps kept."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def rate_ratio(from_hz: float, to_hz: float) -> Fraction:
    """Return a ratio of rates in numbers small enough for a polyphase filter, at most a millionth off."""
    wanted = Fraction(to_hz) / Fraction(from_hz)
    return wanted.limit_denominator(1000) if wanted >= 1 else 1 / (1 / wanted).limit_denominator(1000)


def resampled(samples: np.ndarray, ratio: Fraction) -> np.ndarray:
    """Resample with a polyphase filter, which holds back what the new rate cannot show.

    A gap is bridged by a line for the filter, and is a gap again after.

    Parameters
    ----------
    samples : ndarray, shape (channels, n)
        NaN where lost.
    ratio : Fraction
        Of the new rate to the old; see `rate_ratio`.

    Returns
    -------
    ndarray, shape (channels, ceil(n * ratio))
        float64; the samples themselves where the ratio is 1.
    """
    if ratio == 1:
        return samples.astype(np.float64)
    from scipy.signal import resample_poly

    lost = np.isnan(samples)
    places = np.arange(samples.shape[1])
    bridged = np.zeros(samples.shape)
    for row, missing in enumerate(lost):
        if not missing.all():
            bridged[row] = np.interp(places, places[~missing], samples[row, ~missing])
    made = resample_poly(bridged, ratio.numerator, ratio.denominator, axis=1, padtype="edge")
    nearest = np.minimum(np.round(np.arange(made.shape[1]) / float(ratio)).astype(int), len(places) - 1)
    made[lost[:, nearest]] = np.nan
    return made
