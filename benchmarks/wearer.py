# SPDX-License-Identifier: Apache-2.0
"""What a wearer meets, of several finished runs in one table: collected from their own tables.

python benchmarks/wearer.py runs/NAME runs/NAME/on-OTHER --results results/wearer.json
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.metrics.names import DISPLAY, FULL, WEARER_METRICS
from mmq_tf.metrics.predictions import Predictions, read_predictions
from mmq_tf.metrics.results_table import (
    ResultRow,
    ResultsFile,
    machine_description,
    read_results,
    render_markdown,
    write_results,
)
from mmq_tf.version import __version__

METRICS = (*WEARER_METRICS, "macro_f1")
COMMAND = "python benchmarks/wearer.py"


def people_of(table: ResultsFile) -> str:
    """Return whose decisions a table is about: its data without the number of people."""
    return table.data.rpartition(", ")[0] or table.data


def rows_of(table: ResultsFile) -> list[ResultRow]:
    """Return what a wearer meets and ``macro_f1``, each decision as predicted and through the display filter.

    Conditions are the people's data set and, with the filter, that and `DISPLAY`.

    Raises
    ------
    MMQError
        If the table does not hold them.
    """
    names = {FULL: people_of(table), DISPLAY: f"{people_of(table)}, {DISPLAY}"}
    found = [
        row.model_copy(update={"condition": name})
        for condition, name in names.items()
        for row in table.rows
        if row.condition == condition and row.metric in METRICS
    ]
    for condition, name in names.items():
        if not any(row.condition == name and row.metric in WEARER_METRICS for row in found):
            raise MMQError(f"the table of {table.data} does not say what a wearer meets ({condition}).")
    return found


def stride_s(predictions: Predictions) -> float:
    """Return the smallest step between two windows of one trial, in s; NaN where no trial has two.

    Parameters
    ----------
    predictions : Predictions
        Of any number of methods, conditions, seeds and people.
    """
    columns = (predictions.subject, predictions.session, predictions.trial)
    codes = [np.unique(column, return_inverse=True)[1] for column in columns]
    order = np.lexsort((predictions.start_s, *codes))
    same = np.all([code[order][1:] == code[order][:-1] for code in codes], axis=0)
    steps = np.diff(predictions.start_s[order])[same]
    return float(steps[steps > 0].min(initial=np.inf)) if (steps > 0).any() else float("nan")


def table_of(folders: Sequence[Path]) -> ResultsFile:
    """Return one table of the folders' ``results.json``; how often each decides comes from its predictions.

    Raises
    ------
    MMQError
        If a folder holds no finished run, or two are about the same people or of other seeds.
    """
    tables = [read_results(folder / "results.json") for folder in folders]
    people = [people_of(table) for table in tables]
    if len(set(people)) < len(people):
        raise MMQError(f"two of the runs are about {max(people, key=people.count)}; name one of them.")
    if len({table.seeds for table in tables}) > 1:
        raise MMQError("the runs are of other seeds; name runs of the same ones.")
    strides = [stride_s(read_predictions(folder / "predictions.csv", first=FULL)) for folder in folders]
    often = [f"{stride:g} s ({name})" for stride, name in zip(strides, people, strict=True)]
    return ResultsFile(
        name="wearer",
        command=shlex.join([*COMMAND.split(), *sys.argv[1:]]),
        version=__version__,
        data=" and ".join(table.data for table in tables),
        simulated=any(table.simulated for table in tables),
        split="; ".join(_by_people(people, [table.split for table in tables])),
        normalisation="; ".join(_by_people(people, [table.normalisation for table in tables])),
        seeds=tables[0].seeds,
        machine=machine_description(),
        rows=tuple(row for table in tables for row in rows_of(table)),
        notes=(
            f"{DISPLAY}: decisions are shown through a filter that averages the probabilities of the last "
            f"{DISPLAY.removeprefix('display-').removesuffix('s')} s.",
            f"All is counted from one decision every {' and '.join(often)}.",
            *dict.fromkeys(f"Collected from: {table.command}" for table in tables),
            *_notes(people, tables),
        ),
    )


def _by_people(people: Sequence[str], said: Sequence[str]) -> list[str]:
    return [f"{name}: {text}" for name, text in zip(people, said, strict=True)]


def _notes(people: Sequence[str], tables: Sequence[ResultsFile]) -> list[str]:
    """Return the tables' notes, those that not all have with whom they are about."""
    common = [note for note in tables[0].notes if all(note in table.notes for table in tables)]
    own = [
        f"{name}: {note}"
        for name, table in zip(people, tables, strict=True)
        for note in table.notes
        if note not in common
    ]
    return [*common, *own]


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(folders: tuple[Path, ...], results: Path | None) -> None:
    """Collect what a wearer meets from each FOLDER of `mmq-tf train` or `mmq-tf evaluate --on`."""
    try:
        table = table_of(folders)
        if results:
            write_results(results, table.model_copy(update={"name": results.stem}))
    except MMQError as error:
        raise click.UsageError(str(error)) from None
    click.echo(render_markdown(table))


if __name__ == "__main__":
    main()
