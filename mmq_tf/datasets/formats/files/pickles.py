# SPDX-License-Identifier: Apache-2.0
"""Pickles read without running anything: numeric numpy arrays and plain containers, all else refused by name.

DEAP and WESAD are published as pickles of Python 2. Python's own unpickler calls what the file names, so it
is not used: `load_pickle` has its own machine for the few opcodes that such files need (CPython's
``Lib/pickletools.py`` describes the format). It can import nothing and calls only the builders of `Numpy`;
samples go from the file straight into an array whose shape was held against their length; and a container can
be held in one place only, so what comes back is always a tree. Python 2 strings are read as Latin-1.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmq_tf.datasets.formats.files.pickle_numpy import Numpy
from mmq_tf.datasets.formats.files.pickle_reader import Reader, Refused
from mmq_tf.errors import MMQError

MAX_OPCODES = 200_000
"""DEAP's files need about 60, WESAD's about 250; bounds time and the memory of small objects."""

MAX_DEPTH = 32
MAX_INT_BYTES = 8

_NAMES = {opcode.code.encode("latin-1"): opcode.name for opcode in pickletools.opcodes}


def load_pickle(path: Path, max_bytes: int) -> object:
    """Read a pickle, protocol 0 to 5, of numbers, strings, lists, tuples, dictionaries and numeric arrays.

    Parameters
    ----------
    path : Path
        The file.
    max_bytes : int
        Most the file may have, and most its arrays may take in memory.

    Returns
    -------
    object
        Dictionary keys that were bytes come back as str. An array is held once: the peak is the arrays' own
        size and some MiB.

    Raises
    ------
    MMQError
        If the file is too large, broken or cut short, or asks for anything else, naming the byte and what.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise MMQError(
                f"{path}: expected at most {max_bytes / 2**20:g} MiB; it has {size / 2**20:.0f} MiB."
            )
        with path.open("rb") as file:
            reader = Reader(file)
            machine = _Machine(reader, max_bytes)
            try:
                return machine.run()
            except Refused as error:
                raise MMQError(
                    f"{path}: not loaded, byte {machine.at} ({machine.opcode}): {error}."
                ) from error
    except MemoryError as error:
        raise MMQError(f"{path}: its arrays do not fit into the memory there is.") from error
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error


