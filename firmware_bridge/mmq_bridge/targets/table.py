# SPDX-License-Identifier: Apache-2.0
"""Every target the core is built and run for, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

COMMON_FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=off")
COMMON_FLAGS += ("-fno-math-errno",)
"""Contraction would fuse a multiplication with an addition where the processor can, and change bits.
Nobody reads errno: without it a square root is one instruction."""

NEWLIB_FLAGS = ("--specs=nano.specs", "--specs=rdimon.specs", "-nostartfiles")
WASM_FLAGS = ("--target=wasm32-wasi",)
WASM_LINK_FLAGS = ("-mexec-model=reactor", "-Wl,--no-entry")


@dataclass(frozen=True)
class Target:
    """One way to build and run the core.

    Attributes
    ----------
    name : str
        As ``--only`` takes it.
    title : str
        What it is.
    compiler : str
        Command that compiles and links.
    flags : tuple of str
        Beside `COMMON_FLAGS`, for compiling and linking.
    runner : {"host", "qemu", "node", "user"}
        What runs it.
    machine, linker_script : str
        qemu: the board, and its memory. user: the command that runs programs of that machine.
    """

    name: str
    title: str
    compiler: str
    flags: tuple[str, ...]
    runner: Literal["host", "qemu", "node", "user"] = "host"
    machine: str = ""
    linker_script: str = ""


def _cortex_m(name: str, title: str, cpu: str, fpu: str, machine: str) -> Target:
    hard = fpu != "none"
    unit = (f"-mfpu={fpu}",) if fpu and hard else ()
    flags = (f"-mcpu={cpu}", f"-mfloat-abi={'hard' if hard else 'soft'}", *unit, "-mthumb")
    board = machine.split("-")[1].replace("an385", "an386")  # the same memory
    return Target(name, title, "arm-none-eabi-gcc", flags, "qemu", machine, f"{board}.ld")


M4F = _cortex_m("m4f", "Cortex-M4F, QEMU mps2-an386", "cortex-m4", "fpv4-sp-d16", "mps2-an386")

M3 = _cortex_m("m3", "Cortex-M3, QEMU mps2-an385", "cortex-m3", "none", "mps2-an385")
"""Without DSP extension and floating point: floats by the compiler's library."""

TARGETS = (
    Target("gcc-1", "host, scalar", "gcc", ("-DMMQ_LANES=1", "-DMMQ_NETWORK_PLAIN")),
    Target("gcc-8", "host, 8 lanes", "gcc", ("-DMMQ_LANES=8",)),
    Target("clang-1", "host, scalar", "clang", ("-DMMQ_LANES=1", "-DMMQ_NETWORK_PLAIN")),
    Target("clang-8", "host, 8 lanes", "clang", ("-DMMQ_LANES=8",)),
    M3,
    M4F,
    _cortex_m("m33", "Cortex-M33, QEMU mps2-an505", "cortex-m33", "fpv5-sp-d16", "mps2-an505"),
    _cortex_m("m55", "Cortex-M55, QEMU mps3-an547", "cortex-m55", "", "mps3-an547"),
    Target("wasm", "WebAssembly in node", "clang", WASM_FLAGS, "node"),
)
"""The same bits are wanted of each, and of the library that Python loads."""
