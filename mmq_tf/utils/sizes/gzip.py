# SPDX-License-Identifier: Apache-2.0
"""Bytes that a gzip file unpacks to: counted as it unpacks, since what it says of itself need not be true."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from mmq_tf.errors import MMQError

BLOCK_BYTES = 2**20


def gzip_bytes(path: Path, room: int) -> int:
    """Return the bytes that a file unpacks to; none of them is kept.

    The count ends as soon as there are more than `room`; then the number is what was found so far.

    Raises
    ------
    MMQError
        If it is no gzip file, is broken or cut short, or cannot be read.
    """
    total = 0
    try:
        with gzip.open(path, "rb") as file:
            while total <= room and (part := file.read(BLOCK_BYTES)):
                total += len(part)
    except (OSError, EOFError, zlib.error) as error:
        raise MMQError(f"{path}: cannot be unpacked as gzip ({error}); copy the file again.") from error
    return total
