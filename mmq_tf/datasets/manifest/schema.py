# SPDX-License-Identifier: Apache-2.0
"""What a ``mmq-tf.toml`` may say: its keys, their values, and one clear sentence where one is wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal, Self

from mmq_bridge.front_end.modalities import Modality
from mmq_bridge.front_end.units import unit_factor
from mmq_bridge.recordings.files import read_bytes
from mmq_bridge.validation import StrictModel, first_problem
from pydantic import Field, ValidationError, field_validator, model_validator

from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_RATE_HZ

FILE_NAME = "mmq-tf.toml"
MAX_MANIFEST_BYTES = 2**20
TABLES = ("csv", "parquet", "npz")
"""Formats whose columns the manifest describes; the others say themselves what they hold."""

MAX_SORT_S = 600.0
"""Rows further out of order than ten minutes are of another recording."""

Format = Literal["csv", "parquet", "npz", "mne", "xdf", "e4", "embraceplus", "recording"]
TimeUnit = Literal["s", "ms", "us", "unix", "unix_ms", "unix_us", "unix_ns", "iso"]
_SUBJECT_NAME = re.compile(r"[^{}/]*\{subject(:0[1-9])?\}[^{}/]*")
PLACEHOLDERS = ("{subject}", "{session}", "{condition}")
"""Parts of a path: who, which of the person's recordings, and what was done in a file that is part of it."""


class SignalPart(StrictModel):
    """One modality in a table: its columns, the unit they are in, and what brings them to the front end's.

    `factor` may be left out where the unit says it (mV, uS, m/s2, ...) and for ppg and resp, which have no
    common unit.
    """

    columns: tuple[str, ...] = Field(min_length=1)
    unit: str = Field(min_length=1)
    factor: float | None = None
    channels: tuple[str, ...] = ()
    sampling_rate_hz: float | None = Field(default=None, gt=0, le=MAX_RATE_HZ)
    time_column: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.factor == 0:
            raise ValueError("factor must not be 0")
        for what in ("columns", "channels"):
            names = getattr(self, what)
            if len(set(names)) != len(names) or not all(names):
                raise ValueError(f"{what} must be different, non-empty names")
        return self

    def scale(self, modality: str) -> float:
        """Return what a value in the file is multiplied by to be in the front end's unit.

        Raises
        ------
        ValueError
            If neither the unit nor a factor says so, or the two contradict each other.
        """
        return unit_factor(modality, self.unit, self.factor)


class TimePart(StrictModel):
    """The column that says when each row was measured, and its unit."""

    column: str = Field(min_length=1)
    unit: TimeUnit


