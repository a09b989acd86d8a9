# SPDX-License-Identifier: Apache-2.0
"""Pickles read by Python's unpickler behind an allow-list: numeric numpy arrays and plain containers only.

DEAP and WESAD are published as pickles of Python 2. `check_pickle` first compares every length with the
file's own. The unpickler then builds plain containers; for the few globals that a file may name it gets a
`Call`, which only writes down what the file asks for. Arrays are made of these afterwards, each part checked.
Python 2 strings are read as Latin-1.
"""

from __future__ import annotations

import math
import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from mmq_tf.datasets.formats.files.pickle_scan import (
    CHUNK_BYTES,
    MAX_DEPTH,
    MAX_TEXT_BYTES,
    Refused,
    check_pickle,
)
from mmq_tf.errors import MMQError

MAX_DIMENSIONS = 8
_Tuple = tuple[object, ...]
_NOT_PLAIN = "it holds a {}, which is not a number, string, container or array"


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
        Dictionary keys that were bytes come back as str. While it is read, an array takes about twice its
        size, and nine times where protocol 0 holds it as text. A hostile file can take 4 times `max_bytes`.

    Raises
    ------
    MMQError
        If the file is too large, broken or cut short, or asks for anything else, naming what.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise MMQError(
                f"{path}: expected at most {max_bytes / 2**20:g} MiB; it has {size / 2**20:.0f} MiB."
            )
        with path.open("rb") as file:
            return _Plain(max_bytes).value(_unpickled(file))
    except MMQError:
        raise
    except Refused as error:
        raise MMQError(f"{path}: not loaded, {error}.") from error
    except MemoryError as error:
        raise MMQError(f"{path}: its arrays do not fit into the memory there is.") from error
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # a broken pickle can make the unpickler fail in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MMQError(f"{path}: not loaded, it is broken ({reason[:200]}).") from error


def _unpickled(file: BinaryIO) -> object:
    unpickler = _Unpickler(file, encoding="latin1")
    check_pickle(file, unpickler.find_class)
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an escape that Python 2 never writes is only warned of
        return unpickler.load()


class Call:
    """A global of the file, or a call of one: its arguments and then its state are written down, no more."""

    __slots__ = ("args", "made", "name", "state")

    def __init__(self, name: str, args: tuple[object, ...] | None = None) -> None:
        self.name, self.args = name, args
        self.state: tuple[object, ...] | None = None
        self.made: object = None

    def __call__(self, *args: object) -> Call:
        """Write a call down."""
        if self.args is not None:
            raise Refused(f"what {self.name} returns may not be called")
        return Call(self.name, args)

    def __setstate__(self, state: object) -> None:
        if self.args is None or self.state is not None:
            raise Refused(f"a state may only be given to a new array or its type, not to {self.name}")
        self.state = state if isinstance(state, tuple) else ()


class _Unpickler(pickle.Unpickler):
    """Python's unpickler, which can find nothing but calls of the names in `_MAKERS`."""

    def find_class(self, module_name: str, global_name: str, /) -> Call:
        name = f"{module_name.replace('numpy._core.', 'numpy.core.', 1)}.{global_name}"
        if name not in (*_MAKERS, "numpy.ndarray"):
            raise Refused(
                f"it asks for {ascii(name)[:82]}; only numbers, strings, lists, tuples, dictionaries and"
                " numeric numpy arrays are ever rebuilt, so that nothing in a file can run"
            )
        return Call(name)

    def persistent_load(self, pid: object, /) -> NoReturn:
        raise Refused("it asks for an object outside the file")


