# SPDX-License-Identifier: Apache-2.0
"""Samples that carry their own times, put on a uniform grid without inventing any."""

from __future__ import annotations

import numpy as np
from mmq_bridge.recordings.room import check_spread

from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_DURATION_S

MAX_GAP_PERIODS = 1.5
"""Neighbours further apart than this have lost samples between them, as the front end's own rule says."""

MAX_SAMPLES = 2**28
POINT_BYTES = 16
"""What a point of a grid takes beside its samples."""


def nearest_samples(
    where: str, time_s: np.ndarray, rate_hz: float, start_s: float, channels: int = 1
) -> np.ndarray:
    """Find for every point of a grid the sample nearest in time.

    A sample stands for at most half of `MAX_GAP_PERIODS` around it, so a longer gap stays a gap; and a clock
    that is a little off the nominal rate repeats or drops one sample now and then instead of drifting.

    Parameters
    ----------
    where : str
        What the times are of, for errors.
    time_s : numpy.ndarray
        float64 ``[n]``, not falling.
    rate_hz, start_s : float
        Of the grid, which ends with the last sample.
    channels : int
        How many are put on it, each float32.

    Returns
    -------
    numpy.ndarray
        int64 ``[points]``: index into `time_s`, or -1 where no sample is near enough.

    Raises
    ------
    MMQError
        If there is no sample, times are not finite or fall, or the grid would be impossibly long or take
        far more memory than the samples.

    Examples
    --------
    >>> nearest_samples("a doctest", np.array([0.0, 0.9, 2.1, 5.0]), 1.0, 0.0).tolist()
    [0, 1, 2, -1, -1, 3]
    """
    if not len(time_s):
        raise MMQError(f"{where}: expected samples with times; there are none.")
    falls = np.flatnonzero(~(np.diff(time_s) >= 0))
    if falls.size or not np.isfinite(time_s[[0, -1]]).all():
        at = int(falls[0]) + 1 if falls.size else 0
        raise MMQError(f"{where}: times must be finite and must not fall; sample {at} is at {time_s[at]} s.")
    length_s = float(time_s[-1]) - start_s
    points = int(np.floor(length_s * rate_hz + MAX_GAP_PERIODS / 2)) + 1
    if length_s > MAX_DURATION_S or points > MAX_SAMPLES:
        raise MMQError(
            f"{where}: expected at most {MAX_DURATION_S / 86400:g} days and {MAX_SAMPLES} samples; its times"
            f" run to {length_s:g} s at {rate_hz:g} Hz, so a time must be wrong."
        )
    point_bytes = POINT_BYTES + 4 * channels
    check_spread(where, len(time_s) * point_bytes, points * point_bytes)
    grid = np.arange(max(points, 1)) / rate_hz + start_s
    right = np.minimum(np.searchsorted(time_s, grid), len(time_s) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(grid - time_s[left] < time_s[right] - grid, left, right)
    slack = 1e-3  # of a period: rounding of times
    nearest[np.abs(time_s[nearest] - grid) * rate_hz > MAX_GAP_PERIODS / 2 + slack] = -1
    return nearest


def take_samples(where: str, samples: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Put samples ``[..., n]`` on a grid of `nearest_samples`: float32 ``[..., points]``, NaN where lost.

    Raises
    ------
    MMQError
        If a sample is infinite, or too large for float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        placed = samples[..., nearest].astype(np.float32)
    placed[..., nearest < 0] = np.nan
    if np.isinf(placed).any():
        at = int(nearest[np.argwhere(np.isinf(placed))[0][-1]])
        raise MMQError(
            f"{where}: samples must be finite, or NaN where lost; sample {at} is infinite or too large."
        )
    return placed
