# SPDX-License-Identifier: Apache-2.0
"""Flash and static RAM of the core on a Cortex-M4F, and what it draws in of the compiler's libraries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.build import CORTEX_M, compile_objects, core_sources, run_tool
from mmq_bridge.targets.table import M4F
from mmq_bridge.targets.tools import require

DECISION = ("decide", "decide_personal", "display", "step")
HEAD = ("head", "head_state")
"""The object files that decide: counted apart from those that make windows."""
BESIDE = ("names", "sentences", "sensor_queue", "sensor_push", "next_sensor")
"""What no other part needs; `PARTS` says what most of them add."""
KEPT = (".text", ".rodata", ".data", ".ARM.ex")
SECTIONS = ("-ffunction-sections", "-fdata-sections")
WINDOWS, WHOLE = "int8 windows of all nine kinds", "all parts together"
WINDOWS_USE = (
    "mmq_bridge_size", "mmq_bridge_init", "mmq_bridge_push", "mmq_bridge_advance", "mmq_bridge_lead_off",
    "mmq_bridge_token", "mmq_bridge_reasons", "mmq_bridge_window_i8", "mmq_bridge_closed",
)  # fmt: skip
PARTS: dict[str, tuple[str, ...]] = {
    "windows as float": ("mmq_bridge_window",),
    "enrolment told": ("mmq_bridge_enrolment", "mmq_bridge_enrolment_left"),
    "beats, true rate, a tick counter": ("mmq_bridge_beats", "mmq_bridge_rate", "mmq_clock_s"),
    "packets with a counter": ("mmq_bridge_push_counted",),
    "saved state": ("mmq_state_size", "mmq_state_save", "mmq_state_load"),
    "streams offline": ("mmq_normalise_stream", "mmq_spatial"),
    "personal head": (
        "mmq_head_init", "mmq_head_reset", "mmq_mark", "mmq_adapt", "mmq_head_apply",
        "mmq_head_size", "mmq_head_save", "mmq_head_load",
    ),
    "queue from an interrupt": ("mmq_sensor_queue_put", "mmq_sensor_queue_push"),
    "names for logs": ("mmq_status_name", "mmq_reason_name", "mmq_kind_name"),
    "decision": ("mmq_decider_init", "mmq_step", "mmq_display_show"),
}  # fmt: skip
"""What a program may use besides, by the functions that draw it in."""
_HEADERS = '#include "mmq_decision.h"\n#include "mmq_personal.h"\n#include "mmq_sensor_queue.h"\n\n'
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
        Code and constants of the core's object files, but for the decision, the personal head and `BESIDE`.
    decision : int
        The same of the decision.
    head : int
        The same of the personal head.
    data, bss : int
        Static RAM of the core's object files.
    libraries : dict of str to int
        Code and constants drawn in of libgcc (float64 arithmetic for time), libm and libc.
    linked : dict of str to int
        Code and constants of the core that a linker keeps (``--gc-sections``): of a program that makes
        int8 windows of all nine kinds (`WINDOWS`), what each of `PARTS` adds to it, and with all (`WHOLE`).
    """

    level: str
    text: int
    decision: int
    head: int
    data: int
    bss: int
    libraries: dict[str, int]
    linked: dict[str, int]


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
    return dict(map_bytes(map_text, r"(lib\w+)\.a\("))


def map_bytes(map_text: str, pattern: str) -> Counter[str]:
    """Add up code and constants in a linker map by what a pattern finds in the files' names.

    Parameters
    ----------
    map_text : str
    pattern : str
        Of the files that count; its group, or all it matches, is the name they count for.
    """
    found: Counter[str] = Counter()
    section = ""
    for line in map_text.partition("Linker script and memory map")[2].splitlines():
        if alone := _NAME_ALONE.match(line):
            section = alone[1]
            continue
        entry = _ENTRY.match(line)
        if not entry:
            continue
        section = entry[1] or section
        name = re.search(pattern, entry[3])
        if name and section.startswith(KEPT):
            found[name[name.lastindex or 0]] += int(entry[2], 16)
    return +found


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
    decision, head, beside = (sum(sizes[name][0] for name in names) for names in (DECISION, HEAD, BESIDE))
    apart = compile_objects(M4F, core_sources(), (), folder / "apart", (level, *SECTIONS))
    linked = {WINDOWS: _link(apart, WINDOWS_USE, folder)}
    for part, uses in PARTS.items():
        linked[part] = _link(apart, WINDOWS_USE + uses, folder) - linked[WINDOWS]
    linked[WHOLE] = _link(apart, WINDOWS_USE + sum(PARTS.values(), ()), folder)
    libraries = library_bytes(_read_map(folder))
    return Flash(level, text - decision - head - beside, decision, head, data, bss, libraries, linked)


def _link(core: Sequence[Path], uses: Sequence[str], folder: Path) -> int:
    """Link the smallest program that uses these functions; return the core's bytes in it."""
    lines = "".join(f"    used = (void *){name};\n" for name in uses)
    head = "void *volatile used;\nvoid reset(void);\nvoid reset(void) {\n"
    (folder / "uses.c").write_text(f"{_HEADERS}{head}{lines}    for (;;) {{}}\n}}\n", encoding="utf-8")
    main = compile_objects(M4F, [(folder / "uses.c").resolve()], (), folder, ("-Os",))
    # No start-up code and no C library's input and output: only what the core itself refers to.
    places = [str(place.resolve()) for place in (*core, *main)]
    command = [M4F.compiler, *M4F.flags, *places, "-o", "flash.elf", "-nostartfiles", f"-L{CORTEX_M}"]
    command += [f"-T{M4F.linker_script}", "--specs=nano.specs", "-Wl,--gc-sections", "-Wl,-Map=flash.map"]
    run_tool([*command, "-Wl,--entry=reset", "-lm"], folder.resolve(), "flash")
    return map_bytes(_read_map(folder), re.escape(str(core[0].resolve().parent) + "/")).total()


def _read_map(folder: Path) -> str:
    path = folder / "flash.map"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BridgeError(f"{path}: cannot be read ({error}): build again") from error
