# SPDX-License-Identifier: Apache-2.0
"""Write `docs/boards.md`: which board runs the wrist model, from counted instructions and makers' figures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "boards.md"
MODEL, SENSORS, TOKEN_S = "wrist-stress", "wrist set", 5.0
CYCLES = (1.0, 2.0)
"""An instruction takes so many cycles at least and at most: memory's wait states decide."""

STACK_BYTES = 1024


@dataclass(frozen=True)
class Board:
    """A microcontroller as its maker describes it.

    Attributes
    ----------
    name, core : str
    condition : str
        Of `results/network_cost.json`: whose counted instructions stand for this processor's.
    clock_mhz : float
    flash_kb, ram_kb : int
    ua_per_mhz : float or None
        While it computes, at about 3 V; None where we could not source it.
    source : str
        Where the figures are from.
    """

    name: str
    core: str
    condition: str
    clock_mhz: float
    flash_kb: int
    ram_kb: int
    ua_per_mhz: float | None
    source: str


BOARDS = (
    Board(
        "nRF52840",
        "Cortex-M4F",
        "M4F -O2 DSP",
        64,
        1024,
        256,
        52,
        "Nordic, nRF52840 Product Specification, key features: 52 uA/MHz running from flash, DC/DC at 3 V",
    ),
    Board(
        "STM32L476",
        "Cortex-M4F",
        "M4F -O2 DSP",
        80,
        1024,
        128,
        100,
        "ST, STM32L476xx data sheet DS10198, features on the first page: 100 uA/MHz run mode (LDO); "
        "39 uA/MHz with an external SMPS",
    ),
    Board(
        "STM32U575",
        "Cortex-M33",
        "M33 -O2 DSP",
        160,
        2048,
        786,
        19.5,
        "ST, STM32U575xx data sheet DS13737, features on the first page: 19.5 uA/MHz run mode at 3.3 V, SMPS",
    ),
    Board(
        "ESP32-S3",
        "Xtensa LX7",
        "M3 -O2",
        240,
        8192,
        512,
        None,
        "Espressif, ESP32-S3 data sheet: clock and RAM; flash is the module's. Its table of currents is by "
        "state, not by MHz, and was not at hand. Instructions are a Cortex-M3's, not an Xtensa's",
    ),
    Board(
        "Apollo4 Plus",
        "Cortex-M4F",
        "M4F -O2 DSP",
        192,
        2048,
        2816,
        None,
        "Ambiq, Apollo4 Plus product brief: clock, MRAM and SRAM; its current per MHz was not at hand",
    ),
)


def value(results: Mapping[str, list[dict]], method: str, condition: str, metric: str) -> float:
    """Return a mean of a results table.

    Raises
    ------
    SystemExit
        When the table has no such row.
    """
    for row in results["rows"]:
        if (row["method"], row["condition"], row["metric"]) == (method, condition, metric):
            return float(row["mean"])
    raise SystemExit(f"boards: expected a row {method}, {condition}, {metric}; measure the table again.")


TEXT = """\
<!-- written by `python benchmarks/boards.py` from results/network_cost.json and core_cost.json; do not edit -->
# Which board

The shipped wrist model ({model}: ppg 64, eda 4, temp 4, acc 32 Hz) decides once in {token_s:g} s. For a decision a
device computes {token:,.0f} instructions of signal, {window:,.0f} to quantise the window, and the network. Times and
charges are **estimates**: counted instructions (QEMU; they are not cycles), {low:g} to {high:g} cycles an
instruction, and the maker's clock and current per MHz. Nothing here was measured on a board. Sensors, radio and sleep
are not in it.

It needs about **{flash:.0f} KB of flash** (core, decision, network with its weights) and **{ram:.0f} KB of RAM**
(bridge {state:,.0f} bytes, network {arena:,.0f}, {stack:,} of stack), beside your program and the queues. By TFLite
Micro it needs more: see `results/network_cost.md`.

| chip | processor | flash, KB | RAM, KB | MHz | instructions a decision | ms a decision | uA/MHz | uC a decision | average uA |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
{rows}

Average: of deciding alone, over the seconds from one decision to the next. Where a cell is empty we could not source
the maker's figure.

Sources, as cited; they were not read again for this page, so check your document's revision:

{sources}

Without a floating-point unit (Cortex-M3, M0+) the signal core's float32 runs in software and costs many times as
much: take one with.
"""  # noqa: E501


def page(network: Mapping[str, list[dict]], core: Mapping[str, list[dict]]) -> str:
    """Return the page's text.

    Parameters
    ----------
    network, core
        `results/network_cost.json` and `results/core_cost.json`.
    """
    token = value(core, SENSORS, "token -O2", "instructions")
    window = value(core, SENSORS, "int8 window -Os", "instructions")
    parts = ("int8 windows of all nine kinds", "decision")
    flash = sum(value(core, f"linked: {part}", "-O2", "bytes") for part in parts)
    flash += value(network, MODEL, BOARDS[0].condition, "bytes")
    state = value(core, SENSORS, "state, 32-bit", "arena_bytes")
    arena = value(network, MODEL, BOARDS[0].condition, "arena_bytes")
    runs = {board.name: value(network, MODEL, board.condition, "instructions") for board in BOARDS}
    return TEXT.format(
        model=MODEL,
        token_s=TOKEN_S,
        token=token,
        window=window,
        low=CYCLES[0],
        high=CYCLES[1],
        flash=flash / 1024,
        ram=(state + arena + STACK_BYTES) / 1024,
        state=state,
        arena=arena,
        stack=STACK_BYTES,
        rows="\n".join(_row(board, token + window, runs[board.name]) for board in BOARDS),
        sources="\n".join(f"- {board.name}: {board.source}." for board in BOARDS),
    )


def _row(board: Board, signal: float, network: float) -> str:
    total = signal + network
    low, high = (total * cycles / board.clock_mhz / 1000 for cycles in CYCLES)
    charge, average = "", ""
    if board.ua_per_mhz is not None:
        coulombs = [total * cycles * board.ua_per_mhz * 1e-6 for cycles in CYCLES]
        charge = f"{coulombs[0]:.0f} to {coulombs[1]:.0f}"
        average = f"{coulombs[0] / TOKEN_S:.0f} to {coulombs[1] / TOKEN_S:.0f}"
    current = "" if board.ua_per_mhz is None else f"{board.ua_per_mhz:g}"
    cells = [board.name, board.core, f"{board.flash_kb:,}", f"{board.ram_kb:,}", f"{board.clock_mhz:g}"]
    cells += [f"{total:,.0f}", f"{low:.0f} to {high:.0f}", current, charge, average]
    return "| " + " | ".join(cells) + " |"


def read(name: str) -> dict[str, list[dict]]:
    """Return a results table."""
    return json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))


def main(arguments: list[str]) -> None:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    PAGE.write_text(page(read("network_cost"), read("core_cost")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
