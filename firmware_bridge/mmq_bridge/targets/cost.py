# SPDX-License-Identifier: Apache-2.0
"""Instructions, stack and state of the core on a Cortex-M4F under QEMU: counts, which repeat, not times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.build import CORTEX_M, compile_objects, core_sources, link
from mmq_bridge.targets.run import execute
from mmq_bridge.targets.scenarios import Scenario
from mmq_bridge.targets.script import MAX_PUSH_SAMPLES, encode
from mmq_bridge.targets.table import M4F
from mmq_bridge.targets.tools import require

ICOUNT = ("-icount", "shift=6")
"""Every instruction takes 2^6 ns of the emulated time that SysTick counts at 25 MHz: 1.6 ticks each."""


@dataclass(frozen=True)
class ScenarioCost:
    """What one scenario costs on a Cortex-M4F.

    Attributes
    ----------
    scenario : Scenario
    tokens : int
        Tokens it was counted over.
    per_token : float
        Instructions a token, all pushes together.
    samples, features : float
        The same, of pushes inside a token and of the push that closes it.
    longest_push : float
        Instructions of the longest push.
    window : float
        Instructions of reading one quantised window.
    repeat_ticks : int
        Ticks by which a second measurement differs in all.
    stack_bytes : int
        Deepest use of the stack below the caller.
    state_bytes, host_state_bytes : int
        `mmq_bridge_size` there, and here with 64-bit pointers.
    """

    scenario: Scenario
    tokens: int
    per_token: float
    samples: float
    features: float
    longest_push: float
    window: float
    repeat_ticks: int
    stack_bytes: int
    state_bytes: int
    host_state_bytes: int

    @property
    def per_second(self) -> float:
        """Instructions a second of signal."""
        return self.per_token / self.scenario.vector.front_end.token_s


def _write(scenarios: Sequence[Scenario], folder: Path) -> None:
    """Write headers, scripts and the table `cost.c` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    vectors = [scenario.vector for scenario in scenarios]
    ends, specs, rows = [vector.front_end for vector in vectors], "", ""
    for old in folder.glob("spec_*.c"):
        old.unlink()
    for scenario, vector in zip(scenarios, vectors, strict=True):
        header = spec_header(vector.front_end)
        source = f"{header}\nconst mmq_spec_t *spec_{vector.name}(void);\n"
        source += f"const mmq_spec_t *spec_{vector.name}(void) {{ return &mmq_spec; }}\n"
        (folder / f"spec_{vector.name}.c").write_text(source, encoding="utf-8")
        (folder / f"{vector.name}.bin").write_bytes(encode(vector.operations))
        specs += f"const mmq_spec_t *spec_{vector.name}(void);\n"
        rows += f'    {{"{vector.name}", spec_{vector.name}, {scenario.warm_tokens}}},\n'
    sizes = {
        "SCENARIOS": len(vectors),
        "STATE_BYTES": max(Bridge(end).state_bytes for end in ends),
        "SCRIPT_BYTES": max(len(encode(vector.operations)) for vector in vectors),
        "SAMPLES": MAX_PUSH_SAMPLES,
        "WINDOW": max(end.tokens * end.n_features for end in ends),
        "WINDOW_PRESENCE": max(end.tokens * len(end.modalities) for end in ends),
    }
    defines = "".join(f"#define COST_{name} {value}u\n" for name, value in sizes.items())
    (folder / "cost.h").write_text(
        f'/* cost.h: written by the build. */\n#include "mmq_bridge.h"\n\n{defines}\n'
        "typedef struct {\n    const char *name;\n    const mmq_spec_t *(*spec)(void);\n"
        f"    uint32_t warm_tokens;\n}} cost_scenario_t;\n\n{specs}\n"
        f"static const cost_scenario_t cost_scenarios[COST_SCENARIOS] = {{\n{rows}}};\n",
        encoding="utf-8",
    )


def _parse(text: str) -> dict[str, dict[str, int]]:
    """Read lines ``NAME key=value ...``; a scenario that failed raises."""
    lines = {}
    for line in text.splitlines():
        name, *pairs = line.split()
        if not pairs or any("=" not in pair for pair in pairs):
            raise BridgeError(f"cost on {M4F.title}: {line}")
        lines[name] = {key: int(value) for key, value in (pair.split("=", 1) for pair in pairs)}
    return lines


def _cost(scenario: Scenario, values: dict[str, int], ticks_each: float) -> ScenarioCost:
    if values["tokens"] == 0 or values["present"] == 0:
        raise BridgeError(f"cost of {scenario.title}: expected tokens that are present, got none")
    tokens = values["tokens"]
    samples, features = (values[key] / ticks_each / tokens for key in ("samples", "ends"))
    return ScenarioCost(
        scenario=scenario,
        tokens=tokens,
        per_token=samples + features,
        samples=samples,
        features=features,
        longest_push=values["longest"] / ticks_each,
        window=values["window"] / ticks_each,
        repeat_ticks=values["again"] - values["samples"] - values["ends"],
        stack_bytes=values["stack"],
        state_bytes=values["bytes"],
        host_state_bytes=Bridge(scenario.vector.front_end).state_bytes,
    )


def measure_cost(scenarios: Sequence[Scenario], level: str, build: Path) -> list[ScenarioCost]:
    """Build for a Cortex-M4F, run in QEMU and count.

    Parameters
    ----------
    scenarios : sequence of Scenario
    level : str
        The core's level of optimisation, ``-O2`` or ``-Os``.
    build : Path
        Folder to build in.

    Returns
    -------
    list of ScenarioCost
        In the order of the scenarios.

    Raises
    ------
    BridgeError
        When a tool is missing, a scenario fails or the counter is not what it should be.
    """
    require([M4F])
    build = build / f"cost{level}"
    folder = build / "scenarios"
    _write(scenarios, folder)
    sources = [CORTEX_M / "startup.c", CORTEX_M / "cost.c", *sorted(folder.resolve().glob("spec_*.c"))]
    core = compile_objects(M4F, core_sources(), (), build / "core", (level,))
    objects = compile_objects(M4F, sources, (folder.resolve(),), build / "harness")
    program = link(M4F, [*core, *objects], build / "cost.elf")
    code, text = execute(M4F, program, folder, ICOUNT)
    lines = _parse(text)
    if code or set(lines) != {"calibration", *(s.vector.name for s in scenarios)}:
        raise BridgeError(
            f"cost on {M4F.title}: exit code {code} after {len(lines)} lines: run {program} by hand"
        )
    calibration = lines["calibration"]
    ticks_each = calibration["ticks"] / calibration["instructions"]
    return [_cost(scenario, lines[scenario.vector.name], ticks_each) for scenario in scenarios]
