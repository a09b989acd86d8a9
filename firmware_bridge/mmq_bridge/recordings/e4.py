# SPDX-License-Identifier: Apache-2.0
"""Native Empatica E4 exports: a folder of CSV files, one per sensor, or the zip archive it was downloaded as.

Row 1 is the start in Unix seconds (UTC), row 2 the rate in Hz, then one sample per row; ACC has three columns
in 1/64 g (Empatica's own ``info.txt``, which lies in every export). ``HR.csv`` and ``IBI.csv`` are derived by
the watch and ignored: ``HR.csv`` is at times absurd, so heart rate must come from BVP with a quality gate.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.archives import opened_zip
from mmq_bridge.recordings.files import existing_folder, read_bytes
from mmq_bridge.recordings.recording import MAX_RATE_HZ, Recording, Signal, Trial
from mmq_bridge.recordings.room import check_room

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 512 * 2**20  # an E4's battery lasts two days: 11 million BVP rows, under 100 MiB
BLOCK_BYTES = 2**22
MAX_START_S = 1e11  # the year 5138: milliseconds are no seconds
MAX_START_SPREAD_S = 600.0  # sensors of one session start within seconds of each other
MAX_STOP_SPREAD_S = 60.0  # ... and end within about 4 s (26 subjects of Stress-Predict)


@dataclass(frozen=True)
class E4Sensor:
    """One CSV file of an E4 export and what it becomes."""

    file: str
    modality: str
    unit: str
    channels: tuple[str, ...]
    scale: float = 1.0


SENSORS = (
    E4Sensor("BVP.csv", "ppg", "a.u.", ("bvp",)),
    E4Sensor("EDA.csv", "eda", "uS", ("eda",)),
    E4Sensor("TEMP.csv", "temp", "degC", ("skin",)),
    E4Sensor("ACC.csv", "acc", "g", ("x", "y", "z"), 1.0 / 64.0),
)


@dataclass(frozen=True)
class E4Session:
    """The signals of one export, aligned, with the Unix time of their common start."""

    signals: dict[str, Signal]
    start_unix_s: float

    @property
    def stop_s(self) -> float:
        """End of the last signal, in seconds from the common start."""
        return max(signal.stop_s for signal in self.signals.values())


def read_e4(path: Path) -> Recording:
    """Read an E4 export as a recording without trials and without a digest.

    Parameters
    ----------
    path : Path
        The folder that holds ``BVP.csv``, ``EDA.csv``, ``TEMP.csv``, ``ACC.csv``, or a zip archive
        that holds them (at its top or in one folder); a file that is not there, or holds no sample, is a
        sensor that is not there. A last row without a line end is left out: its number may be cut.

    Returns
    -------
    Recording
        Subject is the folder's name, or the archive's without ``.zip``; t = 0 is the earliest start row.

    Raises
    ------
    BridgeError
        If no sensor file is there or one is broken, naming file and row, or the archive is not safe.
    """
    path = path if is_zip(path) else existing_folder(path, "an E4 export")
    name = path.stem if is_zip(path) else path.resolve().name
    return make_recording(read_session(path), name or "e4", (), "e4")


def is_zip(path: Path) -> bool:
    """Whether `path` is a file named as a zip archive."""
    return path.suffix.lower() == ".zip" and path.is_file()


def sensor_files(path: Path) -> list[Path]:
    """List the files that an export's signals come from: its sensor files, or its archive."""
    if is_zip(path):
        return [path]
    return [file for _, file in _sensors_in(path)]


def holds_e4(folder: Path) -> bool:
    """Whether a sensor file of an export lies in a folder, whatever the case of its name."""
    return any(file.is_file() for _, file in _sensors_in(folder))


def _sensors_in(folder: Path) -> list[tuple[E4Sensor, Path]]:
    """Sensor files of a folder, in the order of `SENSORS`; the name as exported comes before other cases."""
    there: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        there[path.name.lower()] = path
        there[path.name] = path
    known = [(sensor, there.get(sensor.file, there.get(sensor.file.lower()))) for sensor in SENSORS]
    return [(sensor, path) for sensor, path in known if path is not None]


