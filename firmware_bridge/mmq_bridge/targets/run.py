# SPDX-License-Identifier: Apache-2.0
"""Run the replay on every target and hold what it says against what is wanted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path

from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.build import WASM, build_replay
from mmq_bridge.targets.expected import Hashes, differences
from mmq_bridge.targets.table import Target

CRASHED = 99
"""Exit code of the fault handler in `cortex_m/startup.c`."""
LIMIT_S = 300.0
WORKERS = 2
QEMU = ("qemu-system-arm", "-nographic", "-monitor", "none", "-serial", "none", "-semihosting-config")
QEMU += ("enable=on,target=native", "-machine")


@dataclass(frozen=True)
class Outcome:
    """What one target said.

    Attributes
    ----------
    target : Target
    hashes : dict of str to Hashes
        By vector.
    state_bytes : dict of str to int
        What the bridge needs there, by vector.
    problems : list of str
        One sentence each; none when every bit is the same.
    """

    target: Target
    hashes: dict[str, Hashes] = field(default_factory=dict)
    state_bytes: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def execute(
    target: Target,
    program: Path,
    folder: Path,
    flags: Sequence[str] = (),
    script: Path = WASM / "run.mjs",
) -> tuple[int, str]:
    """Run a program where its target runs.

    Parameters
    ----------
    target : Target
    program : Path
    folder : Path
        Working folder: the program finds its files there.
    flags : sequence of str
        More for the emulator.
    script : Path
        What node runs a WebAssembly module with.

    Returns
    -------
    int, str
        Exit code and what was printed.

    Raises
    ------
    BridgeError
        When it does not end within `LIMIT_S`.
    """
    command = [str(program.resolve())]
    if target.runner == "qemu":
        command = [*QEMU, target.machine, *flags, "-kernel", *command]
    elif target.runner == "user":
        command = [target.machine, *command]
    elif target.runner == "node":
        command = ["node", str(script.resolve()), *command]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            timeout=LIMIT_S,
            env={**os.environ, "WINEDEBUG": "-all"},
        )
    except subprocess.TimeoutExpired as error:
        raise BridgeError(
            f"{target.name}: still running after {LIMIT_S:g} s: run {program} by hand"
        ) from error
    return done.returncode, done.stdout + done.stderr


def parse_line(line: str) -> tuple[str, Hashes, int]:
    """Read one line of the replay: vector, hashes, bytes of state.

    Raises
    ------
    ValueError
        When it is not one.

    Examples
    --------
    >>> line = "wrist tokens=2 windows=1 raw=0a features=0b presence=0c int8=0d saved=0e head=0f "
    >>> parse_line(line + "decisions=10 bytes=640")[2]
    640
    """
    name, *pairs = line.split()
    values = dict(pair.split("=", 1) for pair in pairs)
    if set(values) != {"bytes", *(f.name for f in fields(Hashes))}:
        raise ValueError(f"expected a line of the replay, got {line!r}")
    counts = int(values["tokens"]), int(values["windows"])
    texts = (values[f.name] for f in fields(Hashes) if f.name not in ("tokens", "windows"))
    return name, Hashes(*counts, *texts), int(values["bytes"])


def _compare(outcome: Outcome, wanted: dict[str, Hashes]) -> None:
    for name, hashes in wanted.items():
        if name not in outcome.hashes:
            outcome.problems.append(f"{name}: gave no result")
        elif different := differences(hashes, outcome.hashes[name]):
            outcome.problems.append(f"{name}: {', '.join(different)} differ from Python's")


def run_target(target: Target, vectors: Path, build: Path, wanted: dict[str, Hashes]) -> Outcome:
    """Build, run and compare one target.

    Raises
    ------
    BridgeError
        When it does not compile.
    """
    outcome = Outcome(target)
    program = build_replay(target, vectors, build / target.name)
    code, text = execute(target, program, vectors)
    if code:
        how = "crashed (fault handler)" if code == CRASHED else f"ended with exit code {code}"
        outcome.problems.append(f"the replay {how}")
    for line in text.splitlines():
        try:
            name, hashes, size = parse_line(line)
        except ValueError:
            outcome.problems.append(line)
            continue
        outcome.hashes[name], outcome.state_bytes[name] = hashes, size
    _compare(outcome, wanted)
    return outcome


def run_targets(
    targets: Sequence[Target], vectors: Path, build: Path, wanted: dict[str, Hashes]
) -> list[Outcome]:
    """Build and run targets, two at a time.

    Parameters
    ----------
    targets : sequence of Target
    vectors : Path
        Folder written by `write_vectors`.
    build : Path
        Folder for object files and programs.
    wanted : dict of str to Hashes
        By vector.

    Raises
    ------
    BridgeError
        When one does not compile.
    """
    workers = min(WORKERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda target: run_target(target, vectors, build, wanted), targets))