class FilesPart(StrictModel):
    """One kind of file: where every subject's lies, how it is written, and what it holds.

    `path` may be several patterns, where not all of one kind lie alike. `name` is for `sensors`.

    Where files of mne and xdf do not say enough: `modalities` by channel (mne) or stream (xdf), or "ignore";
    `units` by channel (mne); `markers`, the stream that holds them (xdf). `repair` reads what is whole of an
    EDF, BDF or xdf file that was cut short.

    Where tables differ: `aliases` are other names that some files have for a column; with `sort_within_s`,
    rows that are out of order by at most so many seconds are put in order, instead of being refused; with
    `rate_row` a first row whose every value is `sampling_rate_hz` is no sample (a header of Empatica's).
    """

    path: tuple[str, ...] = Field(min_length=1)
    format: Format
    name: str | None = Field(default=None, min_length=1)
    optional: bool = False
    sampling_rate_hz: float | None = Field(default=None, gt=0, le=MAX_RATE_HZ)
    time: TimePart | None = None
    signals: dict[Modality, SignalPart] = {}
    labels: tuple[str, ...] = ()
    modalities: dict[str, Modality | Literal["ignore"]] = {}
    units: dict[str, str] = {}
    markers: str | None = None
    repair: bool = False
    aliases: dict[str, tuple[str, ...]] = {}
    sort_within_s: float | None = Field(default=None, gt=0, le=MAX_SORT_S)
    rate_row: bool = False

    @field_validator("path", mode="before")
    @classmethod
    def _as_several(cls, path: object) -> object:
        return (path,) if isinstance(path, str) else path

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_pattern(one, needs_subject=True) for one in path)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, forms in (
            ("modalities", ("mne", "xdf")),
            ("units", ("mne",)),
            ("markers", ("xdf",)),
            ("repair", ("mne", "xdf")),
        ):
            if getattr(self, key) and self.format not in forms:
                raise ValueError(f"{key} is only for {' and '.join(forms)}; the format is {self.format}")
        if self.format not in TABLES:
            keys = ("sampling_rate_hz", "time", "signals", "labels", "aliases", "sort_within_s", "rate_row")
            given = [key for key in keys if getattr(self, key)]
            if given:
                raise ValueError(
                    f"{given[0]} is only for {', '.join(TABLES)}; a file of {self.format} says it"
                )
            return self
        if not self.signals and not self.labels:
            raise ValueError("a table needs signals or labels; name its columns")
        for name, signal in self.signals.items():
            self._check_signal(name, signal)
        if self.sort_within_s and (self.time is None or any(s.time_column for s in self.signals.values())):
            raise ValueError("sort_within_s needs time, one column for all signals")
        if self.rate_row and (self.sampling_rate_hz is None or not self.signals or self.format == "npz"):
            raise ValueError("rate_row needs signals and their sampling_rate_hz, in a csv or parquet file")
        if self.labels and self.time is None and self.sampling_rate_hz is None:
            raise ValueError("labels need sampling_rate_hz or time, to say when each row was")
        return self

    def signal(self, modality: str) -> SignalPart:
        """Return what is said of one of its modalities."""
        return next(signal for name, signal in self.signals.items() if name == modality)

    def _check_signal(self, name: str, signal: SignalPart) -> None:
        try:
            signal.scale(name)
        except ValueError as error:
            raise ValueError(f"signals.{name}: {error}") from None
        if self.time is None and signal.time_column is not None:
            raise ValueError(f"signals.{name}: time_column needs time, which says its unit")
        if self.time is None and signal.sampling_rate_hz is None and self.sampling_rate_hz is None:
            raise ValueError(f"signals.{name}: give sampling_rate_hz, or time with the column that tells it")
        own = signal.sampling_rate_hz not in (None, self.sampling_rate_hz)
        if own and self.time is None and self.sampling_rate_hz is not None and self.format != "npz":
            raise ValueError(
                f"signals.{name}: rows of one table have one rate; a signal with its own needs time"
            )
        if signal.channels and self.format != "npz" and len(signal.channels) != len(signal.columns):
            raise ValueError(
                f"signals.{name}: {len(signal.columns)} columns need as many channels, got"
                f" {len(signal.channels)}"
            )


class TrialsPart(StrictModel):
    """Where the trials are.

    ``column``: runs of one value in a table's label columns. ``table``: a file with the columns subject,
    session, start, stop and one per task. ``annotations``: the annotations or markers of mne and xdf files.
    ``recording``: the trials of our own recording folders. ``path``: the time of each file whose path names
    its ``{condition}``; the files of one subject and session are joined, with their real pauses where their
    times have a date.
    """

    source: Literal["column", "table", "annotations", "recording", "path"]
    path: str | None = None
    time_unit: TimeUnit | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source != "table":
            if self.path is not None or self.time_unit is not None:
                raise ValueError("path and time_unit are only for source = 'table'")
            return self
        if self.path is None or self.time_unit is None:
            raise ValueError("source = 'table' needs path and time_unit")
        checked_pattern(self.path, needs_subject=False)
        if "{condition}" in self.path:
            raise ValueError("path of a trials table must not hold {condition}")
        return self


class TaskPart(StrictModel):
    """One thing to learn: its classes in order, and which value in the files means which.

    Without `values` and `high_above` the files' values are the classes' names. `ignore` names values without
    a label; any other one is an error. With `high_above` the second class is every value above it, and
    `range` says which values there can be.
    """

    classes: tuple[str, ...] = Field(min_length=2)
    column: str | None = None
    values: dict[str, str] | None = None
    high_above: float | None = None
    range: tuple[float, float] | None = None
    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.range is not None and (self.high_above is None or not self.range[0] < self.range[1]):
            raise ValueError("range is the lowest and the highest value that high_above may meet")
        if len(set(self.classes)) != len(self.classes) or not all(name.strip() for name in self.classes):
            raise ValueError("classes must be different, non-empty names")
        if self.high_above is not None and (self.values is not None or len(self.classes) != 2):
            raise ValueError("high_above needs exactly two classes, the lower first, and no values")
        if self.values is not None:
            unknown = next((name for name in self.values.values() if name not in self.classes), None)
            if unknown is not None:
                raise ValueError(
                    f"values leads to {unknown!r}, which is not one of {', '.join(self.classes)}"
                )
            unused = next((name for name in self.classes if name not in self.values.values()), None)
            if unused is not None:
                raise ValueError(f"values leads to no class {unused!r}; name the value that means it")
        return self