def make_recording(session: E4Session, subject: str, trials: tuple[Trial, ...], source: str) -> Recording:
    """Join a session with who it is and what was labelled."""
    return Recording(
        subject, "1", session.signals, trials, source=source, started_unix_s=session.start_unix_s
    )


def read_session(path: Path) -> E4Session:
    """Read and align the sensor files of one folder or archive, one at a time.

    Raises
    ------
    BridgeError
        As `read_e4`.
    """
    files = _archived(path) if is_zip(path) else _in_folder(path)
    found: dict[str, tuple[E4Sensor, float, float, np.ndarray]] = {}
    for sensor, name, content in files:
        data = _whole_rows(name, content)
        if len(data.split(None, 2 * len(sensor.channels))) <= 2 * len(sensor.channels):
            logger.warning("%s: holds no sample; the sensor counts as missing", name)
            continue
        found[sensor.modality] = (sensor, *parse_csv(name, data, len(sensor.channels)))
    if not found:
        names = ", ".join(sensor.file for sensor in SENSORS)
        raise BridgeError(f"{path}: expected at least one of the E4 files {names}; found none of them.")
    start_unix_s = min(start for _, start, _, _ in found.values())
    signals = {
        modality: Signal(
            modality, _scaled(rows, sensor.scale), rate, sensor.unit, sensor.channels, start - start_unix_s
        )
        for modality, (sensor, start, rate, rows) in found.items()
    }
    _check_spread(path, signals)
    return E4Session(signals, start_unix_s)


def _in_folder(folder: Path) -> Iterator[tuple[E4Sensor, Path, bytes]]:
    for sensor, path in _sensors_in(folder):
        yield sensor, path, read_bytes(path, MAX_FILE_BYTES)


def _archived(path: Path) -> Iterator[tuple[E4Sensor, Path, bytes]]:
    """Sensor files of an archive; what macOS adds beside them (``__MACOSX``) is passed over."""
    with opened_zip(path) as archive:
        files = {sensor.file.lower(): sensor for sensor in SENSORS}
        names = [PurePosixPath(name) for name in archive.names if not name.startswith("__MACOSX/")]
        members = [member for member in names if member.name.lower() in files]
        inner = [str(member) for member in names if member.suffix.lower() == ".zip"]
        if inner and not members:
            raise BridgeError(
                f"{path}: expected the files of an E4 export; it holds the archive {inner[0][:80]}: unpack it"
                " and give that one."
            )
        folders = {str(member.parent) for member in members}
        if len(folders) > 1:
            there = ", ".join(sorted(folders))[:200]
            raise BridgeError(
                f"{path}: expected the files of one E4 export; found some in {there}: unpack it and give one"
                " folder."
            )
        check_room(path, 3 * max((archive.size(str(member)) for member in members), default=0))
        for member in members:
            yield files[member.name.lower()], path / member, archive.read(str(member), MAX_FILE_BYTES)


def _whole_rows(path: Path, data: bytes) -> bytes:
    """Leave out a last row without a line end, which may be cut inside its number."""
    if data.strip() and not data.endswith(b"\n"):
        logger.warning("%s: row %d has no line end; left out, it may be cut", path, data.count(b"\n") + 1)
        data = data[: data.rfind(b"\n") + 1]
    return data


def parse_csv(path: Path, data: bytes, columns: int) -> tuple[float, float, np.ndarray]:
    """Parse one sensor file.

    Parameters
    ----------
    path : Path
        Named in errors.
    data : bytes
        The file's content.
    columns : int
        Values a row: 3 for ACC, otherwise 1.

    Returns
    -------
    start_unix_s, sampling_rate_hz : float
        Rows 1 and 2.
    rows : numpy.ndarray
        float32 ``[n, columns]``.

    Raises
    ------
    BridgeError
        If the file is empty or cut short, or a row is not what the format says; rows are counted from 1.
    """
    if not data.strip():
        raise BridgeError(f"{path}: expected a start row, a rate row and samples; the file is empty.")
    data = data if data.endswith(b"\n") and not data[-2:].isspace() else data.rstrip() + b"\n"
    head = data.split(b"\n", 2)
    del data
    if len(head) < 3 or not head[2].strip():
        rows = len(head) - 1
        raise BridgeError(f"{path}: expected samples from row 3 on; the file ends after row {rows}.")
    start = _header(path, 1, head[0], columns, "a start in Unix seconds")
    if not 0 <= start <= MAX_START_S:
        raise BridgeError(
            f"{path}: row 1 must be a start in Unix seconds, 0 to {MAX_START_S:g}; got {start:g}."
        )
    rate = _header(path, 2, head[1], columns, "a rate in Hz")
    if not 0 < rate <= MAX_RATE_HZ:
        raise BridgeError(
            f"{path}: row 2 must be a rate above 0 and at most {MAX_RATE_HZ:g} Hz; got {rate:g}."
        )
    return start, rate, _rows(path, head[2], columns)


