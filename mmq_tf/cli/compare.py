# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from mmq_tf.api.training import typed_command
from mmq_tf.metrics.names import FULL

if TYPE_CHECKING:
    from mmq_tf.reports.run_comparison import RunComparison

_EPILOG = """
\b
Examples
  mmq-tf compare runs/before runs/after
  mmq-tf compare runs/sp/on-cogwear evaluations/watch-on-cogwear --out network_or_int8.html
"""


@click.command(name="compare", epilog=_EPILOG)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("comparison.html"),
    help="The page to write.",
)
def command(runs: tuple[Path, ...], out: Path) -> None:
    """Put RUNs side by side: the same table, and how each differs from the first, person by person.

    A RUN is the folder of a finished run, or of an evaluation of a run or bundle --on another data set. The
    people that all of them judged are compared, by the networks alone; at least two.
    """
    if out.suffix != ".html":
        raise click.UsageError(f"--out {out}: the page's name should end in .html.")
    from mmq_tf.reports.run_comparison import compare_runs, render_comparison
    from mmq_tf.utils.atomic_files import write_text

    made = compare_runs(runs)
    write_text(out, render_comparison(made, typed_command()))
    console = Console()
    _show(made, console)
    console.print(f"report: {out}", highlight=False)


def _show(made: RunComparison, console: Console) -> None:
    from mmq_tf.reports.report import METRIC_TITLES, format_p
    from mmq_tf.reports.run_comparison import signed

    columns, rows = made.table()
    table = Table(title="mean over people")
    table.add_column("")
    for name, _ in rows:
        table.add_column(name, justify="right")
    for place, column in enumerate(columns):
        table.add_row(column, *(cells[place] for _, cells in rows))
    console.print(table)
    differences = Table(title=f"minus {made.runs[0].name}, over {len(made.people)} people")
    differences.add_column("run")
    for name in ("condition", "metric", "difference", "95 % interval", "higher for", "p, Holm"):
        differences.add_column(name, justify="right")
    for one in made.differences:
        if one.condition != FULL and one.metric != "auroc":
            continue  # the page has all of them
        differences.add_row(
            one.name,
            one.condition,
            METRIC_TITLES[one.metric],
            signed(one.mean),
            f"[{signed(one.low)}, {signed(one.high)}]",
            f"{one.better} of {one.people}",
            format_p(one.p_holm),
        )
    console.print(differences)
