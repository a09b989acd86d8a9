# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf bench`: what the C core costs on a microcontroller, and what the models cost beside others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table

from mmq_tf.cli._lazy_group import LazyGroup
from mmq_tf.cli._work_bars import WorkBars
from mmq_tf.errors import MMQError
from mmq_tf.utils.backend_threads import one_thread_per_command

if TYPE_CHECKING:
    from mmq_bridge.targets.budgets import Verdict
    from mmq_bridge.targets.cost import ScenarioCost
    from mmq_bridge.targets.flash import Flash
    from mmq_bridge.targets.whole_cost import BundleCost

    from mmq_tf.api.model_cost.measure import ModelCost


@click.group(name="bench", cls=LazyGroup, lazy={})
def command() -> None:
    """Measure what the parts of mmq-tf cost."""


@command.command(name="core")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, with .md)."
)
@click.option(
    "--build", type=click.Path(path_type=Path), default=Path("build/bench"), help="Folder to build in."
)
@click.option("--install", is_flag=True, help="Install missing tools with apt, as root.")
def core(results: Path | None, build: Path, install: bool) -> None:
    """Count the C core's instructions, flash, stack and memory on a Cortex-M4F, in QEMU.

    SIMULATED signals; counts are the same on every machine, they are not times. Exit code 1 when a budget
    is exceeded.
    """
    from mmq_bridge.targets.budgets import HELD_AT, LEVELS, judge
    from mmq_bridge.targets.cost import measure_cost
    from mmq_bridge.targets.flash import measure_flash
    from mmq_bridge.targets.scenarios import all_scenarios
    from mmq_bridge.targets.table import M4F
    from mmq_bridge.targets.tools import require

    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    console = Console()
    require([M4F], install)
    with console.status("building for a Cortex-M4F and counting"):
        scenarios = all_scenarios()
        costs = {level: measure_cost(scenarios, level, build) for level in LEVELS}
        flashes = {level: measure_flash(level, build) for level in LEVELS}
    verdicts = judge(costs, flashes)
    console.print(_cost_table(costs, HELD_AT))
    console.print(_flash_table(flashes))
    console.print(_linked_table(flashes))
    console.print(_budget_table(verdicts, HELD_AT))
    if results:
        from mmq_tf.reports.core_results import write_core_results

        write_core_results(results, costs, flashes, verdicts)
        console.print(f"table: {results} and {results.with_suffix('.md')}")
    exceeded = [verdict.budget.what for verdict in verdicts if not verdict.kept]
    if exceeded:
        click.echo(f"over budget: {'; '.join(exceeded)}", err=True)
        sys.exit(1)


@command.command(name="model")
@click.argument("source", default="simulated", metavar="[RUN|BUNDLE|CONFIG]")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the recordings of CONFIG.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value of the configuration."
)
@click.option("--size", "sizes", multiple=True, type=click.Choice(["nano", "small", "base"]),
    help="Size of our network; repeat it for several.  [default: the source's]",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(1), default=40, show_default=True, help="Interleaved rounds.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, with .md)."
)
@one_thread_per_command()
def model(
    source: str,
    data: Path | None,
    overrides: tuple[str, ...],
    sizes: tuple[str, ...],
    rounds: int,
    results: Path | None,
) -> None:
    """Compare a decision of our models with those of others: latency, bytes, MACs, arena.

    Of a bundle, first what it costs as a whole on a Cortex-M4F (front end, network, decision): instructions a
    decision and an hour, flash, RAM and stack, counted in QEMU where the Arm tools are installed.

    One process, one thread, in turn: MMQ-Net in int8 and float32, a zero-fill transformer as wide and as
    deep, the random forest and, where there is EEG, EEGNet on raw samples. Without recordings (--data, or
    those of a run) the windows are drawn at random. The comparison leaves out the front end: see `bench
    core`.
    """
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    from mmq_bridge.native_output import quiet_native

    console = Console()
    with quiet_native():
        from mmq_tf.api.model_cost.measure import measure_models
        from mmq_tf.api.model_cost.source import open_source
        from mmq_tf.api.model_cost.whole import whole_cost
    with console.status("building for a Cortex-M4F and counting"), quiet_native():
        whole = whole_cost(Path(source))
    if whole:
        _show_whole(console, whole)
    opened = open_source(source, data, overrides, WorkBars(console))
    with console.status("converting, then deciding in turn"), quiet_native():
        costs = measure_models(opened, sizes or (opened.size,), rounds)
    title = f"One decision on {opened.front_end.window_s:g} s{'  SIMULATED' if opened.simulated else ''}"
    console.print(_model_table(title, costs))
    if results:
        from mmq_tf.api.model_cost.results import write_cost_results

        write_cost_results(results, opened, costs, whole)
        console.print(f"table: {results} and {results.with_suffix('.md')}")


