# SPDX-License-Identifier: Apache-2.0
"""The recording that a manifest's tables make: signals on one clock, and trials beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmq_bridge.front_end.units import front_end_unit
from mmq_bridge.recordings.room import check_room

from mmq_tf.datasets.manifest.columns import Columns, column_names, read_columns
from mmq_tf.datasets.manifest.schema import DatasetManifest, FilesPart, SignalPart
from mmq_tf.datasets.manifest.times import MAX_SAMPLES, RowTimes, even_rows, place_rows, seconds
from mmq_tf.datasets.manifest.trials import Marked, column_trials
from mmq_tf.errors import MMQError
from mmq_tf.recording import Signal

GRID_BYTES = 8
"""A sample on the grid as float32, before and after its clock's drift is taken out."""
RELATIVE = "relative"
_CLOCKS = {
    RELATIVE: "seconds from a start",
    "unix": "Unix time or dates with a time zone",
    "local": "dates without a time zone",
}


@dataclass(frozen=True, eq=False)
class Timed:
    """A signal on its file's clock, whose kind is ``relative``, ``unix`` or ``local``; `start_s` is on it."""

    samples: np.ndarray
    rate_hz: float
    channels: tuple[str, ...]
    start_s: float
    clock: str
    path: Path


@dataclass(frozen=True, eq=False)
class TableRecording:
    """Signals by modality from t = 0, the clock's time of that, and trials still on the clock."""

    signals: Mapping[str, Signal]
    start_s: float
    clock: str
    marked: tuple[Marked, ...] = ()


def read_tables(
    manifest: DatasetManifest, paths: Mapping[int, Path], *, labelled: bool = True
) -> TableRecording:
    """Read one recording's tables.

    Parameters
    ----------
    manifest : DatasetManifest
        Of table formats.
    paths : dict of int to Path
        File by the index of its entry in ``files``.
    labelled : bool
        Without it label columns are not looked at.

    Raises
    ------
    MMQError
        If a file is broken, lacks a column, contradicts its rate, or is on another clock than the others.
    """
    parts: dict[tuple[str, int], Timed] = {}
    marked: list[Marked] = []
    label_clock: tuple[str, Path] | None = None
    labels = manifest.label_files() if labelled and manifest.trials.source == "column" else None
    for index, path in paths.items():
        part = manifest.files[index]
        columns = _sorted(part, _without_rate_row(part, _read(part, path)))
        for name, signal in part.signals.items():
            parts[name, index] = _timed(name, signal, part, columns)
        if part is labels:
            timeline, clock = _timeline(part, columns, len(columns.arrays[part.labels[0]]))
            marked = column_trials(manifest, columns, timeline)
            label_clock = (clock, path)
    if not parts:
        raise MMQError(f"{next(iter(paths.values()))}: there is no file of any sensor beside it.")
    first = next(iter(parts.values()))
    others = [(one.clock, one.path) for one in parts.values()] + ([label_clock] if label_clock else [])
    for clock, path in others:
        if clock != first.clock:
            raise MMQError(
                f"{path}: its times are {_CLOCKS[clock]}, those of {first.path} {_CLOCKS[first.clock]};"
                " sensors of one recording need the same clock."
            )
    timed = {
        name: one if len(manifest.sensors_of(name)) < 2 else _side_by_side(manifest, name, parts)
        for (name, _), one in parts.items()
    }
    start_s = min(one.start_s for one in timed.values())
    _check_together(timed)
    signals = {name: _signal(name, one, start_s) for name, one in timed.items()}
    return TableRecording(signals, start_s, first.clock, tuple(marked))


def _signal(name: str, one: Timed, start_s: float) -> Signal:
    try:
        unit = front_end_unit(name)
        return Signal(name, one.samples, one.rate_hz, unit, one.channels, one.start_s - start_s)
    except MMQError as error:
        raise MMQError(f"{one.path}: {error}") from error


def _read(part: FilesPart, path: Path) -> Columns:
    numbers = [column for signal in part.signals.values() for column in signal.columns]
    times = [part.time.column] if part.time and _uses_common_time(part) else []
    times += [signal.time_column for signal in part.signals.values() if signal.time_column]
    as_text = part.time is not None and part.time.unit == "iso"
    words = [*part.labels, *(times if as_text else [])]
    numbers += [] if as_text else times
    if not part.aliases:
        return read_columns(path, part.format, numbers, words)
    there = column_names(path, part.format)
    own = {
        name: next((one for one in (name, *part.aliases.get(name, ())) if one in there), name)
        for name in (*numbers, *words)
    }
    found = read_columns(path, part.format, [own[name] for name in numbers], [own[name] for name in words])
    return found.renamed(own)


