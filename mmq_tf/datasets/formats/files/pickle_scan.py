# SPDX-License-Identifier: Apache-2.0
"""A walk over a pickle before it is loaded: opcodes, claimed lengths, memo and nesting are checked."""

from __future__ import annotations

import os
import pickletools
import re
from collections.abc import Callable, Iterator
from pickletools import OpcodeInfo
from typing import BinaryIO

MAX_OPCODES = 2_000
"""DEAP's files need about 60, WESAD's about 250. Bounds small objects, and the depth of what is hashed."""

MAX_DEPTH = 32
MAX_INT_BYTES = 8
MAX_TEXT_BYTES = 2**16
"""A longer string can only be the samples of an array."""

CHUNK_BYTES = 2**20

_OPCODES = {code.code.encode("latin-1"): code for code in pickletools.opcodes}
_NEVER_RUN = frozenset(
    "INST OBJ NEWOBJ NEWOBJ_EX EXT1 EXT2 EXT4 PERSID BINPERSID NEXT_BUFFER READONLY_BUFFER EMPTY_SET ADDITEMS"
    " FROZENSET DUP POP POP_MARK".split()
)
_CONTAINERS = (pickletools.pylist, pickletools.pydict, pickletools.pytuple)
_LENGTH_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_NUMBERS = {
    **dict.fromkeys(("INT", "LONG"), ("-?[0-9]{1,19}L?", "an integer of at most 19 digits")),
    **dict.fromkeys(("GET", "PUT"), ("[0-9]{1,9}", "a memo index")),
}
_WIDE = {
    "UNICODE": re.compile(rb"\\u(?:[^0]|0[^0])|\\U0{0,5}[^0]"),
    "BINUNICODE": re.compile(rb"[\xc4-\xff]"),
    "BINUNICODE8": re.compile(rb"[\xc4-\xff]"),
}
"""Characters beyond Latin-1: with one, Python holds every character of a text in two or four bytes."""


class Refused(Exception):
    """Why a pickle is not loaded; `load_pickle` adds the file."""


def check_pickle(file: BinaryIO, find: Callable[[str, str], object]) -> None:
    """Walk over a pickle without building anything.

    What passes asks for no more bytes than the file has, and holds no container in two places: it is a tree,
    and can be hashed and walked in the time it takes to read it.

    Parameters
    ----------
    file : binary file
        Regular, at the pickle's first byte.
    find : callable
        Gets the module and name of a global, and raises `Refused`.

    Raises
    ------
    Refused
        Naming the byte, the opcode and what it asks for.
    """
    scan = _Scan(file, find)
    try:
        scan.run()
    except Refused as error:
        raise Refused(f"byte {scan.at} ({scan.opcode}): {error}") from error