def _rows(path: Path, body: bytes, columns: int) -> np.ndarray:
    """Parse rows a block at a time: as text for the parser they take four times their size and more."""
    rows = np.empty((body.count(b"\n"), columns), np.float32)
    done = at = 0
    while at < len(body):
        stop = body.find(b"\n", min(at + BLOCK_BYTES, len(body)) - 1) + 1
        block = body[at:stop]
        try:
            part = np.loadtxt(
                io.StringIO(block.decode("latin-1")), np.float32, comments=None, delimiter=",", ndmin=2
            )
        except ValueError as error:
            raise _first_bad_row(path, body, columns) from error
        if part.shape != (block.count(b"\n"), columns) or np.isinf(part).any():
            raise _first_bad_row(path, body, columns)
        rows[done : done + len(part)] = part
        done, at = done + len(part), stop
    return rows


def _header(path: Path, row: int, line: bytes, columns: int, what: str) -> float:
    text = line.decode("utf-8-sig", "replace").strip()
    try:
        values = {float(part) for part in text.split(",")}
    except ValueError:
        values = set()
    if len(values) != 1 or not np.isfinite(list(values)).all() or text.count(",") + 1 != columns:
        times = "" if columns == 1 else f", the same {columns} times"
        raise BridgeError(f"{path}: row {row} must be {what}{times}; got {text[:60]!r}.")
    return values.pop()


def _first_bad_row(path: Path, body: bytes, columns: int) -> BridgeError:
    """Find what the fast parser stumbled over (slow; only for the message)."""
    expected = "one number" if columns == 1 else f"{columns} numbers"
    for row, line in enumerate(body.decode("latin-1").split("\n"), start=3):
        try:
            values = [float(np.float32(part)) for part in line.split(",")]
        except (ValueError, OverflowError):
            values = []
        if len(values) != columns or np.isinf(values).any():
            return BridgeError(f"{path}: row {row} must be {expected}; got {line.strip()[:60]!r}.")
    return BridgeError(f"{path}: expected {expected} a row; the rows could not be read.")


def _scaled(rows: np.ndarray, scale: float) -> np.ndarray:
    samples = np.ascontiguousarray(rows.T)
    return samples if scale == 1.0 else samples * np.float32(scale)


def _check_spread(folder: Path, signals: dict[str, Signal]) -> None:
    files = {sensor.modality: sensor.file for sensor in SENSORS}
    late = max(signals.values(), key=lambda signal: signal.start_s)
    if late.start_s > MAX_START_SPREAD_S:
        raise BridgeError(
            f"{folder / files[late.modality]}: row 1 must lie within {MAX_START_SPREAD_S:g} s of the other"
            f" sensors' start rows; it is {late.start_s:g} s after the earliest."
        )
    short = min(signals.values(), key=lambda signal: signal.stop_s)
    early_s = max(signal.stop_s for signal in signals.values()) - short.stop_s
    if early_s > MAX_STOP_SPREAD_S:
        raise BridgeError(
            f"{folder / files[short.modality]}: expected to end within {MAX_STOP_SPREAD_S:g} s of the other"
            f" sensors; it ends {early_s:.0f} s before them, at row {short.samples.shape[1] + 2}, so it was"
            " cut short: copy it again from the original export, or remove it to treat the sensor as missing."
        )
