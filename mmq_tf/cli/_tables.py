# SPDX-License-Identifier: Apache-2.0
"""Result tables as a terminal shows them: as many conditions side by side as fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mmq_tf.metrics.results_table import ResultsFile

MARGIN = 3
"""Characters a column takes beside its text."""


def show_results(results: ResultsFile, console: Console) -> None:
    """Print AUROC and macro-F1 of every method and condition, in several tables if one is too wide."""
    first = max(len(name) for name in ("method", *results.methods)) + MARGIN + 1
    stamp = "SIMULATED  " if results.simulated and not results.data.startswith("SIMULATED") else ""
    for metric in ("auroc", "macro_f1"):
        title = f"{stamp}{results.data}: {metric}, mean over subjects"
        for conditions in side_by_side(results.conditions, console.width - first):
            table = Table("method", title=title)
            for condition in conditions:
                table.add_column(condition, justify="right", no_wrap=True)
            for method in results.methods:
                rows = [results.row(method, condition, metric) for condition in conditions]
                table.add_row(
                    method, *(f"{row.mean:.3f}" if row and row.mean is not None else "-" for row in rows)
                )
            console.print(table)
            title = None


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
        need = max(len(name), 5) + MARGIN
        if group and used + need > width:
            yield group
            group, used = [], 0
        group.append(name)
        used += need
    if group:
        yield group
