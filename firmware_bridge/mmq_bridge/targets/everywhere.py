# SPDX-License-Identifier: Apache-2.0
"""Machines of other kinds, by user-mode emulation: run where their tools are, else left out in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from mmq_bridge.targets.table import Target
from mmq_bridge.targets.tools import missing


def _user(name: str, title: str, compiler: str, emulator: str, *flags: str) -> Target:
    return Target(name, f"{title}, {emulator}", f"{compiler}-gcc", ("-static", *flags), "user", emulator)


EVERYWHERE = (
    _user("aarch64", "64-bit Arm", "aarch64-linux-gnu", "qemu-aarch64"),
    _user("armv7", "32-bit Arm, hard float", "arm-linux-gnueabihf", "qemu-arm"),
    _user("riscv64", "RISC-V", "riscv64-linux-gnu", "qemu-riscv64"),
    _user("ppc64", "PowerPC, big-endian", "powerpc64-linux-gnu", "qemu-ppc64"),
    _user("s390x", "IBM Z, big-endian", "s390x-linux-gnu", "qemu-s390x", "-fexcess-precision=fast"),
    _user("i686", "32-bit x86 with SSE2", "i686-linux-gnu", "qemu-i386", "-msse2", "-mfpmath=sse"),
    Target("windows", "Windows x86-64, Wine", "x86_64-w64-mingw32-gcc", (), "user", "wine"),
)
"""Beside `TARGETS`; nobody needs to have them."""


def present(targets: Sequence[Target]) -> tuple[list[Target], list[str]]:
    """Split targets into those whose tools are installed, and a sentence for each of the others."""
    here, sentences = [], []
    for target in targets:
        absent = missing([target])
        if not absent:
            here.append(target)
            continue
        packages = " ".join(dict.fromkeys(absent.values()))
        sentences.append(
            f"{target.name} is left out: {', '.join(absent)} is not installed (apt install {packages})."
        )
    return here, sentences
