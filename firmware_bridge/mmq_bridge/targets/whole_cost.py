# SPDX-License-Identifier: Apache-2.0
"""What a bundle costs on a Cortex-M4F before it is flashed: front end, network and decision together."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_bridge.bundle.golden import GoldenSignal, golden_step_s
from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.replay import replay
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.modality_constraints import CONTEXTS
from mmq_bridge.source_files import CORTEX_M
from mmq_bridge.targets.build import run_tool
from mmq_bridge.targets.cost import ICOUNT
from mmq_bridge.targets.run import execute
from mmq_bridge.targets.script import MAX_PUSH_SAMPLES, Operation, encode
from mmq_bridge.targets.table import COMMON_FLAGS, M4F, NEWLIB_FLAGS
from mmq_bridge.targets.tools import missing, require

LEVEL = "-O2"
"""As a bundle's own CMakeLists.txt builds."""
SLICE = 20_000
LEAST_TOKENS = 2
"""At least so many tokens are counted, even where a context is not full yet."""
_KINDS = re.compile(rb"define MMQ_SPEC_KINDS (0x[0-9a-f]+u)")


@dataclass(frozen=True)
class KnownCost:
    """What is known of a bundle without any tool.

    Attributes
    ----------
    arena_bytes : int
        Of the network in C.
    tables_bytes : int
        Of its weights and tables.
    """

    arena_bytes: int
    tables_bytes: int


@dataclass(frozen=True)
class WholeCost:
    """What front end, network and decision cost together on a Cortex-M4F, counted in QEMU.

    Attributes
    ----------
    token_s : float
    every_tokens : int
        Tokens from one decision to the next.
    token : float
        Instructions of a token's pushes.
    step : float
        Instructions of making one decision: window, network and rules.
    network : float
        Of the network alone.
    longest_push, longest_slice : float
        Instructions of the longest push, and of the longest `mmq_step` in slices of `SLICE`.
    flash_bytes, ram_bytes : int
        Of the smallest program (``wearable.c``): code and constants; static memory, with the network's arena.
    state_bytes : int
        What the bridge's state needs of it: `MMQ_SPEC_BYTES`, which the program takes, is an upper bound.
    stack_bytes : int
        Below the caller of push and step.
    """

    token_s: float
    every_tokens: int
    token: float
    step: float
    network: float
    longest_push: float
    longest_slice: float
    flash_bytes: int
    ram_bytes: int
    state_bytes: int
    stack_bytes: int

    @property
    def per_decision(self) -> float:
        """Instructions from one decision to the next."""
        return self.every_tokens * self.token + self.step

    @property
    def per_hour(self) -> float:
        """Instructions an hour of signal."""
        return 3600.0 / (self.every_tokens * self.token_s) * self.per_decision


def known_cost(plan: bytes) -> KnownCost:
    """Return what a network's plan (``mmq_network.bin``) says by itself."""
    return KnownCost(Network(plan).arena_bytes, len(plan))


def not_countable() -> str | None:
    """Say in a sentence why nothing can be counted here; None where it can."""
    absent = missing([M4F])
    if not absent:
        return None
    return f"{', '.join(absent)} not found: apt install {' '.join(dict.fromkeys(absent.values()))}"


@dataclass(frozen=True)
class BundleCost:
    """What is said of a bundle's cost before it is flashed.

    Attributes
    ----------
    known : KnownCost or None
        None where the network has no form in C.
    counted : WholeCost or None
    uncounted : str
        Why nothing was counted; empty where it was.
    """

    known: KnownCost | None
    counted: WholeCost | None
    uncounted: str = ""


def bundle_cost(
    code: Mapping[str, bytes] | None,
    front_end: FrontEnd,
    signals: Mapping[str, GoldenSignal],
    every_tokens: int,
    plan: bytes | None,
) -> BundleCost:
    """Return what a bundle costs: counted where the tools are here, else what its network says by itself.

    Parameters
    ----------
    code, front_end, signals, every_tokens
        As of `measure_whole`; without code nothing is counted.
    plan
        Of the network (``mmq_network.bin``), where there is one.

    Raises
    ------
    BridgeError
        When the code does not build, or no decision ran the network.
    """
    if plan is None:
        return BundleCost(None, None, "the kernels in C do not know its network: take TFLite Micro")
    known, sentence = known_cost(plan), "this was not asked for" if code is None else not_countable()
    if code is None or sentence:
        return BundleCost(known, None, sentence or "")
    return BundleCost(known, measure_whole(code, front_end, signals, every_tokens))


