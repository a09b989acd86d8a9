# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf datasets``: which recordings can be read, and what to do with a folder of them."""

from __future__ import annotations

import click

from mmq_tf.cli._lazy_group import LazyGroup
from mmq_tf.datasets import Dataset, all_datasets, get_dataset, spelled
from mmq_tf.errors import MMQError

ELSEWHERE = {
    "get": "mmq_tf.cli.datasets_get:get",
    "check": "mmq_tf.cli.datasets_check:check",
    "new": "mmq_tf.cli.datasets_new:new",
    "config": "mmq_tf.cli.datasets_new:config",
    "show": "mmq_tf.cli.datasets_show:show",
}
"""Where each subcommand is that has a module of its own."""

_EPILOG = """
\b
Examples
  mmq-tf datasets list
  mmq-tf datasets get stress-predict --out data/stress_predict
  mmq-tf datasets check deap DIR
"""


@click.group(name="datasets", cls=LazyGroup, lazy=ELSEWHERE, epilog=_EPILOG)
def command() -> None:
    """Which recordings can be read; get, check, describe and look at them."""


def _known(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a name that no data set has."""
    try:
        for name in value:
            get_dataset(name)
    except MMQError as error:
        raise click.BadParameter(str(error), context, parameter) from error
    return value


@command.command("list", epilog="\b\nExamples\n  mmq-tf datasets list\n  mmq-tf datasets list deap wesad\n")
@click.argument("names", nargs=-1, callback=_known)
def list_(names: tuple[str, ...]) -> None:
    """List the data sets in a table; of NAMES all there is to say: what the label is, where to get them."""
    if names:
        click.echo("\n\n".join(_described(get_dataset(name)) for name in names))
        return
    found, faults = all_datasets()
    rows = [_row(dataset) for dataset in found.values()]
    widths = [max(map(len, column)) for column in zip(*(_HEAD, *rows), strict=True)]
    for row in (_HEAD, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo("\nall of one: mmq-tf datasets list NAME")
    for fault in faults:
        click.echo(f"mmq-tf: {fault}", err=True)


_HEAD = ("name", "sensors", "tasks", "get it")


def _row(dataset: Dataset) -> tuple[str, ...]:
    """Return a line of the table: its name, sensors, tasks, and whether a command fetches it."""
    fetched = "mmq-tf datasets get" if "datasets get" in dataset.obtain else ""
    made = "mmq-tf simulate" if dataset.simulated else "by its publisher"
    return (
        spelled(dataset.name),
        " ".join(dataset.modalities),
        ", ".join(dataset.tasks),
        fetched or made,
    )


def _described(dataset: Dataset) -> str:
    tasks = "; ".join(f"{task}: {', '.join(classes)}" for task, classes in dataset.tasks.items())
    lines = [
        f"{spelled(dataset.name)}: {dataset.title}",
        f"  sensors  {' '.join(dataset.modalities)}",
        f"  tasks    {tasks}",
        f"  label    {dataset.label_kind}",
        f"  licence  {dataset.licence}",
        f"  source   {dataset.attribution}",
        f"  obtain   {dataset.obtain}",
        *(f"  note     {note}" for note in dataset.notes),
    ]
    return "\n".join(lines)
