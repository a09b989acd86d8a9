# SPDX-License-Identifier: Apache-2.0
"""One writer at a time for a folder: a lock beside it that names a process and ends with it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmq_bridge.process_id import ProcessId

from mmq_tf.errors import MMQError
from mmq_tf.utils.atomic_files import write_text

_LOCK = re.compile(r"\.(.+)\.lock", re.DOTALL)
_LINE = re.compile(r"mmq-tf ([0-9a-f-]+)\n")

MAX_BYTES = 200


def lock_of(folder: Path) -> Path:
    """Return the file that says who writes into a folder."""
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold a folder, which need not exist yet, while the block runs.

    The lock of a process that has ended does not hold.

    Raises
    ------
    MMQError
        If another process holds it, it cannot be known who does, or the lock cannot be written.
    """
    lock, own = lock_of(folder), f"mmq-tf {ProcessId.own()}\n"
    made = _missing_parents(lock)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MMQError(f"{folder} cannot be written: {error.strerror or error}.") from error
    with _alone(lock.parent):
        _remove_ended(lock.parent)
        if lock.exists():
            raise MMQError(_held(folder, lock))
        write_text(lock, own)
    try:
        yield
    finally:
        with suppress(OSError):
            if lock.read_text("utf-8") == own:
                lock.unlink()
        for parent in made:
            with suppress(OSError):  # it holds the run now
                parent.rmdir()


def _missing_parents(path: Path) -> list[Path]:
    """Return the folders above a path that are not there, the innermost first."""
    return [parent for parent in path.parents if not parent.exists()]


def _held(folder: Path, lock: Path) -> str:
    owner = _owner(lock)
    if owner is None:
        return f"{lock} says not who writes into {folder}; if no other command does, delete that file."
    here = owner.machine == ProcessId.own().machine
    advice = "wait until it ends, or name another --out."
    return f"process {owner.number} {'' if here else 'of another machine '}writes into {folder}; " + (
        advice if here else f"{advice[:-1]} (if it no longer runs, delete {lock})."
    )


def _owner(lock: Path) -> ProcessId | None:
    try:
        if lock.stat().st_size > MAX_BYTES or not lock.is_file():
            return None
        found = _LINE.fullmatch(lock.read_text("utf-8", "replace"))
    except OSError:
        return None
    return ProcessId.of_text(found[1]) if found else None


def _remove_ended(folder: Path) -> None:
    """Remove the locks in a folder whose processes have ended."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            owner = _owner(Path(entry.path)) if _LOCK.fullmatch(entry.name) else None
            if owner is not None and owner.has_ended:
                os.unlink(entry.path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process look at a folder's locks meanwhile, where the system and its disk can do that."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)
