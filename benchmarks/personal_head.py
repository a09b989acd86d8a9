# SPDX-License-Identifier: Apache-2.0
"""What marking K windows of each class is worth: marked in a person's earlier part, judged in the later one.

python benchmarks/personal_head.py runs/NAME --on cogwear --data DIR --results results/personal_head.json
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from mmq_bridge.core_binding.personal_head import BOUND, LEAST_MARKS, PersonalHead
from mmq_bridge.decision.personal import APART_S
from mmq_bridge.native_output import quiet_native
from rich.console import Console
from rich.table import Table

from mmq_tf.api.finished_runs import finished_folds, finished_run
from mmq_tf.api.training import checked_config
from mmq_tf.augmentation.missingness import hide_modalities, named_conditions
from mmq_tf.config.run_config import RunConfig
from mmq_tf.datasets import open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.robustness import Quantity, quantity_rows
from mmq_tf.evaluation.transfer import TransferJob, check_transfer, streams_as_read
from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.windows import Stream, WindowSet
from mmq_tf.metrics.results_table import ResultsFile
from mmq_tf.metrics.scores import METRICS
from mmq_tf.model.saved_network import load_network
from mmq_tf.reports.run_report import publish, results_file
from mmq_tf.training.fit import predict_logits
from mmq_tf.training.fold import FoldJob, fold_windows
from mmq_tf.training.personal_tables import head_tables
from mmq_tf.training.run import Run, read_fold
from mmq_tf.utils.backend_threads import one_thread_per_process
from mmq_tf.utils.parallel import parallel_map

MARKS = (1, 2, 4, 8)
"""Windows marked of each class."""
SHOWN = ("auroc", "macro_f1", "ece")
OFF = "off_share"
"""How often nothing was corrected since what was marked in one stretch did not hold in another."""
PLAIN = "unadapted"
"""The method without marks; the others are ``marked-K``, and ``shuffled-K`` with marks of permuted labels."""

Scores = dict[str, dict[str, dict[str, dict[str, float]]]]
"""Condition -> method -> person -> metric -> value."""


class FoldScores(NamedTuple):
    """Of one fold of one seed: its own test people, and everyone of another set (empty without one)."""

    seed: int
    home: Scores
    there: Scores


class Parts(NamedTuple):
    """One person's windows: those that may be marked, and those that are judged; int [n] each."""

    earlier: np.ndarray
    later: np.ndarray


