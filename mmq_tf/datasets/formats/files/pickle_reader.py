# SPDX-License-Identifier: Apache-2.0
"""The bytes of a pickle, every length held against the file's own; long strings stay in the file."""

from __future__ import annotations

import codecs
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

CHUNK_BYTES = 2**20
MAX_TEXT_BYTES = 2**16
"""A longer string can only be the samples of an array, and is not read before the array's shape is known."""

ESCAPE_BYTES = 4  # the longest escape of a Python 2 string, \x00


class Refused(Exception):
    """Why a pickle is not loaded; `load_pickle` adds the file and the place."""


@dataclass(frozen=True)
class StretchInFile:
    """A long string that is still in the file.

    Parameters
    ----------
    start, length : int
        Where it lies, in bytes; decoding never makes it longer.
    coding : str
        ``"bytes"``, ``"latin-1"`` (a Python 2 string), ``"escaped"`` (the same as its repr), ``"utf-8"`` or
        ``"raw-unicode-escape"``.
    """

    start: int
    length: int
    coding: str


class Reader:
    """Reads a pickle's arguments and nothing that the file cannot hold.

    Parameters
    ----------
    file : binary file
        Positioned at the pickle's first byte.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    @property
    def at(self) -> int:
        """Position of the next byte."""
        return self._file.tell()

    def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        self.check_left(count)
        data = self._file.read(count)
        if len(data) != count:
            raise Refused("the file ends early, so it was cut short: copy it again")
        return data

    def uint(self, width: int) -> int:
        """Return an unsigned little-endian number of `width` bytes."""
        return int.from_bytes(self.exactly(width), "little")

    def line(self) -> bytes:
        """Return a short line without its end."""
        line = self._file.readline(MAX_TEXT_BYTES)
        if not line.endswith(b"\n"):
            raise Refused(f"expected a line of at most {MAX_TEXT_BYTES} bytes; found no line end")
        return line[:-1]

    def text_line(self) -> str:
        """Return a short line of ASCII text."""
        line = self.line()
        if not line.isascii():
            raise Refused(f"expected a name; got {line[:30]!r}")
        return line.decode("ascii")

    def string(self, length: int, coding: str) -> str | bytes | StretchInFile:
        """Return a string of `length` bytes, decoded if it is short."""
        self.check_left(length)
        if length <= MAX_TEXT_BYTES:
            return decoded(self.exactly(length), coding)
        stretch = StretchInFile(self.at, length, coding)
        self._file.seek(length, os.SEEK_CUR)
        return stretch

    def line_string(self, coding: str) -> str | bytes | StretchInFile:
        """Return the string that ends with the line; ``"escaped"`` ones stand in quotes."""
        start = self.at
        line = self._file.readline(MAX_TEXT_BYTES)
        length = len(line) - 1 if line.endswith(b"\n") else self._line_length(start)
        after, quotes = start + length + 1, int(coding == "escaped")
        if quotes:
            self._file.seek(start)
            first = self._file.read(1)
            self._file.seek(start + length - 1)
            if length < 2 or first not in (b"'", b'"') or self._file.read(1) != first:
                raise Refused("expected a string in quotes")
        self._file.seek(start + quotes)
        text = self.string(length - 2 * quotes, coding)
        self._file.seek(after)
        return text

    def parts(self, data: str | bytes | StretchInFile) -> Iterator[bytes]:
        """Yield the bytes of a string piece by piece; text must be Latin-1, as Python 2 strings are."""
        if isinstance(data, StretchInFile):
            back = self.at
            yield from self._decoded_parts(data)
            self._file.seek(back)
        else:
            yield data if isinstance(data, bytes) else _latin1(data)

    def check_left(self, count: int) -> None:
        """Refuse what asks for more bytes than the file still has."""
        left = self._size - self.at
        if count > left:
            raise Refused(
                f"it asks for {count} bytes and the file has only {left} more; it is broken or was cut short:"
                " copy it again"
            )

    def _line_length(self, start: int) -> int:
        self._file.seek(start)
        seen = 0
        while chunk := self._file.read(CHUNK_BYTES):
            end = chunk.find(b"\n")
            if end >= 0:
                return seen + end
            seen += len(chunk)
        raise Refused("the file ends within a line, so it was cut short: copy it again")

    def _decoded_parts(self, stretch: StretchInFile) -> Iterator[bytes]:
        self._file.seek(stretch.start)
        decode = _DECODERS[stretch.coding]()
        left = stretch.length
        while left:
            chunk = self.exactly(min(left, CHUNK_BYTES))
            left -= len(chunk)
            yield decode(chunk, not left)


class _EscapeDecoder:
    """Decodes escapes that may be cut in two by the end of a chunk."""

    def __init__(self) -> None:
        self._kept = b""

    def __call__(self, chunk: bytes, final: bool) -> bytes:
        chunk = self._kept + chunk
        whole = len(chunk) if final else _whole_escapes(chunk)
        self._kept = chunk[whole:]
        return _unescaped(chunk[:whole])


class _TextDecoder:
    """Decodes text whose characters may be cut in two by the end of a chunk."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._decoder = codecs.getincrementaldecoder(coding)()

    def __call__(self, chunk: bytes, final: bool) -> bytes:
        try:
            return _latin1(self._decoder.decode(chunk, final))
        except UnicodeDecodeError as error:
            raise Refused(f"a string is not {self._coding}") from error


_DECODERS: dict[str, Callable[[], Callable[[bytes, bool], bytes]]] = {
    "bytes": lambda: lambda chunk, _: chunk,
    "latin-1": lambda: lambda chunk, _: chunk,
    "escaped": _EscapeDecoder,
    "utf-8": lambda: _TextDecoder("utf-8"),
    "raw-unicode-escape": lambda: _TextDecoder("raw-unicode-escape"),
}


def decoded(data: bytes, coding: str) -> str | bytes:
    """Return a short string: text, or bytes where the pickle says bytes.

    Raises
    ------
    Refused
        If it is not of that coding.
    """
    if coding == "bytes":
        return data
    if coding == "escaped":
        return _unescaped(data).decode("latin-1")
    try:
        return data.decode(coding)
    except UnicodeError as error:
        raise Refused(f"a string is not {coding}") from error


def _latin1(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeError as error:
        raise Refused("a string of samples holds more than bytes") from error


def _unescaped(data: bytes) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an escape that Python 2 never writes is only warned of
            return codecs.escape_decode(data)[0]  # type: ignore[attr-defined]
    except (ValueError, DeprecationWarning) as error:
        raise Refused(f"a string holds a wrong escape ({error})") from error


def _whole_escapes(chunk: bytes) -> int:
    """Return how much of `chunk` can be decoded without cutting an escape in two."""
    last = chunk.rfind(b"\\", len(chunk) - ESCAPE_BYTES)
    if last < 0:
        return len(chunk)
    run = last + 1 - len(chunk[: last + 1].rstrip(b"\\"))
    return last if run % 2 else len(chunk)  # an even run is escaped backslashes: whole
