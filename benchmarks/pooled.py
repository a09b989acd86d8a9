# SPDX-License-Identifier: Apache-2.0
"""One model of two data sets against each data set's own model, on the same people.

python benchmarks/pooled.py --data DATA --seed 0 --seed 1 --seed 2 --results results/missing_pooled.json

DATA holds stress_predict/ and eegmat/. Every model is an ordinary run folder under --out; after Ctrl-C the
same command goes on. A fold of the pooled run is the union of the own runs' folds of that number, so own and
pooled models are tested on the same people, chosen on the same and, of one data set, trained on the same.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from mmq_bridge.native_output import quiet_native
from rich.console import Console

from mmq_tf.augmentation.missingness import named_conditions
from mmq_tf.config.run_config import RunConfig, load_config
from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.base import Dataset, Member
from mmq_tf.errors import MMQError
from mmq_tf.metrics.predictions import Predictions, read_predictions
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.metrics.significance import bootstrap_interval
from mmq_tf.metrics.summary import results_from_predictions, subject_table
from mmq_tf.training.run_folder import FACTS_NAME
from mmq_tf.training.run_streams import load_streams
from mmq_tf.utils.backend_threads import one_thread_per_process
from mmq_tf.version import __version__

if TYPE_CHECKING:
    from mmq_tf.training.fold import FoldJob
    from mmq_tf.training.run import Run

PRESETS = {"stress_predict": "stress-predict", "eegmat": "eegmat"}
"""Each member's own preset."""
POOLED, OWN, OWN_WINDOWS = "pooled", "own preset", "own model, pooled windows"
METHODS = ("mmqnet", "forest", "boosted_dropout")
METRICS = ("auroc", "macro_f1", "balanced_accuracy", "accuracy", "ece")
COMMAND = "python benchmarks/pooled.py"


@dataclass(frozen=True)
class Contestant:
    """One run of the comparison.

    Attributes
    ----------
    name : str
        Of its folder.
    label : str
        `POOLED`, `OWN` or `OWN_WINDOWS`.
    config : RunConfig
    data : Path
        Its data folder.
    members : tuple of Member
        Whose people it is about.
    """

    name: str
    label: str
    config: RunConfig
    data: Path
    members: tuple[Member, ...]


def contestants(pool: Dataset, data: Path, seeds: Sequence[int], changes: Sequence[str]) -> list[Contestant]:
    """Return the pooled run, each member's own, and its own on the pooled windows where those are others.

    On the pooled windows a member's own model keeps its preset's training; only the windows, the classes'
    names and the way tokens are cut come from the pooled preset.
    """
    wanted = [f"seeds={list(seeds)}", *changes]
    pooled = load_config("pooled", wanted)
    found = [Contestant("pooled", POOLED, pooled, data, pool.members)]
    for member in pool.members:
        name = member.dataset.name
        own = load_config(PRESETS[name], wanted)
        found.append(Contestant(f"own-{name}", OWN, own, data / name, (member,)))
        front_end = pooled.front_end.model_copy(update={"modalities": dict(own.front_end.modalities)})
        same = {"front_end": front_end, "windows": pooled.windows, "normalisation": pooled.normalisation}
        if own == own.model_copy(update=same) and member.note == "":
            continue  # its own windows are the pooled ones
        same |= {"name": f"{own.name}-pooled-windows", "data": pooled.data}
        config = own.model_copy(update=same)
        found.append(Contestant(f"windows-{name}", OWN_WINDOWS, config, data, (member,)))
    return found


def open_run(contestant: Contestant, out: Path) -> Run:
    """Return the run that lies in the contestant's folder, or a new one.

    Raises
    ------
    MMQError
        If the one that lies there was begun with another configuration.
    """
    from mmq_tf.training.run import Run

    folder = out / contestant.name
    if not (folder / FACTS_NAME).is_file():
        command = shlex.join([*COMMAND.split(), *sys.argv[1:]])
        return Run.plan(folder, contestant.config, command, contestant.data, final=False, force=False)
    run = Run.open(folder)
    if run.config != contestant.config:
        raise MMQError(f"{folder} was begun with another configuration or other seeds; name another --out.")
    return run


def fold_jobs(contestant: Contestant, out: Path, console: Console, workers: int) -> list[FoldJob]:
    """Load the contestant's token streams and return its folds, whichever of them are done."""
    from mmq_tf.training.run import check_folds

    run = open_run(contestant, out)
    streams, _ = load_streams(run, workers)
    if contestant.label == OWN_WINDOWS:
        (member,) = contestant.members
        streams = [stream for stream in streams if stream.subject.startswith(member.prefix)]
    jobs = run.jobs(streams)
    check_folds(jobs)
    return run.begin(streams).jobs(streams)


def predictions_of(contestant: Contestant, jobs: Sequence[FoldJob]) -> Predictions:
    """Join the folds' predictions; see `named`."""
    whole = Predictions.concatenate([read_predictions(job.folder / "predictions.csv") for job in jobs])
    return Predictions.concatenate([named(whole, contestant, member) for member in contestant.members])


