# SPDX-License-Identifier: Apache-2.0
"""From label columns, trials tables and annotations to trials with the classes that a manifest names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmq_tf.datasets.formats.files.tables import read_names
from mmq_tf.datasets.formats.files.text_columns import read_words
from mmq_tf.datasets.manifest.columns import Columns
from mmq_tf.datasets.manifest.labels import class_codes, class_of, value_of
from mmq_tf.datasets.manifest.paths import Key
from mmq_tf.datasets.manifest.schema import DatasetManifest, TaskPart
from mmq_tf.datasets.manifest.times import RowTimes, seconds
from mmq_tf.errors import MMQError
from mmq_tf.recording import Trial

logger = logging.getLogger(__name__)

STIMULUS = "stimulus"
"""Column of a trials table with what was shown."""
PAUSE_S = 1.0
"""A longer stretch of lost rows ends a run of one label as a change of label does."""
OVERHANG_S = 1.0
"""A trial may end so much after the recording, by rounding or a late button; it is cut there."""


@dataclass(frozen=True)
class Marked:
    """A trial on the clock of the file that tells of it; `place` names it in errors."""

    start_s: float
    stop_s: float
    labels: Mapping[str, str]
    place: str
    ratings: Mapping[str, float] = field(default_factory=dict)
    stimulus: str = ""


def column_trials(manifest: DatasetManifest, columns: Columns, timeline: RowTimes) -> list[Marked]:
    """Make one trial of every run of rows with the same labels.

    Raises
    ------
    MMQError
        If a value is unknown, naming its row, or a column has another length.
    """
    codes = np.empty((len(manifest.tasks), len(timeline.steps)), int)
    for at, (name, task) in enumerate(manifest.tasks.items()):
        column = task.column or name
        values = columns.arrays[column]
        if values.shape != timeline.steps.shape:
            raise MMQError(
                f"{columns.path}: the label column {column} must have one value for each of"
                f" {len(timeline.steps)} rows; got {list(values.shape)}."
            )
        codes[at] = class_codes(task, values, lambda row, column=column: columns.place(column, row))
    pause = np.diff(timeline.steps) > max(1.0, PAUSE_S * timeline.measured_hz)
    firsts = np.concatenate([[0], np.flatnonzero((np.diff(codes) != 0).any(axis=0) | pause) + 1])
    stops = np.concatenate([firsts[1:], [codes.shape[1]]])
    marked = []
    for first, stop in zip(firsts, stops, strict=True):
        labels = {
            name: task.classes[code]
            for (name, task), code in zip(manifest.tasks.items(), codes[:, first], strict=True)
            if code >= 0
        }
        if labels:
            end_s = timeline.time_s(stop - 1) + 1 / timeline.measured_hz
            place = f"{columns.path}: rows {columns.first_row + first} to {columns.first_row + stop - 1}"
            marked.append(Marked(timeline.time_s(first), end_s, labels, place))
    return marked


def table_trials(
    manifest: DatasetManifest, path: Path, key: Key, known: Sequence[Key]
) -> tuple[list[Marked], str]:
    """Read one recording's rows of a trials table, and say which clock their times are on.

    Parameters
    ----------
    manifest : DatasetManifest
        With ``trials.source = "table"``.
    path : Path
        The table, with a row per trial: ``subject`` and ``session`` where the path does not say them,
        ``start``, ``stop`` (empty: the end), the tasks' columns, and ``stimulus`` if there is one.
    key : Key
        Whose trials are wanted.
    known : sequence of Key
        Everyone there is; rows of others are named in a warning.

    Raises
    ------
    MMQError
        If a column is missing, there is no row of this recording, or a row is wrong; it is named.
    """
    pattern, unit = str(manifest.trials.path), str(manifest.trials.time_unit)
    told = ("subject", "session") if manifest.has_sessions else ("subject",)
    who = [name for name in told if f"{{{name}}}" not in pattern]
    if not path.is_file():
        raise MMQError(f"{path}: the trials table was not found; correct trials.path.")
    more = [STIMULUS] if STIMULUS in read_names(path) else []
    words, first_row = read_words(path, (*who, "start", "stop", *manifest.label_columns, *more))
    rows = _rows_of(path, words, who, key, known)
    mine = {name: column[rows] for name, column in words.items()}

    def place(name: str, index: int) -> str:
        return f"{path}: row {first_row + int(rows[index])}, column {name}"

    starts, stops, clock = _times(mine, unit, place)
    labels = [dict[str, str]() for _ in rows]
    for name, task in manifest.tasks.items():
        column = task.column or name
        codes = class_codes(task, mine[column], lambda index, column=column: place(column, index))
        for index in np.flatnonzero(codes >= 0):
            labels[index][name] = task.classes[codes[index]]
    marked = [
        Marked(
            float(starts[index]),
            float(stops[index]),
            labels[index],
            f"{path}: row {first_row + int(rows[index])}",
            _ratings(manifest, mine, index),
            mine[STIMULUS][index] if more else "",
        )
        for index in range(len(rows))
    ]
    return marked, clock


def _times(
    words: Mapping[str, np.ndarray], unit: str, place: Callable[[str, int], str]
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return starts and stops in s, and their clock; an empty stop is the recording's end, infinity here."""
    times, clock = {}, ""
    for name in ("start", "stop"):
        said = np.where(words[name] == "", words["start"], words[name])
        values = said if unit == "iso" else _numbers(said, name, place)
        times[name], clock = seconds(values, unit, lambda index, name=name: place(name, index))
    return times["start"], np.where(words["stop"] == "", np.inf, times["stop"]), clock


