# SPDX-License-Identifier: Apache-2.0
"""What a folder of recordings looks like: files, columns, rates, units and values, for a manifest's template.

Everything here is an offer that the user reads and corrects; what the labels mean is never guessed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmq_bridge.front_end.modality_aliases import is_electrode, is_no_signal
from mmq_bridge.front_end.units import known_units

from mmq_tf.datasets.base import SIMULATED_NAME
from mmq_tf.datasets.formats.detect import form_of, read_as
from mmq_tf.datasets.manifest.columns import first_rows
from mmq_tf.datasets.manifest.labels import value_of
from mmq_tf.datasets.manifest.patterns import Pattern, find_patterns, sensor_of
from mmq_tf.datasets.manifest.schema import FILE_NAME, TABLES
from mmq_tf.datasets.manifest.times import place_rows, seconds
from mmq_tf.datasets.open_recording import UNDERSTOOD
from mmq_tf.errors import MMQError

MAX_ENTRIES = 100_000
MAX_SHOWN = 12
OURS = (FILE_NAME, SIMULATED_NAME)
TIME_WORDS = {
    "time",
    "timestamp",
    "timestamps",
    "t",
    "ts",
    "sec",
    "seconds",
    "datetime",
    "date",
    "unix",
    "epoch",
}
LABEL_WORDS = (
    "label", "labels", "class", "condition", "state", "stress", "emotion", "valence", "arousal", "task",
    "event", "phase", "stage", "marker", "block", "activity",
)  # fmt: skip
COUNTER_WORDS = ("index", "id", "sample", "n", "counter", "count", "row", "frame", "subject", "session")


@dataclass(frozen=True)
class FoundSignal:
    """Columns that seem to be of one modality; `unit` is empty where no name says it."""

    columns: tuple[str, ...]
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class FoundFiles:
    """One kind of file, and what the first of them holds; of the streams `markers` the user chooses one."""

    pattern: Pattern
    form: str
    time: tuple[str, str] | None = None
    rate_hz: float | None = None
    rate_doubt: str = ""
    signals: Mapping[str, FoundSignal] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """Everything that was found in a folder."""

    files: tuple[FoundFiles, ...]
    trials: tuple[str, tuple[str, ...]] | None
    left_out: tuple[str, ...]


def look_at(folder: Path) -> Found:
    """Look at the files of a folder.

    Parameters
    ----------
    folder : Path
        Holds recordings of one kind, in it or below.

    Raises
    ------
    MMQError
        If nothing in it is understood.
    """
    units = _scan(folder)
    forms = Counter(units.values())
    whole = next((form for form in ("recording", "e4", "embraceplus", "xdf", "mne") if forms[form]), None)
    tables = {path: form for path, form in units.items() if form in TABLES}
    marks = _trials_table(folder, [path for path, form in tables.items() if form == "csv"])
    if marks is not None:
        tables.pop(marks[0])
    chosen = [path for path, form in units.items() if form == whole] if whole else list(tables)
    patterns = find_patterns(chosen)
    many = [one for one in patterns if len(one.files) > 1] or patterns
    found = [_whole(folder, one, whole) if whole else _table(folder, one) for one in many]
    found = [one for one in found if whole or one.signals or one.labels]
    if not found:
        raise MMQError(f"{folder}: expected recordings; found none of {UNDERSTOOD}, or tables.")
    used = {path for one in found for path in one.pattern.files}
    left = tuple(sorted(path for path in units if path not in used and (marks is None or path != marks[0])))
    return Found(tuple(found), marks, left)


def _scan(folder: Path) -> dict[str, str]:
    """Every file or folder that is one recording or table, by its relative path, with its format."""
    units: dict[str, str] = {}
    count = 0
    for at, folders, files in os.walk(folder):
        count += len(files) + len(folders)
        if count > MAX_ENTRIES:
            raise MMQError(f"{folder}: expected at most {MAX_ENTRIES} files; name the recordings' folder.")
        here = Path(at)
        if (form := form_of(here)) is not None and here != folder:
            units[here.relative_to(folder).as_posix()] = form
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".") and name not in OURS):
            if (form := form_of(here / name)) is not None:
                units[(here / name).relative_to(folder).as_posix()] = form
    return units


def _trials_table(folder: Path, paths: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Path and columns of the first table with ``start`` and ``stop``."""
    for path in paths:
        try:
            names = tuple(first_rows(folder / path, "csv").arrays)
        except MMQError:  # a .txt that is no table
            continue
        if {"start", "stop"} <= set(names):
            return path, names
    return None


