# SPDX-License-Identifier: Apache-2.0
"""Empatica EmbracePlus raw data: Avro files of up to about half an hour each, one after the other.

Each file holds one record whose ``rawData`` has ``accelerometer``, ``eda``, ``temperature`` and ``bvp``, each
with ``timestampStart`` (Unix microseconds), ``samplingFrequency`` (Hz; measured, so for instance 63.99) and
values; a sensor that was off has none (Empatica's support articles 17405877853981 and 17727336158365).
Acceleration comes as counts: ``imuParams`` says how many g one is, as ``conversionFactor`` from schema
version 6.5 on and through ``physicalMin/Max`` and ``digitalMin/Max`` before. Gyroscope, steps, peaks found by
the watch, and tags (presses of its button, which are moments and no conditions) are not used.

Samples are taken to lie at start + n / frequency of their own file. They are put on one grid at the nominal
rate, the nearest whole number of Hz, by the nearest sample: at 63.99 Hz one sample in 6400 is repeated. Where
no file has a sample the grid holds NaN.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.datasets.formats.files.avro_files import read_avro
from mmq_tf.datasets.formats.resample_to_grid import nearest_samples, take_samples
from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_RATE_HZ, Recording, Signal

MAX_FILES = 2000
MAX_SESSION_S = 48 * 3600.0
"""Empatica's folders hold one day each; a grid over weeks, mostly empty, would fill the memory."""

MAX_OVERLAP_S = 1.0
RATE_TOLERANCE = 0.01


@dataclass(frozen=True)
class EmbracePlusSensor:
    """One part of ``rawData`` and what it becomes."""

    name: str
    modality: str
    unit: str
    channels: tuple[str, ...]


SENSORS = (
    EmbracePlusSensor("bvp", "ppg", "a.u.", ("bvp",)),
    EmbracePlusSensor("eda", "eda", "uS", ("eda",)),
    EmbracePlusSensor("temperature", "temp", "degC", ("skin",)),
    EmbracePlusSensor("accelerometer", "acc", "g", ("x", "y", "z")),
)


@dataclass(frozen=True, eq=False)
class EmbracePlusPart:
    """What one file holds of one sensor: samples float32 ``[channels, n]`` from `start_us` (Unix)."""

    path: Path
    start_us: int
    rate_hz: float
    samples: np.ndarray

    @property
    def stop_us(self) -> float:
        """End of the last sample's period."""
        return self.start_us + self.samples.shape[1] / self.rate_hz * 1e6


def load_embraceplus(path: Path | str) -> Recording:
    """Read one file, or all files of a folder as one session.

    Parameters
    ----------
    path : path
        An ``.avro`` file, or the folder of one participant's (``.../raw_data/v6``).

    Returns
    -------
    Recording
        ppg and acc 64 Hz, eda 4 Hz, temp 1 Hz, where the study recorded them; without trials. Subject is the
        participant of the file names, ``[participant_id]_[time].avro``; t = 0 is the earliest sample.

    Raises
    ------
    MMQError
        If there is no file, a file is broken or of another kind, files overlap, belong to several
        participants or span more than two days, or no sensor was on.
    """
    path = Path(path)
    files = _files(path)
    found: dict[str, list[EmbracePlusPart]] = {sensor.name: [] for sensor in SENSORS}
    for file in files:
        for record in read_avro(file):
            for sensor in SENSORS:
                found[sensor.name] += _parts(file, record, sensor)
    parts = {name: sorted(some, key=lambda part: part.start_us) for name, some in found.items() if some}
    if not parts:
        names = ", ".join(sensor.name for sensor in SENSORS)
        raise MMQError(f"{path}: expected samples of at least one of {names}; every sensor was off.")
    start_us = min(some[0].start_us for some in parts.values())
    stop_us = max(some[-1].stop_us for some in parts.values())
    if stop_us - start_us > MAX_SESSION_S * 1e6:
        raise MMQError(
            f"{path}: expected files of at most {MAX_SESSION_S / 3600:g} h; they span"
            f" {(stop_us - start_us) / 3.6e9:.0f} h. Give one day's folder."
        )
    signals = {s.modality: _stitched(s, parts[s.name], start_us) for s in SENSORS if s.name in parts}
    digest = source_digest("embraceplus 1", files)
    return Recording(
        _participant(path, files),
        "1",
        signals,
        source="embraceplus",
        digest=digest,
        started_unix_s=start_us / 1e6,
    )


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise MMQError(f"{path}: expected an EmbracePlus file or folder; found nothing.")
    files = sorted(path.glob("*.avro")) if path.is_dir() else [path]
    if not 0 < len(files) <= MAX_FILES:
        raise MMQError(f"{path}: expected 1 to {MAX_FILES} .avro files; found {len(files)}.")
    return files


def _participant(path: Path, files: list[Path]) -> str:
    names = {match[1] for match in (re.fullmatch(r"(.+)_\d+", file.stem) for file in files) if match}
    if len(names) > 1:
        raise MMQError(
            f"{path}: expected files of one participant; got {', '.join(sorted(names)[:5])}. Put each into a"
            " folder of its own."
        )
    return names.pop() if names else path.resolve().stem


