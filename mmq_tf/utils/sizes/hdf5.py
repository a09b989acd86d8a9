# SPDX-License-Identifier: Apache-2.0
"""Bytes that the data sets of an HDF5 file take in memory, by their shapes; none of them is read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, BinaryIO

from mmq_tf.errors import MMQError

MAX_OBJECTS = 200_000
OBJECT_BYTES = 1000
"""What each group and data set costs in Python objects, however small it is."""


def hdf5_bytes(file: Path | BinaryIO, place: Path | str = "") -> int:
    """Return the bytes that everything in a file takes.

    Parameters
    ----------
    file : Path or binary file
    place : Path or str
        What errors call it, where it is no path.

    Raises
    ------
    MMQError
        If it is no HDF5 file, refers to other files, or has too many objects.
    """
    import h5py

    where, total, count = place or file, 0, 0

    def add(name: str, link: Any) -> str | None:
        """Count one object; a sentence ends the walk (what is raised here gets lost in HDF5)."""
        nonlocal total, count
        count += 1
        if count > MAX_OBJECTS:
            return f"expected at most {MAX_OBJECTS} groups and data sets; it has more."
        if isinstance(link, h5py.ExternalLink):
            return f"{name[:80]!r} refers to another file, which is never read."
        if not isinstance(link, h5py.HardLink):
            return None
        found = opened[name]
        if isinstance(found, h5py.Dataset):
            if found.external or found.is_virtual:
                return f"{name[:80]!r} refers to another file, which is never read."
            total += math.prod(found.shape or ()) * found.dtype.itemsize
        return None

    try:
        with h5py.File(file, "r") as opened:
            refused = opened.visititems_links(add)
    except Exception as error:  # a broken file makes h5py fail in many ways
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MMQError(f"{where}: cannot be read as HDF5 ({reason[:200]}).") from error
    if refused:
        raise MMQError(f"{where}: {refused}")
    return total + count * OBJECT_BYTES
