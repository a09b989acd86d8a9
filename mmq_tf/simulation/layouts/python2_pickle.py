# SPDX-License-Identifier: Apache-2.0
"""Writes dictionaries of arrays as Python 2's cPickle did (without its memo); Python 3 writes others."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CHUNK_BYTES = 2**20


def write_python2_pickle(path: Path, value: object, protocol: int) -> None:
    """Write dictionaries, strings, integers and numpy arrays.

    Parameters
    ----------
    path : Path
        New file.
    value : dict, str, int or numpy.ndarray
        Strings are Latin-1.
    protocol : int
        0 (cPickle's default: samples as text, about three times their size) or 2.

    Raises
    ------
    OSError
        If the disk is full.
    """
    if protocol not in (0, 2):
        raise ValueError(f"protocol must be 0 or 2; got {protocol}.")
    with path.open("wb") as file:
        if protocol:
            file.write(pickle.PROTO + bytes([protocol]))
        for part in _parts(value, bool(protocol)):
            file.write(part)
        file.write(pickle.STOP)


def _parts(value: object, binary: bool) -> Iterator[bytes | memoryview]:
    if isinstance(value, dict):
        yield pickle.MARK + pickle.DICT
        for key, inner in value.items():
            yield from _string(key.encode("latin-1"), binary)
            yield from _parts(inner, binary)
            yield pickle.SETITEM
    elif isinstance(value, str):
        yield from _string(value.encode("latin-1"), binary)
    elif isinstance(value, np.ndarray):
        yield from _array(value, binary)
    else:
        raise TypeError(f"cannot write a {type(value).__name__}.")


def _array(array: np.ndarray, binary: bool) -> Iterator[bytes | memoryview]:
    """``_reconstruct(ndarray, (0,), "b")``, then its state ``(1, shape, dtype, False, samples)``."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    yield b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt"
    yield from _string(b"b", binary)
    yield b"tR(I1\n(" + b"".join(b"I%d\n" % length for length in array.shape) + b"tcnumpy\ndtype\n("
    yield from _string(little.dtype.str[1:].encode(), binary)
    yield b"I0\nI1\ntR(I3\n"
    yield from _string(b"<", binary)
    yield b"NNNI-1\nI-1\nI0\ntbI00\n"
    yield from _string(little.reshape(-1).view(np.uint8).data, binary)
    yield b"tb"


def _string(data: bytes | memoryview, binary: bool) -> Iterator[bytes | memoryview]:
    if binary:
        short = len(data) < 256
        yield (
            pickle.SHORT_BINSTRING + bytes([len(data)])
            if short
            else pickle.BINSTRING + struct.pack("<i", len(data))
        )
        yield data
        return
    yield pickle.STRING + b"'"
    for start in range(0, len(data), CHUNK_BYTES):
        both = (
            bytes(data[start : start + CHUNK_BYTES]) + b"\"'"
        )  # with both quotes, repr stands in single ones
        yield repr(both)[2:-4].encode("ascii")
    yield b"'\n"