class _Plain:
    """Makes plain values and arrays of what was unpickled, within a budget of bytes."""

    def __init__(self, max_bytes: int) -> None:
        self.left = max_bytes

    def value(self, value: object, depth: int = 0) -> object:
        if depth > MAX_DEPTH:
            raise Refused(f"it is nested more than {MAX_DEPTH} deep")
        if isinstance(value, list):
            return [self.value(item, depth + 1) for item in value]
        if isinstance(value, tuple):
            return tuple([self.value(item, depth + 1) for item in value])
        if isinstance(value, dict):
            return {self.key(key): self.value(item, depth + 1) for key, item in value.items()}
        made = self.made(value) if isinstance(value, Call) else value
        if isinstance(made, np.dtype):
            raise Refused(_NOT_PLAIN.format(_kind(value)))
        if isinstance(made, str | bytes | bytearray) and len(made) > MAX_TEXT_BYTES:
            raise Refused(f"it holds {len(made)} bytes as a string; only an array may be as long")
        return bytes(made) if isinstance(made, bytearray) else made

    def key(self, key: object) -> str | int:
        key = self.value(key)
        key = key.decode("latin-1") if isinstance(key, bytes) else key
        if not isinstance(key, str | int):
            raise Refused(f"a dictionary's key must be a string or an integer; got {type(key).__name__}")
        return key

    def made(self, call: Call) -> object:
        """Return what a call stands for, made once however often the file holds it."""
        if call.args is None or call.name == "numpy.ndarray":
            raise Refused(_NOT_PLAIN.format(_kind(call)))
        if call.made is None:
            call.made = _MAKERS[call.name](self, call.args, call.state)
            call.args, call.state = (), None  # lets the samples' bytes go
        return call.made

    def array(self, args: _Tuple, state: _Tuple | None) -> np.ndarray:
        """``_reconstruct(numpy.ndarray, (0,), b"b")`` with its state."""
        if len(args) != 3 or _kind(args[0]) != "numpy.ndarray":
            raise Refused("only numpy.ndarray may be rebuilt by _reconstruct")
        if state is None:
            raise Refused("an array is used before its samples have come")
        if len(state) != 5 or not _is_one_of(state[0], 1):
            raise Refused("the state of an array must be (1, shape, type, order, bytes)")
        _, shape, dtype, fortran, data = state
        return self.filled(shape, dtype, "F" if _is_one_of(fortran, 1) else "C", data)

    def scalar(self, args: _Tuple, state: _Tuple | None) -> object:
        """``scalar(dtype, data)``."""
        if len(args) != 2 or state is not None:
            raise Refused("a numpy scalar needs a type and its bytes")
        return self.filled((), args[0], "C", args[1])[()]

    def from_buffer(self, args: _Tuple, state: _Tuple | None) -> np.ndarray:
        """``_frombuffer(data, dtype, shape, order)`` of protocol 5; order ``"K"`` is followed by the axes."""
        order = args[3] if len(args) in (4, 5) and state is None else None
        if not _is_one_of(order, *("C", "F") if len(args) == 4 else ("K",)):
            raise Refused("_frombuffer needs bytes, a type, a shape and an order")
        array = self.filled(args[2], args[1], str(order), args[0])
        return array if len(args) == 4 else _turned(array, args[4])

    def encoded(self, args: _Tuple, state: _Tuple | None) -> object:
        """``_codecs.encode(text, "latin1")``: how protocols before 3 hold bytes; samples stay text."""
        text = args[0] if len(args) == 2 and _is_one_of(args[1], "latin1", "latin-1") else None
        if not isinstance(text, str) or state is not None:
            raise Refused("_codecs.encode may only turn text into latin1 bytes")
        if len(text) > MAX_TEXT_BYTES:
            return text
        self.spend(len(text), "a string")
        return _bytes(text)

    def no_bytes(self, args: _Tuple, state: _Tuple | None) -> bytes:
        """``bytes()``: how protocols before 3 hold no bytes at all."""
        if args or state is not None:
            raise Refused("bytes() may have no arguments")
        return b""

    def dtype(self, args: _Tuple, state: _Tuple | None) -> np.dtype:
        """``numpy.dtype(code, align, copy)`` with its state, which holds the byte order."""
        if not args or not isinstance(args[0], str) or not re.fullmatch("[iu][1248]|f[248]", args[0]):
            raise Refused(f"arrays must be of integers or floats; it asks for the type {_short(args[:1])}")
        if state is None:
            return np.dtype(args[0])
        plain = len(state) == 8 and _is_one_of(state[0], 3) and all(value is None for value in state[2:5])
        if not plain or not _is_one_of(state[1], "<", ">", "|"):
            raise Refused("the state of a numpy type is not that of a plain number")
        return np.dtype(f"{state[1]}{args[0]}")

    def filled(self, shape: object, dtype: object, order: str, data: object) -> np.ndarray:
        """Copy samples into a new array, once its size is known to be theirs."""
        kind = self.made(dtype) if isinstance(dtype, Call) and dtype.name == "numpy.dtype" else None
        if not isinstance(kind, np.dtype):
            raise Refused(f"expected a numeric type; got {_kind(dtype)}")
        if not (
            isinstance(shape, tuple) and len(shape) <= MAX_DIMENSIONS and all(_is_length(n) for n in shape)
        ):
            raise Refused(f"expected a shape of at most {MAX_DIMENSIONS} lengths; got {_short(shape)}")
        if isinstance(data, Call) and data.name in _BYTES:
            data = self.made(data)
        if not isinstance(data, str | bytes | bytearray):
            raise Refused(f"expected the samples of an array as bytes; got {_kind(data)}")
        size = math.prod(shape) * kind.itemsize
        if size > len(data):
            raise Refused(f"an array of shape {_short(shape)} needs more bytes than the {len(data)} it has")
        if size < len(data):
            raise Refused(f"an array of shape {_short(shape)} needs {size} bytes and has not as many")
        self.spend(size, f"an array of shape {_short(shape)}")
        flat = np.empty(size, np.uint8)
        for start in range(0, size, CHUNK_BYTES):
            part = np.frombuffer(_bytes(data[start : start + CHUNK_BYTES]), np.uint8)
            flat[start : start + CHUNK_BYTES] = part
        flat = flat.view(kind)
        if not kind.isnative:
            flat = flat.byteswap(inplace=True).view(kind.newbyteorder("="))
        return flat.reshape(shape, order="F" if order == "F" else "C")

    def spend(self, size: int, what: str) -> None:
        if size > self.left:
            raise Refused(f"{what} would take its arrays past the size allowed for them")
        self.left -= size


