# SPDX-License-Identifier: Apache-2.0
"""Tables of numbers in text files (CSV, TSV), read fast and checked row by row.

The format is seen in the file: UTF-8 with or without a byte order mark, UTF-16 with one, or an 8-bit code
page; rows ended by LF, CRLF or CR; fields between tabs, semicolons or commas (the first of these that the
first row holds); decimal commas where commas do not part the fields; names in the first row, or numbers from
the first row on. Lines at the top that begin with ``#`` are a preamble, and so is Excel's ``sep=;``. Quotes
follow RFC 4180; a number with a comma in quotes has a decimal comma, unless that may part thousands.
Nothing else is guessed: a row with a field too many or too few, or a field that is no number, is refused by
its row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.room import check_room

from mmq_tf.datasets.formats.files.table_form import (
    INNER_DELIMITER,
    LOST,
    MAX_VALUES,
    TextForm,
    as_utf8,
    blocks,
    check_shape,
    form_of,
    inner_text,
    is_number,
    positions,
)
from mmq_tf.errors import MMQError

VALUE_BYTES = 12
"""A value takes 8 bytes as float64, and 4 more as float32 of a signal."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one file.

    Parameters
    ----------
    path : Path
        Where they came from.
    columns : dict of str to numpy.ndarray
        float64 ``[rows]`` by name, NaN where the file holds none; never infinite. A column without a name
        has its number from 1 as name.
    first_row : int
        Row of the file, from 1, that holds the first values.
    """

    path: Path
    columns: dict[str, np.ndarray]
    first_row: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that were read, in the asked order or the file's."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def place(self, index: int, name: str) -> str:
        """Name the file, row and column of one value, for an error."""
        return f"{self.path}: row {self.first_row + int(index)}, column {name}"


def read_names(path: Path | str) -> tuple[str, ...]:
    """Names of a table's columns, without reading its rows.

    Raises
    ------
    MMQError
        If the file cannot be read or is no table.
    """
    return form_of(Path(path)).names


def read_table(path: Path | str, columns: Sequence[str] | None = None, *, whole_rows: bool = False) -> Table:
    """Read a table of numbers.

    Parameters
    ----------
    path : path
        A text file of at most 4 GiB.
    columns : sequence of str, optional
        Names of those wanted; others may hold anything. All of them if left out.
    whole_rows : bool
        Refuse a last row without a line end: right where the writer is known to end every row, so that
        a file cut inside a number is found out.

    Returns
    -------
    Table
        The wanted columns. Memory: 8 bytes a value, and some 100 MB for the reader.

    Raises
    ------
    MMQError
        If the file cannot be read, is too large or no table, lacks a column, or holds a bad row, naming
        file, row and column.
    """
    path = Path(path)
    form = form_of(path)
    wanted = positions(path, form, columns)
    rows = 0
    for block in blocks(path, form, whole_rows):
        rows += check_shape(path, block, form, form.first_row + rows)
    if not rows:
        raise MMQError(f"{path}: expected rows of numbers from row {form.first_row} on; there are none.")
    if rows * len(wanted) > MAX_VALUES:
        raise MMQError(
            f"{path}: expected at most {MAX_VALUES} values; got {rows} rows of {len(wanted)}. Name fewer"
            " columns, or cut the file."
        )
    check_room(path, VALUE_BYTES * rows * len(wanted))
    values = [np.empty(rows) for _ in wanted]
    start = 0
    for block in blocks(path, form, whole_rows):
        parts = _parse(path, block, form, wanted, form.first_row + start)
        for column, part in zip(values, parts, strict=True):
            column[start : start + len(part)] = part
        start += len(parts[0])
    return Table(
        path, {form.names[at]: column for at, column in zip(wanted, values, strict=True)}, form.first_row
    )


def _parse(path: Path, block: bytes, form: TextForm, wanted: list[int], first_row: int) -> list[np.ndarray]:
    import pandas

    try:
        frame = pandas.read_csv(
            io.BytesIO(block),
            sep=form.delimiter,
            decimal=form.decimal,
            header=None,
            names=list(range(len(form.names))),
            usecols=wanted,
            index_col=False,
            keep_default_na=False,
            na_values=list(LOST),
            skipinitialspace=True,
            skip_blank_lines=False,
            quoting=csv.QUOTE_NONE,
            low_memory=False,
        )
    except (ValueError, OverflowError) as error:
        raise _first_bad_field(path, block, form, wanted, first_row) from error
    # pandas is left to find each column's type: told float64, it would take True for 1
    if any(frame[at].dtype.kind not in "fiu" for at in wanted):
        raise _first_bad_field(path, block, form, wanted, first_row)
    parts = [frame[at].to_numpy(np.float64) for at in wanted]
    if any(np.isinf(part).any() for part in parts):
        raise _first_bad_field(path, block, form, wanted, first_row)
    return parts


def _hint(field: str) -> str:
    is_quoted = INNER_DELIMITER in field and field.replace(INNER_DELIMITER, "").strip(" +-").isdigit()
    return (
        ", where the comma may be a decimal one or a thousand's: write it with a point" if is_quoted else ""
    )


def _first_bad_field(path: Path, block: bytes, form: TextForm, wanted: list[int], first_row: int) -> MMQError:
    """Find what the fast parser stumbled over (slow; only for the message)."""
    for row, line in enumerate(block.decode("utf-8", "replace").split("\n")[:-1], start=first_row):
        fields = line.split(form.delimiter)
        for at in wanted:
            number = fields[at] if form.decimal == "." else fields[at].translate({44: ".", 46: "?"})
            if not is_number(number) or (number.lstrip(" ") not in LOST and np.isinf(float(number))):
                return MMQError(
                    f"{path}: row {row}, column {form.names[at]}, must be a finite number; got"
                    f" {as_utf8(inner_text(fields[at], form.delimiter))[:40]!r}{_hint(fields[at])}."
                )
    last = first_row + block.count(b"\n") - 1
    return MMQError(f"{path}: rows {first_row} to {last} cannot be read as numbers.")
