# SPDX-License-Identifier: Apache-2.0
"""Who a process is, so that another one can tell whether it still runs: its id alone is given out again."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

_TEXT = re.compile(r"(\d{1,10})-([0-9a-f]{1,16})-([0-9a-f]{6})-([0-9a-f]{6})")


@dataclass(frozen=True)
class ProcessId:
    """A process of some machine.

    Attributes
    ----------
    number : int
        What the system calls it.
    started : int
        When it began, in clock ticks from the machine's start; 0 where the system does not tell.
    machine, boot : str
        Digests of which machine (and container) it is of, and of which start of that machine.
    """

    number: int
    started: int
    machine: str
    boot: str

    @classmethod
    def own(cls) -> Self:
        """Return that of this process."""
        return cls(os.getpid(), _started(os.getpid()) or 0, *_place())

    @classmethod
    def of_text(cls, text: str) -> Self | None:
        """Read what `str` gives; None where it is something else.

        Examples
        --------
        >>> str(ProcessId.of_text("17-2af-0a1b2c-3d4e5f"))
        '17-2af-0a1b2c-3d4e5f'
        >>> ProcessId.of_text("17") is None
        True
        """
        found = _TEXT.fullmatch(text)
        return cls(int(found[1]), int(found[2], 16), found[3], found[4]) if found else None

    def __str__(self) -> str:
        return f"{self.number}-{self.started:x}-{self.machine}-{self.boot}"

    @property
    def has_ended(self) -> bool:
        """Whether it surely runs no more; of a process of another machine nobody can tell."""
        machine, boot = _place()
        if self.machine != machine:
            return False
        if self.boot != boot:
            return True
        if sys.platform == "win32":  # there, asking by a signal would end it
            return False
        if self.started:
            return _started(self.number) != self.started
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return True
        except OSError:  # somebody else's
            return False
        return False


def _started(number: int) -> int | None:
    """Return when a process began; None where it has ended, or the system does not tell."""
    try:
        text = Path(f"/proc/{number}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # a name may hold spaces and brackets
    return None if state in "ZX" else int(fields[18])


@lru_cache(maxsize=1)
def _place() -> tuple[str, str]:
    machine, boot = platform.node(), ""
    with suppress(OSError):
        machine += os.readlink("/proc/self/ns/pid")
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    return _short(machine), _short(boot)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
