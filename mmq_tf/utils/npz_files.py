# SPDX-License-Identifier: Apache-2.0
"""Arrays of an ``.npz`` file, read after a look at their sizes; Python objects are never loaded."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from tokenize import TokenError

import numpy as np
from mmq_bridge.recordings.archives import Archive, opened_zip
from mmq_bridge.recordings.room import check_room

from mmq_tf.errors import MMQError

MAX_NPY_BYTES = 2**30
HEAD_BYTES = 2**16
Check = Callable[[Path, tuple[int, ...], np.dtype], None]
"""Raises an `MMQError` where an array of this place, shape and type is not wanted."""


def npz_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays in a file.

    Raises
    ------
    BridgeError
        If it is no archive, or one that is not harmless.
    """
    with opened_zip(path) as archive:
        return tuple(name.removesuffix(".npy") for name in archive.names)


def read_npz(
    path: Path, wanted: Sequence[str] | None = None, *, value_bytes: int = 0, check: Check | None = None
) -> dict[str, np.ndarray]:
    """Read arrays by name.

    Parameters
    ----------
    path : Path
    wanted : sequence of str, optional
        Names, all if left out.
    value_bytes : int
        What the caller will need for each number beside the array itself.
    check : callable, optional
        Looks at shape and type before anything is unpacked.

    Raises
    ------
    MMQError
        If the file is broken, an array holds objects or is not as large as it says, or all of them would take
        too much memory for a file of this size.
    """
    with opened_zip(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.names] if wanted is None else list(wanted)
        heads = {name: _head(path / name, archive, f"{name}.npy") for name in names}
        need = largest = 0
        for name, (shape, _, dtype, start) in heads.items():
            if check is not None:
                check(path / name, shape, dtype)
            if dtype.hasobject:
                raise MMQError(f"{path / name}: expected numbers or text; got Python objects, never loaded.")
            size = math.prod(shape) * dtype.itemsize
            if archive.size(f"{name}.npy") != start + size:
                raise MMQError(
                    f"{path / name}: expected {start + size} bytes for the shape {list(shape)}; the array has"
                    f" {archive.size(f'{name}.npy')}."
                )
            need += size + math.prod(shape) * value_bytes
            largest = max(largest, size)
        check_room(path, need + largest)
        arrays = {}
        for name, (shape, fortran, dtype, start) in heads.items():
            data = archive.read(f"{name}.npy", MAX_NPY_BYTES)
            array = np.frombuffer(data, dtype, math.prod(shape), start).reshape(
                shape, order="F" if fortran else "C"
            )
            arrays[name] = array.copy(order="K")
        return arrays


def _head(place: Path, archive: Archive, name: str) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Return the shape, order and type of one array, and where its values begin."""
    file = io.BytesIO(archive.beginning(name, HEAD_BYTES))
    try:
        version = np.lib.format.read_magic(file)
        first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, TokenError, EOFError, RecursionError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MMQError(
            f"{place}: expected an array of NumPy; its header cannot be read ({reason[:200]})."
        ) from error
    return shape, fortran, dtype, file.tell()