def parts_of(windows: WindowSet, person: str, window_s: float = 60.0) -> Parts | None:
    """Return a person's two parts; None where one of them lacks a class.

    Who came several times marks in the first visit and is judged in the others. Else the later part begins
    with the trial of class 1 after the first half of these, or in the middle of the only one; windows over
    the border are in neither.
    """
    rows = np.flatnonzero(windows.subject == person)
    rows = rows[np.lexsort((windows.start_s[rows], windows.session[rows]))]
    visits = np.unique(windows.session[rows])
    if len(visits) > 1:
        first = windows.session[rows] == visits[0]
        found = Parts(rows[first], rows[~first])
    else:
        start_s, positive = windows.start_s[rows], windows.label[rows] == 1
        trial = windows.trial[rows]
        begins = sorted(start_s[trial == number].min() for number in np.unique(trial[positive]))
        if len(begins) > 1:
            cut_s = begins[(len(begins) + 1) // 2]
            found = Parts(rows[start_s < cut_s], rows[start_s >= cut_s])
        else:
            middle = np.median(start_s[positive]) if positive.any() else np.inf
            found = Parts(rows[start_s < middle - window_s / 2], rows[start_s >= middle + window_s / 2])
    complete = all(len(np.unique(windows.label[part])) == 2 for part in found)
    return found if complete else None


def marked_rows(windows: WindowSet, earlier: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` windows of each class, evenly spread over those of it that begin 15 s apart."""
    chosen = []
    for label in (0, 1):
        apart: list[int] = []
        for row in earlier[windows.label[earlier] == label]:
            last = apart[-1] if apart else None
            if (
                last is None
                or windows.session[row] != windows.session[last]
                or windows.start_s[row] >= windows.start_s[last] + APART_S
            ):
                apart.append(int(row))
        places = ((np.arange(min(count, len(apart))) + 0.5) * len(apart) / min(count, len(apart))).astype(int)
        chosen += [apart[place] for place in places]
    return np.array(chosen)


def stretches_of(windows: WindowSet) -> np.ndarray:
    """Return which stretch each window is of, int [N]: a trial of a session."""
    session = np.unique(windows.session, return_inverse=True)[1]
    return np.unique(np.column_stack([session, windows.trial]), axis=0, return_inverse=True)[1].ravel()


@dataclass(frozen=True)
class Judged:
    """A view of windows: logits [N] at the decision's temperature, labels, stretches, components [N]."""

    logit: np.ndarray
    label: np.ndarray
    stretch: np.ndarray
    u: Sequence[np.ndarray | None]

    def probabilities(self, rows: np.ndarray, head: PersonalHead | None = None) -> np.ndarray:
        """Return [n, 2], corrected by a head where one is given."""
        added = [head.correction(self.u[row]) for row in rows] if head else 0.0
        high = 1 / (1 + np.exp(-np.clip(self.logit[rows] + added, -50, 50)))
        return np.column_stack([1 - high, high])

    def teach(self, head: PersonalHead, rows: np.ndarray, labels: np.ndarray) -> None:
        """Mark windows anew and learn; every trial is a stretch."""
        head.reset()
        for row, label in zip(rows, labels, strict=True):
            u = self.u[row]
            if u is not None:
                head.mark(u, float(self.logit[row]), int(label), int(self.stretch[row]))
        head.adapt()

    def scores(self, rows: np.ndarray, head: PersonalHead | None = None) -> dict[str, float]:
        """Return every metric of `SHOWN`, and of a head whether it was left off."""
        shown = self.probabilities(rows, head)
        found = {name: METRICS[name](self.label[rows], shown) for name in SHOWN}
        return found if head is None else {**found, OFF: float(head.unhelpful)}


def person_scores(
    judged: Judged, windows: WindowSet, parts: Parts, head: PersonalHead, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Return one person's scores in the later part by method."""
    found = {PLAIN: judged.scores(parts.later)}
    for count in MARKS:
        rows = marked_rows(windows, parts.earlier, count)
        labels = windows.label[rows].astype(int)
        for name, taught in (("marked", labels), ("shuffled", rng.permutation(labels))):
            judged.teach(head, rows, taught)
            found[f"{name}-{count}"] = judged.scores(parts.later, head)
    return found


@dataclass(frozen=True)
class HeadJob:
    """One fold of one seed, on its own test people and on all people of another set.

    Attributes
    ----------
    fold : FoldJob
    there : TransferJob, optional
    """

    fold: FoldJob
    there: TransferJob | None

    def scores(self) -> FoldScores:
        """Return the scores at home and, where there is another set, there."""
        job = self.fold
        windows = fold_windows(job)
        layout = job.config.feature_layout
        tables = head_tables(windows.train, layout, job.config.data.task, job.classes)
        if tables is None:
            raise MMQError(f"{job.folder}: a personal head is for two classes, not {', '.join(job.classes)}.")
        head = PersonalHead(tables)
        named = named_conditions(layout.modality_names, job.config.missing.conditions)
        there = {}
        if self.there is not None:
            there = self._judge(self.there.windows_there(windows), self.there.conditions.hidden(), head)
        return FoldScores(job.seed, self._judge(windows.test, named, head), there)

    def _judge(self, test: WindowSet, named: Mapping[str, Sequence[str]], head: PersonalHead) -> Scores:
        """Return the scores of everyone whose two parts have both classes."""
        job = self.fold
        window_s = job.config.front_end.window_s
        people = {one: parts_of(test, one, window_s) for one in dict.fromkeys(test.subject.tolist())}
        net, task = load_network(job.folder / "model.keras"), job.config.data.task
        temperature = read_fold(job.folder)["decision"]["temperature"][task]
        layout = job.config.feature_layout
        found: Scores = {}
        for condition, gone in named.items():
            presence = hide_modalities(test.presence, layout.modality_names, gone)
            features = layout.visible(test.features, presence)
            logits = predict_logits(net, features, presence)[task] / temperature
            u = [head.summary(*window) for window in zip(features, presence, strict=True)]
            judged = Judged(logits[:, 1] - logits[:, 0], test.label.astype(int), stretches_of(test), u)
            rng = np.random.default_rng([job.seed, job.index])
            found[condition] = {}
            for person, parts in people.items():
                if parts is None:
                    continue
                for method, scores in person_scores(judged, test, parts, head, rng).items():
                    found[condition].setdefault(method, {})[person] = scores
        return found


def quantities(units: Sequence[Scores], prefix: str) -> Iterator[Quantity]:
    """Yield scores and what marking gains against none, float64 ``[units, people]``.

    Parameters
    ----------
    units : sequence
        The scores of each seed, or of each model.
    prefix : str
        Before the condition's name.
    """
    groups = [people for unit in units for methods in unit.values() for people in methods.values()]
    people = sorted({person for group in groups for person in group})
    for condition, methods in units[0].items():
        for metric in (*SHOWN, OFF):
            values = {
                method: np.array(
                    [[_value(unit, condition, method, person, metric) for person in people] for unit in units]
                )
                for method in methods
                if (method, metric) != (PLAIN, OFF)
            }
            for method, scores in values.items():
                yield method, f"{prefix}{condition}", metric, scores
                if method != PLAIN and metric != OFF:
                    yield method, f"{prefix}{condition}", f"gain_{metric}", scores - values[PLAIN]


def _value(unit: Scores, condition: str, method: str, person: str, metric: str) -> float:
    return unit[condition].get(method, {}).get(person, {}).get(metric, np.nan)


def merged(parts: Sequence[Scores]) -> Scores:
    """Join the folds of one seed: each has judged its own people."""
    whole: Scores = {}
    for part in parts:
        for condition, methods in part.items():
            for method, people in methods.items():
                whole.setdefault(condition, {}).setdefault(method, {}).update(people)
    return whole


def transfer_jobs(
    run: Run, folds: Sequence[FoldJob], there: RunConfig, data: Path, workers: int
) -> list[TransferJob]:
    """Return what cuts the windows of another data set for each fold; nothing is fitted on it."""
    check_transfer(run, there, data)
    clean = run.config.artefacts.model_copy(update={"variants": 0})
    settings = TokenSettings(run.config.front_end, clean, run.config.seeds[0])
    done = prepare_dataset(there.source, data, settings, jobs=workers)
    streams: list[Stream] = streams_as_read(
        load_prepared(there.source, data, settings, done), run.config, there
    )
    return [TransferJob(fold, there, tuple(streams), run.folder, ()) for fold in folds]


def table_of(run: Run, found: Sequence[FoldScores], elsewhere: tuple[str, str] | None) -> ResultsFile:
    """Return the table by the results contract; `elsewhere` are name and title of the other data set."""
    seeds = sorted({fold.seed for fold in found})
    at_home = [merged([fold.home for fold in found if fold.seed == seed]) for seed in seeds]
    rows, said = quantity_rows(list(quantities(at_home, ""))), ""
    if elsewhere is not None:
        prefix = f"{elsewhere[0]}: "
        rows += quantity_rows(list(quantities([fold.there for fold in found], prefix)))
        said = f"; conditions under {prefix.strip()} are {elsewhere[1]}, judged by the model of every fold"
    if not rows:
        raise MMQError(f"{run.folder}: none of its people has windows of both classes before and after.")
    subjects = max(row.n for row in rows)
    table = results_file(run, rows, subjects)
    return table.model_copy(
        update={
            "command": shlex.join(["python", "benchmarks/personal_head.py", *sys.argv[1:]]),
            "split": f"{table.split}; marked in each person's earlier part, judged in the later one{said}",
            "notes": NOTES + table.notes,
        }
    )


NOTES = (
    f"{PLAIN}: the network. marked-K: corrected by the personal head, K windows of each class marked, evenly "
    f"spread over the earlier part and {APART_S:g} s apart. shuffled-K: the same windows with their labels "
    f"permuted. With fewer than {LEAST_MARKS} windows of a class nothing is corrected; nothing is corrected "
    f"by more than {BOUND:g} in the logit. {OFF}: where both classes were marked in two trials and what the "
    "others teach does not lower the loss of what is marked in each, nothing is corrected. The sensors that "
    "are missing were so while marking too.",
    "The later part begins with the stressful trial after the first half of them; who came several times "
    "marks in the first visit and is judged in the others. Who lacks a class in either part is left out.",
    "gain_*: the score minus that without marks, over the same people and windows.",
)


def show(results: ResultsFile, console: Console) -> None:
    """Print scores and gains under each condition."""
    table = Table(title=" ".join([*results.stamps, results.data]))
    for name in ("condition", "method", *SHOWN, OFF):
        table.add_column(name)
    for condition in dict.fromkeys(row.condition for row in results.rows):
        for method in dict.fromkeys(row.method for row in results.rows):
            cells = [results.row(method, condition, metric) for metric in (*SHOWN, OFF)]
            means = [None if cell is None else cell.mean for cell in cells]
            table.add_row(condition, method, *("" if mean is None else f"{mean:.3f}" for mean in means))
    console.print(table)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--on", help="Another data set to judge too: a preset's name or a TOML file.")
@click.option("--data", type=click.Path(path_type=Path), help="Where that one lies.")
@click.option("--home", type=click.Path(path_type=Path), help="The run's recordings, where they were moved.")
@click.option("--jobs", "workers", type=click.IntRange(min=1), help="Folds side by side.  [default: cores]")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(
    run: Path, on: str | None, data: Path | None, home: Path | None, workers: int | None, results: Path | None
) -> None:
    """Judge the personal head on every fold of RUN."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    if (on is None) != (data is None):
        raise MMQError("--on and --data go together: which other data set, and where it lies.")
    one_thread_per_process()
    opened, workers = finished_run(run), workers or os.cpu_count() or 1
    if home is not None:
        opened = replace(opened, facts=replace(opened.facts, data_folder=str(home.resolve())))
    with quiet_native():
        folds = finished_folds(opened, workers=workers)
        others: Sequence[TransferJob | None] = [None] * len(folds)
        elsewhere = None
        if on is not None and data is not None:
            there = checked_config(on, data, ())
            others = transfer_jobs(opened, folds, there, data, workers)
            elsewhere = there.name, open_dataset(there.source, data).title
        jobs = [HeadJob(*pair) for pair in zip(folds, others, strict=True)]
        found = list(parallel_map(HeadJob.scores, jobs, workers, if_killed="run again with fewer --jobs."))
    table = table_of(opened, found, elsewhere)
    show(table, Console())
    if results:
        publish(results, table)


if __name__ == "__main__":
    main()
