# SPDX-License-Identifier: Apache-2.0
"""Trials from continuous ratings: seconds of one class, one after the other, in one clip."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from mmq_tf.recording import Trial

BIN_S = 1.0
CLASSES = ("low", "high")
MIDDLE = 5.0
"""A second's mean above this is high, otherwise low."""


def trials_of_ratings(
    time_s: np.ndarray,
    ratings: Mapping[str, np.ndarray],
    clip: np.ndarray,
    scored: Collection[int],
    rate_hz: float,
    stop_s: float,
) -> tuple[Trial, ...]:
    """Bin continuous ratings and join seconds of the same classes.

    Parameters
    ----------
    time_s : numpy.ndarray
        ``[n]``, not falling, from 0.
    ratings : dict of str to numpy.ndarray
        ``[n]`` by task.
    clip : numpy.ndarray
        int ``[n]``: what was shown.
    scored : collection of int
        The clips whose ratings count.
    rate_hz : float
        Nominal rate of the ratings; a second with fewer than half of these samples has no rating.
    stop_s : float
        End of the recording; a second that reaches past it does not count.

    Returns
    -------
    tuple of Trial
        Runs of whole seconds, counted from time 0, that lie in one scored clip and have the same class in
        every task; `ratings` are means over the run, `stimulus` is the clip.

    Examples
    --------
    >>> time = np.arange(0, 4, 0.5)
    >>> ratings = {"arousal": np.array([7.0, 7, 6, 6, 4, 4, 4, 4])}
    >>> for trial in trials_of_ratings(time, ratings, np.ones(8, int), {1}, 2.0, 4.0):
    ...     print(trial.start_s, trial.stop_s, trial.labels, trial.ratings)
    0.0 2.0 {'arousal': 'high'} {'arousal': 6.5}
    2.0 4.0 {'arousal': 'low'} {'arousal': 4.0}
    """
    second = np.floor(time_s / BIN_S + 1e-6).astype(np.int64)
    first = np.flatnonzero(np.diff(second, prepend=-1))
    count = np.diff(first, append=len(second))
    shown = clip[first]
    kept = (np.minimum.reduceat(clip, first) == np.maximum.reduceat(clip, first)) & np.isin(
        shown, list(scored)
    )
    kept &= (count >= rate_hz * BIN_S / 2) & ((second[first] + 1) * BIN_S <= stop_s + 1e-6)
    means = np.stack([np.add.reduceat(values, first) / count for values in ratings.values()])[:, kept]
    second, shown, high = second[first][kept], shown[kept], means > MIDDLE
    if not second.size:
        return ()
    clip_start_s = {number: float(time_s[np.argmax(clip == number)]) for number in np.unique(shown).tolist()}
    cut = (np.diff(second) != 1) | (np.diff(shown) != 0) | np.diff(high, axis=1).any(0)
    begins = np.concatenate([[0], np.flatnonzero(cut) + 1])
    ends = np.concatenate([begins[1:], [len(second)]])
    return tuple(
        Trial(
            float(second[begin] * BIN_S),
            float((second[end - 1] + 1) * BIN_S),
            {task: CLASSES[int(high[i, begin])] for i, task in enumerate(ratings)},
            {task: float(means[i, begin:end].mean()) for i, task in enumerate(ratings)},
            f"clip {shown[begin]}",
            float(second[begin] * BIN_S) - clip_start_s[int(shown[begin])],
        )
        for begin, end in zip(begins, ends, strict=True)
    )
