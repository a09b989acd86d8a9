# SPDX-License-Identifier: Apache-2.0
"""Markers of an experiment, as an event stream gives them, turned into trials."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from mmq_tf.mne_bridge.breaks import is_boundary
from mmq_tf.recording import Trial

WantedTrials = Literal["none", "shown", "needed"]
"""What a reader of files does about trials. Labels are not needed to look at signals or to replay them: where
it is not clear which marks count, ``shown`` warns and gives none, and ``needed``, for training, refuses."""

STARTS = ("start", "begin")


def trials_of_markers(time_s: np.ndarray, words: list[str], task: str, stop_s: float) -> tuple[Trial, ...]:
    """Turn markers into trials.

    Parameters
    ----------
    time_s : numpy.ndarray
        ``[n]`` from the recording's start, in any order.
    words : list of str
        What each marker says. Without a start or stop in any of them, each is the class until the next, and
        an empty one is none; otherwise only the time between a start and the next marker that is one or a
        stop counts.
    task : str
        Whose classes they are.
    stop_s : float
        End of the recording: of the last trial, if nothing ends it before.

    Examples
    --------
    >>> for trial in trials_of_markers(np.array([1.0, 4.0]), ["rest", "stress"], "task", 9.0):
    ...     print(trial.start_s, trial.stop_s, trial.labels)
    1.0 4.0 {'task': 'rest'}
    4.0 9.0 {'task': 'stress'}
    """
    order = [at for at in np.argsort(time_s, kind="stable") if not is_boundary(words[at])]
    marks = [(float(time_s[at]), words[at]) for at in order]
    pairs = [split_marker(word) for _, word in marks]
    if any(edge == "start" for _, edge in pairs):
        marks = [
            (at, name if edge == "start" else "")
            for (at, _), (name, edge) in zip(marks, pairs, strict=True)
            if edge
        ]
    ends = [*(at for at, _ in marks[1:]), stop_s]
    trials = []
    for (at, word), end in zip(marks, ends, strict=True):
        begin, end = max(at, 0.0), min(end, stop_s)
        if word and end > begin:
            trials.append(Trial(begin, end, {task: word}))
    return tuple(trials)


def split_marker(word: str) -> tuple[str, str]:
    """Split ``"rest start"`` into ``("rest", "start")``; the second is empty where a marker is neither.

    Examples
    --------
    >>> split_marker("Rest-Begin"), split_marker("mental_task_end"), split_marker("restart")
    (('Rest', 'start'), ('mental_task', 'stop'), ('restart', ''))
    """
    match = re.fullmatch(r"(.+?)[\s_:/-]+(start|begin|stop|end)", word, re.IGNORECASE)
    if match is None:
        return word, ""
    return match[1], "start" if match[2].lower() in STARTS else "stop"
