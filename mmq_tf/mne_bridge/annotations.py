# SPDX-License-Identifier: Apache-2.0
"""Trials and lost samples as MNE annotations, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np

from mmq_tf.mne_bridge.breaks import Breaks, is_boundary
from mmq_tf.recording import Trial

if TYPE_CHECKING:
    import mne

UNLABELLED = "trial"
LOST = "BAD_lost"
STIMULUS, STIMULUS_S = "stimulus", "stimulus_s"
RATING = "rating_"
"""What the key of a rating begins with in an annotation's extras."""

SLACK_S = 2e-6
"""MNE keeps the times of annotations in whole microseconds."""

_MNE_MEANS_SOMETHING = re.compile(r"(?i)bad|edge")


def trial_name(trial: Trial) -> str:
    r"""Write a trial's labels as an annotation's description.

    Tasks are parted by ``/``, so that MNE finds epochs of one class by it: ``epochs["valence=low"]``. What
    would be taken for something else is percent-encoded, as in an address of the web.

    Examples
    --------
    >>> trial_name(Trial(0, 1, {"valence": "low", "arousal": "high"}))
    'valence=low/arousal=high'
    >>> trial_name(Trial(0, 1, {"bad": "a/b"})), trial_name(Trial(0, 1, {}))
    ('%62ad=a%2Fb', 'trial')
    """
    name = "/".join(f"{_encoded(task)}={_encoded(label)}" for task, label in trial.labels.items())
    if _MNE_MEANS_SOMETHING.match(name):
        name = _percent(name[0]) + name[1:]
    return name or UNLABELLED


def labels_of(name: str) -> dict[str, str] | None:
    """Read what `trial_name` wrote; None where a description is of something else.

    Examples
    --------
    >>> labels_of("valence=low/arousal=high"), labels_of("trial"), labels_of("T0")
    ({'valence': 'low', 'arousal': 'high'}, {}, None)
    """
    if name == UNLABELLED:
        return {}
    pairs = [part.partition("=") for part in name.split("/")]
    if is_bad(name) or not all(task and equals and label for task, equals, label in pairs):
        return None
    return {unquote(task): unquote(label) for task, _, label in pairs}


def is_bad(name: str) -> bool:
    """Whether MNE leaves a stretch with this description out."""
    return name.lower().startswith("bad") and not is_boundary(name)


def _encoded(text: str) -> str:
    return "".join(
        letter if letter.isprintable() and letter not in "%/=:" else _percent(letter) for letter in text
    )


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode())


def to_annotations(trials: Iterable[Trial]) -> mne.Annotations:
    """Write trials as annotations, with their ratings (``rating_valence``) and stimulus as extras."""
    import mne

    found = list(trials)
    return mne.Annotations(
        [trial.start_s for trial in found],
        [trial.stop_s - trial.start_s for trial in found],
        [trial_name(trial) for trial in found],
        extras=[_extras(trial) for trial in found],
    )


def _extras(trial: Trial) -> dict[str, float | str]:
    said: dict[str, float | str] = {STIMULUS: trial.stimulus} if trial.stimulus else {}
    said |= {STIMULUS_S: trial.stimulus_s} if trial.stimulus_s else {}
    return {**said, **{RATING + scale: value for scale, value in trial.ratings.items()}}


def lost_annotations(samples: np.ndarray, rate_hz: float, names: Sequence[str]) -> mne.Annotations:
    """Mark every stretch in which samples ``[channels, n]`` are NaN as `LOST`, with the channels that are.

    Where every channel is lost none is named, as MNE has it for a stretch that is bad altogether.
    """
    import mne

    lost = np.isnan(samples)
    changes = np.flatnonzero((lost[:, 1:] != lost[:, :-1]).any(axis=0)) + 1
    starts = np.concatenate([[0], changes])
    stops = np.concatenate([changes, [lost.shape[1]]])
    runs = [(a, b, lost[:, a]) for a, b in zip(starts, stops, strict=True) if lost[:, a].any()]
    return mne.Annotations(
        [start / rate_hz for start, _, _ in runs],
        [(stop - start) / rate_hz for start, stop, _ in runs],
        [LOST] * len(runs),
        ch_names=[
            [] if rows.all() else [name for name, its in zip(names, rows, strict=True) if its]
            for _, _, rows in runs
        ],
    )


