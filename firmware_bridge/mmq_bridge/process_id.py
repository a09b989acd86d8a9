# SPDX-License-Identifier: Apache-2.0
"""Who a process is, so that another one can tell whether it still runs: its id alone is given out again."""

from __future__ import annotations

import ctypes
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

UNKNOWN = -1
_QUERY_LIMITED = 0x1000
_STILL_ACTIVE = 259
_INVALID_PARAMETER = 87
_TEXT = re.compile(r"(\d{1,10})-([0-9a-f]{1,16})-([0-9a-f]{6})-([0-9a-f]{6})")


@dataclass(frozen=True)
class ProcessId:
    """A process of some machine.

    Attributes
    ----------
    number : int
        What the system calls it.
    started : int
        When it began, in clock ticks from the machine's start (on Windows: in 100 ns since 1601); 0 where the
        system does not tell.
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
        return cls(os.getpid(), max(_started(os.getpid()) or 0, 0), *_place())

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
        if self.started or sys.platform == "win32":  # there, asking by a signal would end it
            now = _started(self.number)
            return now is None or (self.started > 0 and now not in (self.started, UNKNOWN))
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return True
        except OSError:  # somebody else's
            return False
        return False


def _started(number: int) -> int | None:
    """Return when a process began; None where it has ended, or the system does not tell."""
    if sys.platform == "win32":
        return windows_start(number)
    try:
        text = Path(f"/proc/{number}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # a name may hold spaces and brackets
    return None if state in "ZX" else int(fields[18])


def windows_start(number: int) -> int | None:
    """Return when a process of Windows began; None where it has ended, `UNKNOWN` where nobody tells."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.OpenProcess.restype = ctypes.c_void_p  # a handle is a pointer
    handle = kernel.OpenProcess(_QUERY_LIMITED, False, number)
    if not handle:
        has_none = ctypes.get_last_error() == _INVALID_PARAMETER  # type: ignore[attr-defined]
        return None if has_none else UNKNOWN
    handle = ctypes.c_void_p(handle)
    try:
        code, times = ctypes.c_uint32(), [ctypes.c_uint64() for _ in range(4)]
        if not kernel.GetExitCodeProcess(handle, ctypes.byref(code)):
            return UNKNOWN
        if code.value != _STILL_ACTIVE:
            return None
        if not kernel.GetProcessTimes(handle, *map(ctypes.byref, times)):
            return UNKNOWN
        return times[0].value
    finally:
        kernel.CloseHandle(handle)


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