class _Machine:
    """The pickle machine: a stack, marks in it, and a memo."""

    def __init__(self, reader: Reader, max_bytes: int) -> None:
        self.reader = reader
        self.numpy = Numpy(reader, max_bytes)
        self.stack: list[object] = []
        self.outer: list[list[object]] = []  # the stacks below each mark
        self.memo: dict[int, object] = {}
        self.at = 0
        self.opcode = "start"

    def run(self) -> object:
        """Run the file's opcodes up to STOP and return its one value."""
        for _ in range(MAX_OPCODES):
            self.at = self.reader.at
            code = self.reader.exactly(1)
            self.opcode = f"opcode {_NAMES.get(code, code.hex())}"
            if code == pickle.STOP:
                return self.result()
            if code not in _OPCODES:
                raise Refused("this opcode is not needed for arrays and plain containers, and is never run")
            _OPCODES[code](self)
        raise Refused(f"the file has more than {MAX_OPCODES} opcodes")

    def result(self) -> object:
        value = self.pop()
        if self.stack or self.outer:
            raise Refused("the file ends with values left over")
        _check_plain(value)
        return value

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if not self.stack:
            raise Refused("a value is needed and there is none")
        return self.stack.pop()

    def top(self) -> object:
        if not self.stack:
            raise Refused("a value is needed and there is none")
        return self.stack[-1]

    def mark(self) -> None:
        if len(self.outer) >= MAX_DEPTH:
            raise Refused(f"it is nested more than {MAX_DEPTH} deep")
        self.outer.append(self.stack)
        self.stack = []

    def marked(self) -> list[object]:
        """Values above the last mark."""
        if not self.outer:
            raise Refused("a mark is needed and there is none")
        values, self.stack = self.stack, self.outer.pop()
        return values

    def tuple_of(self, count: int) -> None:
        self.push(tuple(reversed([self.pop() for _ in range(count)])))

    def extend(self, values: list[object]) -> None:
        target = self.top()
        if type(target) is not list:
            raise Refused(f"values may only be added to a list, not to {type(target).__name__}")
        target.extend(values)

    def set_items(self, values: list[object]) -> None:
        target = self.top()
        if type(target) is not dict or len(values) % 2:
            raise Refused(f"pairs may only be added to a dictionary, not to {type(target).__name__}")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if isinstance(key, bytes):
                key = key.decode("latin-1")
            if not isinstance(key, str | int):
                raise Refused(f"a dictionary's key must be a string or an integer; got {type(key).__name__}")
            target[key] = value

    def put(self, index: int) -> None:
        if index >= MAX_OPCODES:
            raise Refused(f"the memo index {index} is beyond {MAX_OPCODES}")
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise Refused(f"the memo holds nothing at {index}")
        value = self.numpy.now(self.memo[index])
        if isinstance(value, list | dict | tuple):
            raise Refused("a container is held in two places or within itself; only a tree is rebuilt")
        self.push(value)

    def find(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Refused("a global's name must be text")
        self.push(self.numpy.find(module, name))

    def reduce(self) -> None:
        args, function = self.pop(), self.pop()
        if not callable(function) or not isinstance(args, tuple):
            raise Refused(f"{type(function).__name__} may not be called")
        self.push(function(*args))

    def build(self) -> None:
        state, target = self.pop(), self.pop()
        self.push(self.numpy.set_state(target, state))

    def frame(self) -> None:
        self.reader.check_left(self.reader.uint(8))  # a frame only groups reads

    def protocol(self) -> None:
        if (version := self.reader.uint(1)) > pickle.HIGHEST_PROTOCOL:
            raise Refused(f"protocol {version} is not known")


def _check_plain(value: object) -> None:
    """Check that a finished value is a tree of plain values, not too deep; without recursion."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise Refused(f"it is nested more than {MAX_DEPTH} deep")
        if isinstance(item, list | tuple):
            waiting.extend((inner, depth + 1) for inner in item)
        elif isinstance(item, dict):
            waiting.extend((inner, depth + 1) for inner in item.values())
        elif not isinstance(item, str | bytes | int | float | None | np.ndarray | np.number):
            raise Refused(
                f"it holds a {type(item).__name__}, which is not a number, string, container or array"
            )


def _int_line(machine: _Machine) -> None:
    line = machine.reader.line()
    if line in (b"00", b"01"):
        machine.push(line == b"01")
    elif re.fullmatch(rb"-?[0-9]{1,19}L?", line):
        machine.push(int(line.rstrip(b"L")))
    else:
        raise Refused(f"expected an integer of at most 19 digits; got {line[:30]!r}")


def _long(machine: _Machine, width: int) -> None:
    length = machine.reader.uint(width)
    if length > MAX_INT_BYTES:
        raise Refused(f"an integer may have {MAX_INT_BYTES} bytes; it has {length}")
    machine.push(int.from_bytes(machine.reader.exactly(length), "little", signed=True))


def _float_line(machine: _Machine) -> None:
    line = machine.reader.line()
    try:
        machine.push(float(line))
    except ValueError as error:
        raise Refused(f"expected a number; got {line[:30]!r}") from error


def _index_line(machine: _Machine) -> int:
    line = machine.reader.line()
    if not re.fullmatch(rb"[0-9]{1,9}", line):
        raise Refused(f"expected a memo index; got {line[:30]!r}")
    return int(line)


def _string(width: int, coding: str) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.reader.string(machine.reader.uint(width), coding))


def _dict(machine: _Machine) -> None:
    values = machine.marked()
    machine.push({})
    machine.set_items(values)


def _stack_global(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.find(module, name)


_OPCODES: dict[bytes, Callable[[_Machine], None]] = {
    pickle.PROTO: _Machine.protocol,
    pickle.FRAME: _Machine.frame,
    pickle.MARK: _Machine.mark,
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.INT: _int_line,
    pickle.LONG: _int_line,
    pickle.BININT: lambda m: m.push(struct.unpack("<i", m.reader.exactly(4))[0]),
    pickle.BININT1: lambda m: m.push(m.reader.uint(1)),
    pickle.BININT2: lambda m: m.push(m.reader.uint(2)),
    pickle.LONG1: lambda m: _long(m, 1),
    pickle.LONG4: lambda m: _long(m, 4),
    pickle.FLOAT: _float_line,
    pickle.BINFLOAT: lambda m: m.push(struct.unpack(">d", m.reader.exactly(8))[0]),
    pickle.STRING: lambda m: m.push(m.reader.line_string("escaped")),
    pickle.SHORT_BINSTRING: _string(1, "latin-1"),
    pickle.BINSTRING: _string(4, "latin-1"),
    pickle.UNICODE: lambda m: m.push(m.reader.line_string("raw-unicode-escape")),
    pickle.SHORT_BINUNICODE: _string(1, "utf-8"),
    pickle.BINUNICODE: _string(4, "utf-8"),
    pickle.BINUNICODE8: _string(8, "utf-8"),
    pickle.SHORT_BINBYTES: _string(1, "bytes"),
    pickle.BINBYTES: _string(4, "bytes"),
    pickle.BINBYTES8: _string(8, "bytes"),
    pickle.BYTEARRAY8: _string(8, "bytes"),
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE: lambda m: m.push(tuple(m.marked())),
    pickle.TUPLE1: lambda m: m.tuple_of(1),
    pickle.TUPLE2: lambda m: m.tuple_of(2),
    pickle.TUPLE3: lambda m: m.tuple_of(3),
    pickle.EMPTY_LIST: lambda m: m.push([]),
    pickle.LIST: lambda m: m.push(m.marked()),
    pickle.APPEND: lambda m: m.extend([m.pop()]),
    pickle.APPENDS: lambda m: m.extend(m.marked()),
    pickle.EMPTY_DICT: lambda m: m.push({}),
    pickle.DICT: _dict,
    pickle.SETITEM: lambda m: m.set_items([m.pop(), m.pop()][::-1]),
    pickle.SETITEMS: lambda m: m.set_items(m.marked()),
    pickle.PUT: lambda m: m.put(_index_line(m)),
    pickle.BINPUT: lambda m: m.put(m.reader.uint(1)),
    pickle.LONG_BINPUT: lambda m: m.put(m.reader.uint(4)),
    pickle.MEMOIZE: lambda m: m.put(len(m.memo)),
    pickle.GET: lambda m: m.get(_index_line(m)),
    pickle.BINGET: lambda m: m.get(m.reader.uint(1)),
    pickle.LONG_BINGET: lambda m: m.get(m.reader.uint(4)),
    pickle.GLOBAL: lambda m: m.find(m.reader.text_line(), m.reader.text_line()),
    pickle.STACK_GLOBAL: _stack_global,
    pickle.REDUCE: _Machine.reduce,
    pickle.BUILD: _Machine.build,
}