class PublishedPart(StrictModel):
    """What a whole copy holds; see `mmq_tf.datasets.base.Published`."""

    subjects: tuple[str, ...] = Field(min_length=1)
    signals: dict[Modality, tuple[int, float]]
    trials: tuple[int, int]
    ratings: tuple[float, float] | None = None


class DatasetManifest(StrictModel):
    """The whole of ``mmq-tf.toml``.

    `subject_name` writes people otherwise than their files do: ``"P{subject:02}"`` makes ``P07`` of ``7``.
    `left_out` gives the reason for each recording that is not to be used. `sensors` says of a modality that
    several kinds of file hold, by their `name`, which one is read; of several each gives channels of its own.
    `enrolment_session` names the session in which a person was only enrolled: it comes before each of the
    person's others, and nothing in it is judged.
    """

    title: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    attribution: str = Field(min_length=1)
    label_kind: str = Field(min_length=1)
    obtain: str = f"described by {FILE_NAME} in its folder"
    notes: tuple[str, ...] = ()
    simulated: bool = False
    stimulus_locked: bool = False
    subject_name: str = "{subject}"
    enrolment_session: str | None = Field(default=None, min_length=1)
    left_out: dict[str, str] = {}
    sensors: dict[Modality, tuple[str, ...]] = {}
    published: PublishedPart | None = None
    files: tuple[FilesPart, ...] = Field(min_length=1)
    trials: TrialsPart
    tasks: dict[str, TaskPart] = Field(min_length=1)

    @field_validator("subject_name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not _SUBJECT_NAME.fullmatch(name):
            raise ValueError("subject_name must hold {subject} or {subject:02} once, and no /")
        return name

    @field_validator("sensors", mode="before")
    @classmethod
    def _as_several(cls, sensors: object) -> object:
        if not isinstance(sensors, dict):
            return sensors
        return {name: (one,) if isinstance(one, str) else one for name, one in sensors.items()}

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_files()
        self._check_sensors()
        self._check_trials()
        return self

    def _check_files(self) -> None:
        for word in ("{session}", "{condition}"):
            if len({word in path for part in self.files for path in part.path}) > 1:
                raise ValueError(f"either every path of files has {word} or none has")
        if self.enrolment_session is not None and not self.has_sessions:
            raise ValueError("enrolment_session needs {session} in the paths of files")
        whole = [part.format for part in self.files if part.format not in TABLES]
        if whole and len(self.files) > 1:
            raise ValueError(
                f"files of {whole[0]} hold a whole recording: they must be the only entry of files"
            )
        if not whole and not any(part.signals for part in self.files):
            raise ValueError("no entry of files has signals")
        if all(part.optional for part in self.files):
            raise ValueError("one entry of files must not be optional")

    def _check_sensors(self) -> None:
        named = [part.name for part in self.files if part.name]
        if len(set(named)) != len(named):
            raise ValueError("each entry of files needs a name of its own")
        modalities = [*self.sensors, *(name for part in self.files for name in part.signals)]
        for modality in dict.fromkeys(modalities):
            holders = {part.name: part for part in self.files if modality in part.signals}
            chosen = self.sensors_of(modality)
            count = sum(modality in part.signals for part in self.files)
            if modality not in self.sensors and count > 1:
                raise ValueError(
                    f"signals.{modality} is described twice; give each entry of files a name, and say in"
                    f' [sensors] which is read, {modality} = "NAME", or several as channels, {modality} ='
                    ' ["NAME", "OTHER"]'
                )
            if modality in self.sensors and (not chosen or len(set(chosen)) != len(chosen)):
                raise ValueError(f"sensors.{modality} must name entries of files, each once")
            for name in chosen:
                if name not in holders:
                    there = ", ".join(one for one in holders if one) or "none with a name"
                    raise ValueError(
                        f"sensors.{modality}: no entry of files with it is named {name!r}; {there}"
                    )
                part = holders[name]
                if len(chosen) > 1 and part.format == "npz" and not part.signal(modality).channels:
                    raise ValueError(f"sensors.{modality}: name the channels of {name!r}, an npz file")

    def sensors_of(self, modality: str) -> tuple[str, ...]:
        """Return which entries of files are read for a modality; empty where there is no choice."""
        return next((names for name, names in self.sensors.items() if name == modality), ())

    def chosen(self) -> DatasetManifest:
        """Return the manifest without what `sensors` does not read."""
        parts = []
        for part in self.files:
            kept = {
                modality: signal
                for modality, signal in part.signals.items()
                if modality not in self.sensors or part.name in self.sensors[modality]
            }
            if len(kept) == len(part.signals):
                parts.append(part)
            elif kept or part.labels:
                parts.append(part.model_copy(update={"signals": kept}))
        return self.model_copy(update={"files": tuple(parts)})

    def _check_trials(self) -> None:
        if self.has_conditions and self.files[0].format == "recording":
            raise ValueError("{condition} is not for files of recording, which hold their trials themselves")
        if self.has_conditions != (self.trials.source == "path"):
            raise ValueError("trials.source = 'path' and {condition} in the paths of files go together")
        made_by = {"annotations": ("mne", "xdf"), "recording": ("recording",), "column": TABLES}
        allowed = made_by.get(self.trials.source)
        if allowed is not None and self.files[0].format not in allowed:
            raise ValueError(
                f"trials.source {self.trials.source!r} is only for {', '.join(allowed)}; the files are"
                f" {self.files[0].format}"
            )
        if self.trials.source == "column":
            self.label_files()

    def label_files(self) -> FilesPart:
        """Return the entry of files whose label columns hold every task's labels."""
        wanted = self.label_columns
        found = [part for part in self.files if set(wanted) <= set(part.labels)]
        if len(found) != 1:
            raise ValueError(
                f"trials.source 'column': the columns {', '.join(wanted)} must be named in labels of exactly"
                f" one entry of files; they are in {len(found)}"
            )
        return found[0]

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that hold the tasks' labels."""
        return tuple(dict.fromkeys(task.column or name for name, task in self.tasks.items()))

    @property
    def has_conditions(self) -> bool:
        """Whether a recording lies in several files, one a condition."""
        return "{condition}" in self.files[0].path[0]

    @property
    def has_sessions(self) -> bool:
        """Whether the paths tell sessions apart."""
        return "{session}" in self.files[0].path[0]

    def name_of(self, subject: str) -> str:
        """Return a person's name where the files say `subject`.

        Examples
        --------
        >>> DatasetManifest.model_construct(subject_name="P{subject:02}").name_of("7")
        'P07'
        """
        width = re.search(r"\{subject:0(\d)\}", self.subject_name)
        padded = subject.zfill(int(width[1])) if width else subject
        return re.sub(r"\{subject(:0\d)?\}", lambda _: padded, self.subject_name)


def checked_pattern(path: str, *, needs_subject: bool) -> str:
    """Return a path with placeholders, or say why it may not be used.

    Raises
    ------
    ValueError
        If it could leave the folder, has an unknown placeholder, or lacks the subject.
    """
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or re.match(r"[A-Za-z]:", path):
        raise ValueError("path must be relative to the manifest's folder, with / between its parts")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("path must stay in the manifest's folder: no '..', '.' or empty part")
    unknown = [word for word in re.findall(r"\{[^}]*\}?", path) if word not in PLACEHOLDERS]
    if unknown:
        raise ValueError(f"path may hold {', '.join(PLACEHOLDERS)} only; got {unknown[0]!r}")
    if needs_subject and "{subject}" not in path:
        raise ValueError("path must hold {subject} where the file's or folder's name says whose it is")
    return path


def read_manifest(folder: Path, path: Path | None = None) -> DatasetManifest:
    """Read and check the ``mmq-tf.toml`` of a folder, or another file.

    Raises
    ------
    MMQError
        If there is none, it is not TOML, or a key or a value is not allowed; the key is named.
    """
    path = path or folder / FILE_NAME
    if not path.is_file():
        raise MMQError(
            f"{path}: not found; `mmq-tf datasets new {folder}` writes one from the files it finds."
        )
    try:
        values = tomllib.loads(read_bytes(path, MAX_MANIFEST_BYTES).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MMQError(f"{path}: is not valid TOML in UTF-8 ({str(error)[:200]}).") from error
    try:
        return DatasetManifest.model_validate(values).chosen()
    except ValidationError as error:
        raise MMQError(f"{path}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    found = first_problem(error)
    place = found.place
    if found.unknown_key:
        return f"unknown key {place}; remove it or correct its spelling."
    if found.kind == "missing" and re.fullmatch(r"files\.\d+\.path", found.place):
        return (
            f"the key {found.place} is missing: say where in the files' names the person stands, with"
            " {subject}; `mmq-tf datasets new` offers what may be meant."
        )
    if found.kind == "missing":
        return f"the key {place} is missing; give it."
    if found.kind == "string_too_short":
        return f"{place} is empty; fill it in."
    got = f"; got {str(found.given)[:60]!r}" if isinstance(found.given, str | int | float) else ""
    return f"{place + ': ' if place else ''}{found.reason[:1].lower()}{found.reason[1:]}{got}."
