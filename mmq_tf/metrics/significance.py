# SPDX-License-Identifier: Apache-2.0
"""Intervals and comparisons over subjects: the unit that generalises is a person, not a window."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import wilcoxon

from mmq_tf.errors import MMQError

DRAWS = 2000
LEVEL = 0.95


def bootstrap_counts(subjects: int, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """Draw subjects with replacement and count how often each was drawn.

    Returns
    -------
    numpy.ndarray
        int64 ``[draws, subjects]``, each row summing to `subjects`.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(subjects, np.full(subjects, 1.0 / subjects), size=draws)


def bootstrap_intervals(
    values: np.ndarray, seed: int = 0, draws: int = DRAWS, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over subjects of several quantities, with percentile bootstrap intervals.

    All quantities share the same draws of subjects. Efron & Tibshirani (1993), section 13.3.

    Parameters
    ----------
    values : float ``[quantities, subjects]``
        NaN where a subject has no value; it is left out of that quantity.
    seed, draws, level
        Seed of the draws, their number, and the interval's probability.

    Returns
    -------
    tuple of numpy.ndarray
        mean, low, high, float64 ``[quantities]`` each; NaN where no subject has a value.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2:
        raise MMQError(f"values: expected [quantities, subjects], got shape {values.shape}.")
    quantities, subjects = values.shape
    if not values.size:
        nothing = np.full(quantities, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    known = ~np.isnan(values)
    # Deviations from one of the values: the interval of a constant is then exactly that constant.
    anchor = np.take_along_axis(values, known.argmax(axis=1)[:, np.newaxis], axis=1)
    off = np.where(known, values - anchor, 0.0)
    counts = bootstrap_counts(subjects, seed, draws).astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean = anchor[:, 0] + off.sum(axis=1) / known.sum(axis=1)
        drawn = anchor[:, 0] + (counts @ off.T) / (counts @ known.T.astype(np.float64))
    low, high = _percentiles(drawn, level)
    return mean, low, high


def _percentiles(drawn: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the interval of `level` of each column of ``[draws, quantities]``, NaN draws left out."""
    low, high = np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    some = ~np.isnan(drawn).all(axis=0)
    tail = 50 * (1 - level)
    if some.any():
        low[some], high[some] = np.nanpercentile(drawn[:, some], [tail, 100 - tail], axis=0)
    return low, high


def bootstrap_interval(
    values: np.ndarray, seed: int = 0, draws: int = DRAWS, level: float = LEVEL
) -> tuple[float, float, float]:
    """Mean over subjects and its bootstrap interval: `bootstrap_intervals` of one quantity ``[subjects]``.

    Examples
    --------
    >>> bootstrap_interval(np.array([0.75, 0.75, 0.75]))
    (0.75, 0.75, 0.75)
    """
    mean, low, high = bootstrap_intervals(np.asarray(values)[np.newaxis], seed, draws, level)
    return float(mean[0]), float(low[0]), float(high[0])


def mean_over_seeds(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation (n - 1) over seeds of the mean over subjects.

    Parameters
    ----------
    values : float ``[seeds, subjects]``
        NaN where a subject has no value.

    Returns
    -------
    tuple of float
        The deviation is NaN with a single seed.
    """
    values = np.asarray(values, np.float64)
    known = ~np.isnan(values)
    seeds = np.where(known, values, 0.0).sum(axis=1)[known.any(axis=1)] / known.sum(axis=1)[known.any(axis=1)]
    if not seeds.size:
        return np.nan, np.nan
    return float(seeds.mean()), float(seeds.std(ddof=1)) if seeds.size > 1 else np.nan


def pooled_auroc_intervals(
    labels: np.ndarray,
    scores: np.ndarray,
    subject: np.ndarray,
    subjects: int,
    seed: int = 0,
    draws: int = DRAWS,
) -> np.ndarray:
    """AUROC of all subjects' windows pooled, and of each bootstrap draw of subjects, exactly.

    With ``U[s, r]`` the number of (positive of s, negative of r) pairs ranked rightly, ties half, a draw
    that holds subject s ``c_s`` times has AUROC ``c' U c / ((c' P) (c' N))``: no re-ranking a draw.

    Parameters
    ----------
    labels : bool ``[N]``
    scores : float ``[N]``
        Higher means more likely positive.
    subject : int ``[N]``
        0..subjects-1.
    subjects, seed, draws : int

    Returns
    -------
    numpy.ndarray
        float64 ``[1 + draws]``: the value, then the draws; NaN where one class is missing.
    """
    labels = np.asarray(labels, bool)
    negative = [np.sort(scores[~labels & (subject == r)]) for r in range(subjects)]
    rows = np.flatnonzero(labels)
    wins = np.empty((rows.size, subjects))
    for r, other in enumerate(negative):
        below = np.searchsorted(other, scores[rows], side="left")
        wins[:, r] = 0.5 * (below + np.searchsorted(other, scores[rows], side="right"))
    pairs = np.stack([np.bincount(subject[rows], column, minlength=subjects) for column in wins.T], axis=1)
    positives = np.bincount(subject[rows], minlength=subjects)
    negatives = np.array([other.size for other in negative])
    counts = np.vstack([np.ones(subjects), bootstrap_counts(subjects, seed, draws)]).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.einsum("ds,ds->d", counts @ pairs, counts) / ((counts @ positives) * (counts @ negatives))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values of several tests (Holm 1979): sorted, ``p_(i) (m - i)``, never falling, at most 1.

    NaN (a test that could not be made) stays NaN and is not counted.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, np.float64)
    out = np.full(p_values.shape, np.nan)
    rows = np.flatnonzero(~np.isnan(p_values))
    rows = rows[np.argsort(p_values[rows], kind="stable")]
    factor = rows.size - np.arange(rows.size)
    out[rows] = np.minimum(np.maximum.accumulate(p_values[rows] * factor), 1.0)
    return out


@dataclass(frozen=True)
class Comparison:
    """One method against the reference, over the subjects both have a value for.

    Attributes
    ----------
    method : str
        The method compared with the reference.
    difference : float
        Mean over subjects of reference minus method.
    subjects : int
        How many subjects both have a value for.
    wins : int
        For how many of them the reference is higher.
    p, p_holm : float
        Wilcoxon signed-rank, two-sided, and after Holm's correction over all methods compared.
    """

    method: str
    difference: float
    subjects: int
    wins: int
    p: float
    p_holm: float


def compare(values: Mapping[str, np.ndarray], reference: str) -> list[Comparison]:
    """Compare every method with one reference, over subjects (Wilcoxon 1945, Holm 1979).

    Parameters
    ----------
    values : mapping
        method -> float ``[subjects]``, the same subjects in the same order; NaN where there is none.
    reference : str
        One of the methods.

    Raises
    ------
    MMQError
        When the reference is not among the methods.
    """
    if reference not in values:
        raise MMQError(f"reference: expected one of {', '.join(values)}, got {reference}.")
    found = []
    for method, theirs in values.items():
        if method == reference:
            continue
        difference = np.asarray(values[reference], np.float64) - np.asarray(theirs, np.float64)
        difference = difference[~np.isnan(difference)]
        found.append((method, difference, _signed_rank(difference)))
    adjusted = holm(np.array([p for _, _, p in found]))
    return [
        Comparison(
            method, float(d.mean()) if d.size else np.nan, d.size, int((d > 0).sum()), p, float(corrected)
        )
        for (method, d, p), corrected in zip(found, adjusted, strict=True)
    ]


def _signed_rank(difference: np.ndarray) -> float:
    """Two-sided p; NaN without subjects, 1 where nothing differs."""
    if not difference.size:
        return np.nan
    return float(np.asarray(wilcoxon(difference))[1]) if np.any(difference) else 1.0
