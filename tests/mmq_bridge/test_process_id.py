# SPDX-License-Identifier: Apache-2.0
"""Whether a process of Windows has ended, asked of a made kernel32; the real one was not at hand."""

import ctypes
from types import SimpleNamespace

import pytest
from mmq_bridge import process_id
from mmq_bridge.process_id import ProcessId

REFUSED, NOBODY = 5, 87
HERE = ProcessId.own()


class Call:
    """A function of the library, whose types may be set."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        return self.function(*arguments)


class Kernel:
    """What Windows says of its processes: by number, when one began and its exit code (259: it runs)."""

    def __init__(self, processes):
        self.processes, self.open, self.error = processes, set(), 0
        for name in ("OpenProcess", "GetExitCodeProcess", "GetProcessTimes", "CloseHandle"):
            setattr(self, name, Call(getattr(self, f"_{name}")))

    def _OpenProcess(self, access, inherit, number):
        found = self.processes.get(number, NOBODY)
        if isinstance(found, int):
            self.error = found
            return None
        self.open.add(2**40 + number)  # as large as handles may be
        return 2**40 + number

    def _GetExitCodeProcess(self, handle, code):
        code._obj.value = self.processes[handle.value - 2**40][1]
        return 1

    def _GetProcessTimes(self, handle, began, *others):
        began._obj.value = self.processes[handle.value - 2**40][0]
        return 1

    def _CloseHandle(self, handle):
        self.open.remove(handle.value)
        return 1


@pytest.fixture
def kernel(monkeypatch):
    made = Kernel({7: (1000, 259), 8: (2000, 0), 9: REFUSED})
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: made, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: made.error, raising=False)
    monkeypatch.setattr(process_id, "sys", SimpleNamespace(platform="win32"))
    yield made
    assert not made.open


def process(number, started):
    return ProcessId(number, started, HERE.machine, HERE.boot)


@pytest.mark.parametrize(
    ("number", "started", "ended"),
    [
        pytest.param(7, 1000, False, id="it runs"),
        pytest.param(7, 900, True, id="its number is another's now"),
        pytest.param(7, 0, False, id="nobody knows when it began, and one of its number runs"),
        pytest.param(8, 2000, True, id="it ended, and somebody still holds it"),
        pytest.param(8, 0, True, id="as before, its beginning unknown"),
        pytest.param(6, 1000, True, id="there is none"),
        pytest.param(9, 1000, False, id="it may not be asked"),
    ],
)
def test_of_windows_a_process_has_ended_where_the_system_says_so(kernel, number, started, ended):
    assert process(number, started).has_ended is ended


def test_of_windows_a_process_says_when_it_began(kernel, monkeypatch):
    monkeypatch.setattr(process_id.os, "getpid", lambda: 7)
    assert ProcessId.own() == process(7, 1000)
    assert ProcessId.of_text(str(ProcessId.own())) == ProcessId.own()
