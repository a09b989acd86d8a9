# SPDX-License-Identifier: Apache-2.0
"""WESAD (Schmidt et al., ICMI 2018, doi:10.1145/3242969.3242985): a wrist watch and a chest belt.

``S2/S2.pkl`` holds the subject's name, ``signal`` with ``chest`` (RespiBAN, 700 Hz) and ``wrist`` (Empatica
E4: BVP 64 Hz, ACC 32 Hz, EDA and TEMP 4 Hz), and ``label``, one number for every chest sample. The publishers
put both devices on one clock by a double tap before they wrote the file, so all begin at the same moment.
Rates, label numbers and units are those of their readme: chest ACC in g, ECG and EMG in mV, EDA in uS, Temp
in degC, Resp in percent of the belt's range; wrist ACC in 1/64 g.

The same modality was measured at both places, so there are two data sets: `WESAD` is the wrist with what only
the chest has, `WESAD_CHEST` the chest alone. A recording begins with the whole second in which the first
condition does (the baseline): what lies before is the fitting of the sensors and the double tap.

The archive unpacks to 17 GB, so a file of about 100 minutes has about 1 GB. That is Python 2's protocol 0;
protocol 2 would make 0.3 GB of the same samples. Both are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from mmq_bridge.recordings import e4

from mmq_tf.datasets.base import Dataset, Published, check_known
from mmq_tf.datasets.formats.files.pickles import load_pickle
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording, Signal, Trial

MAX_FILE_BYTES = 2 * 2**30
LABEL_HZ = 700.0
MAX_DIFFERENCE_S = 1.0  # S2's nine signals last exactly as long as its labels: 6079 s
STRESS, AFFECT = ("rest", "stress"), ("baseline", "stress", "amusement")
CONDITIONS: Mapping[int, Mapping[str, str]] = {
    1: {"stress": "rest", "affect": "baseline"},
    2: {"stress": "stress", "affect": "stress"},
    3: {"stress": "rest", "affect": "amusement"},
    4: {},  # meditation
}
"""Labels by the file's number; 0 and 5 to 7 are to be ignored."""

LAST_NUMBER = 7


@dataclass(frozen=True)
class WesadSensor:
    """One array of the file and what it becomes."""

    device: str
    name: str
    rate_hz: float
    modality: str
    unit: str
    channels: tuple[str, ...]
    scale: float = 1.0


CHEST = (
    WesadSensor("chest", "ECG", LABEL_HZ, "ecg", "mV", ("ecg",)),
    WesadSensor("chest", "EMG", LABEL_HZ, "emg", "uV", ("emg",), 1e3),
    WesadSensor("chest", "Resp", LABEL_HZ, "resp", "a.u.", ("belt",)),
    WesadSensor("chest", "EDA", LABEL_HZ, "eda", "uS", ("chest eda",)),
    WesadSensor("chest", "Temp", LABEL_HZ, "temp", "degC", ("chest skin",)),
    WesadSensor("chest", "ACC", LABEL_HZ, "acc", "g", ("x", "y", "z")),
)
WRIST_RATES_HZ = {"BVP": 64.0, "EDA": 4.0, "TEMP": 4.0, "ACC": 32.0}
WRIST = tuple(
    WesadSensor("wrist", name, WRIST_RATES_HZ[name], each.modality, each.unit, each.channels, each.scale)
    for each in e4.SENSORS
    for name in [each.file.removesuffix(".csv")]
)
WITH_WRIST = (*WRIST, *CHEST[:3])


def list_subjects(folder: Path) -> list[str]:
    """Subjects with a pickle, as ``S2``."""
    return list(_files(folder))


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the subject's one file."""
    files = _files(folder)
    check_known(folder, subject, list(files))
    return [files[subject]]


