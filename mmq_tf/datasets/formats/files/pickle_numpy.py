# SPDX-License-Identifier: Apache-2.0
"""What a pickle may build besides plain containers: numeric numpy arrays, checked before allocation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mmq_tf.datasets.formats.files.pickle_reader import Reader, Refused, StretchInFile

MAX_DIMENSIONS = 8


class Ndarray:
    """Stands for the class `numpy.ndarray`, which a file may name and nothing calls."""


@dataclass
class Dtype:
    """A numeric type whose byte order comes later, in its state."""

    code: str
    order: str = "="

    def numpy(self) -> np.dtype:
        """Return the numpy type."""
        return np.dtype(self.order + self.code)


@dataclass
class EmptyArray:
    """What `_reconstruct` made: an array only when its state has come."""

    array: np.ndarray | None = None


class Numpy:
    """Rebuilds numpy's objects from what `numpy.ndarray.__reduce__` and its relatives wrote.

    Parameters
    ----------
    reader : Reader
        Where long strings of samples still lie.
    max_bytes : int
        Most that all arrays of one file may take together.
    """

    def __init__(self, reader: Reader, max_bytes: int) -> None:
        self._reader = reader
        self._left = max_bytes

    def find(self, module: str, name: str) -> Callable[..., object] | Ndarray:
        """Return what stands for a global; all but the few that numeric arrays need are refused by name."""
        module = module.replace("numpy._core.", "numpy.core.", 1)
        allowed: Mapping[str, Callable[..., object] | Ndarray] = {
            "numpy.ndarray": Ndarray(),
            "numpy.dtype": self.dtype,
            "numpy.core.multiarray._reconstruct": self.empty_array,
            "numpy.core.multiarray.scalar": self.scalar,
            "numpy.core.numeric._frombuffer": self.from_buffer,
            "_codecs.encode": self.encode,
            "__builtin__.bytes": self.no_bytes,
            "builtins.bytes": self.no_bytes,
        }
        full = f"{module}.{name}"
        if full not in allowed:
            raise Refused(
                f"it asks for {full[:80]!r}; only numbers, strings, lists, tuples, dictionaries and numeric"
                " numpy arrays are ever rebuilt, so that nothing in a file can run"
            )
        return allowed[full]

    def dtype(self, *args: object) -> Dtype:
        """``numpy.dtype(code, align, copy)``."""
        if not args or not isinstance(args[0], str) or not re.fullmatch("[iu][1248]|f[248]", args[0]):
            raise Refused(f"arrays must be of integers or floats; it asks for the type {_short(args[:1])}")
        return Dtype(args[0])

    def empty_array(self, *args: object) -> EmptyArray:
        """``_reconstruct(numpy.ndarray, (0,), b"b")``."""
        if len(args) != 3 or not isinstance(args[0], Ndarray):
            raise Refused("only numpy.ndarray may be rebuilt by _reconstruct")
        return EmptyArray()

    def encode(self, *args: object) -> object:
        """``_codecs.encode(text, "latin1")``: how protocols before 3 hold bytes."""
        text = args[0] if len(args) == 2 and _is_one_of(args[1], "latin1", "latin-1") else None
        if isinstance(text, str):
            return b"".join(self._reader.parts(text))
        if isinstance(text, StretchInFile):
            return text
        raise Refused("_codecs.encode may only turn text into latin1 bytes")

    def no_bytes(self, *args: object) -> bytes:
        """``bytes()``: how protocols before 3 hold no bytes at all."""
        if args:
            raise Refused("bytes() may have no arguments")
        return b""

    def scalar(self, *args: object) -> object:
        """``scalar(dtype, data)``."""
        if len(args) != 2:
            raise Refused("a numpy scalar needs a type and its bytes")
        return self._filled((), args[0], "C", args[1])[()]

    def from_buffer(self, *args: object) -> np.ndarray:
        """``_frombuffer(data, dtype, shape, order)`` of protocol 5; order ``"K"`` is followed by the axes."""
        order = args[3] if len(args) >= 4 else None
        if not (len(args) == 4 and _is_one_of(order, "C", "F") or len(args) == 5 and _is_one_of(order, "K")):
            raise Refused("_frombuffer needs bytes, a type, a shape and an order")
        array = self._filled(args[2], args[1], str(order), args[0])
        return array if len(args) == 4 else _turned(array, _as_tuple(args[-1]))

    def set_state(self, target: object, state: object) -> object:
        """Give a type its byte order, or an array its samples, and return what is now to be used.

        Raises
        ------
        Refused
            If `target` is anything else, or the state is not as numpy writes it.
        """
        values = _as_tuple(state)
        if isinstance(target, Dtype):
            plain = (
                len(values) == 8 and _is_one_of(values[0], 3) and all(value is None for value in values[2:5])
            )
            if not plain or not _is_one_of(values[1], "<", ">", "|"):
                raise Refused("the state of a numpy type is not that of a plain number")
            target.order = str(values[1])
            return target
        if not isinstance(target, EmptyArray) or target.array is not None:
            raise Refused(
                f"a state may only be given to a new array or its type, not to {type(target).__name__}"
            )
        if len(values) != 5 or not _is_one_of(values[0], 1):
            raise Refused("the state of an array must be (1, shape, type, order, bytes)")
        _, shape, dtype, fortran, data = values
        target.array = self._filled(shape, dtype, "F" if _is_one_of(fortran, 1) else "C", data)
        return target.array

    def now(self, remembered: object) -> object:
        """Return what a remembered value has become: an array, once its samples have come."""
        if not isinstance(remembered, EmptyArray):
            return remembered
        if remembered.array is None:
            raise Refused("an array is used before its samples have come")
        return remembered.array

    def _filled(self, shape: object, dtype: object, order: str, data: object) -> np.ndarray:
        if not isinstance(dtype, Dtype):
            raise Refused(f"expected a numeric type; got {type(dtype).__name__}")
        if not (
            isinstance(shape, tuple) and len(shape) <= MAX_DIMENSIONS and all(_is_length(n) for n in shape)
        ):
            raise Refused(f"expected a shape of at most {MAX_DIMENSIONS} lengths; got {_short(shape)}")
        if not isinstance(data, str | bytes | StretchInFile):
            raise Refused(f"expected the samples of an array as bytes; got {type(data).__name__}")
        kind = dtype.numpy()
        size = math.prod(shape) * kind.itemsize
        there = data.length if isinstance(data, StretchInFile) else len(data)
        if size > there:
            raise Refused(f"an array of shape {_short(shape)} needs more bytes than the {there} it has")
        if size > self._left:
            raise Refused(
                f"an array of shape {_short(shape)} would take its arrays past the size allowed for them"
            )
        self._left -= size
        flat = np.empty(math.prod(shape), kind)
        if self._fill(flat.view(np.uint8), data) != size:
            raise Refused(f"an array of shape {_short(shape)} needs {size} bytes and has not as many")
        if not kind.isnative:
            flat = flat.byteswap(inplace=True).view(kind.newbyteorder("="))
        return flat.reshape(shape, order="F" if order == "F" else "C")

    def _fill(self, target: np.ndarray, data: str | bytes | StretchInFile) -> int:
        at = 0
        for part in self._reader.parts(data):
            if at + len(part) > target.size:
                return at + len(part)
            target[at : at + len(part)] = np.frombuffer(part, np.uint8)
            at += len(part)
        return at


def _turned(array: np.ndarray, axes: tuple[object, ...]) -> np.ndarray:
    order = [int(axis) for axis in axes if isinstance(axis, int)]
    if sorted(order) != list(range(array.ndim)) or len(order) != len(axes):
        raise Refused(f"an array of {array.ndim} dimensions cannot have the order of axes {_short(axes)}")
    return array.transpose(order)


def _as_tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


def _is_one_of(value: object, *options: str | int) -> bool:
    """Whether a value that may be anything, an array too, is a plain one of these."""
    return isinstance(value, str | int) and value in options


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48


def _short(value: object) -> str:
    """Text of a flat value for a message; what is nested in it is named by its type only."""
    if isinstance(value, tuple):
        return f"({', '.join(_short(item) if not isinstance(item, tuple) else '...' for item in value[:9])})"[
            :80
        ]
    return repr(value)[:40] if isinstance(value, str | int | float | None) else type(value).__name__
