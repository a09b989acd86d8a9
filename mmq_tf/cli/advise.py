# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf advise`: which sensor is worth its power."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import newest_run

_EPILOG = """
\b
Examples
  mmq-tf advise runs/stress-predict --budget 8000
  mmq-tf advise runs/stress-predict --budget 8000 --metric time_matched_auroc --plot plan.svg
  mmq-tf advise runs/stress-predict --budget 3000 --power eda=300 --power ppg=450 --json
"""
METRICS = ("auroc", "time_matched_auroc", "macro_f1", "balanced_accuracy")


@click.command(name="advise", epilog=_EPILOG)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--budget",
    required=True,
    type=click.FloatRange(min=0, min_open=True),
    metavar="uJ",
    help="Energy a decision may cost on average, sensors and all.",
)
@click.option("--metric", type=click.Choice(METRICS), default=METRICS[0], help="What is to be kept high.")
@click.option(
    "--power",
    multiple=True,
    metavar="SENSOR=uW",
    help="What your sensor draws while it is on; repeat it.  [default: a published figure]",
)
@click.option(
    "--processor",
    type=click.FloatRange(min=0),
    metavar="uJ",
    help="Energy of a million instructions.  [default: an nRF52840's]",
)
@click.option(
    "--network",
    type=click.FloatRange(min=0),
    metavar="uJ",
    help="Energy of one run of the network.  [default: the shipped wrist model's, counted]",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw it (.svg, .png or .pdf).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(
    run: Path | None,
    budget: float,
    metric: str,
    power: tuple[str, ...],
    processor: float | None,
    network: float | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Plan which sensors of RUN are on when, so that a decision costs no more than --budget on average.

    Scores are those of `mmq-tf evaluate RUN`, which judges every subset of sensors: recordings with sensors
    taken out, so a simulation of switching them off. Energies are estimates: published figures of sensors,
    counted instructions. A plan mixes two sets at most, whose scores are taken to mix by time. After a sensor
    comes on it takes a window until decisions have all of it: let stretches be long.
    """
    from mmq_tf.api.advising import advise

    if plot is not None and plot.suffix not in (".svg", ".png", ".pdf"):
        raise click.UsageError(f"--plot {plot}: expected a name that ends in .svg, .png or .pdf.")
    own = dict(_power(text) for text in power)
    found = advise(
        run or newest_run(), budget, metric=metric, power=own, uj_per_million=processor, network_uj=network
    )
    if plot is not None:
        found.draw(plot)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
        return
    _show(found, Console())
    if plot is not None:
        click.echo(f"plot: {plot}")


def _power(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        uw = float(value)
    except ValueError:
        uw = -1.0
    if not 0 <= uw < 1e9:
        raise MMQError(f"--power {text[:40]}: expected SENSOR=uW, like eda=300.")
    return name.strip(), uw


def _show(found: Any, console: Console) -> None:
    stamp = "SIMULATED  " if found.simulated else ""
    table = Table(title=f"{stamp}{found.data}: {found.metric} and energy per decision (estimate)")
    for name in ("sensors", "uJ", found.metric, "lost"):
        table.add_column(name, justify="left" if name == "sensors" else "right")
    full = max(found.choices, key=lambda choice: len(choice.sensors))
    for choice in found.choices:
        cells = (" ".join(choice.sensors), f"{choice.uj:,.0f}", found.cell(choice))
        lost = f"{full.score - choice.score:.3f}"
        table.add_row(*cells, lost, style="bold" if choice.best else "dim")
    console.print(table)
    console.print("bold: no other set is better for less", highlight=False)
    for line in found.lines():
        console.print(line, highlight=False, soft_wrap=True)
