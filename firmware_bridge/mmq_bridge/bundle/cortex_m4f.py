# SPDX-License-Identifier: Apache-2.0
"""Build a bundle's C example for a Cortex-M4F with the bundle's own CMake files, and run it emulated."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mmq_bridge.bundle.example_run import ExampleOutput, parse_output, run, write_parts

BOARD = "mps2-an386"
INSTALL = (
    "apt install cmake ninja-build gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm makes this check"
)
_EMULATOR = (
    "-nographic",
    "-monitor",
    "none",
    "-serial",
    "none",
    "-semihosting-config",
    "enable=on,target=native",
)


def missing_tools() -> list[str]:
    """Name what building and running for a Cortex-M4F needs and this machine has not."""
    missing = [name for name in ("cmake", "arm-none-eabi-gcc", "qemu-system-arm") if not shutil.which(name)]
    if not (shutil.which("ninja") or shutil.which("make")):
        missing.append("ninja")
    if "arm-none-eabi-gcc" not in missing and not _has_newlib():
        missing.append("newlib for arm-none-eabi")
    return missing


def _has_newlib() -> bool:
    """Whether the compiler finds newlib: it answers with a whole path only for a file it has."""
    try:
        command = ["arm-none-eabi-gcc", "-print-file-name=rdimon.specs"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return Path(found.strip()).is_file()


def run_example(sources: Mapping[str, bytes], golden: Mapping[str, bytes]) -> ExampleOutput:
    """Build ``mmq_bridge/`` in a temporary folder and run its example on the emulated board.

    Parameters
    ----------
    sources
        Content by path inside ``mmq_bridge/``.
    golden
        Content by path inside ``golden/``.

    Raises
    ------
    BridgeError
        When it does not build, does not run, or prints something else.
    """
    with tempfile.TemporaryDirectory(prefix="mmq_m4f_") as folder:
        root = Path(folder)
        write_parts(root, sources, golden)
        return parse_output(run_emulated(build(root / "mmq_bridge", root / "build-m4f"), root))


def build(source: Path, folder: Path) -> Path:
    """Build with the toolchain file that lies beside the sources; return the example's .elf.

    Raises
    ------
    BridgeError
        With the compiler's first error.
    """
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    toolchain = "-DCMAKE_TOOLCHAIN_FILE=cortex_m4f/toolchain.cmake"
    configure = ["cmake", "-S", str(source), "-B", str(folder), *generator, toolchain]
    run(configure, "does not configure for a Cortex-M4F")
    run(["cmake", "--build", str(folder)], "does not build for a Cortex-M4F")
    return folder / "mmq_example.elf"


def run_emulated(binary: Path, folder: Path) -> str:
    """Run a program on the emulated board, files relative to `folder`, and return what it printed.

    Raises
    ------
    BridgeError
        When it stops with another status than 0.
    """
    command = ["qemu-system-arm", "-M", BOARD, *_EMULATOR, "-kernel", str(binary.resolve())]
    return run(command, f"does not run on {BOARD}", folder)
