# SPDX-License-Identifier: Apache-2.0
"""What a wearer marked, as a table of stretches: ``label,start_s,stop_s``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.files import read_bytes

COLUMNS = ("label", "start_s", "stop_s")
MAX_BYTES = 1 << 20


class MarkRow(NamedTuple):
    """One row of the table, and on which line of the file it stands."""

    line: int
    label: str
    start_s: float
    stop_s: float


def read_marks(path: Path) -> list[MarkRow]:
    """Read a table of marks; its first line names the columns.

    Raises
    ------
    BridgeError
        When there is no such file, it is no such table, or it has no row.
    """
    if not path.is_file():
        raise BridgeError(f"{path}: expected a table {','.join(COLUMNS)}; there is no such file.")
    try:
        lines = list(csv.reader(read_bytes(path, MAX_BYTES).decode("utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BridgeError(f"{path}: expected a table of UTF-8 text with commas ({error}).") from error
    if not lines or tuple(cell.strip() for cell in lines[0]) != COLUMNS:
        raise BridgeError(f"{path}: expected {','.join(COLUMNS)} as the first line.")
    rows = [_row(path, number, cells) for number, cells in enumerate(lines[1:], start=2) if cells]
    if not rows:
        raise BridgeError(f"{path}: expected at least one mark, found none.")
    return rows


def _row(path: Path, line: int, cells: Sequence[str]) -> MarkRow:
    try:
        label, start_s, stop_s = (cell.strip() for cell in cells)
        return MarkRow(line, label, float(start_s), float(stop_s))
    except ValueError as error:
        raise BridgeError(
            f"{path}, line {line}: expected a label and two times in s, got {','.join(cells)[:60]!r}."
        ) from error
