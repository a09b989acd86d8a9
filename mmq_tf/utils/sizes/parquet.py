# SPDX-License-Identifier: Apache-2.0
"""Bytes that columns of a Parquet file take in memory: by its footer, and by the header of each page.

A page's header alone says how large the page is once it is unpacked; pyarrow believes it. The headers are
Thrift's compact protocol, of which only the numbers are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from mmq_tf.errors import MMQError

VALUE_BYTES = 8
MAX_PAGES = 200_000
MAX_HEADER_BYTES = 2**16
_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)
_UNPACKED, _PACKED = 2, 3
"""Fields of a page's header: its size in memory and in the file."""


def parquet_bytes(path: Path, metadata: Any, wanted: Sequence[str], rows: int) -> int:
    """Return the bytes that columns take: 8 for each value, and the largest page with its copy.

    Parameters
    ----------
    path : Path
    metadata : pyarrow.parquet.FileMetaData
    wanted : sequence of str
        Top-level columns.
    rows : int
        How many of the first rows are read.

    Raises
    ------
    MMQError
        If a page is not where the footer says, or there are too many.
    """
    largest = pages = begun = 0
    names = set(wanted)
    with path.open("rb") as file:
        for group in range(metadata.num_row_groups):
            if begun >= rows:
                break
            row_group = metadata.row_group(group)
            begun += row_group.num_rows
            for place in range(row_group.num_columns):
                chunk = row_group.column(place)
                if chunk.path_in_schema.partition(".")[0] not in names:
                    continue
                unpacked, count = _largest_page(path, file, chunk, MAX_PAGES - pages)
                largest, pages = max(largest, unpacked), pages + count
    return VALUE_BYTES * rows * len(wanted) + 2 * largest


def _largest_page(path: Path, file: BinaryIO, chunk: Any, most: int) -> tuple[int, int]:
    """Return the size of a column chunk's largest page once it is unpacked, and how many pages it has."""
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset is not None:
        at = min(at, chunk.dictionary_page_offset)
    stop, largest, count = at + chunk.total_compressed_size, 0, 0
    while at < stop:
        count += 1
        if count > most:
            raise MMQError(f"{path}: expected at most {MAX_PAGES} pages; it has more.")
        file.seek(at)
        header = _Thrift(path, file.read(MAX_HEADER_BYTES))
        numbers = header.numbers()
        if not {_UNPACKED, _PACKED} <= numbers.keys() or min(numbers[_UNPACKED], numbers[_PACKED]) < 0:
            raise MMQError(f"{path}: the page at byte {at} has no header that could be one.")
        largest = max(largest, numbers[_UNPACKED])
        at += header.at + numbers[_PACKED]
    return largest, count


class _Thrift:
    """A structure in Thrift's compact protocol."""

    def __init__(self, path: Path, data: bytes) -> None:
        self._path, self._data = path, data
        self.at = 0

    def numbers(self, depth: int = 0) -> dict[int, int]:
        """Read a structure; return its integers by the field's number."""
        if depth > 8:
            raise self._broken()
        found, field = {}, 0
        while (head := self._byte()) != _STOP:
            kind = head & 0x0F
            field = field + (head >> 4) if head >> 4 else self._integer()
            if kind in (_I16, _I32, _I64):
                found[field] = self._integer()
            else:
                self._skip(kind, depth)
        return found

    def _skip(self, kind: int, depth: int) -> None:
        if kind in (_TRUE, _FALSE):
            return
        if kind == _BYTE:
            self._byte()
        elif kind in (_I16, _I32, _I64):
            self._integer()
        elif kind == _DOUBLE:
            self._pass(8)
        elif kind == _BINARY:
            self._pass(self._unsigned())
        elif kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._unsigned()
            if count > MAX_HEADER_BYTES:
                raise self._broken()
            for _ in range(count):
                self._byte() if head & 0x0F in (_TRUE, _FALSE) else self._skip(head & 0x0F, depth + 1)
        elif kind == _STRUCT:
            self.numbers(depth + 1)
        else:
            raise self._broken()

    def _pass(self, count: int) -> None:
        self.at += count
        if self.at > len(self._data):
            raise self._broken()

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise self._broken()
        self.at += 1
        return self._data[self.at - 1]

    def _unsigned(self) -> int:
        value = 0
        for place in range(10):
            byte = self._byte()
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value
        raise self._broken()

    def _integer(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def _broken(self) -> MMQError:
        return MMQError(f"{self._path}: the header of a page is broken; copy the file again.")
