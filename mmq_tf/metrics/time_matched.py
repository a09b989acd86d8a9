# SPDX-License-Identifier: Apache-2.0
"""Time-matched AUROC: what is left of a ranking where a clock, which knows elapsed time alone, has chance.

Where everyone does the same tasks in the same order, elapsed time tells the label, and every method that
remembers more than a minute can learn it. Windows of two people at the same elapsed time have no such help.
"""

from __future__ import annotations

import numpy as np

from mmq_tf.metrics.significance import DRAWS, bootstrap_counts

WITHIN_S = 15.0
MOST = 0.5
"""Where one person is in more than this share of all pairs, they tell of that person alone."""
_ROUNDING_S = 1e-6  # starts are kept to six digits
_PAIRS_AT_ONCE = 1 << 21


def matched_wins(
    positive: np.ndarray,
    scores: np.ndarray,
    subject: np.ndarray,
    start_s: np.ndarray,
    subjects: int,
    within_s: float = WITHIN_S,
) -> tuple[np.ndarray, np.ndarray]:
    """Count, for each two people, the pairs of windows at the same elapsed time and those ranked right.

    Parameters
    ----------
    positive : bool ``[N]``
    scores : float ``[N]``
        Higher means more likely positive.
    subject : int ``[N]``
        0..subjects-1.
    start_s : float ``[N]``
        Window start, seconds from the recording's start.
    subjects : int
    within_s : float
        How far apart the two starts may be at most, seconds.

    Returns
    -------
    tuple
        float64 ``[subjects, subjects]`` each: for person A (row) and B (column), over pairs of a positive
        window of A and a negative one of B, the pairs ranked right (ties half), and all pairs. Nobody is
        paired with himself: the diagonals are 0.
    """
    positive = np.asarray(positive, bool)
    rows = np.flatnonzero(positive)
    others = np.flatnonzero(~positive)
    others = others[np.argsort(start_s[others], kind="stable")]
    low = np.searchsorted(start_s[others], start_s[rows] - within_s - _ROUNDING_S, side="left")
    high = np.searchsorted(start_s[others], start_s[rows] + within_s + _ROUNDING_S, side="right")
    wins, pairs = np.zeros(subjects**2), np.zeros(subjects**2)
    step = max(1, _PAIRS_AT_ONCE // max(1, int((high - low).max(initial=0))))
    for chunk in range(0, rows.size, step):
        first, count = low[chunk : chunk + step], (high - low)[chunk : chunk + step]
        ours = np.repeat(rows[chunk : chunk + step], count)
        theirs = others[np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)]
        cell = subject[ours] * subjects + subject[theirs]
        gap = scores[ours] - scores[theirs]
        wins += np.bincount(cell, (gap > 0) + 0.5 * (gap == 0), minlength=subjects**2)
        pairs += np.bincount(cell, minlength=subjects**2)
    apart = 1.0 - np.eye(subjects)
    return wins.reshape(subjects, subjects) * apart, pairs.reshape(subjects, subjects) * apart


def time_matched_auroc(
    positive: np.ndarray,
    scores: np.ndarray,
    subject: np.ndarray,
    start_s: np.ndarray,
    within_s: float = WITHIN_S,
) -> float:
    """Share of time-matched pairs ranked right, ties half; NaN where there is no pair.

    Over all pairs of a positive window of one person and a negative window of another that start at the same
    elapsed time, give or take `within_s`.

    Parameters
    ----------
    positive : bool ``[N]``
    scores : float ``[N]``
    subject : str ``[N]``
    start_s : float ``[N]``
    within_s : float

    Examples
    --------
    >>> positive, scores = np.array([True, False, False]), np.array([0.6, 0.4, 0.9])
    >>> time_matched_auroc(positive, scores, np.array(["a", "b", "b"]), np.array([60.0, 70.0, 600.0]))
    1.0
    """
    names, code = np.unique(subject, return_inverse=True)
    wins, pairs = matched_wins(positive, scores, code, start_s, names.size, within_s)
    return float(wins.sum() / pairs.sum()) if pairs.any() else float("nan")


def rests_on_one(pairs: np.ndarray) -> bool:
    """Tell whether more than half of the pairs ``[subjects, subjects]`` hold one and the same person.

    So it is where all but one do every task at the same time, and always with three people or fewer.

    Examples
    --------
    >>> rests_on_one(np.array([[0, 1], [0, 0]]))
    True
    """
    return bool((pairs + pairs.T).sum(axis=0).max(initial=0) > MOST * pairs.sum())


def drawn_shares(wins: np.ndarray, pairs: np.ndarray, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """Give the share of pairs ranked right, and that of each bootstrap draw of people, exactly.

    A draw that holds person A ``c_A`` times and B ``c_B`` times holds each of their pairs ``c_A c_B`` times:
    ``c' W c / c' P c``. A person drawn twice is not paired with himself.

    Parameters
    ----------
    wins, pairs : float ``[subjects, subjects]``
        Of `matched_wins`.
    seed, draws : int

    Returns
    -------
    numpy.ndarray
        float64 ``[1 + draws]``: the value, then the draws; NaN where no pair is left.
    """
    subjects = len(pairs)
    counts = np.vstack([np.ones(subjects), bootstrap_counts(subjects, seed, draws)]).astype(np.float64)
    right, every = (np.einsum("ds,ds->d", counts @ part, counts) for part in (wins, pairs))
    with np.errstate(invalid="ignore"):
        return right / np.where(every > 0, every, np.nan)