class _Scan:
    def __init__(self, file: BinaryIO, find: Callable[[str, str], object]) -> None:
        self.file, self.find = file, find
        self.size = os.fstat(file.fileno()).st_size
        self.at, self.opcode = 0, "start"
        self.values = 0  # on the unpickler's stack, above the last mark
        self.marks: list[int] = []  # values below each mark
        self.memo: dict[int, bool] = {}  # whether a container is, or may be, held there
        self.top_is_container = False
        self.wide_bytes = 0
        self.frame_end = 0

    def run(self) -> None:
        for _ in range(MAX_OPCODES):
            self.at = self.file.tell()
            byte = self.exactly(1)
            code = _OPCODES.get(byte)
            self.opcode = f"opcode {code.name if code else byte.hex()}"
            if code is None or code.name in _NEVER_RUN:
                raise Refused("this opcode is not needed for arrays and plain containers, and is never run")
            argument = self.argument(code)
            if self.at < self.frame_end and (code.name == "FRAME" or self.file.tell() > self.frame_end):
                raise Refused("frames may not overlap, nor end within an opcode")  # bytes would be lost
            if code.name == "FRAME":
                self.frame_end = self.file.tell() + self.left(argument)
            elif "PUT" in code.name or code.name == "MEMOIZE":
                self.put(argument if code.arg else len(self.memo))
            elif code.name != "PROTO":
                self.step(code, argument)
            if code.name == "STOP":
                return
        raise Refused(f"the file has more than {MAX_OPCODES} opcodes")

    def step(self, code: OpcodeInfo, argument: int) -> None:
        """Count the values on the stack that an opcode takes and gives."""
        if code.name == "MARK":
            self.mark()
            return
        if "GET" in code.name and self.memo.get(argument, True):
            raise Refused(
                "a container is held in two places or within itself; only a tree is rebuilt"
                if argument in self.memo
                else f"the memo holds nothing at {argument}"
            )
        takes = len(code.stack_before)
        if pickletools.markobject in code.stack_before:
            if not self.marks:
                raise Refused("a mark is needed and there is none")
            self.values = self.marks.pop()
            takes -= 2  # the mark, and what is above it
        self.check_values(takes)
        self.values += len(code.stack_after) - takes
        self.top_is_container = code.name == "BUILD" or any(kind in _CONTAINERS for kind in code.stack_after)
        if code.name == "STOP" and (self.values or self.marks):
            raise Refused("the file ends with values left over")

    def mark(self) -> None:
        if len(self.marks) >= MAX_DEPTH:
            raise Refused(f"it is nested more than {MAX_DEPTH} deep")
        self.marks.append(self.values)
        self.values = 0

    def put(self, index: int) -> None:
        if index >= MAX_OPCODES:
            raise Refused(f"the memo index {index} is beyond {MAX_OPCODES}")
        self.check_values(1)
        self.memo[index] = self.top_is_container

    def check_values(self, count: int) -> None:
        if count > self.values:
            raise Refused("a value is needed and there is none")

    def argument(self, code: OpcodeInfo) -> int:
        """Read what follows an opcode; a number is returned, a string passed over."""
        form = code.arg.n if code.arg else 0
        if form >= 0:
            return int.from_bytes(self.exactly(form), "little")
        if form != pickletools.UP_TO_NEWLINE:
            length = int.from_bytes(self.exactly(_LENGTH_BYTES[form]), "little")
            if code.name in ("LONG1", "LONG4") and length > MAX_INT_BYTES:
                raise Refused(f"an integer may have {MAX_INT_BYTES} bytes; it has {length}")
            end = self.file.tell() + self.left(length)
            if code.name in _WIDE:
                self.check_text(code.name, self.pieces(end))
            self.file.seek(end)
        elif code.name in ("STRING", "UNICODE"):
            self.check_text(code.name, self.line_pieces())
        elif code.name == "GLOBAL":
            self.find(self.line(), self.line())
        else:
            return self.number(code.name)
        return 0

    def number(self, name: str) -> int:
        line = self.line()
        form, words = _NUMBERS.get(name, (".*", ""))  # a FLOAT is left to the unpickler
        if not re.fullmatch(form, line):
            raise Refused(f"expected {words}; got {line[:30]!r}")
        return int(line) if name in ("GET", "PUT") else 0

    def line(self) -> str:
        line = self.file.readline(MAX_TEXT_BYTES)
        if not line.endswith(b"\n"):
            raise Refused(f"expected a line of at most {MAX_TEXT_BYTES} bytes; found no line end")
        return line[:-1].decode("latin-1")

    def pieces(self, end: int) -> Iterator[bytes]:
        while (left := end - self.file.tell()) > 0:
            yield self.exactly(min(left, CHUNK_BYTES))

    def line_pieces(self) -> Iterator[bytes]:
        piece = b""
        while not piece.endswith(b"\n"):
            piece = self.file.readline(CHUNK_BYTES)
            if not piece:
                raise Refused("the file ends within a line, so it was cut short: copy it again")
            yield piece

    def check_text(self, name: str, pieces: Iterator[bytes]) -> None:
        """Read a string; those that take more memory than they have bytes must be short together."""
        tail, length, is_wide = b"", 0, False
        for piece in pieces:
            is_wide = is_wide or name in _WIDE and bool(_WIDE[name].search(tail + piece))
            tail = (tail + piece)[-10:]
            length += len(piece)
        self.wide_bytes += length if is_wide else 0
        if self.wide_bytes > MAX_TEXT_BYTES:
            raise Refused("a string of samples holds more than bytes")

    def exactly(self, count: int) -> bytes:
        data = self.file.read(count)
        if len(data) != count:
            raise Refused("the file ends early, so it was cut short: copy it again")
        return data

    def left(self, count: int) -> int:
        """Return `count`, and refuse what asks for more bytes than the file still has."""
        left = self.size - self.file.tell()
        if count > left:
            raise Refused(
                f"it asks for {count} bytes and the file has only {left} more; it is broken or was cut short:"
                " copy it again"
            )
        return count
