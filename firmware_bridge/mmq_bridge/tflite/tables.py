# SPDX-License-Identifier: Apache-2.0
"""Read a flatbuffer without trusting it: every offset, length and alignment is checked before it is used."""

from __future__ import annotations

import struct
from typing import Any

MAX_ELEMENTS = 2_000_000
"""So many tables and elements of vectors are read at most, one that lies in two places counted twice."""
_SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}


class FlatBuffer:
    """The bytes of one file.

    Parameters
    ----------
    content : bytes
    """

    def __init__(self, content: bytes) -> None:
        self.content, self._left = memoryview(content), MAX_ELEMENTS

    def root(self) -> FlatTable:
        """Return the table that the file begins with."""
        return FlatTable(self, self._target(0))

    def spend(self, elements: int) -> None:
        """Raise ValueError where more was read than any model has."""
        self._left -= elements
        if self._left < 0:
            raise ValueError("it refers to the same parts over and over")

    def number(self, kind: str, at: int) -> Any:
        """Return the number of a `struct` kind at an aligned position."""
        size = _SIZES[kind]
        if at % size or not 0 <= at <= len(self.content) - size:
            raise ValueError(f"an offset leads to {at}")
        return struct.unpack_from(f"<{kind}", self.content, at)[0]

    def _target(self, at: int) -> int:
        distance = self.number("I", at)
        if not 0 < distance < len(self.content) - at:
            raise ValueError(f"an offset leads {distance} on from {at}")
        return at + distance

    def target(self, at: int) -> int:
        """Return where the offset at a position leads."""
        return self._target(at)

    def span(self, at: int, size: int) -> tuple[int, int]:
        """Return begin and length of the vector at a position, of elements of so many bytes."""
        length, begin = self.number("I", at), at + 4
        if length * size > len(self.content) - begin or (length and begin % size):
            raise ValueError(f"a vector of {length} elements at {at}")
        return begin, length


class FlatTable:
    """One table; its fields are asked for by their number in the schema."""

    def __init__(self, buffer: FlatBuffer, at: int) -> None:
        buffer.spend(1)
        self._buffer, self._at = buffer, at
        slots_at = at - buffer.number("i", at)
        slots, size = buffer.number("H", slots_at), buffer.number("H", slots_at + 2)
        whole = len(buffer.content)
        if slots < 4 or slots % 2 or slots_at + slots > whole or size < 4 or at + size > whole:
            raise ValueError(f"a table at {at} leads outside")
        self._size = size
        self._offsets = [buffer.number("H", slots_at + place) for place in range(4, slots, 2)]

    def only(self, count: int) -> FlatTable:
        """Raise ValueError where a field from `count` on is there; return the table."""
        if any(self._offsets[count:]):
            raise ValueError("a table has fields that export does not write")
        return self

    def number(self, field: int, kind: str, default: Any = 0) -> Any:
        """Return a number; `default` where it is left out."""
        at = self._place(field, _SIZES[kind])
        return default if at is None else self._buffer.number(kind, at)

    def table(self, field: int) -> FlatTable | None:
        """Return a table, or None."""
        at = self._place(field, 4)
        return None if at is None else FlatTable(self._buffer, self._buffer.target(at))

    def tables(self, field: int) -> list[FlatTable]:
        """Return a vector of tables; empty where it is left out."""
        found = self._span(field, 4)
        if found is None:
            return []
        begin, length = found
        self._buffer.spend(length)
        return [FlatTable(self._buffer, self._buffer.target(begin + 4 * index)) for index in range(length)]

    def numbers(self, field: int, kind: str) -> tuple[Any, ...] | None:
        """Return a vector of numbers, or None."""
        found = self._span(field, _SIZES[kind])
        if found is None:
            return None
        begin, length = found
        self._buffer.spend(length)
        return struct.unpack_from(f"<{length}{kind}", self._buffer.content, begin)

    def data(self, field: int) -> memoryview | None:
        """Return a vector of bytes as it lies there, or None."""
        found = self._span(field, 1)
        return None if found is None else self._buffer.content[found[0] : sum(found)]

    def text(self, field: int) -> str:
        """Return a string; empty where it is left out."""
        found = self._span(field, 1)
        if found is None:
            return ""
        if self._buffer.number("B", sum(found)) != 0:
            raise ValueError("a string has no end")
        return bytes(self._buffer.content[found[0] : sum(found)]).decode("utf-8")

    def has(self, field: int) -> bool:
        """Whether a field is there."""
        return field < len(self._offsets) and self._offsets[field] != 0

    def _span(self, field: int, size: int) -> tuple[int, int] | None:
        at = self._place(field, 4)
        return None if at is None else self._buffer.span(self._buffer.target(at), size)

    def _place(self, field: int, size: int) -> int | None:
        if not self.has(field):
            return None
        offset = self._offsets[field]
        if offset < 4 or offset + size > self._size:
            raise ValueError(f"field {field} of a table at {self._at} leads outside")
        return self._at + offset
