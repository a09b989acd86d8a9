# SPDX-License-Identifier: Apache-2.0
"""CogWear (PhysioNet consumer-grade-wearables 1.0.0): a Stroop task and a rest, one CSV per sensor each.

A recording is one visit of one person: its conditions joined by their Unix times, with the real pauses
between them as lost samples. The label of the Stroop task is ``stress``, as Stress-Predict calls its own
Stroop task; what it is here is cognitive load. **The task comes before the rest**, so whoever enrols in what
comes first enrols in the task: see `enrolment_from` of `mmq_tf.config.run_config.NormalisationConfig`.

Of the two watches the Empatica E4 is read. Faults of the published files, and what is done about them:

- Some E4 files begin with the row of the rate (64 or 4) as if it were a sample: it is dropped.
- Both conditions of person 20's only visit are the same bytes: the visit is left out.
- The PPG of the Samsung watch is not read. Its rows are out of order by up to 7 s, three people's times are
  whole seconds, person 17's rest is in its file twice, and gaps last up to 36 s.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_tf.datasets.base import Dataset, Published, check_known
from mmq_tf.datasets.formats.digests import file_digest
from mmq_tf.datasets.formats.files.tables import read_table
from mmq_tf.datasets.formats.resample_to_grid import nearest_samples, take_samples
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial

logger = logging.getLogger(__name__)

CLASSES = ("rest", "stress")
CONDITIONS = {"cognitive_load": {"stress": "stress"}, "baseline": {"stress": "rest"}, "survey": {}}
"""The labels of a condition, by its folder's name."""
NEEDED = ("cognitive_load", "baseline")
MAX_VISIT_S = 6 * 3600.0
"""A visit takes half an hour: a time further off is wrong."""


@dataclass(frozen=True)
class SensorFile:
    """One CSV of a condition and what it becomes."""

    file: str
    modality: str
    rate_hz: float
    unit: str
    channel: str


SENSORS = (
    SensorFile("empatica_bvp.csv", "ppg", 64.0, "a.u.", "bvp"),
    SensorFile("empatica_eda.csv", "eda", 4.0, "uS", "eda"),
    SensorFile("empatica_temp.csv", "temp", 4.0, "degC", "skin"),
)


def list_subjects(folder: Path) -> list[str]:
    """Visits as ``P00/pilot``, ``P11/pre``, ``P11/post``; one that cannot be used is named in a warning."""
    visits = _visits(folder)
    faults = {name: _fault(visit) for name, visit in visits.items()}
    for name, fault in faults.items():
        if fault:
            logger.warning("%s is left out: %s", visits[name], fault)
    return [name for name, fault in faults.items() if not fault]


def _visits(folder: Path) -> dict[str, Path]:
    """Folders of all visits by name."""
    people = {
        person: f"P{int(person.name):02d}"
        for part in ("pilot", "survey_gamification")
        for person in sorted((folder / part).glob("*"))
        if re.fullmatch(r"\d{1,4}", person.name)
    }
    if not people:
        raise MMQError(
            f"{folder}: expected the folders pilot and survey_gamification of CogWear, with people's folders"
            " (0, 1, ...) in them; found none."
        )
    pilot = {f"{name}/pilot": person for person, name in people.items() if person.parent.name == "pilot"}
    visits = {
        f"{name}/{visit}": person / visit
        for person, name in people.items()
        for visit in ("pre", "post")
        if person.parent.name != "pilot" and (person / visit).is_dir()
    }
    return {**pilot, **visits}


def _fault(visit: Path) -> str:
    """Say why a visit cannot be used; empty where it can."""
    needed = (visit / condition / sensor.file for condition in NEEDED for sensor in SENSORS)
    missing = [path for path in needed if not path.is_file()]
    if missing:
        return f"{missing[0].relative_to(visit)} is missing."
    one, other = (visit / condition / SENSORS[0].file for condition in NEEDED)
    if one.stat().st_size == other.stat().st_size and file_digest(one) == file_digest(other):
        return f"{' and '.join(NEEDED)} are the same file."
    return ""


def _visit(folder: Path, subject: str) -> Path:
    visits = _visits(folder)
    check_known(folder, subject, [name for name, visit in visits.items() if not _fault(visit)])
    return visits[subject]


