# SPDX-License-Identifier: Apache-2.0
"""Compile a bundle's C example with the machine's own compiler, run it, and read what it prints."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_bridge.bundle.golden_decisions import decision_type
from mmq_bridge.errors import BridgeError

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-ffp-contract=off")
TIMEOUT_S = 120
_ERROR = re.compile(r"(?<!W)error\b", re.IGNORECASE)  # a message, not -Werror in a command that is shown


@dataclass(frozen=True)
class ExampleOutput:
    """What the example printed.

    Attributes
    ----------
    features, presence : np.ndarray
        float32 [n, F], uint8 [n, M] of every token.
    window_tokens : np.ndarray
        int64 [W]: how many tokens had closed.
    window_features_i8, window_presence_i8 : np.ndarray
        int8 [W, T * F], [W, T * M].
    decisions : np.ndarray or None
        `decision_type` [D]; None where it made none.
    """

    features: np.ndarray
    presence: np.ndarray
    window_tokens: np.ndarray
    window_features_i8: np.ndarray
    window_presence_i8: np.ndarray
    decisions: np.ndarray | None


def find_compiler() -> str | None:
    """Return the path of a C compiler, or None."""
    names = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


def run_example(
    sources: Mapping[str, bytes],
    golden: Mapping[str, bytes],
    compiler: str,
    extra_flags: tuple[str, ...] = (),
) -> ExampleOutput:
    """Compile ``mmq_bridge/`` in a temporary folder and run it on the golden samples.

    Parameters
    ----------
    sources
        Content by path inside ``mmq_bridge/``.
    golden
        Content by path inside ``golden/``.
    compiler
        From `find_compiler`.
    extra_flags
        More compiler flags.

    Raises
    ------
    BridgeError
        When it does not compile, does not run, or prints something else.
    """
    with tempfile.TemporaryDirectory(prefix="mmq_example_") as folder:
        root = Path(folder)
        write_parts(root, sources, golden)
        code = root / "mmq_bridge"
        units = [str(code / "main.c"), *(str(path) for path in sorted((code / "src").glob("*.c")))]
        if (code / "mmq_network.c").is_file():
            units += [str(path) for path in (code / "mmq_network.c", *sorted(code.glob("src/network/*.c")))]
        binary = str(root / "mmq_example")
        includes = [f"-I{code}", f"-I{code / 'include'}"]
        run([compiler, *FLAGS, *extra_flags, *includes, *units, "-o", binary, "-lm"], "does not compile")
        return parse_output(run([binary, str(root / "golden")], "does not run"))


def write_parts(root: Path, sources: Mapping[str, bytes], golden: Mapping[str, bytes]) -> None:
    """Write ``mmq_bridge/`` and ``golden/`` as they lie in a bundle."""
    for part, files in (("mmq_bridge", sources), ("golden", golden)):
        for name, content in files.items():
            path = root / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def run(command: list[str], what: str, folder: Path | None = None) -> str:
    """Run a command of building or running the example and return what it printed.

    Raises
    ------
    BridgeError
        Saying `what` failed, with the first error it printed.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=folder
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BridgeError(f"mmq_bridge/main.c {what} ({error}); check the compiler.") from error
    if done.returncode:
        said = done.stderr or done.stdout
        reason = next((line for line in said.splitlines() if _ERROR.search(line)), said[-200:])
        raise BridgeError(f"mmq_bridge/main.c {what} (status {done.returncode}: {reason.strip()}).")
    return done.stdout


def parse_output(text: str) -> ExampleOutput:
    """Read the example's lines: tokens and probabilities as float32 bits, windows as int8.

    Raises
    ------
    BridgeError
        When a line has another form.
    """
    tokens, windows, decisions = [], [], []
    try:
        for line in text.splitlines():
            head, first, second = line.split(" | ")
            kind, number = head.split()
            if kind == "token":
                tokens.append((_floats(second), np.array(first.split(), dtype=np.uint8)))
            elif kind == "decision":
                decisions.append((int(number), [int(word) for word in first.split()], _floats(second)))
            else:
                windows.append(
                    (int(number), *(np.array(part.split(), dtype=np.int8) for part in (first, second)))
                )
        if not tokens or not windows:
            raise ValueError("it printed no token or no window")
        return ExampleOutput(
            np.stack([features for features, _ in tokens]),
            np.stack([presence for _, presence in tokens]),
            np.array([number for number, _, _ in windows], dtype=np.int64),
            np.stack([features for _, features, _ in windows]),
            np.stack([presence for _, _, presence in windows]),
            _decisions(decisions),
        )
    except ValueError as error:
        raise BridgeError(f"mmq_bridge/main.c printed something unexpected ({error}).") from error


def _floats(text: str) -> np.ndarray:
    """Return the numbers of float32 bits in hexadecimal."""
    return np.array([int(word, 16) for word in text.split()], dtype=np.uint32).view(np.float32)


def _decisions(printed: list[tuple[int, list[int], np.ndarray]]) -> np.ndarray | None:
    if not printed:
        return None
    _, states, probabilities = printed[0]
    rows = [(number, abstention, left, best, values) for number, (abstention, left, *best), values in printed]
    return np.array(rows, decision_type(len(states) - 2, len(probabilities)))
