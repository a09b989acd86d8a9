# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf datasets``: which recordings can be read, and what to do with a folder of them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import click

from mmq_tf.cli._lazy_group import LazyGroup
from mmq_tf.cli._prepared import prepared
from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from mmq_tf.datasets import Dataset

PLUGINS = "mmq_tf.datasets"
"""Entry points of data sets that other distributions bring."""

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
    if not value:
        return value
    from mmq_tf.datasets import get_dataset

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
        from mmq_tf.datasets import get_dataset

        click.echo("\n\n".join(_described(get_dataset(name)) for name in names))
        return
    rows, faults = _rows()
    widths = [max(map(len, column)) for column in zip(*(_HEAD, *rows), strict=True)]
    for row in (_HEAD, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo("\nall of one: mmq-tf datasets list NAME")
    for fault in faults:
        click.echo(f"mmq-tf: {fault}", err=True)


def _rows() -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the table's lines, and a sentence on each plug-in that cannot be used."""
    if not entry_points(group=PLUGINS):
        return [tuple(row) for row in prepared("datasets")], []
    from mmq_tf.datasets import all_datasets

    found, faults = all_datasets()
    return [table_row(dataset) for dataset in found.values()], faults


_HEAD = ("name", "sensors", "tasks", "get it")


def table_row(dataset: Dataset) -> tuple[str, ...]:
    """Return a line of the table: its name, sensors, tasks, and whether a command fetches it."""
    from mmq_tf.datasets import spelled

    fetched = "mmq-tf datasets get" if "datasets get" in dataset.obtain else ""
    made = "mmq-tf simulate" if dataset.simulated else "by its publisher"
    return (
        spelled(dataset.name),
        " ".join(dataset.modalities),
        ", ".join(dataset.tasks),
        fetched or made,
    )


def _described(dataset: Dataset) -> str:
    from mmq_tf.datasets import spelled

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
