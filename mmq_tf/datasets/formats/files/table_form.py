# SPDX-License-Identifier: Apache-2.0
"""How a text table is written, and its rows in blocks: what readers of numbers and of words share."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.files import check_regular

from mmq_tf.errors import MMQError

MAX_FILE_BYTES = 4 * 2**30
MAX_ROW_CHARACTERS = 2**20
MAX_COLUMNS = 4096
MAX_VALUES = 2**27  # 1 GiB of float64
BLOCK_CHARACTERS = 2**22
LOST = ("", "nan", "NaN", "NAN", "-nan", "NA", "N/A", "n/a", "null", "NULL")
"""Words for a value that was not measured, beside the empty field."""

INNER_DELIMITER, INNER_LINE_END = "\ue000", "\ue001"
"""What stands for a delimiter and a line end inside a quoted field, until `inner_text` puts them back."""

_QUOTED_DECIMAL = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*", re.ASCII)
_MAYBE_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(,\d{3})+\s*", re.ASCII)
_QUOTED = re.compile(r'"[^"]*"')
_QUOTED_TEXT = re.compile(r'"[^"]*[^"\d\s+\-.,eE][^"]*"')
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class TextForm:
    """How a file is written."""

    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    first_row: int


def form_of(path: Path) -> TextForm:
    """See how a file is written.

    Raises
    ------
    MMQError
        If it cannot be read, is too large or is no table.
    """
    check_regular(path)
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
    separator = _SEPARATOR_LINE.fullmatch(lines[0])  # Excel's own, before the names
    if separator:
        lines[0] = ""
    top = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if top is None:
        raise MMQError(f"{path}: expected a table after its preamble; found no row of one.")
    outside = _QUOTED.sub("", lines[top])
    delimiter = separator[1] if separator else next((mark for mark in "\t;," if mark in outside), ",")
    first = _fields(lines[top], delimiter)
    body = "\n".join(lines[top : top + 1000])
    named = not all(is_number(field.replace(",", ".")) for field in first)
    if named:
        body = body.partition("\n")[2]
    names = _names(path, top + 1, first if named else [""] * len(first), encoding)
    decimal = "," if delimiter != "," and "," in _QUOTED_TEXT.sub("", body) else "."
    return TextForm(encoding, delimiter, decimal, names, top + 1 + named)


def _unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _fields(line: str, delimiter: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]


def is_number(field: str) -> bool:
    """Whether a field holds a number with a decimal point, or a word of `LOST`."""
    return field.lstrip(" ") in LOST or _NUMBER.fullmatch(field) is not None


def _names(path: Path, row: int, fields: list[str], encoding: str) -> tuple[str, ...]:
    if len(fields) > MAX_COLUMNS:
        raise MMQError(f"{path}: expected at most {MAX_COLUMNS} columns; row {row} has {len(fields)}.")
    if encoding == "latin-1":
        fields = [as_utf8(field) for field in fields]
    names = tuple(field or str(number) for number, field in enumerate(fields, start=1))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MMQError(f"{path}: row {row} must name every column differently; {twice!r} comes twice.")
    return names


def as_utf8(field: str) -> str:
    """Mend UTF-8 that was read as Latin-1."""
    try:
        return field.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return field


def positions(path: Path, form: TextForm, columns: Sequence[str] | None) -> list[int]:
    """Return where the wanted columns stand; all of them for None.

    Raises
    ------
    MMQError
        If one is not there.
    """
    wanted = form.names if columns is None else tuple(columns)
    missing = next((name for name in wanted if name not in form.names), None)
    if missing is not None or not wanted:
        there = ", ".join(form.names[:40])
        raise MMQError(f"{path}: row {form.first_row - 1} has no column {missing!r}; there are {there}.")
    return [form.names.index(name) for name in wanted]


def blocks(path: Path, form: TextForm, whole_rows: bool) -> Iterator[bytes]:
    """Yield the rows in UTF-8, some megabytes at a time, each ended by LF; no blank ones at the end.

    Raises
    ------
    MMQError
        If the file cannot be read or decoded, has an endless row, or ends inside one and `whole_rows` is on.
    """
    row, rest = form.first_row, ""
    try:
        with path.open(encoding=form.encoding, newline=None) as file:
            for _ in range(form.first_row - 1):
                file.readline()
            while text := file.read(BLOCK_CHARACTERS):
                text = rest + text
                cut = _last_row_end(text)
                rest = text[cut:]
                if len(rest) > MAX_ROW_CHARACTERS:
                    raise MMQError(
                        f"{path}: row {row + text.count(chr(10), 0, cut)} is longer than {MAX_ROW_CHARACTERS}"
                        " characters, or the file ends in as many blank rows: not a table of numbers."
                    )
                if cut:
                    yield _plain(text[:cut], form.delimiter)
                    row += text.count("\n", 0, cut)
    except UnicodeError as error:
        raise MMQError(f"{path}: cannot be read as {form.encoding} after row {row} ({error}).") from error
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error
    last = rest.rstrip("\n")
    if last and last == rest and whole_rows:
        raise MMQError(f"{path}: row {row} has no line end, so the file was cut short; copy it again.")
    if last:
        yield _plain(last + "\n", form.delimiter)


def _last_row_end(text: str) -> int:
    """Where the last whole row ends: a line end between an odd number of quotes is inside a field."""
    cut = text.rfind("\n", 0, len(text.rstrip("\n"))) + 1
    if '"' not in text:
        return cut
    while cut and text.count('"', 0, cut) % 2:
        cut = text.rfind("\n", 0, cut - 1) + 1
    return cut


def _plain(text: str, delimiter: str) -> bytes:
    """Rows in UTF-8 without quotes (RFC 4180): what they kept together is `INNER_DELIMITER` and its like.

    A number with a quoted comma is one with a decimal comma, unless it may be a thousand's.
    """
    if '"' not in text:
        return text.encode()
    rows = []
    for fields in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
        for at, field in enumerate(fields):
            if delimiter in field or "\n" in field:
                if _QUOTED_DECIMAL.fullmatch(field) and not _MAYBE_THOUSANDS.fullmatch(field):
                    fields[at] = field.replace(",", ".")
                else:
                    fields[at] = field.replace(delimiter, INNER_DELIMITER).replace("\n", INNER_LINE_END)
        rows.append(delimiter.join(fields))
    return ("\n".join(rows) + "\n").encode()


def inner_text(field: str, delimiter: str) -> str:
    """Put back what a quoted field held."""
    return field.replace(INNER_DELIMITER, delimiter).replace(INNER_LINE_END, "\n")


def check_shape(path: Path, block: bytes, form: TextForm, first_row: int) -> int:
    """Check that every row of a block has as many fields as the first of the file, and count the rows.

    Raises
    ------
    MMQError
        If one has not, naming it.
    """
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
