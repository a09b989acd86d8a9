# SPDX-License-Identifier: Apache-2.0
"""Compilers and emulators the targets need: whether they are here, and how Debian names what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.table import Target

COMMANDS = {
    "gcc": "gcc",
    "clang": "clang",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "node": "nodejs",
    "wasm-ld": "lld",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf",
    "riscv64-linux-gnu-gcc": "gcc-riscv64-linux-gnu",
    "powerpc64-linux-gnu-gcc": "gcc-powerpc64-linux-gnu",
    "s390x-linux-gnu-gcc": "gcc-s390x-linux-gnu",
    "i686-linux-gnu-gcc": "gcc-i686-linux-gnu",
    "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64",
    "wine": "wine",
    **{f"qemu-{machine}": "qemu-user" for machine in ("aarch64", "arm", "riscv64", "ppc64", "s390x", "i386")},
}
"""Debian package of each command."""

RUNNERS = {
    "host": (),
    "qemu": ("qemu-system-arm", "arm-none-eabi-size"),
    "node": ("node", "wasm-ld"),
    "user": (),
}


def missing(targets: Sequence[Target]) -> dict[str, str]:
    """List what is not installed.

    Returns
    -------
    dict of str to str
        Debian package by tool or file.
    """
    wanted = dict.fromkeys(name for t in targets for name in (t.compiler, *RUNNERS[t.runner]))
    wanted |= dict.fromkeys(t.machine for t in targets if t.runner == "user")
    absent = {name: COMMANDS[name] for name in wanted if shutil.which(name) is None}
    if "arm-none-eabi-gcc" in wanted and "arm-none-eabi-gcc" not in absent:
        absent |= _absent_files(["arm-none-eabi-gcc"], {"rdimon.specs": "libnewlib-arm-none-eabi"})
    if any(t.runner == "node" for t in targets) and "clang" not in absent:
        absent |= _absent_files(["clang", "--target=wasm32-wasi"], {"libc.a": "wasi-libc"})
        builtins = _answer(["clang", "--target=wasm32-wasi", "-print-libgcc-file-name"])
        if not Path(builtins).is_file():
            absent["libclang_rt.builtins-wasm32.a"] = "libclang-rt-dev-wasm32"
    return absent


def _answer(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _absent_files(compiler: list[str], files: dict[str, str]) -> dict[str, str]:
    """Ask the compiler where its files are: it repeats the bare name of one it does not have."""
    found = {name: _answer([*compiler, f"-print-file-name={name}"]) for name in files}
    return {name: files[name] for name, place in found.items() if not Path(place).is_file()}


def require(targets: Sequence[Target], install: bool = False) -> None:
    """Make sure the tools are there.

    Parameters
    ----------
    targets : sequence of Target
    install : bool
        Install what is missing with apt, as root.

    Raises
    ------
    BridgeError
        Naming the first tool that is missing and its Debian package.
    """
    absent = missing(targets)
    if absent and install and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        install_packages(sorted(set(absent.values())))
        absent = missing(targets)
    if absent:
        name, package = next(iter(absent.items()))
        raise BridgeError(
            f"{name} is not installed: as root, apt install {' '.join(sorted(set(absent.values())))} "
            f"({name} is in {package})"
        )


def install_packages(packages: Sequence[str]) -> None:
    """Install Debian packages with apt; needs root.

    Raises
    ------
    BridgeError
        With the last thing apt said.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise BridgeError(f"{' '.join(command)} failed ({reason}): install {' '.join(packages)} by hand")


def compiler_version(command: str) -> str:
    """Name a compiler and its version."""
    return f"{command} {_answer([command, '-dumpversion']) or '?'}"


def emulator_version() -> str:
    """Name QEMU and its version."""
    return (_answer(["qemu-system-arm", "--version"]) or "qemu ?").splitlines()[0]