def _without_rate_row(part: FilesPart, columns: Columns) -> Columns:
    """Leave out a first row that holds the rate in place of samples, where the manifest knows of such."""
    names = [name for signal in part.signals.values() for name in signal.columns]
    rows = len(columns.arrays[names[0]]) if names else 0
    if not part.rate_row or rows < 2 or any(columns.arrays[n][0] != part.sampling_rate_hz for n in names):
        return columns
    return columns.without_first_row()


def _side_by_side(manifest: DatasetManifest, modality: str, parts: Mapping[tuple[str, int], Timed]) -> Timed:
    """Several sensors of one modality as channels of one signal; those of a missing file are lost samples.

    Raises
    ------
    MMQError
        If their rates differ.
    """
    found: list[tuple[tuple[str, ...], Timed | None]] = []
    for sensor in manifest.sensors_of(modality):
        index = next(at for at, part in enumerate(manifest.files) if part.name == sensor)
        one = parts.get((modality, index))
        signal = manifest.files[index].signal(modality)
        own = one.channels if one else _channels(modality, signal, [1] * len(signal.columns), Path(sensor))
        found.append((tuple(f"{sensor}_{channel}" for channel in own), one))
    there = [one for _, one in found if one is not None]
    rate = there[0].rate_hz
    for other in there[1:]:
        if other.rate_hz != rate:
            raise MMQError(
                f"{other.path}: {modality} has {other.rate_hz:g} Hz here and {rate:g} in"
                f" {there[0].path.name}; sensors side by side need one rate: name one of them in [sensors]."
            )
    start_s = min(one.start_s for one in there)
    firsts = {one.path: round((one.start_s - start_s) * rate) for one in there}
    length = max(firsts[one.path] + one.samples.shape[1] for one in there)
    samples = np.full((sum(len(names) for names, _ in found), length), np.nan, np.float32)
    row = 0
    for names, one in found:
        if one is not None:
            first = firsts[one.path]
            samples[row : row + len(names), first : first + one.samples.shape[1]] = one.samples
        row += len(names)
    channels = tuple(name for names, _ in found for name in names)
    return Timed(samples, rate, channels, start_s, there[0].clock, there[0].path)


def _sorted(part: FilesPart, columns: Columns) -> Columns:
    """Put rows in the order of their times where the manifest allows it, and they are near enough to it.

    Raises
    ------
    MMQError
        If a row is further out of order.
    """
    if part.sort_within_s is None or part.time is None:
        return columns
    time_s, _ = _times(part.time.column, part.time.unit, columns)
    late_s = np.maximum.accumulate(time_s) - time_s
    if late_s.max() > part.sort_within_s:
        raise MMQError(
            f"{columns.place(part.time.column, int(late_s.argmax()))}: is {late_s.max():g} s out of order;"
            f" sort_within_s is {part.sort_within_s:g}."
        )
    return columns.in_order(np.argsort(time_s, kind="stable")) if late_s.any() else columns


def _uses_common_time(part: FilesPart) -> bool:
    return bool(part.labels) or any(signal.time_column is None for signal in part.signals.values())


def _timeline(part: FilesPart, columns: Columns, rows: int) -> tuple[RowTimes, str]:
    """Return when the rows of a table were measured, and the clock of these times."""
    if part.time is None:
        return even_rows(rows, float(part.sampling_rate_hz or 0)), RELATIVE  # the schema wants one of the two
    time_s, clock = _times(part.time.column, part.time.unit, columns)
    where = _where(columns, part.time.column)
    return place_rows(time_s, part.sampling_rate_hz, where), clock


def _times(column: str, unit: str, columns: Columns) -> tuple[np.ndarray, str]:
    values = columns.arrays[column] if unit == "iso" else columns.numbers(column)
    if values.ndim != 1:
        raise MMQError(
            f"{columns.path}: the time column {column} must have one value a row; got {values.shape}."
        )
    time_s, clock = seconds(values, unit, _where(columns, column))
    return time_s, "unix" if column in columns.zoned else clock


