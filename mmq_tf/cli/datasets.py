"""``mmq-tf datasets``: which recordings can be read."""

from __future__ import annotations

import click

from mmq_tf.datasets import DATASETS, Dataset


@click.group(name="datasets")
def command() -> None:
    """Show which recordings can be read."""


@command.command("list")
def list_() -> None:
    """List the data sets with their sensors, tasks, licence, what the label is and what to know."""
    click.echo("\n\n".join(_described(dataset) for dataset in DATASETS.values()))


def _described(dataset: Dataset) -> str:
    tasks = "; ".join(f"{task}: {', '.join(classes)}" for task, classes in dataset.tasks.items())
    lines = [
        f"{dataset.name}: {dataset.title}",
        f"  sensors  {' '.join(dataset.modalities)}",
        f"  tasks    {tasks}",
        f"  label    {dataset.label_kind}",
        f"  licence  {dataset.licence}",
        f"  source   {dataset.attribution}",
        *(f"  note     {note}" for note in dataset.notes),
    ]
    return "\n".join(lines)
