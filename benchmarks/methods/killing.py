# SPDX-License-Identifier: Apache-2.0
"""Commands that are killed at a file operation, or at a moment, and what they leave on the disk.

Everything is forked from one process that has the libraries, so that a trial costs what its command does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
OPERATIONS = {
    "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.link": 2, "os.truncate": 1,
    "shutil.copyfile": 2, "shutil.move": 2, "shutil.rmtree": 1,
}  # fmt: skip
"""Audit events that change files, and how many paths each begins with."""


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (negative: a signal), its file operations, and what it printed."""

    code: int
    operations: int
    said: str


def forked(
    work: Callable[[], object],
    place: Path,
    *,
    kill_at: int | None = None,
    kill_after_s: float | None = None,
    on_operation: Callable[[int], None] | None = None,
) -> Ended:
    """Run `work` in a child process in the folder `place`.

    Parameters
    ----------
    work
        A `SystemExit` is its exit code.
    place : Path
        Only operations on what lies in it are counted.
    kill_at : int, optional
        Kill -9 at this operation, counted from 1, before it is done.
    kill_after_s : float, optional
        Kill -9 after so long.
    on_operation : callable, optional
        Called before each operation with its number.
    """
    log, counted = place.parent / f"{place.name}.log", place.parent / f"{place.name}.count"
    counted.write_text("0")
    child = os.fork()
    if not child:
        _run(work, place, log, counted, kill_at, on_operation)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        if os.waitpid(child, os.WNOHANG) == (0, 0):
            os.kill(child, signal.SIGKILL)
        else:
            return Ended(0, _count(counted), log.read_text())
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), _count(counted), log.read_text())


def _count(counted: Path) -> int:
    """Return the number of operations; 0 where the process was killed before it could say it."""
    return int(counted.read_text() or 0)


def _run(
    work: Callable[[], object],
    place: Path,
    log: Path,
    counted: Path,
    kill_at: int | None,
    on_operation: Callable[[int], None] | None,
) -> None:
    code = 70
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(place)
        os.environ["MMQ_CACHE"] = str(place / "cache")
        root, done, busy = os.path.realpath(place) + os.sep, 0, False

        def hook(event: str, given: tuple[Any, ...]) -> None:
            nonlocal done, busy
            if busy or not _changes(event, given, root):
                return
            busy = True
            done += 1
            if done == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if on_operation is not None:
                on_operation(done)
            busy = False

        sys.addaudithook(hook)
        try:
            work()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        busy = True
        counted.write_text(str(done))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _changes(event: str, given: tuple[Any, ...], root: str) -> bool:
    if event == "open":
        path, mode, flags = given
        if not (any(letter in mode for letter in "wax+") if isinstance(mode, str) else flags & WRITES):
            return False
        paths = [path]
    elif event in OPERATIONS:
        paths = given[: OPERATIONS[event]]
    else:
        return False
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike):
            whole = os.path.abspath(os.fsdecode(path))
            if whole.startswith(root) or os.path.realpath(whole).startswith(root):
                return True
        elif isinstance(path, int):  # shutil.rmtree goes by open folders
            return True
    return False


def command(*arguments: object) -> Callable[[], None]:
    """Return what runs `mmq-tf` with these arguments."""

    def work() -> None:
        from mmq_tf import cli

        sys.argv = ["mmq-tf", *map(str, arguments)]
        cli.main()

    return work


def tree(folder: Path) -> dict[str, str]:
    """Digest of each file below a folder by its path; a folder that holds nothing has none."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif not any(path.iterdir()):
            found[path.relative_to(folder).as_posix()] = ""
    return found


def litter(folder: Path) -> list[str]:
    """Hidden files and folders below a folder: what commands write under names that are not final."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".*")]


def fresh(start: Path, place: Path) -> Path:
    """Return a copy of a folder at `place`, in the stead of what was there."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(start, place, symlinks=True)
    return place


def states(work: Callable[[], object], start: Path, place: Path, kept: Path) -> tuple[Ended, list[Path]]:
    """Run a command once; return a copy of its folder as it was before each operation, equal ones once.

    That is what a kill at the operation would leave: it takes nothing back from the disk.
    """
    fresh(start, place)
    kept.mkdir()
    seen: set[str] = set()

    def keep(number: int) -> None:
        mark = hashlib.sha256(repr(sorted(tree(place).items())).encode()).hexdigest()
        if mark not in seen:
            seen.add(mark)
            shutil.copytree(place, kept / f"{number:05d}", symlinks=True)

    ended = forked(work, place, on_operation=keep)
    return ended, sorted(kept.iterdir())


def moments(count: int, seconds: float, seed: int) -> Iterator[float]:
    """Yield random moments within so many seconds."""
    import random

    drawn = random.Random(seed)
    for _ in range(count):
        yield drawn.uniform(0, seconds)
