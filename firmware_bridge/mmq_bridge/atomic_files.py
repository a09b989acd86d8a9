# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are written whole or not at all: under a temporary name beside, then renamed.

Whatever moment a process is killed at, the whole old or the whole new is there. A temporary name tells whose
it is, and whoever writes into a folder next removes what processes that have ended left in it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from mmq_bridge.process_id import ProcessId

_TEMPORARY = re.compile(
    r"\.(?P<name>.+)\.(?P<what>part|old)-(?P<owner>[0-9a-f-]+)-[0-9a-f]{8}(\..*)?", re.DOTALL
)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that becomes `path` when the block ends well.

    The temporary name keeps the suffix, since some writers choose their format by it.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind.
    """
    remove_litter_once(path.parent)
    temporary = _beside(path.parent, path.stem, "part", path.suffix)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Yield a new, empty folder that takes the place of `path` and what was there when the block ends well.

    Raises
    ------
    OSError
        If the folder cannot be written; nothing is left behind, and what was there stays.
    """
    remove_litter_once(path.parent)
    temporary = _beside(path.parent, path.name, "part")
    try:
        temporary.mkdir()
        yield temporary
        take_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def take_place(new: Path, path: Path) -> None:
    """Give the folder `new` the name `path` in one step, and remove the folder that had it, if there was one.

    Where the system cannot exchange two names, the older folder has a temporary one for a moment; who is
    killed in it leaves that to `remove_litter`, which gives it its name again.

    Raises
    ------
    OSError
        If that is not possible; then both stay as they were.
    """
    if not os.path.lexists(path):
        os.rename(new, path)
        return
    if path.is_symlink() or not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if _exchanged(new, path):
        with suppress(OSError):
            remove_folder(new)
        return
    old = _beside(path.parent, path.name, "old")
    os.rename(path, old)
    try:
        os.rename(new, path)
    except OSError:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder: its name is gone at once, and what is left if the process is killed is litter.

    Raises
    ------
    OSError
        If it cannot be renamed; then it stays as it was.
    """
    left = _beside(path.parent, path.name.removeprefix("."), "part")
    os.rename(path, left)
    shutil.rmtree(left, ignore_errors=True)


def remove_litter(folder: Path) -> None:
    """Remove what processes that have ended left under temporary names in a folder, and nothing else.

    A folder whose new self had not come yet gets its name again.
    """
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(".")]
    except OSError:
        return
    for name in names:
        found = _TEMPORARY.fullmatch(name)
        owner = ProcessId.of_text(found["owner"]) if found else None
        if found is None or owner is None or not owner.has_ended:
            continue
        left, home = folder / name, folder / found["name"]
        with suppress(OSError):
            if found["what"] == "old" and not os.path.lexists(home):
                os.rename(left, home)
            elif left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()


_CLEAN: set[tuple[int, str]] = set()


def remove_litter_once(folder: Path) -> None:
    """Call `remove_litter` once per process and folder, before it writes there."""
    place = (os.getpid(), os.path.abspath(folder))
    if place not in _CLEAN and folder.is_dir():
        _CLEAN.add(place)
        remove_litter(folder)


def _beside(folder: Path, name: str, what: str, suffix: str = "") -> Path:
    return folder / f".{name}.{what}-{ProcessId.own()}-{secrets.token_hex(4)}{suffix}"


def _exchanged(new: Path, path: Path) -> bool:
    """Let two names change places in one step; whether this system and its disk did it."""
    call = _exchange_call()
    if call is None:
        return False
    sys.audit("os.rename", new, path, -1, -1)  # as Python's own calls do
    return call(os.fsencode(new), os.fsencode(path)) == 0


@lru_cache(maxsize=1)
def _exchange_call():  # noqa: ANN202
    """Return what exchanges two paths, given as bytes; None where there is nothing that does."""
    if not sys.platform.startswith(("linux", "darwin")):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    try:
        if sys.platform == "darwin":
            swap = library.renamex_np
            swap.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]
            return lambda new, path: swap(new, path, _RENAME_SWAP)
        exchange = library.renameat2
    except AttributeError:
        return None
    exchange.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return lambda new, path: exchange(_AT_FDCWD, new, _AT_FDCWD, path, _RENAME_EXCHANGE)
