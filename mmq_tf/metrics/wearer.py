# SPDX-License-Identifier: Apache-2.0
"""What a wearer meets: changes of the shown decision, false alarms, tasks with an alarm, what is withheld.

The decisions of one recording (a person's session) are read in the order of their windows' starts. Time is
*judged time*: each window stands for the seconds until the next one starts, at most one stride, and a
recording's last window for one stride. A longer gap ends nothing: the decision before it is still shown after
it; but it is not counted as time. The stride is the smallest step between two windows of one trial.
"""

from __future__ import annotations

import numpy as np
from mmq_bridge.decision.display import display_average

from mmq_tf.metrics.names import WEARER_METRICS
from mmq_tf.metrics.scores import check_predictions


def wearer_scores(
    group: np.ndarray,
    session: np.ndarray,
    trial: np.ndarray,
    start_s: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: int,
    *,
    display_s: float = 0.0,
    min_confidence: float | np.ndarray = 0.0,
) -> dict[str, np.ndarray]:
    """Compute what a wearer meets, per hour of judged time, within each group of windows.

    A decision is the most probable class, after the display filter if there is one. It is withheld where that
    class' probability is below `min_confidence`; what was shown before then stays, so a withheld window
    neither changes nor alarms.

    ``changes_per_hour``: decisions that differ from the one shown before them in the same recording.
    ``truth_changes_per_hour``: the same of the labels.
    ``false_alarms_per_hour``: alarms (class 1) that begin, since none was shown before, while the label is 0.
    ``tasks_alarmed``: share of the trials with windows labelled 1 in which one of these shows an alarm.
    ``withheld_share``: share of the windows whose decision is withheld.
    With more than two classes nothing is an alarm: its two metrics are NaN.

    Parameters
    ----------
    group : int ``[N]``
        Whose time it is, 0..groups-1: a person's, of one method and seed.
    session, trial : int ``[N]``
        Tell a group's recordings apart, and a recording's trials.
    start_s : float ``[N]``
        Window start, seconds from the recording's start.
    labels : int ``[N]``
    probabilities : float ``[N, K]``
    groups : int
    display_s : float
        Of `display_average`; 0 is off.
    min_confidence : float or float ``[N]``
        Below it the decision is withheld.

    Returns
    -------
    dict
        Name of `WEARER_METRICS` -> float64 ``[groups]``; NaN where a group is empty, or no trial anywhere has
        two windows, so that no stride is known.

    Raises
    ------
    MMQError
        When shapes do not fit, or labels or probabilities cannot be.
    """
    labels, probabilities = check_predictions(labels, probabilities)
    limit = np.broadcast_to(np.asarray(min_confidence, np.float64), labels.shape)
    sequence = np.unique(np.stack([group, session], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    shown = display_average(sequence, start_s, probabilities, display_s)
    decided, said = shown.max(axis=1) >= limit, shown.argmax(axis=1)
    order = np.lexsort((start_s, sequence))
    group, sequence, trial, start_s, labels, decided, said = (
        np.asarray(part)[order] for part in (group, sequence, trial, start_s, labels, decided, said)
    )
    hours = np.bincount(group, _judged_s(sequence, trial, start_s), minlength=groups) / 3600
    hours[hours == 0] = np.nan

    def per_hour(happened: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.bincount(group[rows], happened, minlength=groups) / hours

    every, told = np.arange(labels.size), np.flatnonzero(decided)
    before = _before(sequence[told], said[told])
    alarmed = np.full((2, groups), np.nan)
    if probabilities.shape[1] == 2:
        begun = (said[told] == 1) & (before != 1) & (labels[told] == 0)
        alarmed[0] = per_hour(begun, told)
        alarmed[1] = _tasks_alarmed(group, sequence, trial, labels, decided & (said == 1), groups)
    size = np.bincount(group, minlength=groups).astype(np.float64)
    with np.errstate(invalid="ignore"):
        withheld = np.bincount(group, ~decided, minlength=groups) / np.where(size > 0, size, np.nan)
    truth_before = _before(sequence, labels)
    found = (
        per_hour((before >= 0) & (before != said[told]), told),
        per_hour((truth_before >= 0) & (truth_before != labels), every),
        alarmed[0],
        alarmed[1],
        withheld,
    )
    return dict(zip(WEARER_METRICS, found, strict=True))


def _before(sequence: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give the value before each one in its sequence, -1 where it is the first."""
    out = np.full(values.shape, -1, np.int64)
    out[1:] = np.where(sequence[1:] == sequence[:-1], values[:-1], -1)
    return out


def _judged_s(sequence: np.ndarray, trial: np.ndarray, start_s: np.ndarray) -> np.ndarray:
    """Seconds each window stands for, ``[N]``; rows sorted by sequence, then start."""
    if not start_s.size:
        return np.zeros(0)
    step, same = np.diff(start_s), sequence[1:] == sequence[:-1]
    inside = same & (trial[1:] == trial[:-1]) & (step > 0)
    stride = np.full(sequence[-1] + 1, np.inf)
    np.minimum.at(stride, sequence[1:][inside], step[inside])
    stride = np.where(np.isfinite(stride), stride, stride.min())
    stride = np.where(np.isfinite(stride), stride, np.nan)[sequence]
    stride[:-1] = np.where(same, np.minimum(step, stride[:-1]), stride[:-1])
    return stride


def _tasks_alarmed(
    group: np.ndarray,
    sequence: np.ndarray,
    trial: np.ndarray,
    labels: np.ndarray,
    alarm: np.ndarray,
    groups: int,
) -> np.ndarray:
    """Share of each group's positive trials in which a positive window shows an alarm; NaN without any."""
    rows = np.flatnonzero(labels == 1)
    tasks, task = np.unique(np.stack([sequence, trial], axis=1)[rows], axis=0, return_inverse=True)
    task = task.reshape(-1)
    whose = np.zeros(len(tasks), np.int64)
    whose[task] = group[rows]
    met = np.bincount(task, alarm[rows], minlength=len(tasks)) > 0
    count = np.bincount(whose, minlength=groups).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.bincount(whose, met, minlength=groups) / np.where(count > 0, count, np.nan)
