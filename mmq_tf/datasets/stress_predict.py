# SPDX-License-Identifier: Apache-2.0
"""Stress-Predict (Iqbal et al., Sensors 2022, 22(21):8135): Empatica E4 exports, a label for every second."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.e4 import SENSORS, make_recording, read_session, sensor_files
from mmq_bridge.recordings.files import read_bytes

from mmq_tf.datasets.base import Dataset, Published, check_known
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Trial

CLASSES = ("rest", "stress")
LABEL_FILE = Path("Processed_data") / "Improved_All_Combined_hr_rsp_binary.csv"
COLUMNS = ("Participant", "Time(sec)", "Label")
MAX_LABEL_BYTES = 64 * 2**20
LABEL_PERIOD_S = 1.0


def list_subjects(folder: Path) -> list[str]:
    """Subjects with both a folder of sensor files and labels, as ``S02``; S01 was never labelled."""
    labelled = set(_read_labels(folder)[:, 0].astype(int).tolist())
    raw = folder / "Raw_data"
    if not raw.is_dir():
        raise MMQError(f"{raw}: expected the folder of subjects (S02, S03, ...); found none.")
    matches = ((path, re.fullmatch(r"S(\d+)", path.name)) for path in raw.iterdir() if path.is_dir())
    return [path.name for path, match in matches if match and int(match[1]) in labelled]


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the subject's sensor files and the file of everyone's labels."""
    check_known(folder, subject, list_subjects(folder))
    return [*sensor_files(folder / "Raw_data" / subject), folder / LABEL_FILE]


def load_subject(folder: Path, subject: str) -> Recording:
    """Read one subject's sensors and labels.

    Parameters
    ----------
    folder : Path
        Holds ``Raw_data/`` and ``Processed_data/``.
    subject : str
        ``"S02"`` ... ``"S35"``.

    Returns
    -------
    Recording
        ppg 64 Hz, eda and temp 4 Hz, acc 32 Hz; one trial for every contiguous run of one label.

    Raises
    ------
    MMQError
        If a sensor file or a label row is broken, or a label lies outside the recording.
    """
    check_known(folder, subject, list_subjects(folder))
    labels = _read_labels(folder)
    mine = np.flatnonzero(labels[:, 0] == int(subject[1:]))
    path = folder / LABEL_FILE
    session = read_session(folder / "Raw_data" / subject)
    time_s = labels[mine, 1] - session.start_unix_s
    _check_times(path, subject, mine, time_s, session.stop_s)
    trials = trials_of_runs(time_s, labels[mine, 2].astype(int), session.stop_s)
    return make_recording(session, subject, trials, "stress_predict")


def trials_of_runs(time_s: np.ndarray, label: np.ndarray, stop_s: float) -> tuple[Trial, ...]:
    """Turn per-second labels into one trial for every contiguous run of one label.

    Parameters
    ----------
    time_s : numpy.ndarray
        ``[n]`` start of each labelled second, increasing.
    label : numpy.ndarray
        ``[n]`` 0 rest, 1 stress.
    stop_s : float
        End of the recording: the last labelled second may reach past it by less than itself and is cut there.

    Returns
    -------
    tuple of Trial
        A pause in the labels of more than one period ends a run as a change of label does.

    Examples
    --------
    >>> [(t.start_s, t.stop_s, t.labels["stress"])
    ...  for t in trials_of_runs(np.array([0.0, 1, 2, 3]), np.array([0, 0, 1, 1]), 3.5)]
    [(0.0, 2.0, 'rest'), (2.0, 3.5, 'stress')]
    """
    cut = (np.diff(label) != 0) | (np.diff(time_s) > 1.5 * LABEL_PERIOD_S)
    firsts = np.concatenate([[0], np.flatnonzero(cut) + 1])
    lasts = np.concatenate([firsts[1:] - 1, [len(label) - 1]])
    return tuple(
        Trial(
            float(time_s[first]),
            float(min(time_s[last] + LABEL_PERIOD_S, stop_s)),
            {"stress": CLASSES[label[first]]},
        )
        for first, last in zip(firsts, lasts, strict=True)
    )