def _show_whole(console: Console, cost: BundleCost) -> None:
    from mmq_tf.api.model_cost.whole import CONDITION, whole_lines

    table = Table(title=f"The whole as C ({CONDITION})", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name, metric, value in whole_lines(cost):
        table.add_row(name, f"{value:,.0f}", metric.replace("_", " "))
    console.print(table)
    if cost.uncounted:
        console.print(f"instructions, flash, RAM and stack are not counted: {cost.uncounted}")


def _model_table(title: str, costs: list[ModelCost]) -> Table:
    from mmq_tf.api.model_cost.results import cost_rows

    values = {(row.method, row.condition, row.metric): row.mean for row in cost_rows(costs)}
    columns = {"latency_ratio": ("ratio", ".2f"), "latency_us": ("us", ",.1f")}
    columns |= {"bytes": ("bytes", ",.0f"), "macs": ("MACs", ",.0f"), "arena_bytes": ("arena", ",.0f")}
    table = Table(title=title, box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    for name, _ in columns.values():
        table.add_column(name, justify="right", no_wrap=True)
    for cost in costs:
        found = ((values[cost.name, cost.condition, metric], form) for metric, (_, form) in columns.items())
        cells = ("–" if value is None else format(value, form) for value, form in found)
        table.add_row(f"{cost.name} {cost.condition}", *cells)
    first = f"{costs[0].name} in {costs[0].condition}"
    table.caption = f"ratio: median time over that of {first}, round by round; us: on this machine"
    return table


def _cost_table(costs: dict[str, list[ScenarioCost]], level: str) -> Table:
    other = next((name for name in costs if name != level), level)
    table = Table(title=f"Instructions on a Cortex-M4F, {level}  SIMULATED signals")
    table.add_column("front end")
    for name in (
        "token s", "a token", "its samples", "its features", "longest push", "a second", f"a token, {other}",
        "int8 window", "state B", "64-bit B", "stack B",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    for cost, beside in zip(costs[level], costs[other], strict=True):
        counts = (cost.per_token, cost.samples, cost.features, cost.longest_push, cost.per_second)
        sizes = (cost.state_bytes, cost.host_state_bytes, cost.stack_bytes)
        numbers = (*counts, beside.per_token, cost.window, *sizes)
        token_s = f"{cost.scenario.vector.front_end.token_s:g}"
        table.add_row(cost.scenario.title, token_s, *(f"{number:,.0f}" for number in numbers))
    again = max(abs(cost.repeat_ticks) for measured in costs.values() for cost in measured)
    table.caption = (
        "features: the push that ends a token (wrist set: of the last sensor only). Counted twice: "
        f"{again} ticks of 0.625 instructions apart."
    )
    return table


def _flash_table(flashes: dict[str, Flash]) -> Table:
    table = Table(title="Bytes on a Cortex-M4F (arm-none-eabi-size, all nine modalities)")
    libraries = list(dict.fromkeys(name for flash in flashes.values() for name in flash.libraries))
    for name in (
        "level",
        "code and constants",
        "decision",
        "head",
        "static RAM",
        *(f"drawn in of {lib}" for lib in libraries),
    ):
        table.add_column(name, justify="right")
    for level, flash in flashes.items():
        numbers = [flash.text, flash.decision, flash.head, flash.data + flash.bss]
        numbers += [flash.libraries.get(lib, 0) for lib in libraries]
        table.add_row(level, *(f"{number:,}" for number in numbers))
    return table


def _linked_table(flashes: dict[str, Flash]) -> Table:
    table = Table(title="Bytes of the core that a linker keeps: windows, and what each part adds")
    table.add_column("program")
    for level in flashes:
        table.add_column(level, justify="right")
    for part in next(iter(flashes.values())).linked:
        table.add_row(part, *(f"{flash.linked[part]:,}" for flash in flashes.values()))
    return table


def _budget_table(verdicts: list[Verdict], level: str) -> Table:
    table = Table(title=f"Budgets, held at {level}")
    for name in ("", "unit", *verdicts[0].measured, "budget", ""):
        table.add_column(name)
    for verdict in verdicts:
        measured = [f"{number:,.0f}" for number in verdict.measured.values()]
        state = "[green]kept[/]" if verdict.kept else "[bold red]exceeded[/]"
        table.add_row(verdict.budget.what, verdict.budget.unit, *measured, f"{verdict.budget.limit:,}", state)
    return table