def load_subject(folder: Path, subject: str, sensors: tuple[WesadSensor, ...], source: str) -> Recording:
    """Read one subject.

    Parameters
    ----------
    folder : Path
        The folder ``WESAD``, or the one that holds it.
    subject : str
        ``"S2"`` ... ``"S17"``.
    sensors : tuple of WesadSensor
        What to keep.
    source : str
        Name of the data set.

    Returns
    -------
    Recording
        Each signal at its own rate; one trial for every contiguous run of one condition, meditation without
        labels. Samples become float32 array by array, so the file's own arrays are never held twice.

    Raises
    ------
    MMQError
        If the file is broken, of another person, or its arrays have not the shapes, lengths or labels they
        must.
    """
    (path,) = source_files(folder, subject)
    content = _dictionary(path, load_pickle(path, MAX_FILE_BYTES), "the file", ("subject", "signal", "label"))
    if content["subject"] != subject:
        named = str(content["subject"])[:40]
        raise MMQError(f"{path}: expected the recording of {subject}; subject says {named!r}.")
    label = _checked_label(path, content.pop("label"))
    runs = condition_runs(label)
    if not runs:
        raise MMQError(f"{path}: expected stretches labelled 1 to 4; label has none.")
    begin_s = runs[0][0] // 1.0
    arrays = _arrays(path, content.pop("signal"), sensors)
    signals = {}
    for sensor in sensors:
        signals[sensor.modality] = _signal(path, sensor, arrays.pop(sensor), begin_s, label.size / LABEL_HZ)
    trials = tuple(Trial(start - begin_s, stop - begin_s, CONDITIONS[number]) for start, stop, number in runs)
    return Recording(subject, "1", signals, trials, source=source)


def condition_runs(label: np.ndarray) -> list[tuple[float, float, int]]:
    """Find the contiguous runs of one condition.

    Parameters
    ----------
    label : numpy.ndarray
        ``[n]`` integers at `LABEL_HZ`.

    Returns
    -------
    list of (start_s, stop_s, number)
        In time order; of the numbers in `CONDITIONS` only.

    Examples
    --------
    >>> condition_runs(np.repeat([0, 1, 3, 3, 7, 1], 700))
    [(1.0, 2.0, 1), (2.0, 4.0, 3), (5.0, 6.0, 1)]
    """
    edges = np.concatenate([[0], np.flatnonzero(np.diff(label)) + 1, [label.size]]).tolist()
    return [
        (start / LABEL_HZ, stop / LABEL_HZ, int(label[start]))
        for start, stop in zip(edges, edges[1:], strict=False)
        if int(label[start]) in CONDITIONS
    ]


def _files(folder: Path) -> dict[str, Path]:
    inner = folder / "WESAD"
    matches = (
        (path, re.fullmatch(r"S\d+", path.stem))
        for path in (inner if inner.is_dir() else folder).glob("S*/S*.pkl")
    )
    return {path.stem: path for path, match in matches if match and path.parent.name == path.stem}


def _dictionary(path: Path, value: object, what: str, keys: tuple[str, ...]) -> dict[str, object]:
    got = value if isinstance(value, dict) else {}
    missing = [key for key in keys if key not in got]
    if missing:
        there = ", ".join(map(repr, got))[:100] or type(value).__name__
        raise MMQError(
            f"{path}: {what} must hold {', '.join(keys)}; {missing[0]} is missing, there is {there}."
        )
    return got


def _checked_label(path: Path, label: object) -> np.ndarray:
    if not isinstance(label, np.ndarray) or label.dtype.kind not in "iu" or label.ndim != 1 or not label.size:
        raise MMQError(f"{path}: label must be integers [n]; got {_described(label)}.")
    wrong = np.flatnonzero((label < 0) | (label > LAST_NUMBER))
    if wrong.size:
        at = int(wrong[0])
        raise MMQError(f"{path}: label must be 0 to {LAST_NUMBER}; sample {at} has {label[at]}.")
    return label


