# SPDX-License-Identifier: Apache-2.0
"""Flash and static RAM of the core on a Cortex-M4F, and what it draws in of the compiler's libraries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.build import CORTEX_M, compile_objects, core_sources, run_tool
from mmq_bridge.targets.table import M4F
from mmq_bridge.targets.tools import require

DECISION = ("decide", "decide_personal", "display", "step")
"""The object files that decide: counted apart from those that make windows."""
KEPT = (".text", ".rodata", ".data", ".ARM.ex")
_ENTRY = re.compile(r"^ (\.\S+)?\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S+)$")
_NAME_ALONE = re.compile(r"^ (\.\S+)$")


@dataclass(frozen=True)
class Flash:
    """Sizes in bytes at one level of optimisation.

    Attributes
    ----------
    level : str
        ``-O2`` or ``-Os``.
    text : int
        Code and constants of the core's object files, but for the decision.
    decision : int
        The same of the decision.
    data, bss : int
        Static RAM of the core's object files.
    libraries : dict of str to int
        Code and constants drawn in of libgcc (float64 arithmetic for time), libm and libc.
    """

    level: str
    text: int
    decision: int
    data: int
    bss: int
    libraries: dict[str, int]


def library_bytes(map_text: str) -> dict[str, int]:
    """Add up what a linker map says of each library's members.

    Examples
    --------
    >>> text = '''Linker script and memory map
    ...  .text          0x00000000       0x24 /a/libgcc.a(_muldf3.o)
    ...  .text.sqrtf
    ...                 0x00000024       0x10 /b/libm_nano.a(sqrtf.o)
    ...  .comment       0x00000000       0x20 /a/libgcc.a(_muldf3.o)'''
    >>> library_bytes(text)
    {'libgcc': 36, 'libm_nano': 16}
    """
    found: dict[str, int] = {}
    section = ""
    for line in map_text.partition("Linker script and memory map")[2].splitlines():
        if alone := _NAME_ALONE.match(line):
            section = alone[1]
            continue
        entry = _ENTRY.match(line)
        if not entry:
            continue
        section = entry[1] or section
        archive = re.search(r"(lib\w+)\.a\(", entry[3])
        if archive and section.startswith(KEPT):
            found[archive[1]] = found.get(archive[1], 0) + int(entry[2], 16)
    return {name: size for name, size in found.items() if size}


def measure_flash(level: str, build: Path) -> Flash:
    """Compile the core for a Cortex-M4F at one level and add up its sections.

    Parameters
    ----------
    level : str
        ``-O2`` or ``-Os``.
    build : Path
        Folder to build in.

    Raises
    ------
    BridgeError
        When a tool is missing or the core does not compile.
    """
    require([M4F])
    folder = build / f"flash{level}"
    core = compile_objects(M4F, core_sources(), (), folder, (level,))
    names = [place.name for place in core]
    rows = run_tool(["arm-none-eabi-size", *names], folder, "flash").splitlines()[1:]
    sizes = {
        place.stem: [int(word) for word in row.split()[:3]] for place, row in zip(core, rows, strict=True)
    }
    text, data, bss = (sum(column) for column in zip(*sizes.values(), strict=True))
    decision = sum(sizes[name][0] for name in DECISION)
    main = compile_objects(M4F, [CORTEX_M / "flash.c"], (), folder, (level,))
    # No start-up code and no C library's input and output: only what the core itself refers to.
    command = [
        M4F.compiler,
        *M4F.flags,
        *(p.name for p in (*core, *main)),
        "-o",
        "flash.elf",
        "-nostartfiles",
    ]
    command += [
        f"-L{CORTEX_M}",
        f"-T{M4F.linker_script}",
        "--specs=nano.specs",
        "-Wl,--gc-sections",
        "-Wl,-Map=flash.map",
    ]
    run_tool([*command, "-Wl,--entry=reset", "-lm"], folder.resolve(), "flash")
    try:
        libraries = library_bytes((folder / "flash.map").read_text(encoding="utf-8"))
    except OSError as error:
        raise BridgeError(f"{folder / 'flash.map'}: cannot be read ({error}): build again") from error
    return Flash(level, text - decision, decision, data, bss, libraries)