def named(predictions: Predictions, contestant: Contestant, member: Member) -> Predictions:
    """Return what was predicted for a member's people, in the names of the table.

    Methods say how they were trained (``mmqnet (pooled)``), conditions whom they were tested on
    (``eegmat``, ``eegmat no-ecg``); conditions that hide what these people lack anyway are left out.
    """
    if contestant.label == OWN:
        classes = tuple(member.classes[name] for name in predictions.classes)
        subject = np.array([member.prefix + name for name in predictions.subject])
        predictions = replace(predictions, classes=classes, subject=subject)
    conditions = named_conditions(member.dataset.modalities)
    rows = np.char.startswith(predictions.subject, member.prefix)
    rows &= np.isin(predictions.condition, list(conditions)) & np.isin(predictions.method, METHODS)
    chosen = predictions.select(rows)
    whom = [f"{member.dataset.name} {name}".removesuffix(" full") for name in chosen.condition]
    methods = [f"{name} ({contestant.label})" for name in chosen.method]
    return replace(chosen, method=np.array(methods), condition=np.array(whom))


def difference_rows(predictions: Predictions) -> list[ResultRow]:
    """Return how much AUROC the pooled network has below each other one, paired over people (below 0: above).

    The row stands with the method that the pooled network is compared with.
    """
    table = subject_table(predictions)
    rows = []
    for method, condition in table.pairs:
        if not method.startswith("mmqnet") or method == f"mmqnet ({POOLED})" or " " in condition:
            continue
        below = table.of(method, condition, "auroc") - table.of(f"mmqnet ({POOLED})", condition, "auroc")
        mean, low, high = bootstrap_interval(below)
        rows.append(
            ResultRow(
                method=method,
                condition=condition,
                metric="auroc_lost_by_pooling",
                mean=mean,
                low=low,
                high=high,
                n=int(np.isfinite(below).sum()),
            )
        )
    return rows


def results_of(name: str, pool: Dataset, config: RunConfig, predictions: Predictions) -> ResultsFile:
    """Return the table by the results contract."""
    rows = [row for row in results_from_predictions(predictions) if row.metric in METRICS]
    return ResultsFile(
        name=name,
        command=shlex.join([*COMMAND.split(), *sys.argv[1:]]),
        version=__version__,
        data=f"{pool.title}, {len(np.unique(predictions.subject))} subjects",
        simulated=pool.simulated,
        split=(
            f"{config.split.folds} folds of subjects, each the union of the data sets' own; epoch and "
            "calibration chosen on validation subjects"
        ),
        normalisation=(
            f"enrolment, {config.normalisation.enrolment_s:g} s or what a data set allows, not scored"
        ),
        seeds=config.seeds,
        machine=machine_description(),
        rows=(*rows, *difference_rows(predictions)),
        notes=(
            f"Conditions say whom a method was tested on. {POOLED}: trained on the people of both data sets; "
            f"{OWN}: on one, as its preset says; {OWN_WINDOWS}: the same on the windows that the pooled "
            "model sees (left out where its own are those).",
            *(member.note for member in pool.members if member.note),
            "auroc_lost_by_pooling: a network's AUROC minus the pooled network's, for the same people.",
            "The pooled preset's training settings are the defaults; nothing was chosen on test subjects.",
        ),
    )


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path), default="runs/pooled-comparison", show_default=True)
@click.option(
    "--seed", "seeds", multiple=True, type=click.IntRange(min=0), default=(0, 1, 2), show_default=True
)
@click.option("--jobs", "workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a value of every run.")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(
    data: Path,
    out: Path,
    seeds: tuple[int, ...],
    workers: int,
    changes: tuple[str, ...],
    results: Path | None,
) -> None:
    """Train and judge the pooled model and the own models of its data sets."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    one_thread_per_process()
    with quiet_native():
        from mmq_tf.evaluation.judge_fold import JudgedFold
        from mmq_tf.training.workers import run_jobs

    console, pool, parts = Console(), get_dataset("pooled"), []
    entries = contestants(pool, data, seeds, changes)
    for contestant in entries:
        jobs = fold_jobs(contestant, out, console, workers)
        console.print(f"{contestant.name}: {sum(job.done for job in jobs)} of {len(jobs)} folds are done")

        def on_fold(name: str, run: str = contestant.name) -> None:
            console.print(f"{run}: {name} is done", highlight=False)

        todo = [JudgedFold(job) for job in jobs]
        run_jobs(todo, workers, lambda name, epoch, metrics: None, on_fold)
        parts.append(predictions_of(contestant, jobs))
    table = results_of(
        results.stem if results else "pooled", pool, entries[0].config, Predictions.concatenate(parts)
    )
    for row in table.rows:
        if row.metric.startswith("auroc") and row.mean is not None:
            console.print(
                f"{row.metric:22} {row.condition:24} {row.method:40} {row.mean:.3f}", highlight=False
            )
    if results:
        write_results(results, table)


if __name__ == "__main__":
    main()