def measure_whole(
    code: Mapping[str, bytes],
    front_end: FrontEnd,
    signals: Mapping[str, GoldenSignal],
    every_tokens: int,
) -> WholeCost:
    """Build a bundle's code for a Cortex-M4F, replay its golden samples in QEMU, and count.

    Parameters
    ----------
    code
        Content by path inside ``mmq_bridge/``, with a network.
    front_end, signals
        Of the golden replay.
    every_tokens
        Of the decision settings.

    Raises
    ------
    BridgeError
        When a tool is missing, the code does not build, or no decision ran the network.
    """
    require([M4F])
    operations = [
        Operation(front_end.modality_names.index(modality), time_s, np.asarray(samples, np.float32))
        for modality, samples, time_s in replay(signals, golden_step_s(front_end))
    ]
    with tempfile.TemporaryDirectory(prefix="mmq_cost_") as place:
        folder = Path(place)
        for name, content in code.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        script = encode(operations)
        (folder / "script.bin").write_bytes(script)
        sizes = {"SCRIPT_BYTES": len(script), "SAMPLES": MAX_PUSH_SAMPLES, "WARM_TOKENS": _warm(front_end)}
        defines = "".join(f"#define COST_{name} {value}u\n" for name, value in sizes.items())
        (folder / "whole_cost.h").write_text(f"/* whole_cost.h: written by the build. */\n{defines}")
        objects = _compile(folder, code["mmq_spec.h"])
        flash, ram = _weigh(folder, objects)
        counted = _count(folder, objects)
    return WholeCost(
        token_s=front_end.token_s,
        every_tokens=every_tokens,
        token=counted["push"],
        step=counted["step"],
        network=counted["network"],
        longest_push=counted["longest_push"],
        longest_slice=counted["longest_slice"],
        flash_bytes=flash,
        ram_bytes=ram,
        state_bytes=round(counted["state"]),
        stack_bytes=round(counted["stack"]),
    )


def _warm(front_end: FrontEnd) -> int:
    """Return after how many tokens every context is full."""
    longest = max(
        (part.context_s for kind, part in front_end.modalities.items() if kind in CONTEXTS), default=0.0
    )
    warm = math.ceil(longest / front_end.token_s) + 1
    return min(warm, max(0, front_end.tokens - LEAST_TOKENS))


def _compile(folder: Path, spec: bytes) -> list[str]:
    """Compile the bundle's core and network, each function in a section of its own."""
    found = _KINDS.search(spec)
    kinds = (f"-DMMQ_KINDS_BUILT={found[1].decode()}",) if found else ()
    sections = ("-ffunction-sections", "-fdata-sections")
    sources = [
        "mmq_network.c",
        "wearable.c",
        *(str(p.relative_to(folder)) for p in folder.glob("src/**/*.c")),
    ]
    harness = [str(CORTEX_M / f"{name}.c") for name in ("startup", "whole_cost", "whole_flash")]
    search = ("-I.", "-Iinclude", f"-I{CORTEX_M}")
    command = [M4F.compiler, *COMMON_FLAGS, *M4F.flags, LEVEL, *kinds, *sections, *search, "-c"]
    run_tool([*command, *sources, *harness], folder, "cost")
    return [f"{Path(source).stem}.o" for source in sources]


def _link(folder: Path, objects: list[str], output: str, flags: tuple[str, ...]) -> None:
    board = ("-nostartfiles", f"-L{CORTEX_M}", f"-T{M4F.linker_script}")
    command = [M4F.compiler, *M4F.flags, *objects, "-o", output, *board, "-Wl,--gc-sections", *flags, "-lm"]
    run_tool(command, folder, "cost")


def _weigh(folder: Path, objects: list[str]) -> tuple[int, int]:
    """Return code and constants, and static memory, of the smallest program."""
    _link(folder, [*objects, "whole_flash.o"], "flash.elf", ("--specs=nano.specs", "-Wl,--entry=reset"))
    line = run_tool(["arm-none-eabi-size", "flash.elf"], folder, "cost").splitlines()[-1]
    text, data, bss = (int(number) for number in line.split()[:3])
    return text + data, data + bss


def _count(folder: Path, objects: list[str]) -> dict[str, float]:
    """Return instructions by what `whole_cost.c` prints, and the stack."""
    without = [name for name in objects if name != "wearable.o"]
    _link(folder, [*without, "whole_cost.o", "startup.o"], "cost.elf", NEWLIB_FLAGS)
    code, text = execute(M4F, folder / "cost.elf", folder, ICOUNT)
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    if code or set(lines) != {"calibration", "whole"}:
        raise BridgeError(
            f"cost on {M4F.title}: exit code {code}: {text.strip()[:200] or 'nothing was said'}"
        )
    values = {
        name: {key: int(value) for key, value in (word.split("=") for word in words)}
        for name, words in lines.items()
    }
    each = values["calibration"]["ticks"] / values["calibration"]["instructions"]
    whole = values["whole"]
    plain = ("stack", "state", "tokens", "decided")
    return {name: value if name in plain else value / each for name, value in whole.items()}
