# SPDX-License-Identifier: Apache-2.0
"""BDF files as BioSemi's ActiView writes them, of SIMULATED signals.

Header fields as in https://www.biosemi.com/faq/file_format.htm; the Status channel's bits as in
https://www.biosemi.com/faq/trigger_signals.htm: 0-15 trigger, 16 new epoch, 20 CMS in range, 23 MK2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmq_tf.errors import MMQError

LOWEST, HIGHEST = -8388608, 8388607
"""What 24 bits hold."""

PHYSICAL_RANGE = (-262144.0, 262143.0)
"""ActiView's own, for channels in uV: 31.25 nV a bit."""

NEW_EPOCH, CMS_IN_RANGE, MK2 = 1 << 16, 1 << 20, 1 << 23
RECORD_S = 1
CHUNK_RECORDS = 64


def write_bdf(
    path: Path,
    channels: Sequence[str],
    samples: np.ndarray,
    rate_hz: int,
    *,
    status: np.ndarray | None = None,
    units: Mapping[str, str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    note: str = "SIMULATED: no person was measured",
) -> None:
    """Write one BDF file.

    Parameters
    ----------
    path : Path
        File to write.
    channels : sequence of str
        A label a row of `samples`, at most 16 ASCII characters each.
    samples : numpy.ndarray
        ``[channels, n]``, a whole number of seconds, each row in its unit.
    rate_hz : int
        Samples a second of every channel.
    status : numpy.ndarray, optional
        int ``[n]``: the trigger's code (0 to 65535) at each sample, for a last channel ``Status``.
    units : mapping, optional
        Physical dimension by label; ``uV`` where none is given.
    ranges : mapping, optional
        Physical minimum and maximum by label; `PHYSICAL_RANGE` where none is given.
    note : str
        Written where the subject and the recording are described.

    Raises
    ------
    MMQError
        If shapes do not fit, the length is not whole seconds, or a value lies outside its channel's range.
    """
    units, ranges = units or {}, ranges or {}
    lows, highs = np.array([ranges.get(name, PHYSICAL_RANGE) for name in channels]).T[..., None]
    _check(path, channels, samples, rate_hz, status)
    _check_range(path, channels, samples, lows, highs)
    labels = [*channels, *(["Status"] if status is not None else [])]
    records = samples.shape[1] // (rate_hz * RECORD_S)
    with Path(path).open("wb") as file:
        file.write(_header(labels, rate_hz, records, units, ranges, note))
        for first in range(0, records, CHUNK_RECORDS):
            span = slice(first * rate_hz, min(first + CHUNK_RECORDS, records) * rate_hz)
            share = (samples[:, span].astype(np.float64) - lows) / (highs - lows)
            rows = np.rint(LOWEST + share * (HIGHEST - LOWEST)).astype(np.int32)
            if status is not None:
                rows = np.concatenate([rows, _status_words(status[span], first == 0)[None]])
            blocks = rows.reshape(len(labels), -1, rate_hz).transpose(1, 0, 2)
            file.write(np.ascontiguousarray(blocks, "<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes())


def _status_words(codes: np.ndarray, first: bool) -> np.ndarray:
    words = np.asarray(codes, np.int32) | CMS_IN_RANGE | MK2
    if first:
        words[0] |= NEW_EPOCH
    return words


def _header(
    labels: Sequence[str],
    rate_hz: int,
    records: int,
    units: Mapping[str, str],
    ranges: Mapping[str, tuple[float, float]],
    note: str,
) -> bytes:
    fixed = b"\xffBIOSEMI" + _fields([note, note], 80) + b"01.01.1000.00.00"
    fixed += _fields([256 * (len(labels) + 1)], 8) + _fields(["24BIT"], 44)
    fixed += _fields([records, RECORD_S], 8) + _fields([len(labels)], 4)
    is_status = [label == "Status" for label in labels]
    limits = [
        (LOWEST, HIGHEST) if special else ranges.get(label, PHYSICAL_RANGE)
        for label, special in zip(labels, is_status, strict=True)
    ]
    return fixed + b"".join(
        (
            _fields(labels, 16),
            _fields(["Triggers and Status" if s else "Active Electrode, pin type" for s in is_status], 80),
            _fields(
                [
                    "Boolean" if s else units.get(name, "uV")
                    for name, s in zip(labels, is_status, strict=True)
                ],
                8,
            ),
            _fields([f"{low:.7g}" for low, _ in limits], 8),
            _fields([f"{high:.7g}" for _, high in limits], 8),
            _fields([LOWEST] * len(labels), 8),
            _fields([HIGHEST] * len(labels), 8),
            _fields(["No filtering" if s else "HP: DC; LP: 52 Hz" for s in is_status], 80),
            _fields([rate_hz * RECORD_S] * len(labels), 8),
            _fields(["Reserved"] * len(labels), 32),
        )
    )


def _fields(values: Sequence[str | int], width: int) -> bytes:
    texts = [str(value).encode("ascii") for value in values]
    for text in texts:
        if len(text) > width:
            raise MMQError(f"write_bdf: {text.decode()!r} must fit into {width} characters.")
    return b"".join(text.ljust(width) for text in texts)


def _check(
    path: Path, channels: Sequence[str], samples: np.ndarray, rate_hz: int, status: np.ndarray | None
) -> None:
    if samples.ndim != 2 or len(channels) != samples.shape[0] or samples.shape[1] == 0:
        raise MMQError(
            f"{path}: expected samples [{len(channels)}, n], a row a channel; got {list(samples.shape)}."
        )
    if samples.shape[1] % (rate_hz * RECORD_S):
        raise MMQError(
            f"{path}: expected a whole number of seconds at {rate_hz} Hz; got {samples.shape[1]} samples."
        )
    if status is not None and (
        status.shape != samples.shape[1:] or status.min() < 0 or status.max() > 0xFFFF
    ):
        raise MMQError(f"{path}: status must be [{samples.shape[1]}] codes from 0 to 65535.")


def _check_range(
    path: Path, channels: Sequence[str], samples: np.ndarray, lows: np.ndarray, highs: np.ndarray
) -> None:
    inside = (samples.min(1) >= lows[:, 0]) & (samples.max(1) <= highs[:, 0])  # False for NaN
    if not inside.all():
        row = int(np.argmin(inside))
        raise MMQError(
            f"{path}: channel {channels[row]} must lie within {lows[row, 0]:g} to {highs[row, 0]:g}; got"
            f" {samples[row].min():g} to {samples[row].max():g}."
        )