def _rows_of(
    path: Path, words: Mapping[str, np.ndarray], who: Sequence[str], key: Key, known: Sequence[Key]
) -> np.ndarray:
    count = len(words["start"])
    if not who:
        return np.arange(count)
    position = {"subject": 0, "session": 1}
    named = list(zip(*(words[name] for name in who), strict=True))
    wanted = tuple(key[position[name]] for name in who)
    there = {tuple(one[position[name]] for name in who) for one in known}
    stray = next((row for row, names in enumerate(named) if names not in there), None)
    if stray is not None:
        logger.warning("%s: rows of %s belong to no file that was found", path, "/".join(named[stray]))
    rows = np.flatnonzero([names == wanted for names in named])
    if not rows.size:
        names = ", ".join(sorted({"/".join(names) for names in named})[:20])
        raise MMQError(f"{path}: has no row of {'/'.join(wanted)!r}; there are rows of {names}.")
    return rows


def _numbers(words: np.ndarray, name: str, place: Callable[[str, int], str]) -> np.ndarray:
    numbers = np.empty(len(words))
    for index, word in enumerate(words):
        try:
            numbers[index] = float(word.replace(",", "."))
        except ValueError:
            raise MMQError(f"{place(name, index)}: expected a number; got {word[:40]!r}.") from None
    return numbers


def _ratings(manifest: DatasetManifest, words: Mapping[str, np.ndarray], index: int) -> dict[str, float]:
    scales = {task.column or name for name, task in manifest.tasks.items() if task.high_above is not None}
    values = {scale: value_of(words[scale][index]) for scale in sorted(scales)}
    return {scale: float(value) for scale, value in values.items() if _is_number(value)}


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False


def known_trials(manifest: DatasetManifest, path: Path, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Give trials that a file holds itself the manifest's labels; those without one are left out.

    Parameters
    ----------
    manifest : DatasetManifest
        Its tasks' `column` is the name of the file's label (of annotations there is only one).
    path : Path
        The file, for errors.
    trials : sequence of Trial
        As its loader found them.

    Raises
    ------
    MMQError
        If no trial has a label the manifest knows.
    """
    labelled, seen = [], set()
    for trial in trials:
        labels = {}
        for name, task in manifest.tasks.items():
            value = value_of(_own_label(trial, task.column or name))
            seen.add(value)
            if found := _class_or_none(task, value):
                labels[name] = found
        if labels:
            labelled.append(replace(trial, labels=labels))
    if not labelled:
        words = ", ".join(repr(word) for word in sorted(seen)[:20] if word) or "none at all"
        raise MMQError(f"{path}: none of its trials has a label that tasks names; its labels are {words}.")
    return tuple(labelled)


def is_labelled(manifest: DatasetManifest, text: str) -> bool:
    """Whether an annotation's text means a class of a task; others are no trials."""
    value = value_of(text)
    return any(_class_or_none(task, value) is not None for task in manifest.tasks.values())


def _own_label(trial: Trial, name: str) -> object:
    labels = {**trial.ratings, **trial.labels}
    return labels.get(name, next(iter(labels.values()), "") if len(labels) == 1 else "")


def _class_or_none(task: TaskPart, value: str) -> str | None:
    try:
        return class_of(task, value)
    except ValueError:  # files hold annotations of other things too
        return None


def placed(
    marked: Sequence[Marked], start_s: float, duration_s: float, overhang_s: float = OVERHANG_S
) -> tuple[Trial, ...]:
    """Put trials on the recording's clock.

    Parameters
    ----------
    marked : sequence of Marked
        In any order.
    start_s : float
        The recording's start on their clock.
    duration_s : float
        Of the recording.
    overhang_s : float
        A trial may reach so far beyond the recording, where it is cut. Infinite: what lies outside is left
        out.

    Raises
    ------
    MMQError
        If one ends before it begins, lies outside the recording, or overlaps another; its row is named.
    """
    trials: list[Trial] = []
    previous = ""
    for one in sorted(marked, key=lambda one: one.start_s):
        begin, end = float(one.start_s - start_s), float(one.stop_s - start_s)
        if not begin < end:
            raise MMQError(
                f"{one.place}: stop must come after start; got {one.start_s:.10g} and {one.stop_s:.10g}."
            )
        outside = begin >= duration_s or end <= 0
        if outside and overhang_s == np.inf:
            continue
        if outside or begin < -overhang_s or duration_s + overhang_s < end < np.inf:
            raise MMQError(
                f"{one.place}: must lie inside the recording, 0 to {duration_s:g} s from its start; got"
                f" {begin:g} to {end:g} s. Check the unit of the times and the clock they are on."
            )
        if trials and begin < trials[-1].stop_s - 1e-6:
            raise MMQError(f"{one.place}: overlaps {previous}; trials of one recording must not.")
        begin = max(begin, trials[-1].stop_s if trials else 0.0)
        trials.append(Trial(begin, min(end, duration_s), one.labels, one.ratings, one.stimulus))
        previous = one.place
    return tuple(trials)