def _arrays(path: Path, signal: object, sensors: tuple[WesadSensor, ...]) -> dict[WesadSensor, object]:
    """Take the wanted arrays out of the file's dictionaries; the others are let go."""
    devices = _dictionary(path, signal, "signal", tuple(dict.fromkeys(sensor.device for sensor in sensors)))
    arrays = {}
    for device in devices:
        names = {sensor.name: sensor for sensor in sensors if sensor.device == device}
        held = _dictionary(path, devices[device], f"signal {device}", tuple(names))
        arrays |= {sensor: held.pop(name) for name, sensor in names.items()}
        held.clear()
    return arrays


def _signal(path: Path, sensor: WesadSensor, array: object, begin_s: float, duration_s: float) -> Signal:
    what = f"{path}: {sensor.device} {sensor.name}"
    columns = len(sensor.channels)
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.shape[1] != columns:
        raise MMQError(f"{what} must be numbers [n, {columns}]; got {_described(array)}.")
    long_s = len(array) / sensor.rate_hz
    if abs(long_s - duration_s) > (0 if sensor.device == "chest" else MAX_DIFFERENCE_S):
        raise MMQError(
            f"{what} must last as long as the labels, {duration_s:g} s; its {len(array)} samples at"
            f" {sensor.rate_hz:g} Hz last {long_s:g} s."
        )
    samples = np.ascontiguousarray(array[round(begin_s * sensor.rate_hz) :].T, dtype=np.float32)
    if sensor.scale != 1.0:
        samples *= np.float32(sensor.scale)
    try:
        return Signal(sensor.modality, samples, sensor.rate_hz, sensor.unit, sensor.channels)
    except MMQError as error:
        raise MMQError(f"{what}: {error}") from error


def _described(value: object) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__


def _dataset(name: str, title: str, sensors: tuple[WesadSensor, ...], notes: tuple[str, ...]) -> Dataset:
    load: Callable[[Path, str], Recording] = partial(load_subject, sensors=sensors, source=name)
    return Dataset(
        name=name,
        title=title,
        licence="academic research; the readme in the archive has the terms",
        attribution=(
            "Schmidt et al., Introducing WESAD, a Multimodal Dataset for Wearable Stress and Affect"
            " Detection, ICMI 2018"
        ),
        obtain=(
            "https://ubicomp.eti.uni-siegen.de/home/datasets/icmi18/ or UCI Machine Learning Repository,"
            " data set 465; unpack WESAD.zip"
        ),
        tasks={"stress": STRESS, "affect": AFFECT},
        label_kind="condition (Trier Social Stress Test, funny clips or reading); not a self-report",
        modalities=tuple(name for name in MODALITIES if name in {sensor.modality for sensor in sensors}),
        list_subjects=list_subjects,
        source_files=source_files,
        load_subject=load,
        published=Published(
            subjects=tuple(f"S{number}" for number in (*range(2, 12), *range(13, 18))),
            signals={sensor.modality: (len(sensor.channels), sensor.rate_hz) for sensor in sensors},
            trials=(5, 5),
        ),
        notes=(*notes, *NOTES),
    )


NOTES = (
    "Rest is baseline and amusement together, which publications call binary; affect keeps them apart.",
    "Meditation is a trial without labels; labels 0 and 5 to 7 are ignored. S1 and S12 were not published.",
    "A recording begins with the baseline, on a whole second.",
    "The baseline always comes first and stress is spoken: time, speech and movement are confounds.",
    "Respiration is in percent of the belt's range, so in arbitrary units.",
    "S2_E4_Data.zip beside the pickle is the watch's raw export on its own clock: it loads as an E4 archive.",
    "Written from the published description and tried on SIMULATED files only; five trials a subject are"
    " expected, since the protocol has five conditions.",
)
WESAD = _dataset(
    "wesad",
    "WESAD, the wrist with the chest's ECG, EMG and respiration",
    WITH_WRIST,
    ("eda, temp and acc are the watch's; the belt's own are in the data set wesad_chest.",),
)
WESAD_CHEST = _dataset(
    "wesad_chest", "WESAD, the chest belt", CHEST, ("Chest alone; the watch is in wesad.",)
)
