# SPDX-License-Identifier: Apache-2.0
"""A recording from a folder: ``recording.json`` as `mmq-tf simulate` writes it, or an Empatica E4 export."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmq_bridge.errors import BridgeError

JSON_NAME = "recording.json"
MAX_JSON_BYTES = 32 * 2**20
MAX_RATE_HZ = 100_000.0
E4_FILES = {"ppg": "BVP.csv", "eda": "EDA.csv", "temp": "TEMP.csv", "acc": "ACC.csv"}
E4_CHANNELS = {"ppg": 1, "eda": 1, "temp": 1, "acc": 3}
E4_SCALE = {"acc": 1.0 / 64.0}
"""Empatica counts 64 steps per g."""


@dataclass(frozen=True)
class FolderSignal:
    """Samples float32 [channels, n] (NaN is lost), rate in Hz, start in s."""

    samples: np.ndarray
    sampling_rate_hz: float
    start_s: float


@dataclass(frozen=True)
class FolderTrial:
    """A labelled stretch, in s from the recording's start."""

    start_s: float
    stop_s: float
    labels: Mapping[str, str]


@dataclass(frozen=True)
class FolderRecording:
    """What a replay needs of a recording."""

    subject: str
    simulated: bool
    signals: Mapping[str, FolderSignal]
    trials: tuple[FolderTrial, ...]


def read_recording(path: Path) -> FolderRecording:
    """Read a folder.

    Raises
    ------
    BridgeError
        When it is neither, or broken; mmq-tf reads many more formats.
    """
    if (path / JSON_NAME).is_file():
        return _described(path)
    if any((path / name).is_file() for name in E4_FILES.values()):
        return _e4(path)
    raise BridgeError(
        f"{path}: expected a folder with {JSON_NAME} or an Empatica E4 export (folder); install mmq-tf to "
        "read other formats."
    )


def _described(folder: Path) -> FolderRecording:
    path = folder / JSON_NAME
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("it is too large")
        content = json.loads(path.read_text("utf-8"))
        signals = {name: _signal(folder, name, said) for name, said in content["signals"].items()}
        trials = tuple(
            FolderTrial(float(one["start_s"]), float(one["stop_s"]), dict(one["labels"]))
            for one in content.get("trials", ())
        )
        return FolderRecording(str(content["subject"]), bool(content["simulated"]), signals, trials)
    except BridgeError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BridgeError(
            f"{path}: cannot be read as a recording ({str(error)[:100]}): write it again with mmq-tf."
        ) from error


def _signal(folder: Path, name: str, said: Mapping[str, Any]) -> FolderSignal:
    if not name.isalpha():
        raise ValueError(f"{name[:20]!r} is no modality")
    samples = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    shape = (len(said["channels"]), int(said["samples"]))
    if samples.dtype != np.float32 or samples.shape != shape:
        raise ValueError(f"{name}.npy is {samples.dtype} {samples.shape}, not float32 {shape}")
    return _checked(name, np.array(samples), float(said["sampling_rate_hz"]), float(said.get("start_s", 0.0)))


def _checked(name: str, samples: np.ndarray, rate_hz: float, start_s: float) -> FolderSignal:
    if not 0 < rate_hz <= MAX_RATE_HZ or not math.isfinite(start_s) or np.isinf(samples).any():
        raise ValueError(f"{name} has an impossible rate, start or sample")
    return FolderSignal(samples, rate_hz, start_s)


def _e4(folder: Path) -> FolderRecording:
    found = {
        name: _e4_file(folder / file, E4_CHANNELS[name])
        for name, file in E4_FILES.items()
        if (folder / file).is_file()
    }
    origin = min(start for start, _, _ in found.values())
    signals = {
        name: FolderSignal(rows * np.float32(E4_SCALE.get(name, 1.0)), rate, start - origin)
        for name, (start, rate, rows) in found.items()
    }
    return FolderRecording(folder.resolve().name or "e4", False, signals, ())


def _e4_file(path: Path, columns: int) -> tuple[float, float, np.ndarray]:
    """Return start (Unix s), rate (Hz) and samples [columns, n] of one sensor's file."""
    try:
        with path.open(encoding="ascii", newline="") as file:
            rows = [[float(word) for word in row] for row in csv.reader(file)]
        if any(len(row) != columns for row in rows) or len(rows) < 3:
            raise ValueError(f"expected {columns} numbers in every row and at least 3 rows")
        samples = np.ascontiguousarray(np.array(rows[2:], np.float32).T)
        checked = _checked(path.name, samples, rows[1][0], rows[0][0])
    except (OSError, ValueError) as error:
        raise BridgeError(
            f"{path}: cannot be read as an E4 file ({str(error)[:100]}): copy the export again."
        ) from error
    return checked.start_s, checked.sampling_rate_hz, checked.samples
