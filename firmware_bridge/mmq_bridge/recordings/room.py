# SPDX-License-Identifier: Apache-2.0
"""How much memory a file may take once it is opened: so many times its own size, and a little more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mmq_bridge.errors import BridgeError

TIMES = 4
FREE_BYTES = 256 * 2**20
"""What a file may take beside `TIMES` its size; the libraries that read it take about as much themselves."""


def room_for(*files: Path) -> int:
    """Bytes that the content of a file, or of all files of a recording, may take in memory.

    Raises
    ------
    OSError
        If one is not there.
    """
    return TIMES * sum(path.stat().st_size for path in files) + FREE_BYTES


def check_room(path: Path, need: int, files: Iterable[Path] = ()) -> None:
    """Check that the content of a file, which needs so many bytes of memory, is in proportion to the file.

    Parameters
    ----------
    path : Path
    need : int
        Bytes.
    files : iterable of Path
        All files of which `path` is a part, where there are several.

    Raises
    ------
    BridgeError
        If it needs more than `room_for` them, or the file is not there.
    """
    try:
        room = room_for(*(tuple(files) or (path,)))
    except OSError as error:
        raise BridgeError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if need > room:
        raise BridgeError(
            f"{path}: its content would take {_mib_up(need)} MiB of memory; expected at most"
            f" {room >> 20} MiB, {TIMES} times the file's own size and {FREE_BYTES >> 20} MiB."
        )


def check_spread(where: object, held: int, need: int) -> None:
    """Check that samples still fit when the time without any between them is filled with lost ones.

    Parameters
    ----------
    where : object
        What errors name.
    held, need : int
        Bytes of the samples that there are, and with the lost ones.

    Raises
    ------
    BridgeError
        If that is more than `TIMES` as much and `FREE_BYTES`.
    """
    room = TIMES * held + FREE_BYTES
    if need > room:
        raise BridgeError(
            f"{where}: with its pauses filled it would take {_mib_up(need)} MiB of memory; expected at most"
            f" {room >> 20} MiB, {TIMES} times its samples and {FREE_BYTES >> 20} MiB."
        )


def _mib_up(need: int) -> int:
    """MiB, rounded up: a sentence must not say that 258 are more than 258."""
    return -(-need >> 20)
