"""Tables of numbers in text files (CSV, TSV), read fast and checked row by row.

The format is seen in the file: UTF-8 with or without a byte order mark, UTF-16 with one, or an 8-bit code
page; rows ended by LF, CRLF or CR; fields between tabs, semicolons or commas (the first of these that the
first row holds); decimal commas where commas do not part the fields; names in the first row, or numbers from
the first row on. Lines at the top that begin with ``#`` are a preamble. Quotes around fields are dropped.
Nothing else is guessed: a row with a field too many or too few, or a field that is no number, is refused by
its row.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_tf.errors import MMQError

MAX_FILE_BYTES = 4 * 2**30
MAX_ROW_CHARACTERS = 2**20
MAX_COLUMNS = 4096
MAX_VALUES = 2**27  # 1 GiB of float64
BLOCK_CHARACTERS = 2**22
LOST = ("", "nan", "NaN", "NAN", "-nan", "NA", "N/A", "n/a", "null", "NULL")
"""Words for a value that was not measured, beside the empty field."""

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


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


@dataclass(frozen=True)
class _Form:
    """How a file is written."""

    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    first_row: int


def read_names(path: Path | str) -> tuple[str, ...]:
    """Names of a table's columns, without reading its rows.

    Raises
    ------
    MMQError
        If the file cannot be read or is no table.
    """
    return _form(Path(path)).names


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
    form = _form(path)
    wanted = _positions(path, form, columns)
    rows = 0
    for block in _blocks(path, form, whole_rows):
        rows += _check_shape(path, block, form, form.first_row + rows)
    if not rows:
        raise MMQError(f"{path}: expected rows of numbers from row {form.first_row} on; there are none.")
    if rows * len(wanted) > MAX_VALUES:
        raise MMQError(
            f"{path}: expected at most {MAX_VALUES} values; got {rows} rows of {len(wanted)}. Name fewer"
            " columns, or cut the file."
        )
    values = [np.empty(rows) for _ in wanted]
    start = 0
    for block in _blocks(path, form, whole_rows):
        parts = _parse(path, block, form, wanted, form.first_row + start)
        for column, part in zip(values, parts, strict=True):
            column[start : start + len(part)] = part
        start += len(parts[0])
    return Table(
        path, {form.names[at]: column for at, column in zip(wanted, values, strict=True)}, form.first_row
    )


def _form(path: Path) -> _Form:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise MMQError(
                f"{path}: expected at most {MAX_FILE_BYTES / 2**30:g} GiB; it has {size / 2**30:.1f} GiB."
            )
        with path.open("rb") as file:
            head = file.read(MAX_ROW_CHARACTERS)
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if not head.strip():
        raise MMQError(f"{path}: expected a table; the file is empty.")
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin-1"
    if encoding == "latin-1" and b"\0" in head:
        raise MMQError(f"{path}: expected text; it holds zero bytes. Save it as UTF-8 if it is a table.")
    text = _unified(head[: len(head) & ~1 if encoding == "utf-16" else None].decode(encoding, "replace"))
    lines = text.removeprefix("ï»¿").split("\n")
    top = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if top is None:
        raise MMQError(f"{path}: expected a table after its preamble; found no row of one.")
    delimiter = next((mark for mark in "\t;," if mark in lines[top]), ",")
    first = _fields(lines[top], delimiter)
    body = "\n".join(lines[top : top + 1000])
    named = not all(_is_number(field.replace(",", ".")) for field in first)
    if named:
        body = body.partition("\n")[2]
    names = _names(path, top + 1, first if named else [""] * len(first), encoding)
    decimal = "," if delimiter != "," and "," in body else "."
    return _Form(encoding, delimiter, decimal, names, top + 1 + named)


def _unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _fields(line: str, delimiter: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]


def _is_number(field: str) -> bool:
    return field.lstrip(" ") in LOST or _NUMBER.fullmatch(field) is not None


def _names(path: Path, row: int, fields: list[str], encoding: str) -> tuple[str, ...]:
    if len(fields) > MAX_COLUMNS:
        raise MMQError(f"{path}: expected at most {MAX_COLUMNS} columns; row {row} has {len(fields)}.")
    if encoding == "latin-1":
        fields = [_as_utf8(field) for field in fields]
    names = tuple(field or str(number) for number, field in enumerate(fields, start=1))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MMQError(f"{path}: row {row} must name every column differently; {twice!r} comes twice.")
    return names


def _as_utf8(field: str) -> str:
    try:
        return field.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return field


def _positions(path: Path, form: _Form, columns: Sequence[str] | None) -> list[int]:
    wanted = form.names if columns is None else tuple(columns)
    missing = next((name for name in wanted if name not in form.names), None)
    if missing is not None or not wanted:
        there = ", ".join(form.names[:40])
        raise MMQError(f"{path}: row {form.first_row - 1} has no column {missing!r}; there are {there}.")
    return [form.names.index(name) for name in wanted]


def _blocks(path: Path, form: _Form, whole_rows: bool) -> Iterator[bytes]:
    """Rows of the file in UTF-8, some megabytes at a time, each ended by LF; no blank ones at the end."""
    row, rest = form.first_row, ""
    try:
        with path.open(encoding=form.encoding, newline=None) as file:
            for _ in range(form.first_row - 1):
                file.readline()
            while text := file.read(BLOCK_CHARACTERS):
                text = rest + text
                cut = text.rfind("\n", 0, len(text.rstrip("\n"))) + 1
                rest = text[cut:]
                if len(rest) > MAX_ROW_CHARACTERS:
                    raise MMQError(
                        f"{path}: row {row + text.count(chr(10), 0, cut)} is longer than {MAX_ROW_CHARACTERS}"
                        " characters, or the file ends in as many blank rows: not a table of numbers."
                    )
                if cut:
                    yield _plain(text[:cut])
                    row += text.count("\n", 0, cut)
    except UnicodeError as error:
        raise MMQError(f"{path}: cannot be read as {form.encoding} after row {row} ({error}).") from error
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error
    last = rest.rstrip("\n")
    if last and last == rest and whole_rows:
        raise MMQError(f"{path}: row {row} has no line end, so the file was cut short; copy it again.")
    if last:
        yield _plain(last + "\n")


def _plain(text: str) -> bytes:
    return text.encode().replace(b'"', b"")


def _check_shape(path: Path, block: bytes, form: _Form, first_row: int) -> int:
    """Check that every row of a block has as many fields as the first of the file, and count the rows."""
    array = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(array == ord("\n"))
    marks = np.flatnonzero(array == ord(form.delimiter))
    fields = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
    bad = np.flatnonzero(fields != len(form.names))
    if bad.size:
        row, got = int(bad[0]), int(fields[bad[0]])
        start = int(ends[row - 1]) + 1 if row else 0
        text = block[start : int(ends[row])].decode("utf-8", "replace")
        raise MMQError(
            f"{path}: row {first_row + row} must have {len(form.names)} fields, as the first row has; got"
            f" {got if text.strip() else 0}: {text[:60]!r}."
        )
    return len(ends)


def _parse(path: Path, block: bytes, form: _Form, wanted: list[int], first_row: int) -> list[np.ndarray]:
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


def _first_bad_field(path: Path, block: bytes, form: _Form, wanted: list[int], first_row: int) -> MMQError:
    """Find what the fast parser stumbled over (slow; only for the message)."""
    for row, line in enumerate(block.decode("utf-8", "replace").split("\n")[:-1], start=first_row):
        fields = line.split(form.delimiter)
        for at in wanted:
            number = fields[at] if form.decimal == "." else fields[at].translate({44: ".", 46: "?"})
            if not _is_number(number) or (number.lstrip(" ") not in LOST and np.isinf(float(number))):
                return MMQError(
                    f"{path}: row {row}, column {form.names[at]}, must be a finite number; got"
                    f" {_as_utf8(fields[at])[:40]!r}."
                )
    last = first_row + block.count(b"\n") - 1
    return MMQError(f"{path}: rows {first_row} to {last} cannot be read as numbers.")
