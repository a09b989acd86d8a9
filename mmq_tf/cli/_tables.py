# SPDX-License-Identifier: Apache-2.0
"""Result tables as a terminal shows them: as many conditions side by side as fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mmq_tf.metrics.names import FULL, TIME_MATCHED

if TYPE_CHECKING:
    from mmq_tf.metrics.results_table import ResultRow, ResultsFile

TIME_MATCHED_TITLE = "time-matched"
INTERVAL = len("0.000 [0.000, 0.000]")
MARGIN = 3
"""Characters a column takes beside its text."""


def show_results(results: ResultsFile, console: Console) -> None:
    """Print AUROC and macro-F1 of every method and condition, in several tables if one is too wide.

    What must be read first comes first; beside AUROC stands the time-matched one, with its interval; then
    what a wearer meets.
    """
    show_cautions(results, console)
    first = max(len(name) for name in ("method", *results.methods)) + MARGIN + 1
    stamp = "SIMULATED  " if results.simulated and not results.data.startswith("SIMULATED") else ""
    for metric in ("auroc", "macro_f1"):
        title = f"{stamp}{results.data}: {metric}, mean over subjects"
        columns = {
            c: (c, metric)
            for c in results.conditions
            if any(results.row(m, c, metric) for m in results.methods)
        }
        if metric == "auroc" and any(results.row(m, FULL, TIME_MATCHED) for m in results.methods):
            columns |= {TIME_MATCHED_TITLE: (FULL, TIME_MATCHED)}
        for names in side_by_side(list(columns), console.width - first):
            table = Table("method", title=title)
            for name in names:
                table.add_column(name, justify="right", no_wrap=True)
            for method in results.methods:
                rows = [results.row(method, *columns[name]) for name in names]
                table.add_row(method, *(shown_cell(row) for row in rows))
            console.print(table)
            title = None
    show_wearer(results, console)


def show_cautions(results: ResultsFile, console: Console) -> None:
    """Print what must be read before any number."""
    for caution in results.cautions:
        console.print(f"[bold]{caution}[/bold]", highlight=False)


def show_wearer(results: ResultsFile, console: Console) -> None:
    """Print what a wearer meets: a table for each condition, means over subjects."""
    from mmq_tf.metrics.results_table import wearer_tables  # slow to load

    for given in wearer_tables(results):
        table = Table("method", title=given["title"])
        for name in given["columns"]:
            table.add_column(name.replace("_per_hour", "/h").replace("_", " "), justify="right")
        for method, cells in given["rows"]:
            table.add_row(method, *(cell.partition(" ")[0] for cell in cells))
        console.print(table)


def shown_cell(row: ResultRow | None) -> str:
    """Return a mean, of time-matched AUROC with its interval."""
    from mmq_tf.metrics.results_table import format_cell  # slow to load

    if row is None or row.mean is None:
        return "-"
    return format_cell(row) if row.metric == TIME_MATCHED else f"{row.mean:.3f}"


def side_by_side(names: Sequence[str], width: int) -> Iterator[list[str]]:
    """Part the names of columns into groups that fit a width in characters.

    Examples
    --------
    >>> list(side_by_side(["full", "no-ppg", "no-eda"], 20))
    [['full', 'no-ppg'], ['no-eda']]
    """
    group: list[str] = []
    used = 0
    for name in names:
        need = max(len(name), INTERVAL if name == TIME_MATCHED_TITLE else 5) + MARGIN
        if group and used + need > width:
            yield group
            group, used = [], 0
        group.append(name)
        used += need
    if group:
        yield group
