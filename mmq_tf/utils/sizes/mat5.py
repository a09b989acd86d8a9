# SPDX-License-Identifier: Apache-2.0
"""Bytes that the variables of a Matlab 5 file take in memory, by the sizes that their elements state.

Elements may be packed with zlib, and cells and structures hold others. They are walked; what is packed goes
through a small buffer, numbers are passed over, and no more is unpacked than an element says it has.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from mmq_tf.errors import MMQError

HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15
CONTAINERS = (1, 2, 3, 16, 17, 18)
"""Classes of arrays that hold arrays: cell, struct, object, function, opaque."""
MATRIX_BYTES = 1000
"""What an array costs in Python objects, however small it is."""
MAX_DEPTH = 32
BLOCK_BYTES = 2**16


class _ZlibBytes:
    """Bytes behind zlib, read forward and never held; at most `room` of them."""

    def __init__(self, path: Path, file: BinaryIO, packed: int, room: int) -> None:
        self._path, self._file, self._left, self._room = path, file, packed, room
        self._unpacker, self._buffer = zlib.decompressobj(), b""
        self.at = 0

    def read(self, count: int) -> bytes:
        """Return the next bytes; fewer where there are no more."""
        parts = []
        while count:
            if not self._buffer and not self._fill():
                break
            parts.append(self._buffer[:count])
            self._buffer = self._buffer[count:]
            count -= len(parts[-1])
            self.at += len(parts[-1])
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        while count > 0:
            got = len(self.read(min(count, BLOCK_BYTES)))
            if not got:
                raise MMQError(f"{self._path}: ends inside an array; copy the file again.")
            count -= got

    def _fill(self) -> bool:
        while not self._buffer and not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail or self._file.read(min(BLOCK_BYTES, self._left))
            if not self._unpacker.unconsumed_tail:
                self._left -= len(packed)
            if not packed:
                return False
            self._buffer = self._unpacker.decompress(packed, BLOCK_BYTES)
            self._room -= len(self._buffer)
            if self._room < 0:
                raise MMQError(f"{self._path}: an array unpacks to more than the file may take in memory.")
        return bool(self._buffer)


class _FileBytes:
    """Bytes of the file itself."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path, self._file, self._left = path, file, size
        self.at = 0

    def read(self, count: int) -> bytes:
        """Return the next bytes; fewer where there are no more."""
        got = self._file.read(min(count, self._left))
        self.at += len(got)
        self._left -= len(got)
        return got

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        if count > self._left:
            raise MMQError(f"{self._path}: ends inside an array; copy the file again.")
        self._file.seek(count, 1)
        self.at += count
        self._left -= count


def is_mat5(path: Path) -> bool:
    """Whether a file begins as a Matlab 5 file does."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    return (
        len(head) == HEADER_BYTES and head[126:128] in (b"IM", b"MI") and head[124:126] in (b"\0\1", b"\1\0")
    )


def mat5_bytes(path: Path, room: int) -> int:
    """Return the bytes that all variables of a file take, `MATRIX_BYTES` for each array among them.

    The walk ends as soon as there are more than `room`; then the number is what was found so far.

    Raises
    ------
    MMQError
        If the file is broken or cut short, its elements are nested too deep, or one unpacks to more than
        `room`.
    """
    size = path.stat().st_size
    total = 0
    try:
        with path.open("rb") as file:
            order = "<" if file.read(HEADER_BYTES)[126:128] == b"IM" else ">"
            while total <= room and (tag := file.read(8)):
                kind, count = struct.unpack(f"{order}II", tag)
                start = file.tell()
                if start + count > size:
                    raise MMQError(f"{path}: the array at byte {start} is cut short; copy the file again.")
                if kind == COMPRESSED:
                    total += _Walk(path, order, room).elements(_ZlibBytes(path, file, count, room), None, 0)
                elif kind == MATRIX:
                    total += _Walk(path, order, room).array(_FileBytes(path, file, count), count, 0)
                file.seek(start + count)
    except (struct.error, zlib.error) as error:
        raise MMQError(f"{path}: cannot be read as a Matlab 5 file ({error}); copy it again.") from error
    return total


class _Walk:
    def __init__(self, path: Path, order: str, room: int) -> None:
        self._path, self._order, self._room = path, order, room
        self._total = 0

    def elements(self, source: _ZlibBytes | _FileBytes, stop: int | None, depth: int) -> int:
        """Walk elements until a place, or the end; return the bytes found so far."""
        if depth > MAX_DEPTH:
            raise MMQError(f"{self._path}: expected arrays nested at most {MAX_DEPTH} deep.")
        while self._total <= self._room and (stop is None or source.at < stop):
            tag = source.read(8)
            if not tag and stop is None:
                break
            first, count = struct.unpack(f"{self._order}II", tag)
            if first >> 16:  # a small element: its bytes are in its tag
                self._total += first >> 16
                continue
            if stop is not None and source.at + count > stop:
                raise MMQError(f"{self._path}: an array holds more than it says; copy the file again.")
            if first == MATRIX:
                self.array(source, count, depth)
            else:
                self._total += count
                source.skip(count)
            pad = -count % 8
            if pad and (stop is None or source.at + pad <= stop):
                source.read(pad)
        return self._total

    def array(self, source: _ZlibBytes | _FileBytes, count: int, depth: int) -> int:
        """Walk one array of so many bytes; return the bytes found so far."""
        self._total += MATRIX_BYTES
        stop = source.at + count
        if count < 16:
            source.skip(count)
            return self._total
        flags = source.read(16)
        kind = struct.unpack(f"{self._order}I", flags[8:12])[0] & 0xFF
        if kind in CONTAINERS:
            return self.elements(source, stop, depth + 1)
        self._total += count
        if self._total <= self._room:
            source.skip(stop - source.at)
        return self._total