def _conditions(visit: Path) -> list[Path]:
    """Folders of the conditions that are there."""
    return [visit / name for name in CONDITIONS if (visit / name).is_dir()]


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the files of a visit."""
    return [
        condition / sensor.file for condition in _conditions(_visit(folder, subject)) for sensor in SENSORS
    ]


def load_subject(folder: Path, subject: str) -> Recording:
    """Read one visit.

    Parameters
    ----------
    folder : Path
        Holds ``pilot/`` and ``survey_gamification/``.
    subject : str
        ``"P00/pilot"`` ... ``"P24/post"``; the visit is the session.

    Returns
    -------
    Recording
        ppg 64 Hz, eda (uS) and temp (degC) 4 Hz; NaN between the conditions. Trials are the conditions in the
        order they were done; ``survey`` has no label.

    Raises
    ------
    MMQError
        If a file is broken, or conditions overlap in time.
    """
    visit = _visit(folder, subject)
    pieces = sorted(map(_read_condition, _conditions(visit)), key=lambda piece: piece.start_s)
    zero_s = pieces[0].start_s
    for before, after in zip(pieces, pieces[1:], strict=False):
        if after.start_s < before.stop_s:
            raise MMQError(
                f"{visit}: {after.name} begins at {after.start_s:.2f} s (Unix time), before {before.name} has"
                f" ended at {before.stop_s:.2f} s; conditions must follow each other."
            )
    if pieces[-1].stop_s - zero_s > MAX_VISIT_S:
        raise MMQError(
            f"{visit}: expected a visit of at most {MAX_VISIT_S / 3600:g} hours; {pieces[-1].name} ends"
            f" {pieces[-1].stop_s - zero_s:.0f} s after {pieces[0].name} began."
        )
    signals = {s.modality: _joined(s, [piece.parts[s.modality] for piece in pieces], zero_s) for s in SENSORS}
    trials = tuple(
        Trial(piece.start_s - zero_s, piece.stop_s - zero_s, CONDITIONS[piece.name]) for piece in pieces
    )
    person, _, session = subject.partition("/")
    return Recording(person, session, signals, trials, source="cogwear")


@dataclass(frozen=True)
class _Part:
    """Samples of one sensor in one condition: float32 ``[n]``, uniform from `start_s` on (Unix time)."""

    samples: np.ndarray
    start_s: float


@dataclass(frozen=True)
class _Condition:
    """One condition: its parts by modality, and when it began and ended (Unix time in s)."""

    name: str
    parts: dict[str, _Part]
    start_s: float
    stop_s: float


def _read_condition(folder: Path) -> _Condition:
    rows = {sensor: _read_rows(folder / sensor.file) for sensor in SENSORS}
    if all(values[0] == sensor.rate_hz and len(values) > 1 for sensor, (_, values) in rows.items()):
        # the second header row of an E4 export, which is no sample
        rows = {sensor: (times[1:], values[1:]) for sensor, (times, values) in rows.items()}
    parts, stops = {}, []
    for sensor, (times, values) in rows.items():
        where = str(folder / sensor.file)
        nearest = nearest_samples(where, times - times[0], sensor.rate_hz, 0.0)
        parts[sensor.modality] = _Part(take_samples(where, values, nearest), float(times[0]))
        stops.append(float(times[0]) + len(nearest) / sensor.rate_hz)
    return _Condition(folder.name, parts, min(part.start_s for part in parts.values()), max(stops))


def _read_rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Unix time in s and value of every row, float64 ``[n]``."""
    table = read_table(path, whole_rows=True)
    names = [name for name in table.names if name != "time"]
    if len(names) != 1 or "time" not in table.names:
        raise MMQError(f"{path}: expected two columns, a value and 'time'; got {', '.join(table.names)}.")
    times = table["time"]
    if np.isnan(times).any():
        raise MMQError(f"{table.place(int(np.isnan(times).argmax()), 'time')}: expected a time; got none.")
    return times, table[names[0]]


def _joined(sensor: SensorFile, parts: list[_Part], zero_s: float) -> Signal:
    """Put parts on one grid that begins with the first; NaN between them."""
    rate, first_s = sensor.rate_hz, parts[0].start_s
    starts = [round((part.start_s - first_s) * rate) for part in parts]
    samples = np.full((1, starts[-1] + len(parts[-1].samples)), np.nan, np.float32)
    for start, part in zip(starts, parts, strict=True):
        samples[0, start : start + len(part.samples)] = part.samples
    return Signal(sensor.modality, samples, rate, sensor.unit, (sensor.channel,), first_s - zero_s)


COGWEAR = Dataset(
    name="cogwear",
    title="CogWear 1.0.0",
    licence="ODbL 1.0",
    attribution=(
        "Grzeszczyk et al., CogWear: Can we detect cognitive effort with consumer-grade wearables?, version"
        " 1.0.0, PhysioNet 2023, https://doi.org/10.13026/5f6t-b637; Goldberger et al., PhysioBank,"
        " PhysioToolkit, and PhysioNet, Circulation 2000. Contains information from CogWear, which is made"
        " available under the Open Database License (ODbL)"
    ),
    obtain="https://physionet.org/content/consumer-grade-wearables/1.0.0/",
    tasks={"stress": CLASSES},
    label_kind="condition (Stroop task, that is cognitive load, or rest); not a self-report",
    modalities=("ppg", "eda", "temp"),
    list_subjects=list_subjects,
    source_files=source_files,
    load_subject=load_subject,
    published=Published(
        subjects=(  # person 19 is not published, person 20's visit is faulty, person 21 came once
            *(f"P{person:02d}/pilot" for person in range(11)),
            *(f"P{person}/{visit}" for person in (*range(11, 19), 22, 23, 24) for visit in ("pre", "post")),
            "P21/pre",
        ),
        signals={sensor.modality: (1, sensor.rate_hz) for sensor in SENSORS},
        trials=(2, 3),
    ),
    notes=(
        "The task always precedes the rest: time is a confound.",
        "Contains information from CogWear, which is made available under the Open Database License (ODbL).",
        "The E4's motion was not published; the Samsung watch's PPG is not read.",
    ),
)
