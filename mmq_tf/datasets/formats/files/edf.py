# SPDX-License-Identifier: Apache-2.0
"""What an EDF or BDF header promises, compared with the file before any library reads it.

MNE reads what is there of a file cut short and at most warns, and reads a discontinuous file as if it had no
gaps. (EDF: Kemp et al., Electroenceph. clin. Neurophysiol. 82, 1992; EDF+: Kemp and Olivan, Clin.
Neurophysiol. 114, 2003; BDF, 24 bits a sample: BioSemi, https://www.biosemi.com/faq/file_format.htm.)
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.files import check_regular

from mmq_tf.errors import MMQError

logger = logging.getLogger(__name__)

REPAIR = "; --repair, or repair = true in mmq-tf.toml, reads what is whole"
FIXED_BYTES = 256
LABELS_AT, UNITS_AT, RANGES_AT, COUNTS_AT = 0, 96, 104, 216
"""Bytes a signal before its label (16), its physical dimension (8), its physical and digital minimum and
maximum (4 times 8), and its samples a data record (8)."""

MAX_SIGNALS = 512
MAX_BYTES = 4 * 2**30
FORMATS = {b"0       ": ("EDF", 2), b"\xffBIOSEMI": ("BDF", 3)}
"""Name and bytes a sample, by a file's first eight bytes."""


@dataclass(frozen=True)
class EdfSignal:
    """One signal as the header describes it.

    `unit` is what was written there, such as ``"uV"`` or ``""``; `has_range` is False where minimum and
    maximum are the same, as some recorders write for an input not used: its samples mean nothing.
    """

    label: str
    unit: str
    sampling_rate_hz: float
    samples_a_record: int
    has_range: bool

    @property
    def is_annotations(self) -> bool:
        """Whether this holds the annotations of EDF+ or BDF+, not samples."""
        return self.label in ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True)