def breaks_of(raw: mne.io.BaseRaw) -> Breaks:
    """Return the breaks that a raw's annotations declare, from its first sample on."""
    told = raw.annotations
    return Breaks(
        (
            (_since_zero(raw, told.onset[row]) - raw.first_time, float(told.duration[row]))
            for row, name in enumerate(told.description)
            if is_boundary(str(name))
        ),
        raw.n_times / float(raw.info["sfreq"]),
    )


def trials_of(raw: mne.io.BaseRaw, zero_s: float) -> list[Trial]:
    """Read the trials that a raw's annotations tell of; others are none.

    `zero_s` is subtracted from every time; what its breaks left out is added.
    """
    told = raw.annotations
    breaks = breaks_of(raw)
    found = []
    for row, name in enumerate(told.description):
        labels = labels_of(str(name))
        if labels is None or not told.duration[row] > 0:
            continue
        extras = told.extras[row]
        ratings = {
            key.removeprefix(RATING): float(value)
            for key, value in extras.items()
            if key.startswith(RATING) and isinstance(value, int | float)
        }
        start = max(0.0, _since_zero(raw, told.onset[row]) - zero_s)
        stop = start + float(told.duration[row])
        if breaks:
            first_s = raw.first_time - zero_s
            start = breaks.moved(start - first_s) + first_s
            stop = breaks.moved(stop - first_s, is_stop=True) + first_s
        shown_s = float(extras.get(STIMULUS_S) or 0.0)
        found.append(Trial(start, stop, labels, ratings, str(extras.get(STIMULUS) or ""), shown_s))
    return found


def merged(trials: Iterable[Trial], end_s: float) -> tuple[Trial, ...]:
    """Put together what several raws tell of the same trials; where one was cut short, the longer holds.

    What lies beyond the recording's end is cut off.
    """
    found: list[Trial] = []
    for trial in sorted(trials, key=lambda t: (t.start_s, -t.stop_s)):
        last = found[-1] if found else None
        if last and _content(trial) == _content(last) and trial.start_s < last.stop_s - SLACK_S:
            found[-1] = replace(last, stop_s=max(last.stop_s, trial.stop_s))
        elif trial.start_s < end_s - SLACK_S:
            found.append(trial)
    if found and found[-1].stop_s > end_s - SLACK_S:
        found[-1] = replace(found[-1], stop_s=end_s)
    for row, following in enumerate(found[1:]):
        if abs(found[row].stop_s - following.start_s) < SLACK_S:
            found[row] = replace(found[row], stop_s=following.start_s)
    return tuple(found)


def _content(trial: Trial) -> tuple[object, ...]:
    return trial.labels, trial.ratings, trial.stimulus, trial.stimulus_s


def bad_is_lost(samples: np.ndarray, raw: mne.io.BaseRaw, names: Sequence[str]) -> None:
    """Make NaN, in place, what MNE would leave out: bad stretches and bad channels of samples ``[C, n]``."""
    rate = float(raw.info["sfreq"])
    samples[[name in raw.info["bads"] for name in names]] = np.nan
    found = raw.annotations
    for row in (k for k, name in enumerate(found.description) if is_bad(str(name))):
        start = _since_zero(raw, found.onset[row]) - raw.first_time
        edges = (start - SLACK_S, start + found.duration[row] - SLACK_S)
        first, last = (max(0, math.ceil(edge * rate)) for edge in edges)
        meant = found.ch_names[row] or names
        samples[[name in meant for name in names], first:last] = np.nan


def _since_zero(raw: mne.io.BaseRaw, onset_s: float) -> float:
    """Time of an annotation counted as `raw.first_time` is, from the raw's measurement date if it has one."""
    at, zero = raw.annotations.orig_time, raw.info["meas_date"]
    return float(onset_s) + ((at - zero).total_seconds() if at is not None and zero is not None else 0.0)
