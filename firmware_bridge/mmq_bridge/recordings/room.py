# SPDX-License-Identifier: Apache-2.0
"""How much memory a file may take once it is opened: so many times its own size, and a little more."""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.errors import BridgeError

TIMES = 4
FREE_BYTES = 256 * 2**20
"""What a file may take beside `TIMES` its size; the libraries that read it take about as much themselves."""


def room_for(path: Path) -> int:
    """Bytes that a file's content may take in memory.

    Raises
    ------
    OSError
        If the file is not there.
    """
    return TIMES * path.stat().st_size + FREE_BYTES


def check_room(path: Path, need: int) -> None:
    """Check that the content of a file, which needs so many bytes of memory, is in proportion to the file.

    Raises
    ------
    BridgeError
        If it needs more than `room_for` it, or the file is not there.
    """
    try:
        room = room_for(path)
    except OSError as error:
        raise BridgeError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if need > room:
        raise BridgeError(
            f"{path}: its content would take {need / 2**20:.0f} MiB of memory; expected at most"
            f" {room / 2**20:.0f} MiB, {TIMES} times the file's own size and {FREE_BYTES >> 20} MiB."
        )