def _where(columns: Columns, column: str) -> Callable[[int], str]:
    return lambda row: columns.place(column, row)


def _timed(name: str, signal: SignalPart, part: FilesPart, columns: Columns) -> Timed:
    values, widths = _values(name, signal, columns)
    values *= signal.scale(name)
    _check_size(signal, columns, values, widths)
    rate = signal.sampling_rate_hz or part.sampling_rate_hz
    if part.time is None:
        timeline, clock = even_rows(len(values), float(rate or 0)), RELATIVE
    else:
        column = signal.time_column or part.time.column
        time_s, clock = _times(column, part.time.unit, columns)
        if len(time_s) != len(values):
            raise MMQError(
                f"{columns.path}: {name} has {len(values)} rows, its time column {column} {len(time_s)};"
                " they must be as long."
            )
        rows = np.arange(len(values))
        if signal.sampling_rate_hz not in (None, part.sampling_rate_hz):
            rows = np.flatnonzero(~np.isnan(values).all(axis=1))  # rows between its samples are empty
            if not rows.size:
                raise MMQError(f"{columns.path}: no row holds a value of {name}.")
        timeline = place_rows(time_s[rows], rate, lambda row: columns.place(column, int(rows[row])))
        values = values[rows]
    if (int(timeline.steps[-1]) + 1) * values.shape[1] > MAX_SAMPLES:
        raise MMQError(
            f"{columns.path}: {name} would be {int(timeline.steps[-1]) + 1} samples long with its gaps."
        )
    check_room(columns.path, GRID_BYTES * (int(timeline.steps[-1]) + 1) * values.shape[1])
    samples = timeline.samples(values)
    channels = _channels(name, signal, widths, columns.path)
    return Timed(samples, timeline.rate_hz, channels, timeline.start_s, clock, columns.path)


def _values(name: str, signal: SignalPart, columns: Columns) -> tuple[np.ndarray, list[int]]:
    """Return a signal's columns side by side, float64 ``[rows, channels]``, and each one's width."""
    parts = [columns.numbers(column) for column in signal.columns]
    parts = [part[:, None] if part.ndim == 1 else part for part in parts]
    if len({len(part) for part in parts}) > 1:
        rows = ", ".join(f"{column} {len(part)}" for column, part in zip(signal.columns, parts, strict=True))
        raise MMQError(f"{columns.path}: columns of {name} must be equally long; got rows: {rows}.")
    return np.concatenate(parts, axis=1), [part.shape[1] for part in parts]


def _check_size(signal: SignalPart, columns: Columns, values: np.ndarray, widths: list[int]) -> None:
    """Check that every value has a place in float32."""
    large = np.argwhere(np.abs(values) > np.finfo(np.float32).max)
    if large.size:
        row, channel = large[0]
        column = signal.columns[int(np.searchsorted(np.cumsum(widths), channel, side="right"))]
        raise MMQError(f"{columns.place(column, int(row))}: expected a sample; got {values[row, channel]:g}.")


def _channels(name: str, signal: SignalPart, widths: list[int], path: Path) -> tuple[str, ...]:
    count = sum(widths)
    if signal.channels:
        if len(signal.channels) != count:
            raise MMQError(
                f"{path}: signals.{name}.channels must name {count} channels; got {len(signal.channels)}."
            )
        return signal.channels
    if name == "acc" and count == 3:
        return ("x", "y", "z")
    names = [column.replace(".", "_")[:28] for column in signal.columns]
    return tuple(
        name if width == 1 else f"{name}_{number}"
        for name, width in zip(names, widths, strict=True)
        for number in range(1, width + 1)
    )


def _check_together(timed: Mapping[str, Timed]) -> None:
    """Check that all sensors were on at one moment: a wrong time zone or unit shows here."""
    late = max(timed.items(), key=lambda item: item[1].start_s)
    early = min(timed.items(), key=lambda item: item[1].start_s + item[1].samples.shape[1] / item[1].rate_hz)
    end_s = early[1].start_s + early[1].samples.shape[1] / early[1].rate_hz
    if late[1].start_s >= end_s:
        raise MMQError(
            f"{late[1].path}: {late[0]} begins {late[1].start_s - end_s:g} s after {early[0]}"
            f" ({early[1].path.name}) has ended; sensors of one recording must overlap. Check the units and"
            " zones of their times."
        )
