# SPDX-License-Identifier: Apache-2.0
"""What `mmq-tf bench core --results` writes: the cost of the C core by the results contract."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmq_bridge.targets.budgets import HELD_AT, Verdict
from mmq_bridge.targets.cost import ScenarioCost
from mmq_bridge.targets.flash import Flash
from mmq_bridge.targets.scenarios import CHUNK_S, TOKENS
from mmq_bridge.targets.table import M4F
from mmq_bridge.targets.tools import compiler_version, emulator_version

from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__


def write_core_results(
    path: Path,
    costs: Mapping[str, Sequence[ScenarioCost]],
    flashes: Mapping[str, Flash],
    verdicts: Sequence[Verdict],
) -> None:
    """Write instructions, bytes and state (``arena_bytes``) by the results contract."""
    rows = [
        row for level, measured in costs.items() for cost in measured for row in _instructions(cost, level)
    ]
    rows += [row for level, flash in flashes.items() for row in _bytes(flash, costs[level])]
    rows += [row for cost in costs[HELD_AT] for row in _memory(cost)]
    tools = (compiler_version(M4F.compiler), emulator_version())
    results = ResultsFile(
        name=path.stem,
        command=shlex.join(["mmq-tf", *sys.argv[1:]]),
        version=__version__,
        data="signals of the nine modalities",
        simulated=True,
        split="none",
        normalisation="population",
        seeds=(),
        machine=f"{M4F.title}; built on {machine_description()}; {'; '.join(tools)}",
        rows=tuple(rows),
        notes=(
            "instructions: counted by SysTick under -icount; not cycles, not times; same on all machines.",
            f"a push brings {CHUNK_S:g} s of samples; token: everything until one token is closed; features: "
            "the push that closes it (of the wrist set: only its last sensor's).",
            "linked: what a linker keeps of the core (-ffunction-sections, --gc-sections) in a program that "
            "makes int8 windows of all nine kinds, and what each part adds to it.",
            f"arena_bytes: the memory the caller hands to the bridge, {TOKENS} tokens a window.",
            *(
                f"budget, at {HELD_AT}: {v.budget.what}: {v.measured[HELD_AT]:,.0f} of {v.budget.limit:,} "
                f"{v.budget.unit}{'' if v.kept else ' EXCEEDED'}."
                for v in verdicts
            ),
        ),
    )
    write_results(path, results)


def _instructions(cost: ScenarioCost, level: str) -> list[ResultRow]:
    counts = {"token": cost.per_token, "second": cost.per_second}
    if level == HELD_AT:
        counts |= {"samples": cost.samples, "features": cost.features, "longest push": cost.longest_push}
        counts |= {"int8 window": cost.window}
    return [
        ResultRow(
            method=cost.scenario.title,
            condition=f"{name} {level}",
            metric="instructions",
            mean=round(value),
            n=cost.tokens,
        )
        for name, value in counts.items()
    ]


def _bytes(flash: Flash, costs: Sequence[ScenarioCost]) -> list[ResultRow]:
    sizes = {"core code and constants": flash.text, "decision code and constants": flash.decision}
    sizes |= {"personal head code and constants": flash.head}
    sizes |= {"core static RAM": flash.data + flash.bss}
    sizes |= {f"linked: {name}": size for name, size in flash.linked.items()}
    sizes |= {f"drawn in of {name}": size for name, size in flash.libraries.items()}
    sizes["stack, deepest use"] = max(cost.stack_bytes for cost in costs)
    return [
        ResultRow(method=name, condition=flash.level, metric="bytes", mean=size, n=1)
        for name, size in sizes.items()
    ]


def _memory(cost: ScenarioCost) -> list[ResultRow]:
    sizes = {"state, 32-bit": cost.state_bytes, "state, 64-bit host": cost.host_state_bytes}
    return [
        ResultRow(method=cost.scenario.title, condition=name, metric="arena_bytes", mean=size, n=1)
        for name, size in sizes.items()
    ]
