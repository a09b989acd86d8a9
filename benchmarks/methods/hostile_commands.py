# SPDX-License-Identifier: Apache-2.0
"""The commands on a mutant bundle, with limits, in forks of one process that imported everything."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ai_edge_litert.interpreter  # the forks have it
import click
import mmq_bridge.bundle.cortex_m4f
import mmq_bridge.bundle.deployable_ops
import mmq_bridge.bundle.flatbuffer
import mmq_bridge.bundle.microcontroller
import mmq_bridge.bundle.network_files
import mmq_bridge.bundle.reader
import mmq_bridge.bundle.sources
import mmq_bridge.bundle.verify
import mmq_bridge.tflite.apart
import numpy as np
from mmq_bridge.cli.host import Host
from mmq_bridge.cli.stream import stream_command
from mmq_bridge.cli.verify import show_plainly, verify_command
from mmq_bridge.command_line import run
from mmq_bridge.companion.server import make_server, served_files
from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.recording import Recording, Signal
from mmq_bridge.tflite.worker import serve
from mmq_export.add_sources import complete_bundle

LIMIT_S = 10.0
WALL_S = 120.0
"""Of a command that waits instead of computing; processors may be shared."""
MEMORY_BYTES = 6 << 30
SECONDS = 90
ENROLMENT = "15"
RANDOM_WINDOWS = 8
OUTCOMES = ("accepted", "refused", "contained", "traceback", "hung", "crashed")
"""Worse ones later. Contained: a runtime ended or hung in its own process, and the command said so."""


@dataclass(frozen=True)
class Outcome:
    """How one command ended.

    Attributes
    ----------
    command, outcome : str
    cpu_s : float
        Processor time of the command's own process.
    said : str
        The last of what it printed.
    """

    command: str
    outcome: str
    cpu_s: float
    said: str


class ForkedWorker:
    """The process in which models run, forked instead of started: nothing is imported again."""

    def __init__(self) -> None:
        given, self_in = os.pipe()
        out, answered = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            with contextlib.suppress(BaseException):
                os.close(self_in)
                os.close(out)
                signal.setitimer(signal.ITIMER_PROF, 0)
                for name in ("RLIMIT_CORE", "RLIMIT_FSIZE"):
                    resource.setrlimit(getattr(resource, name), (0, 0))
                serve(os.fdopen(given, "rb"), os.fdopen(answered, "wb"))
            os._exit(0)
        os.close(given)
        os.close(answered)
        self.stdin, self.stdout = os.fdopen(self_in, "wb"), os.fdopen(out, "rb")

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, as `subprocess` says it."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            pid, status = os.waitpid(self._pid, 0 if end is None else os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("worker", timeout or 0)
            time.sleep(0.005)


def forked_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a fork, as `microcontroller.run_python` does in a new process."""
    with tempfile.TemporaryFile("w+") as printed:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.dup2(printed.fileno(), 1)
                os.dup2(printed.fileno(), 2)
                sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
                sys.argv = ["-c", *map(str, arguments)]
                exec(code, {"__name__": "__main__"})
                status = 0
            except BaseException:
                traceback.print_exc()
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)
        _, status = os.waitpid(pid, 0)
        printed.seek(0)
        return subprocess.CompletedProcess([], os.waitstatus_to_exitcode(status), printed.read(), "")


def recording() -> Recording:
    """Return a SIMULATED recording of the wrist's sensors, long enough for some decisions."""
    draw = np.random.default_rng(0)

    def made(
        modality: str, rate_hz: int, unit: str, channels: tuple[str, ...], values: Callable[..., Any]
    ) -> Signal:
        time_s = np.arange(SECONDS * rate_hz) / rate_hz
        samples = np.atleast_2d(values(time_s)) + draw.normal(0, 0.01, (len(channels), time_s.size))
        return Signal(modality, samples.astype(np.float32), rate_hz, unit, channels)

    signals = (
        made("ppg", 64, "a.u.", ("BVP",), lambda t: 50 * np.sin(7.5 * t) + 20 * np.sin(15 * t)),
        made("eda", 4, "uS", ("EDA",), lambda t: 2 + 0.3 * np.sin(t / 7)),
        made("temp", 4, "degC", ("TEMP",), lambda t: 33 + t / 500),
        made("acc", 32, "g", ("x", "y", "z"), lambda t: np.stack([0.1 * np.sin(t), 0 * t, 1 + 0 * t])),
    )
    return Recording("S1", "1", {one.modality: one for one in signals}, (), "simulated", simulated=True)