_MAKERS: dict[str, Callable[[_Plain, _Tuple, _Tuple | None], object]] = {
    "numpy.core.multiarray._reconstruct": _Plain.array,
    "numpy.core.multiarray.scalar": _Plain.scalar,
    "numpy.core.numeric._frombuffer": _Plain.from_buffer,
    "numpy.dtype": _Plain.dtype,
    "_codecs.encode": _Plain.encoded,
    "__builtin__.bytes": _Plain.no_bytes,
    "builtins.bytes": _Plain.no_bytes,
}
_BYTES = ("_codecs.encode", "__builtin__.bytes", "builtins.bytes")


def _bytes(data: str | bytes | bytearray) -> bytes | bytearray:
    try:
        return data.encode("latin-1") if isinstance(data, str) else data
    except UnicodeError as error:
        raise Refused("a string of samples holds more than bytes") from error


def _turned(array: np.ndarray, axes: object) -> np.ndarray:
    if not isinstance(axes, tuple) or not all(_is_length(axis) for axis in axes):
        axes = ()
    if sorted(axes) != list(range(array.ndim)):
        raise Refused(f"an array of {array.ndim} dimensions cannot have the order of axes {_short(axes)}")
    return array.transpose(axes)


def _is_one_of(value: object, *options: str | int) -> bool:
    return isinstance(value, str | int) and value in options


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48


def _kind(value: object) -> str:
    return value.name if isinstance(value, Call) else type(value).__name__


def _short(value: object) -> str:
    """Text of a flat value for a message; what is nested in it is named by its type only."""
    if isinstance(value, tuple):
        return f"({', '.join(_short(item) if not isinstance(item, tuple) else '...' for item in value[:9])})"[
            :80
        ]
    return repr(value)[:40] if isinstance(value, str | int | float | None) else _kind(value)
