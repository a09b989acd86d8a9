# SPDX-License-Identifier: Apache-2.0
"""CASE (Sharma et al., Scientific Data 6:196, 2019): eight sensors at 1000 Hz and a joystick for feelings.

Two of the published forms are read, as two data sets, since they differ in every sample: `CASE`, which the
publishers interpolated to exact 1 and 50 ms (over gaps too) and wrote in units with the clip beside each row,
and `CASE_RAW`, the volts and joystick counts as logged, with the times they were logged at. File names,
columns, units, the conversions from volts (those of the sensors' maker) and the numbers of the clips are
those of the README files and MATLAB scripts that come with the data set.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mmq_tf.datasets.base import Dataset, Published, check_known
from mmq_tf.datasets.case_clips import CLIPS, METADATA_FILES, clips_shown
from mmq_tf.datasets.formats.files.tables import Table, read_table
from mmq_tf.datasets.formats.resample_to_grid import nearest_samples, take_samples
from mmq_tf.datasets.joystick import CLASSES, trials_of_ratings
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal

logger = logging.getLogger(__name__)

RATE_HZ = 1000.0
JOYSTICK_HZ = 20.0
LONGEST_S = 7200.0  # a session takes 2451.583 s
TASKS = ("valence", "arousal")
RANGE = (0.5, 9.5)
JOYSTICK_END = 26225.0
"""Count of the joystick at the end of its way: 9.5; at the other end -26225: 0.5."""


@dataclass(frozen=True)
class CaseSensor:
    """One column of the physiological files: what it becomes, and ``value = gain * volts + offset``."""

    column: str
    modality: str
    channel: str
    unit: str
    gain: float
    offset: float


SENSORS = (
    CaseSensor("ecg", "ecg", "ecg", "mV", 1000 / 50, -2.8 * 1000 / 50),
    CaseSensor("bvp", "ppg", "bvp", "%", 58.962, -115.09),
    CaseSensor("gsr", "eda", "gsr", "uS", 24.0, -49.2),
    CaseSensor("rsp", "resp", "rsp", "%", 58.923, -115.01),
    CaseSensor("skt", "temp", "skt", "degC", 21.341, -32.085),
    CaseSensor("emg_zygo", "emg", "zygo", "uV", 1e6 / 4000, -2.0 * 1e6 / 4000),
    CaseSensor("emg_coru", "emg", "coru", "uV", 1e6 / 4000, -2.0 * 1e6 / 4000),
    CaseSensor("emg_trap", "emg", "trap", "uV", 1e6 / 4000, -2.0 * 1e6 / 4000),
)
MODALITIES = tuple(dict.fromkeys(sensor.modality for sensor in SENSORS))


@dataclass(frozen=True)
class CaseForm:
    """One published form: where its two files of a subject lie, and how its times and columns are written."""

    name: str
    physiological: str
    annotations: str
    columns: Mapping[str, str]
    seconds: float
    raw: bool

    def files(self, folder: Path, number: int) -> tuple[Path, Path]:
        """Physiological file and annotations of one subject."""
        return folder / self.physiological.format(number), folder / self.annotations.format(number)


_RAW_COLUMNS = ("daqtime", *(sensor.column for sensor in SENSORS))
INTERPOLATED = CaseForm(
    "case",
    "data/interpolated/physiological/sub_{}.csv",
    "data/interpolated/annotations/sub_{}.csv",
    {name: name for name in (*_RAW_COLUMNS, "jstime", *TASKS)},
    seconds=1e-3,
    raw=False,
)
RAW = CaseForm(
    "case_raw",
    "data/raw/physiological/sub{}_DAQ.txt",
    "data/raw/annotations/sub{}_joystick.txt",
    # these files have no header: columns are named by their number
    {
        name: str(number)
        for names in (_RAW_COLUMNS, ("jstime", *TASKS))
        for number, name in enumerate(names, 1)
    },
    seconds=1.0,
    raw=True,
)


def _list_subjects(form: CaseForm, folder: Path) -> list[str]:
    path = folder / form.physiological
    if not path.parent.is_dir():
        raise MMQError(
            f"{path.parent}: not found; give the folder of CASE that holds data and metadata"
            f" ({form.physiological.format(1)} and so on)."
        )
    pattern = re.escape(path.name).replace(r"\{\}", r"([1-9]\d*)")
    names = []
    for match in (re.fullmatch(pattern, file.name) for file in path.parent.iterdir()):
        if match is None:
            continue
        annotations = folder / form.annotations.format(match[1])
        if annotations.is_file():
            names.append(f"sub_{match[1]}")
        else:
            logger.warning("%s: sub_%s is left out, its %s is missing", folder, match[1], annotations.name)
    return names


def _source_files(form: CaseForm, folder: Path, subject: str) -> list[Path]:
    check_known(folder, subject, _list_subjects(form, folder))
    metadata = [folder / name for name in METADATA_FILES] if form.raw else []
    return [*form.files(folder, int(subject[4:])), *metadata]


def _load_subject(form: CaseForm, folder: Path, subject: str) -> Recording:
    """Read one subject: 1000 Hz signals from the first film's first moment, and trials of the eight clips.

    Raises
    ------
    MMQError
        If a file is missing or broken, a time falls, or a rating lies outside 0.5 to 9.5, naming the row.
    """
    check_known(folder, subject, _list_subjects(form, folder))
    number = int(subject[4:])
    physiological, annotations = form.files(folder, number)
    signals = _signals(form, physiological)
    stop_s = max(signal.stop_s for signal in signals.values())
    columns = [form.columns[name] for name in ("jstime", *TASKS)]
    # MATLAB ended every row it wrote; the logger may have been stopped inside one
    table = read_table(annotations, [*columns, *([] if form.raw else ["video"])], whole_rows=not form.raw)
    time_s = _times(form, table, "jstime")
    clip = clips_shown(folder, number, time_s) if form.raw else _clips(table)
    scored = [number for name, number in CLIPS.items() if "-" in name]
    counts = np.isin(clip, scored)
    ratings = {task: _ratings(form, table, task, counts) for task in TASKS}
    trials = trials_of_ratings(time_s, ratings, clip, scored, JOYSTICK_HZ, stop_s)
    return Recording(subject, "1", signals, trials, source=form.name)


def _signals(form: CaseForm, path: Path) -> dict[str, Signal]:
    table = read_table(path, [form.columns[name] for name in _RAW_COLUMNS], whole_rows=not form.raw)
    nearest = nearest_samples(str(path), _times(form, table, "daqtime"), RATE_HZ, 0.0)
    signals = {}
    for modality in MODALITIES:
        sensors = [sensor for sensor in SENSORS if sensor.modality == modality]
        samples = np.empty((len(sensors), len(nearest)), np.float32)
        for row, sensor in zip(samples, sensors, strict=True):
            values = table.columns.pop(form.columns[sensor.column])  # let go as soon as it is taken
            if form.raw:
                values *= sensor.gain
                values += sensor.offset
            row[:] = take_samples(f"{path}: column {form.columns[sensor.column]}", values, nearest)
        channels = tuple(sensor.channel for sensor in sensors)
        signals[modality] = Signal(modality, samples, RATE_HZ, sensors[0].unit, channels)
    return signals


def _times(form: CaseForm, table: Table, name: str) -> np.ndarray:
    """Return the times in seconds, once they are found to begin at 0 or later, not to fall and to end."""
    column = form.columns[name]
    time_s = table[column] * form.seconds
    bad = ~((time_s >= 0) & (time_s <= LONGEST_S)) | (np.diff(time_s, prepend=0.0) < 0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise MMQError(
            f"{table.place(row, column)}, must be a time from 0 to {LONGEST_S / form.seconds:g}"
            f" {'s' if form.raw else 'ms'}, not before the row above; got {table[column][row]:g}."
        )
    return time_s


def _clips(table: Table) -> np.ndarray:
    video = table["video"]
    bad = np.flatnonzero(~np.isin(video, list(CLIPS.values())))
    if bad.size:
        raise MMQError(
            f"{table.place(bad[0], 'video')}, must be the number of a clip, 1 to 8 or 10 to 12;"
            f" got {video[bad[0]]:g}."
        )
    return video.astype(np.int64)


def _ratings(form: CaseForm, table: Table, task: str, counts: np.ndarray) -> np.ndarray:
    column = form.columns[task]
    values = table[column]
    if form.raw:
        values = RANGE[0] + (RANGE[1] - RANGE[0]) * (values + JOYSTICK_END) / (2 * JOYSTICK_END)
    slack = 1e-3  # the files have three decimals
    bad = np.flatnonzero(counts & ~((values >= RANGE[0] - slack) & (values <= RANGE[1] + slack)))
    if bad.size:
        low, high = (-JOYSTICK_END, JOYSTICK_END) if form.raw else RANGE
        raise MMQError(
            f"{table.place(bad[0], column)} ({task}), must lie in {low:g} to {high:g};"
            f" got {table[column][bad[0]]:g}."
        )
    return values


CASE = Dataset(
    name="case",
    title="Continuously Annotated Signals of Emotion (CASE), interpolated",
    licence="as its publishers state at the download; not shipped here",
    attribution=(
        "Sharma et al., A dataset of continuous affect annotations and physiological signals for emotion"
        " analysis, Scientific Data 2019, 6:196"
    ),
    obtain="figshare collection 4260668 (CASE_full), or make it with the scripts of"
    " https://gitlab.com/karan-shr/case_dataset",
    tasks=dict.fromkeys(TASKS, CLASSES),
    label_kind="self-report while watching: joystick, mean of each second above 5 is high",
    modalities=MODALITIES,
    list_subjects=partial(_list_subjects, INTERPOLATED),
    source_files=partial(_source_files, INTERPOLATED),
    load_subject=partial(_load_subject, INTERPOLATED),
    format_version=2,
    published=Published(
        subjects=tuple(f"sub_{number}" for number in range(1, 31)),
        signals={modality: (3 if modality == "emg" else 1, RATE_HZ) for modality in MODALITIES},
        # one clip is one trial if the joystick stays on one side; at most every second is one of its own
        trials=(8, 1500),
        ratings=RANGE,
    ),
    stimulus_locked=True,
    notes=(
        "Trials are runs of seconds with the same classes of valence and arousal inside one clip; start, blue"
        " and end films are not scored.",
        "The order of clips differs between people.",
        "The publishers interpolated linearly, over gaps too: lost samples cannot be told from measured ones;"
        " case_raw keeps them lost.",
        "EMG is what the sensors put out, the RMS in uV, not the raw muscle signal.",
        "Checked against the published scripts and README files, not against the recordings themselves.",
    ),
)
CASE_RAW = replace(
    CASE,
    name="case_raw",
    title="Continuously Annotated Signals of Emotion (CASE), raw",
    obtain="https://gitlab.com/karan-shr/case_dataset (raw data and metadata, through git-lfs)",
    list_subjects=partial(_list_subjects, RAW),
    source_files=partial(_source_files, RAW),
    load_subject=partial(_load_subject, RAW),
    notes=(
        *CASE.notes[:2],
        "Every millisecond takes the sample logged nearest to it; where none was logged within 0.75 ms, the"
        " sample is lost.",
        *CASE.notes[3:],
    ),
)
