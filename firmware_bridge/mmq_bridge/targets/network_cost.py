# SPDX-License-Identifier: Apache-2.0
"""Instructions, arena, flash and stack of a network on emulated Cortex-M boards: counts, which repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network
from mmq_bridge.source_files import CORTEX_M
from mmq_bridge.targets.build import link, run_tool
from mmq_bridge.targets.cost import ICOUNT
from mmq_bridge.targets.networks import (
    NetworkVector,
    build_networks,
    compile_networks,
    write_networks,
)
from mmq_bridge.targets.run import execute
from mmq_bridge.targets.table import M3, TARGETS, Target
from mmq_bridge.targets.tools import require

_BY_NAME = {target.name: target for target in TARGETS}
PLAIN = "-DMMQ_NETWORK_PLAIN"


@dataclass(frozen=True)
class BuildCondition:
    """A board, and the flags the kernels and networks are compiled with."""

    name: str
    target: Target
    flags: tuple[str, ...]


CONDITIONS = (
    BuildCondition("M4F -O2 DSP", _BY_NAME["m4f"], ("-O2",)),
    BuildCondition("M4F -O2", _BY_NAME["m4f"], ("-O2", PLAIN)),
    BuildCondition("M4F -Os DSP", _BY_NAME["m4f"], ("-Os",)),
    BuildCondition("M4F -O3 DSP", _BY_NAME["m4f"], ("-O3",)),
    BuildCondition("M33 -O2 DSP", _BY_NAME["m33"], ("-O2",)),
    BuildCondition("M55 -O2 DSP", _BY_NAME["m55"], ("-O2", "-mcpu=cortex-m55+nomve")),
    BuildCondition("M55 -O2 MVE", _BY_NAME["m55"], ("-O2",)),
    BuildCondition("M3 -O2", M3, ("-O2",)),
)
"""DSP: 16-bit numbers two by two, where the processor has them; MVE: Helium, eight by eight. Without them the
same C as everywhere."""

MODULES = {"wasm -Os": ("-Os",), "wasm -Os SIMD128": ("-Os", "-msimd128")}
"""Flags of WebAssembly modules."""


@dataclass(frozen=True)
class NetworkCost:
    """What one network costs in one condition.

    Attributes
    ----------
    name, condition : str
    instructions : float or None
        Of a run; None where nothing counts them.
    by_operation : dict of str to float
        Instructions by kernel.
    arena_bytes : int
    stack_bytes : int or None
    flash_bytes : int
        Code and constants of the smallest program that runs it.
    """

    name: str
    condition: str
    instructions: float | None
    by_operation: dict[str, float]
    arena_bytes: int
    stack_bytes: int | None
    flash_bytes: int


def measure_networks(
    vectors: Sequence[NetworkVector], build: Path, conditions: Sequence[BuildCondition] = CONDITIONS
) -> list[NetworkCost]:
    """Build for each board, run in QEMU and count.

    Raises
    ------
    BridgeError
        When a tool is missing, something does not compile, or a count is missing.
    """
    require([condition.target for condition in conditions])
    folder = write_networks(vectors, build / "networks")
    return [cost for condition in conditions for cost in _measure(condition, vectors, folder, build)]


def measure_modules(vectors: Sequence[NetworkVector], build: Path) -> list[NetworkCost]:
    """Build each network as a WebAssembly module, without and with SIMD, and say how large it is.

    Raises
    ------
    BridgeError
        When a tool is missing, or something does not compile.
    """
    target = _BY_NAME["wasm"]
    require([target])
    costs = []
    for name, flags in MODULES.items():
        for vector in vectors:
            folder = write_networks([vector], build / name.replace(" ", "_") / vector.name)
            objects = compile_networks(target, folder, folder, CORTEX_M / "network_flash.c", flags)
            module = link(target, objects, folder / "network.wasm", ("-Wl,--export=reset", "-Wl,--strip-all"))
            arena = plan_network(vector.content).arena_bytes
            costs.append(NetworkCost(vector.name, name, None, {}, arena, None, module.stat().st_size))
    return costs


def _measure(
    condition: BuildCondition, vectors: Sequence[NetworkVector], folder: Path, build: Path
) -> list[NetworkCost]:
    own = build / condition.name.replace(" ", "_")
    program = build_networks(condition.target, folder, own, CORTEX_M / "network_cost.c", condition.flags)
    code, text = execute(condition.target, program, folder, ICOUNT)
    lines = [line.split() for line in text.splitlines()]
    if code or len(lines) != 1 + 2 * len(vectors):
        raise BridgeError(f"network cost in {condition.name}: exit code {code}: run {program} by hand")
    calibration = _pairs(lines[0])
    each = calibration["ticks"] / calibration["instructions"]
    costs = []
    for vector, head, operations in zip(vectors, lines[1::2], lines[2::2], strict=True):
        found = _pairs(head)
        by_kernel: dict[str, float] = {}
        steps = plan_network(vector.content).steps
        for step, ticks in zip(steps, operations[1:], strict=True):
            by_kernel[step.kernel] = by_kernel.get(step.kernel, 0.0) + int(ticks) / each
        flash = _flash(condition, vector, own)
        costs.append(
            NetworkCost(
                vector.name,
                condition.name,
                found["ticks"] / each,
                by_kernel,
                found["arena"],
                found["stack"],
                flash,
            )
        )
    return costs


def _pairs(words: Sequence[str]) -> dict[str, int]:
    return {key: int(value) for key, value in (word.split("=") for word in words[1:])}


def _flash(condition: BuildCondition, vector: NetworkVector, build: Path) -> int:
    """Return code and constants of the smallest program that runs one network."""
    folder = write_networks([vector], build / f"flash_{vector.name}")
    flags = (*condition.flags, "-ffunction-sections", "-fdata-sections")
    target = condition.target
    own = build / f"flash_{vector.name}_objects"
    objects = compile_networks(target, folder, own, CORTEX_M / "network_flash.c", flags)
    command = [
        target.compiler,
        *target.flags,
        *(path.name for path in objects),
        "-o",
        "flash.elf",
        "-nostartfiles",
    ]
    command += [
        "-nostartfiles",
        f"-L{CORTEX_M}",
        f"-T{target.linker_script}",
        "--specs=nano.specs",
        "-Wl,--gc-sections",
    ]
    run_tool([*command, "-Wl,--entry=reset"], own.resolve(), condition.name)
    sizes = run_tool(["arm-none-eabi-size", "flash.elf"], own.resolve(), condition.name).splitlines()[-1]
    text, data = (int(number) for number in sizes.split()[:2])
    return text + data
