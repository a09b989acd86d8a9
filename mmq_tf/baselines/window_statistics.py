# SPDX-License-Identifier: Apache-2.0
"""A window of tokens as one row of plain statistics: what trees and linear models learn from."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmq_tf.baselines.base import check_windows

STATISTICS = ("mean", "std", "slope", "min", "max", "last")
_CHUNK_VALUES = 1 << 22  # values of [windows, tokens, features] worked on at once: about 32 MB a temporary


def statistic_names(feature_names: Sequence[str], modality_names: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of `window_statistics`.

    Examples
    --------
    >>> statistic_names(["eda.level"], ["eda"])[-2:]
    ('eda.level:last', 'eda:present')
    """
    columns = [f"{feature}:{statistic}" for statistic in STATISTICS for feature in feature_names]
    return (*columns, *(f"{modality}:present" for modality in modality_names))


def window_statistics(features: np.ndarray, presence: np.ndarray, slices: Mapping[str, slice]) -> np.ndarray:
    """Compute the statistics of each feature over the present tokens of each window.

    Over the n present tokens of a window, at token index t, of value x: mean; standard deviation
    ``sqrt(mean((x - mean)^2))``; slope of the least-squares line ``sum((t - mean t)(x - mean x)) / sum((t -
    mean t)^2)``, a token; min; max; the last present value; and each modality's share of present tokens.
    Standard deviation and slope need two tokens, the others one; what cannot be computed is NaN. A NaN
    value in a present token counts as absent.

    Parameters
    ----------
    features : float ``[N, T, F]``
    presence : bool ``[N, T, M]``
    slices : mapping of the M modality names, in order, to their slice of the F features

    Returns
    -------
    numpy.ndarray
        float32 ``[N, 6 * F + M]``, columns as `statistic_names` names them.

    Raises
    ------
    MMQError
        When the shapes do not fit each other.

    Examples
    --------
    >>> x = np.array([[[1.0], [9.0], [3.0]]])
    >>> seen = np.array([[[True], [False], [True]]])
    >>> window_statistics(x, seen, {"eda": slice(0, 1)}).tolist()
    [[2.0, 1.0, 1.0, 1.0, 3.0, 3.0, 0.6666666865348816]]
    """
    features, presence = np.asarray(features), np.asarray(presence, bool)
    check_windows(features, presence, slices)
    owner = np.zeros(features.shape[2], np.intp)
    for index, part in enumerate(slices.values()):
        owner[part] = index
    step = max(1, _CHUNK_VALUES // max(1, features.shape[1] * features.shape[2]))
    out = np.empty((len(features), len(STATISTICS) * features.shape[2] + len(slices)), np.float32)
    for start in range(0, len(features), step):
        chunk = slice(start, start + step)
        out[chunk] = _statistics(features[chunk].astype(np.float64), presence[chunk], owner)
    return out


def _statistics(x: np.ndarray, presence: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Compute the rows of one chunk; `owner` is each feature's modality index."""
    seen = presence[:, :, owner] & np.isfinite(x)
    x = np.where(seen, x, 0.0)
    count = seen.sum(axis=1)
    one = np.where(count > 0, count, np.nan)
    two = np.where(count > 1, count, np.nan)
    mean = x.sum(axis=1) / one
    time = np.arange(x.shape[1], dtype=np.float64)[:, np.newaxis]
    late = np.where(seen, time - ((seen * time).sum(axis=1) / one)[:, np.newaxis], 0.0)
    off = np.where(seen, x - mean[:, np.newaxis], 0.0)
    std = np.sqrt((off**2).sum(axis=1) / two)
    slope = (late * off).sum(axis=1) / np.where(count > 1, (late**2).sum(axis=1), np.nan)
    absent = np.where(count > 0, 0.0, np.nan)
    low = np.where(seen, x, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen, x, -np.inf).max(axis=1, initial=-np.inf)
    newest = x.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1)
    last = np.take_along_axis(x, newest[:, np.newaxis], axis=1)[:, 0]
    extremes = [np.where(count > 0, value, np.nan) for value in (low, high)]
    return np.concatenate([mean, std, slope, *extremes, last + absent, presence.mean(axis=1)], axis=1)