def _whole(folder: Path, pattern: Pattern, form: str) -> FoundFiles:
    """Look into the first file of a format that says itself what it holds."""
    try:
        recording, _ = read_as(form, folder / pattern.files[0])
    except MMQError as error:
        return FoundFiles(pattern, form, notes=(f"the first one cannot be read: {error}",))
    notes = [
        f"{name}: {len(signal.channels)} channels ({', '.join(signal.channels[:MAX_SHOWN])}) at"
        f" {signal.sampling_rate_hz:g} Hz in {signal.unit}"
        for name, signal in recording.signals.items()
    ]
    labels: dict[str, Counter[str]] = {}
    asked: tuple[str, ...] = ()
    if form == "mne":  # also of annotations that overlap, of which the user chooses
        from mmq_tf.datasets.formats.mne_files import descriptions

        labels["condition"] = descriptions(folder / pattern.files[0])
        labels = {name: values for name, values in labels.items() if values}
    elif form == "xdf":
        from mmq_tf.datasets.formats.xdf import marker_names

        if asked := tuple(marker_names(folder / pattern.files[0])):
            labels["condition"] = Counter()
    for trial in recording.trials if form != "mne" else ():
        for name, value in {**trial.labels, **trial.ratings}.items():
            labels.setdefault(name, Counter())[value_of(value)] += 1
    shown = {name: _counted(values) for name, values in labels.items()}
    return FoundFiles(pattern, form, labels=shown, notes=tuple(notes), markers=asked)


def _table(folder: Path, pattern: Pattern) -> FoundFiles:
    path = folder / pattern.files[0]
    form = str(form_of(path))
    try:
        columns = first_rows(path, form)
    except MMQError as error:
        return FoundFiles(pattern, form, notes=(f"the first one cannot be read: {error}",))
    arrays = columns.arrays
    time = next((one for name in arrays if (one := _time_column(name, arrays[name])) is not None), None)
    rate, doubt = None, "no column of times was found"
    if time is not None:
        rate, doubt = _rate(arrays[time[0]], time[1])
    labels, signals, unused = {}, {}, []
    for name, values in arrays.items():
        if time is not None and name == time[0]:
            continue
        modality = _modality(name, pattern, len(arrays) - (time is not None))
        if _is_label(name, values):
            labels[name] = _counted(Counter(value_of(value) for value in values.tolist()))
        elif modality is None or values.dtype.kind != "f":
            unused.append(name)
        else:
            signals.setdefault(modality, []).append(name)
    return FoundFiles(
        pattern,
        form,
        time,
        rate,
        doubt,
        {name: _signal(name, chosen, arrays) for name, chosen in signals.items()},
        labels,
        tuple(unused),
    )


def _time_column(name: str, values: np.ndarray) -> tuple[str, str] | None:
    """Name and unit of a column that may be time: dates, or never falling numbers whose name says so."""
    if values.ndim != 1 or not len(values):
        return None
    words = re.findall(r"[a-z]+", name.lower())
    if values.dtype.kind == "M":
        return name, "iso"
    if values.dtype.kind != "f":
        is_date = re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", str(values[0])) is not None
        return (name, "iso") if is_date else None
    if not any(word in TIME_WORDS for word in words) or not (np.diff(values) >= 0).all():
        return None
    size = float(np.abs(values[-1]))
    for limit, unit in ((1e17, "unix_ns"), (1e14, "unix_us"), (1e11, "unix_ms"), (1e8, "unix")):
        if size > limit:
            return name, unit
    if {"ms", "millis", "milliseconds"} & set(words):
        return name, "ms"
    step = float(np.median(np.diff(values))) if len(values) > 1 else 0.0
    return name, "ms" if step >= 2 and (values == np.rint(values)).all() else "s"


def _rate(values: np.ndarray, unit: str) -> tuple[float | None, str]:
    try:
        time_s, _ = seconds(values, unit, lambda row: f"row {row + 1} of the values")
        return place_rows(time_s, None, lambda row: f"row {row + 1} of the values").rate_hz, ""
    except MMQError as error:
        return None, str(error)


def _modality(name: str, pattern: Pattern, count: int) -> str | None:
    """Modality of a column: by its own name, an electrode's, or the file's where it names nothing else."""
    words = re.findall(r"[a-z]+", name.lower())
    if any(word in COUNTER_WORDS for word in words) or is_no_signal(name):
        return None
    if (own := sensor_of(name)) is not None:
        return own
    if is_electrode(name):
        return "eeg"
    generic = set(words) <= {"x", "y", "z", "value", "values", "signal", "data", "ch", "channel"}
    return pattern.sensor if pattern.sensor is not None and (generic or count == 1) else None


def _is_label(name: str, values: np.ndarray) -> bool:
    if values.ndim != 1:
        return False
    named = any(word in LABEL_WORDS for word in re.findall(r"[a-z]+", name.lower()))
    return named or (values.dtype.kind in "OU" and len(set(values.tolist())) <= MAX_SHOWN)


def _counted(values: Counter[str]) -> str:
    """Values with how often each comes, as text."""
    shown = [f"{value or 'empty'} ({count})" for value, count in values.most_common(MAX_SHOWN)]
    return ", ".join(shown) + (f", and {len(values) - MAX_SHOWN} more" if len(values) > MAX_SHOWN else "")


def _signal(modality: str, names: Sequence[str], arrays: Mapping[str, np.ndarray]) -> FoundSignal:
    units = known_units(modality)
    said = {word for name in names for word in re.split(r"[\s_()\[\],;]+", name)[1:] if word in units}
    unit = said.pop() if len(said) == 1 else (units[0] if units == ("a.u.",) else "")
    values = np.concatenate([arrays[name].ravel() for name in names])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (np.nan, np.nan)
    return FoundSignal(tuple(names), unit, low, high)