class EdfHeader:
    """A header that fits its file.

    `continuous` is False for EDF+D and BDF+D, whose records may lie apart in time: see `record_onsets`.
    """

    format: str
    sample_bytes: int
    records: int
    record_s: float
    continuous: bool
    signals: tuple[EdfSignal, ...]

    @property
    def header_bytes(self) -> int:
        """Bytes before the first data record."""
        return FIXED_BYTES * (len(self.signals) + 1)

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record."""
        return self.sample_bytes * sum(signal.samples_a_record for signal in self.signals)


def check_edf(path: Path, limit: int = MAX_BYTES, *, repair: bool = False) -> EdfHeader:
    """Check that an EDF, EDF+, BDF or BDF+ file has the size its own header says; only the header is read.

    Parameters
    ----------
    path : Path
        The file.
    limit : int
        Most bytes it may have.
    repair : bool
        Take the whole data records of a file that was cut short or never closed, and say in a warning how
        much is lost.

    Returns
    -------
    EdfHeader

    Raises
    ------
    MMQError
        If it cannot be read, is neither EDF nor BDF, was never closed (-1 data records), a header field is no
        number, or bytes are missing or too many.
    """
    check_regular(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(FIXED_BYTES)
            _check_start(path, head, size, limit)
            name, sample_bytes = FORMATS[head[:8]]
            signals = _integer(path, head, 252, 4, "number of signals")
            records = _records(path, head, signals, repair=repair)
            head += file.read(FIXED_BYTES * signals)
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error
    length = FIXED_BYTES * (signals + 1)
    if len(head) < length:
        raise MMQError(
            f"{path}: expected an {name} header of {length} bytes; the file has {size}: cut short."
        )
    if _integer(path, head, 184, 8, "bytes of the header") != length:
        raise MMQError(f"{path}: byte 184 must say {length}, the bytes of the header; got {head[184:192]!r}.")
    record_s = _record_s(path, head)
    continuous = head[192:197] not in (b"EDF+D", b"BDF+D")
    header = EdfHeader(
        name, sample_bytes, records, record_s, continuous, _signals(path, head, signals, record_s)
    )
    expected = length + records * header.record_bytes
    if repair and (size < expected or records < 0):
        return _whole_records(path, header, size)
    if size != expected:
        fault = f"cut short, copy it again{REPAIR}" if size < expected else "longer than its header says"
        raise MMQError(
            f"{path}: expected {expected} bytes ({records} data records); the file has {size}: {fault}."
        )
    return header


def record_onsets(path: Path, header: EdfHeader) -> np.ndarray:
    """When each data record begins.

    Parameters
    ----------
    path : Path
        A file that `check_edf` passed.
    header : EdfHeader
        What it returned.

    Returns
    -------
    numpy.ndarray
        float64 ``[records]``, seconds from the first: even steps in a continuous file, else what the first
        entry of each record's annotations says.

    Raises
    ------
    MMQError
        If a record of a discontinuous file has no such entry, or begins before the one before has ended.
    """
    if header.continuous:
        return header.record_s * np.arange(header.records)
    at = next((i for i, signal in enumerate(header.signals) if signal.is_annotations), None)
    if at is None:
        raise MMQError(f"{path}: expected annotations with each data record's time; the file has none.")
    skip = header.sample_bytes * sum(signal.samples_a_record for signal in header.signals[:at])
    width = header.sample_bytes * header.signals[at].samples_a_record
    records = np.memmap(path, np.uint8, "r", header.header_bytes, shape=(header.records, header.record_bytes))
    onsets = np.empty(header.records)
    for number, entry in enumerate(records[:, skip : skip + width]):
        onset = entry.tobytes().split(b"\x14", 1)[0].strip(b" \0")
        try:
            onsets[number] = float(onset)
        except ValueError as error:
            raise MMQError(
                f"{path}: data record {number + 1}: expected its time in seconds; got {onset[:20]!r}."
            ) from error
    steps = np.diff(onsets)
    early = np.flatnonzero(~(steps >= header.record_s - 1e-3))
    if early.size or not np.isfinite(onsets).all():
        number = int(early[0]) + 2 if early.size else 1
        raise MMQError(
            f"{path}: data record {number} must begin when the one before has ended; it begins at"
            f" {onsets[number - 1]:g} s."
        )
    return onsets - onsets[0]


def _check_start(path: Path, head: bytes, size: int, limit: int) -> None:
    if not head:
        raise MMQError(f"{path}: expected an EDF or BDF file; the file is empty.")
    if head[:8] not in FORMATS:
        raise MMQError(
            f"{path}: expected an EDF file (it begins with '0' and seven spaces) or a BDF file (byte 255,"
            f" then 'BIOSEMI'); got {head[:8]!r}."
        )
    if len(head) < FIXED_BYTES:
        name = FORMATS[head[:8]][0]
        raise MMQError(f"{path}: expected an {name} header of {FIXED_BYTES} bytes; the file has {len(head)}.")
    if size > limit:
        raise MMQError(f"{path}: expected at most {limit / 2**20:g} MiB; it has {size / 2**20:.0f} MiB.")


def _whole_records(path: Path, header: EdfHeader, size: int) -> EdfHeader:
    """Return the header with as many records as are whole."""
    whole = (size - header.header_bytes) // header.record_bytes
    if whole < 1:
        raise MMQError(f"{path}: holds no whole data record; there is nothing to repair.")
    if header.records > 0:
        lost_s = (header.records - whole) * header.record_s
        said = f"{whole} of {header.records} data records are whole, {lost_s:g} s are lost"
    else:
        rest = (size - header.header_bytes) % header.record_bytes
        said = f"it was never closed; {whole} data records are whole, {rest} bytes after them are lost"
    logger.warning("%s: %s", path, said)
    return replace(header, records=whole)


def _records(path: Path, head: bytes, signals: int, *, repair: bool) -> int:
    records = _integer(path, head, 236, 8, "number of data records")
    if repair and records == -1 and 0 < signals <= MAX_SIGNALS:
        return records
    if not 0 < signals <= MAX_SIGNALS or records <= 0:
        unclosed = f" (-1: the recorder never closed the file{REPAIR})" if records == -1 else ""
        raise MMQError(
            f"{path}: expected 1 to {MAX_SIGNALS} signals and at least one data record; the header says"
            f" {signals} and {records}{unclosed}."
        )
    return records


def _record_s(path: Path, head: bytes) -> float:
    field = head[244:252]
    try:
        record_s = float(field.strip(b" \0").decode("ascii"))
    except ValueError:
        record_s = math.nan
    if not 0 < record_s < math.inf:
        raise MMQError(
            f"{path}: byte 244, duration of a data record, must be a number of seconds above 0;"
            f" got {field!r}."
        )
    return record_s


def _signals(path: Path, head: bytes, signals: int, record_s: float) -> tuple[EdfSignal, ...]:
    def field(i: int, before: int, width: int) -> str:
        at = FIXED_BYTES + signals * before + width * i
        return head[at : at + width].decode("latin-1").strip(" \0")

    first = FIXED_BYTES + signals * COUNTS_AT
    counts = [
        _integer(path, head, first + 8 * i, 8, f"samples a record of signal {i + 1}") for i in range(signals)
    ]
    if min(counts) <= 0:
        raise MMQError(f"{path}: every signal must have at least one sample a record; got {min(counts)}.")
    found = []
    for i, count in enumerate(counts):
        label = field(i, LABELS_AT, 16)
        ends = [field(i, RANGES_AT + 8 * which, 8) for which in range(4)]
        lows_and_highs = [_finite(end) for end in ends]
        if None in lows_and_highs:
            raise MMQError(
                f"{path}: signal {i + 1} ({label}): its physical and its digital minimum and maximum must be"
                f" numbers; got {', '.join(map(repr, ends))}."
            )
        has_range = lows_and_highs[0] != lows_and_highs[1] and lows_and_highs[2] != lows_and_highs[3]
        found.append(EdfSignal(label, field(i, UNITS_AT, 8), count / record_s, count, has_range))
    return tuple(found)


def _finite(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))  # some recorders write their country's decimal sign
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _integer(path: Path, data: bytes, at: int, width: int, what: str) -> int:
    field = data[at : at + width]
    try:
        return int(field.strip(b" \0").decode("ascii"))
    except ValueError as error:
        raise MMQError(f"{path}: byte {at}, {what}, must be a whole number; got {field!r}.") from error