def _read_labels(folder: Path) -> np.ndarray:
    """Participant, Unix time and label of every row, float64 ``[rows, 3]``; read once while unchanged."""
    path = folder / LABEL_FILE
    try:
        status = path.stat()
    except OSError as error:
        raise MMQError(
            f"{path}: the label file of Stress-Predict was not found; give the folder that holds Raw_data and"
            " Processed_data."
        ) from error
    return _parse_labels(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _parse_labels(path: Path, mtime_ns: int, size: int) -> np.ndarray:
    data = read_bytes(path, MAX_LABEL_BYTES)
    head, _, body = data.partition(b"\n")
    names = [name.strip() for name in head.decode("utf-8-sig", "replace").split(",")]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise MMQError(
            f"{path}: row 1 must name the columns {', '.join(COLUMNS)}; {missing[0]!r} is missing."
        )
    if not body.endswith(b"\n"):
        row = data.count(b"\n") + 1
        raise MMQError(f"{path}: row {row} has no line end, so the file was cut short; copy it again.")
    columns = [names.index(name) for name in COLUMNS]
    try:
        text = io.StringIO(body.decode("latin-1"))
        table = np.loadtxt(text, comments=None, delimiter=",", usecols=columns, ndmin=2)
    except ValueError as error:
        raise _first_bad_row(path, body, columns) from error
    valid = np.isfinite(table).all(1) & np.isin(table[:, 2], (0, 1)) & (table[:, 0] == np.floor(table[:, 0]))
    if not valid.all() or len(table) != body.count(b"\n"):
        raise _first_bad_row(path, body, columns)
    table.flags.writeable = False
    return table


def _first_bad_row(path: Path, body: bytes, columns: list[int]) -> MMQError:
    for row, line in enumerate(body.decode("latin-1").split("\n"), start=2):
        parts = line.split(",")
        for column, name in zip(columns, COLUMNS, strict=True):
            got = parts[column].strip() if column < len(parts) else ""
            try:
                value = float(got)
            except ValueError:
                value = np.nan
            if name == "Label" and value not in (0, 1):
                return MMQError(f"{path}: row {row}, column Label, must be 0 or 1; got {got[:40]!r}.")
            if not np.isfinite(value) or (name == "Participant" and value != np.floor(value)):
                return MMQError(f"{path}: row {row}, column {name}, must be a number; got {got[:40]!r}.")
    return MMQError(f"{path}: the rows could not be read as {', '.join(COLUMNS)}.")


def _check_times(path: Path, subject: str, rows: np.ndarray, time_s: np.ndarray, stop_s: float) -> None:
    outside = np.flatnonzero((time_s < 0) | (time_s >= stop_s))
    if outside.size:
        row, at_s = rows[outside[0]] + 2, time_s[outside[0]]
        raise MMQError(
            f"{path}: row {row} must lie inside the recording of {subject}, 0 to {stop_s:g} s after"
            f" its start; it lies at {at_s:g} s."
        )
    back = np.flatnonzero(np.diff(time_s) <= 0)
    if back.size:
        raise MMQError(
            f"{path}: row {rows[back[0] + 1] + 2} must be later than the row of {subject} before it; it is"
            f" {-np.diff(time_s)[back[0]]:g} s earlier."
        )


STRESS_PREDICT = Dataset(
    name="stress_predict",
    title="Stress-Predict",
    licence="MIT",
    attribution=(
        "Iqbal et al., Stress Monitoring Using Wearable Sensors: A Pilot Study and Stress-Predict Dataset,"
        " Sensors 2022, 22(21):8135"
    ),
    obtain="https://github.com/italha-d/Stress-Predict-Dataset; or: mmq-tf datasets get stress-predict",
    tasks={"stress": CLASSES},
    label_kind="condition (stress task or rest, by the protocol's clock); not a self-report",
    modalities=tuple(sensor.modality for sensor in SENSORS),
    list_subjects=list_subjects,
    source_files=source_files,
    load_subject=load_subject,
    published=Published(
        subjects=tuple(f"S{number:02d}" for number in range(2, 36)),
        signals={"ppg": (1, 64.0), "eda": (1, 4.0), "temp": (1, 4.0), "acc": (3, 32.0)},
        trials=(5, 16),
    ),
    notes=(
        "S01 has no labels and is left out.",
        "S06's label edges come from a minute-resolution log.",
        "Movement and the fixed order of tasks are confounds.",
        "The watch's own HR.csv and IBI.csv are not used.",
        "`mmq-tf datasets get` offers S02 to S27: no digest of the other subjects' files is pinned.",
    ),
)