def commands(out: Path) -> dict[str, Callable[[Path], None]]:
    """Return what is run on each mutant, by name; `out` is where an export goes."""
    worn = recording()
    host = Host("mmq-bridge", lambda path: worn, show_plainly)
    verify, stream = verify_command(host), stream_command(host)

    def clicked(command: click.Command, *arguments: str) -> Callable[[Path], None]:
        def given(folder: Path) -> None:
            sys.argv = ["mmq-bridge", str(folder), *arguments]
            run(command, host.program)

        return given

    @click.command()
    @click.argument("bundle", type=click.Path(path_type=Path))
    def companion(bundle: Path) -> None:
        with make_server(served_files(bundle), 0):
            pass

    @click.command()
    @click.argument("bundle", type=click.Path(path_type=Path))
    def export(bundle: Path) -> None:
        complete_bundle(bundle, out)

    replayed = ("--replay", "worn", "--enrolment", ENROLMENT, "--json")
    return {
        "verify": clicked(verify),
        "stream": clicked(stream, *replayed),
        "stream --runtime litert": clicked(stream, *replayed, "--runtime", "litert"),
        "companion": clicked(companion),
        "export": clicked(export),
    }


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Let forks do what new processes do, without compilers and most random windows; remember models.

    What is remembered is what follows from the bytes of a model alone: run the commands once on the whole
    bundle before forking, and only what is changed is computed again.
    """
    windows = mmq_bridge.bundle.verify.random_windows
    changes: list[tuple[Any, str, Any]] = [
        (mmq_bridge.tflite.apart, "start_worker", ForkedWorker),
        (mmq_bridge.bundle.microcontroller, "run_python", forked_python),
        (mmq_bridge.bundle.sources, "find_compiler", lambda: None),
        (mmq_bridge.bundle.cortex_m4f, "missing_tools", lambda: ["left out"]),
        (windows, "__defaults__", (RANDOM_WINDOWS,)),
    ]
    for module, name in REMEMBERED:
        changes.append((module, name, _remembering(getattr(module, name))))
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)


REMEMBERED = (
    (mmq_bridge.tflite.apart, "check_model"),
    (mmq_bridge.bundle.reader, "check_model"),
    (mmq_bridge.bundle.flatbuffer, "read_graph"),
    (mmq_bridge.bundle.deployable_ops, "read_graph"),
    (mmq_bridge.bundle.microcontroller, "read_graph"),
    (mmq_bridge.bundle.verify, "arena_bytes"),
    (mmq_bridge.bundle.network_files, "plan_network"),
)
"""Functions of a model's bytes, where they are called."""


def _remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that keeps what it returned by the digest of its first argument; no errors."""
    known: dict[Any, Any] = {}

    def found(content: bytes, *arguments: Any, **options: Any) -> Any:
        key = (hashlib.sha256(content).digest(), repr(arguments), repr(options))
        if key not in known:
            known[key] = function(content, *arguments, **options)
        return known[key]

    return found


def warm(folder: Path, todo: dict[str, Callable[[Path], None]], out: Path) -> None:
    """Run each command on a whole bundle in this process.

    Raises
    ------
    BridgeError
        When one refuses it.
    """
    for name, function in todo.items():
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                function(folder)
            except SystemExit as ended:
                if ended.code:
                    raise BridgeError(f"{name}: the whole bundle is refused.") from ended
    shutil.rmtree(out, ignore_errors=True)
    mmq_bridge.tflite.apart.stop_worker()
    gc.collect()
    gc.freeze()


def run_all(folder: Path, todo: dict[str, Callable[[Path], None]]) -> list[Outcome]:
    """Run every command on a bundle; one that ends the process ends only its fork."""
    left, found = list(todo), []
    while left:
        done = _run_in_fork(folder, {name: todo[name] for name in left})
        found += done
        left = left[len(done) :]
    return found


def _run_in_fork(folder: Path, todo: dict[str, Callable[[Path], None]]) -> list[Outcome]:
    """Run commands one after the other until one ends the process; return how those ended."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with contextlib.suppress(BaseException), os.fdopen(writer, "w") as told:
            for name, function in todo.items():
                told.write(f"{name}\n")
                told.flush()
                outcome, cpu_s, said = _guarded(function, folder)
                told.write(f"{outcome}\t{cpu_s:.3f}\t{said!r}\n")
                told.flush()
        mmq_bridge.tflite.apart.stop_worker()
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        lines = told.read().splitlines()
    _, status = os.waitpid(pid, 0)
    found = []
    for name, line in zip(lines[::2], lines[1::2], strict=False):
        outcome, cpu_s, said = line.split("\t", 2)
        found.append(Outcome(name, outcome, float(cpu_s), said))
    if len(lines) % 2:
        code = os.waitstatus_to_exitcode(status)
        hung = -code in (signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU)
        found.append(Outcome(lines[-1], "hung" if hung else "crashed", LIMIT_S, f"status {code}"))
    return found


def _guarded(function: Callable[[Path], None], folder: Path) -> tuple[str, float, str]:
    """Run one command with its output kept; return its outcome, processor time and last words."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    began, printed = time.process_time(), io.StringIO()
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    signal.setitimer(signal.ITIMER_REAL, WALL_S)
    status: object = 0
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            function(folder)
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:
        status = traceback.format_exc()
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    text = printed.getvalue()
    lines = (text.strip() or "-").splitlines()
    return (
        _outcome(status, text, lines),
        time.process_time() - began,
        str(status if status not in (0, 2) else lines[-1])[-1500:],
    )


def _outcome(status: object, text: str, lines: list[str]) -> str:
    if status == 0:
        return "accepted"
    if status != 2 or "Traceback" in text:
        return "traceback"
    return "contained" if " ended on it (" in lines[-1] or "did not finish in" in lines[-1] else "refused"


assert ai_edge_litert.interpreter  # imported for the forks