def _parts(path: Path, record: dict[str, Any], sensor: EmbracePlusSensor) -> list[EmbracePlusPart]:
    """Return the sensor's samples in this record as a list of one part, or of none if it was off."""
    raw = record.get("rawData") if isinstance(record, dict) else None
    if not isinstance(raw, dict):
        raise MMQError(
            f"{path}: expected an EmbracePlus record with rawData; it is an Avro file of another kind."
        )
    values = raw.get(sensor.name)
    if values is None:
        return []
    where = f"{path}: rawData.{sensor.name}"
    columns = sensor.channels if sensor.name == "accelerometer" else ("values",)
    rows = [_field(where, values, name, list) for name in columns]
    rate = _field(where, values, "samplingFrequency", (int, float))
    if not any(rows) or rate == 0:
        return []
    if len({len(row) for row in rows}) > 1:
        raise MMQError(
            f"{where}: x, y and z must be of one length; got {', '.join(str(len(r)) for r in rows)}."
        )
    if not 0 < rate <= MAX_RATE_HZ:
        raise MMQError(
            f"{where}.samplingFrequency must be above 0 and at most {MAX_RATE_HZ:g} Hz; got {rate:g}."
        )
    start_us = _field(where, values, "timestampStart", int)
    if not 0 < start_us < 2**53:
        raise MMQError(f"{where}.timestampStart must be Unix microseconds; got {start_us}.")
    scale = _g_per_count(where, values) if sensor.name == "accelerometer" else 1.0
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            samples = (np.array(rows, np.float64) * scale).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise MMQError(f"{where}: expected numbers; got something else among its samples.") from error
    if np.isinf(samples).any():
        raise MMQError(f"{where}: samples must be finite, or NaN where lost; got infinity.")
    return [EmbracePlusPart(path, start_us, float(rate), samples)]


def _field(where: str, values: object, name: str, kind: type | tuple[type, ...]) -> Any:
    got = values.get(name) if isinstance(values, dict) else None
    if not isinstance(got, kind) or isinstance(got, bool):
        raise MMQError(
            f"{where}.{name}: not as in the EmbracePlus files of schema version 6; got {got!r:.60}."
        )
    return got


def _g_per_count(where: str, values: dict[str, Any]) -> float:
    params = _field(where, values, "imuParams", dict)
    number = (int, float)
    if params.get("conversionFactor"):
        factor = float(_field(f"{where}.imuParams", params, "conversionFactor", number))
    else:
        ends = ("physicalMin", "physicalMax", "digitalMin", "digitalMax")
        low_g, high_g, low, high = (_field(f"{where}.imuParams", params, name, number) for name in ends)
        factor = (high_g - low_g) / (high - low) if high != low else 0.0
    if not 0 < factor < np.inf:
        raise MMQError(f"{where}.imuParams: expected a positive number of g a count; got {factor:g}.")
    return factor


def _stitched(sensor: EmbracePlusSensor, parts: list[EmbracePlusPart], start_us: int) -> Signal:
    rate = _nominal_rate_hz(sensor, parts)
    times, samples = [], []
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        keep = part.samples.shape[1]
        if after is not None and part.stop_us > after.start_us:
            if part.stop_us - after.start_us > MAX_OVERLAP_S * 1e6:
                raise MMQError(
                    f"{after.path}: {sensor.name} begins {(part.stop_us - after.start_us) / 1e6:g} s before"
                    f" {part.path.name} ends; expected files that follow one another. Is one there twice?"
                )
            keep = math.ceil((after.start_us - part.start_us) / 1e6 * part.rate_hz - 1e-6)
        times.append((part.start_us - start_us) / 1e6 + np.arange(keep) / part.rate_hz)
        samples.append(part.samples[:, :keep])
    time_s = np.concatenate(times)
    where = f"{parts[0].path.parent}: {sensor.name}"
    nearest = nearest_samples(where, time_s, rate, float(time_s[0]))
    placed = take_samples(where, np.concatenate(samples, axis=1), nearest)
    return Signal(sensor.modality, placed, rate, sensor.unit, sensor.channels, float(time_s[0]))


def _nominal_rate_hz(sensor: EmbracePlusSensor, parts: list[EmbracePlusPart]) -> float:
    """Return the nearest whole rate where that is within 1 %, and one for all files."""
    rates = {}
    for part in parts:
        whole = max(round(part.rate_hz), 1)
        near = abs(part.rate_hz - whole) <= RATE_TOLERANCE * whole
        rates[float(whole) if near else part.rate_hz] = part
    if len(rates) > 1:
        (first, _), (second, part) = list(rates.items())[:2]
        raise MMQError(
            f"{part.path}: {sensor.name} has {second:g} Hz, earlier files {first:g} Hz; load them apart."
        )
    return next(iter(rates))
