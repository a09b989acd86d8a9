# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf datasets``: which recordings can be read, and what to do with a folder of them."""

from __future__ import annotations

import click

from mmq_tf.cli._lazy_group import LazyGroup
from mmq_tf.datasets import DATASETS, Dataset

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
  mmq-tf datasets get stress_predict --out data/stress_predict
  mmq-tf datasets check deap DIR
"""


@click.group(name="datasets", cls=LazyGroup, lazy=ELSEWHERE, epilog=_EPILOG)
def command() -> None:
    """Which recordings can be read; get, check, describe and look at them."""


@command.command("list", epilog="\b\nExamples\n  mmq-tf datasets list\n  mmq-tf datasets list deap wesad\n")
@click.argument("names", nargs=-1, type=click.Choice(list(DATASETS)))
def list_(names: tuple[str, ...]) -> None:
    """List the data sets (or NAMES): sensors, tasks, licence, what the label is, where to get them."""
    click.echo("\n\n".join(_described(DATASETS[name]) for name in names or DATASETS))


def _described(dataset: Dataset) -> str:
    tasks = "; ".join(f"{task}: {', '.join(classes)}" for task, classes in dataset.tasks.items())
    lines = [
        f"{dataset.name}: {dataset.title}",
        f"  sensors  {' '.join(dataset.modalities)}",
        f"  tasks    {tasks}",
        f"  label    {dataset.label_kind}",
        f"  licence  {dataset.licence}",
        f"  source   {dataset.attribution}",
        f"  obtain   {dataset.obtain}",
        *(f"  note     {note}" for note in dataset.notes),
    ]
    return "\n".join(lines)
