# SPDX-License-Identifier: Apache-2.0
"""The int8 model of every fold beside its float network, under every condition of protocols A to E.

python benchmarks/int8_protocols.py runs/NAME --results results/int8_protocols.json
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from mmq_bridge.decision.runtime import TFLiteModel, check_runtime
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.native_output import quiet_native
from mmq_export.bundle import CALIBRATION_WINDOWS
from mmq_export.calibrate import calibration_windows
from mmq_export.convert import convert
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES
from rich.console import Console
from rich.table import Table

from mmq_tf.api.evaluating import judge_folds, sweep_jobs
from mmq_tf.api.finished_runs import finished_run
from mmq_tf.api.run_files import read_windows
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.judge_fold import Predict, judge_views
from mmq_tf.evaluation.protocols import MASK_SEED, PROTOCOLS, read_level
from mmq_tf.evaluation.robustness import Quantity, quantity_rows
from mmq_tf.evaluation.sweep import SweepJob
from mmq_tf.evaluation.sweep_scores import FULL, Sweep, read_sweep
from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.calibration import apply_temperature
from mmq_tf.metrics.predictions import Predictions, read_predictions
from mmq_tf.metrics.results_table import ResultRow, ResultsFile
from mmq_tf.model.saved_network import load_network
from mmq_tf.reports.run_report import publish, results_file
from mmq_tf.training.fit import predict_logits
from mmq_tf.training.fold import FoldJob, FoldWindows
from mmq_tf.training.run import Run, read_fold
from mmq_tf.utils.backend_threads import one_thread_per_process

FLOAT, INT8 = "float32", "int8"
METRICS = ("macro_f1", "auroc")
ALLOWED = {"drop": 0.005, "worst_fold_drop": 0.02}
"""The most macro-F1 that may be lost in the mean, and in any fold, on every protocol."""

Logits = Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]]
"""Logits [N, classes] by task of features [N, T, F] and presence [N, T, M]."""


class Int8Job(SweepJob):
    """One fold of one seed: float and int8 on the same windows, a file of predictions each."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Both kinds of numbers."""
        return FLOAT, INT8

    def _judge(self, method: str, windows: FoldWindows, masks: dict[str, np.ndarray]) -> list[Predictions]:
        """Return the predictions of one kind of numbers under every condition."""
        logits = (float_logits if method == FLOAT else int8_logits)(self.fold.folder)
        views = self.views(windows.test, masks)
        return judge_views(method, _calibrated(self.fold, logits), windows.test, self.fold, views)

    def _key(self, method: str) -> str:
        """Digest of what decides a method's predictions; for int8 that is calibration and LiteRT too."""
        seen = hashlib.sha256((self.fold.folder / "validation.npz").read_bytes()).hexdigest()
        return hashlib.sha256(f"{super()._key(method)} {seen} {check_runtime()}".encode()).hexdigest()


def _calibrated(job: FoldJob, logits: Logits) -> Predict:
    """Return the probabilities at the fold's temperature."""
    task = job.config.data.task
    temperature = read_fold(job.folder)["decision"]["temperature"][task]

    def predict(windows: WindowSet) -> np.ndarray:
        return apply_temperature(logits(windows.features, windows.presence)[task], temperature)

    return predict


def float_logits(folder: Path) -> Logits:
    """Return the Keras network of a fold."""
    return partial(predict_logits, load_network(folder / "model.keras"))


def int8_logits(folder: Path) -> Logits:
    """Return the int8 model of a fold in LiteRT, window by window."""
    net = load_network(folder / "model.keras")
    return TFLiteModel(int8_file(folder, net), f"{folder}: int8", own=True).predict_many


def int8_file(folder: Path, net: Any) -> bytes:
    """Return the full-integer .tflite of a fold, calibrated on its validation windows as a bundle's is."""
    end = FrontEnd.load(folder / "frontend.json")
    windows = read_windows(folder / "validation.npz")
    seen = calibration_windows(windows.features, windows.presence, CALIBRATION_WINDOWS)
    deployed = deployed_model(net, end.tokens, end.n_features, len(end.modality_names))
    return convert(deployed, seen, RECIPES["int8"])


def grouped_conditions(conditions: Sequence[str]) -> dict[str, list[str]]:
    """Return the conditions each summary is the mean of: ``full``, each protocol, and ``all``.

    Examples
    --------
    >>> grouped_conditions(["full", "no-eda", "B-0.1", "B-0.2"])
    {'D': ['no-eda'], 'B': ['B-0.1', 'B-0.2'], 'all': ['full', 'no-eda', 'B-0.1', 'B-0.2']}
    """
    groups: dict[str, list[str]] = {}
    for condition in conditions:
        if condition != FULL:
            groups.setdefault((read_level(condition) or ("D",))[0], []).append(condition)
    return {**groups, "all": list(conditions)}


def drops(sweep: Sweep, conditions: Sequence[str], metric: str) -> np.ndarray:
    """Return what int8 loses against float, mean over conditions, float64 ``[seeds, subjects]``."""
    lost = [sweep.scores(FLOAT, c, metric) - sweep.scores(INT8, c, metric) for c in conditions]
    return np.mean(lost, axis=0)


def worst_fold(lost: np.ndarray, subjects: Sequence[str], folds: Sequence[Sequence[str]]) -> float:
    """Return the largest mean over a fold's test subjects of `lost` ``[seeds, subjects]``, in any seed."""
    means = []
    for fold in folds:
        values = lost[:, [place for place, subject in enumerate(subjects) if subject in fold]]
        known = ~np.isnan(values)
        means += [float(row[here].mean()) for row, here in zip(values, known, strict=True) if here.any()]
    return max(means, default=float("nan"))


def table_rows(sweep: Sweep, folds: Sequence[Sequence[str]], same: Mapping[str, float]) -> list[ResultRow]:
    """Make every row: scores a condition, then what is lost a condition and a protocol.

    Parameters
    ----------
    sweep : Sweep
        Of the methods `FLOAT` and `INT8`.
    folds : sequence of sequence of str
        The test subjects of each fold.
    same : mapping
        Condition -> share of windows in which both name the same class.
    """
    quantities: list[Quantity] = [
        (method, condition, metric, sweep.scores(method, condition, metric))
        for metric in METRICS
        for method in (FLOAT, INT8)
        for condition in sweep.conditions
    ]
    groups = {c: [c] for c in sweep.conditions} | grouped_conditions(sweep.conditions)
    worst = []
    for metric in METRICS:
        for name, conditions in groups.items():
            lost = drops(sweep, conditions, metric)
            quantities.append((INT8, name, f"drop_{metric}", lost))
            value = worst_fold(lost, sweep.table.subjects, folds)
            label = f"worst_fold_drop_{metric}"
            worst.append(ResultRow(method=INT8, condition=name, metric=label, mean=value, n=len(folds)))
    count = len(sweep.table.subjects)
    equal = [
        ResultRow(method=INT8, condition=c, metric="agreement", mean=v, n=count) for c, v in same.items()
    ]
    return quantity_rows(quantities) + worst + equal


def agreement(jobs: Sequence[SweepJob]) -> dict[str, float]:
    """Return, by condition, the share of windows in which float and int8 name the same likeliest class."""
    equal: dict[str, list[np.ndarray]] = {}
    for job in jobs:
        exact, rounded = (read_predictions(job.predictions_path(method)) for method in (FLOAT, INT8))
        same = exact.probabilities.argmax(axis=1) == rounded.probabilities.argmax(axis=1)
        for condition in dict.fromkeys(exact.condition.tolist()):
            equal.setdefault(condition, []).append(same[exact.condition == condition])
    return {condition: float(np.concatenate(parts).mean()) for condition, parts in equal.items()}


def results_of(run: Run, jobs: Sequence[SweepJob]) -> ResultsFile:
    """Return the table by the results contract."""
    sweep = read_sweep(job.predictions_path(method) for job in jobs for method in job.methods)
    folds = list(dict.fromkeys(tuple(job.fold.fold.test) for job in jobs))
    table = results_file(run, table_rows(sweep, folds, agreement(jobs)), len(sweep.table.subjects))
    return table.model_copy(
        update={
            "command": shlex.join(["python", "benchmarks/int8_protocols.py", *sys.argv[1:]]),
            "machine": f"{table.machine}; ai-edge-litert {check_runtime()}",
            "notes": (
                f"{FLOAT}: each fold's Keras network. {INT8}: the same network as the full-integer .tflite "
                "that mmq-tf export writes, calibrated on the fold's validation windows alone and run by "
                "LiteRT. Both use the fold's temperature and see the same test windows and masks "
                f"(seed {MASK_SEED}).",
                f"drop_*: {FLOAT} minus {INT8}, in units of the metric (0.01 is a point); under a protocol's "
                "letter the mean over its conditions (D without full), under all over every condition. "
                "worst_fold_drop_*: the largest mean over one fold's test subjects, of all folds and seeds. "
                f"Allowed are {ALLOWED['drop']:g} of macro-F1 in the mean and "
                f"{ALLOWED['worst_fold_drop']:g} in any fold, on every protocol.",
                "agreement: share of windows in which both name the same likeliest class.",
                *table.notes,
            ),
        }
    )


def show(results: ResultsFile, console: Console) -> None:
    """Print what is lost by protocol, in points of macro-F1, and whether that is allowed."""
    table = Table(title=f"{' '.join([*results.stamps, results.data])}: points of macro-F1 lost by int8")
    table.add_column("condition")
    for name in ("mean", "worst fold", "allowed"):
        table.add_column(name, justify="right")
    for condition in (FULL, *PROTOCOLS, "all"):
        found = {name: results.row(INT8, condition, f"{name}_macro_f1") for name in ALLOWED}
        lost = {name: row.mean for name, row in found.items() if row is not None and row.mean is not None}
        if len(lost) == len(ALLOWED):
            fine = all(lost[name] <= limit for name, limit in ALLOWED.items())
            table.add_row(condition, *(f"{100 * v:+.2f}" for v in lost.values()), "yes" if fine else "no")
    console.print(table)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--protocols", default=",".join(PROTOCOLS), help="Commas between.")
@click.option("--data", type=click.Path(path_type=Path), help="The run's recordings, where they were moved.")
@click.option("--jobs", "workers", type=click.IntRange(min=1), help="Folds side by side.  [default: cores]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: RUN/int8]")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(
    run: Path,
    protocols: str,
    data: Path | None,
    workers: int | None,
    out: Path | None,
    results: Path | None,
) -> None:
    """Compare int8 with float in every fold of RUN; folds that are done stay done."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    one_thread_per_process()
    console, workers = Console(), workers or os.cpu_count() or 1
    opened = finished_run(run)
    if data is not None:
        opened = replace(opened, facts=replace(opened.facts, data_folder=str(data.resolve())))
    made = sweep_jobs(opened, out or run / "int8", protocols.split(","), workers=workers)
    jobs = [Int8Job(job.fold, job.folder, job.protocols, ()) for job in made]
    with quiet_native():
        judge_folds(jobs, workers=workers)
    table = results_of(opened, jobs)
    show(table, console)
    if results:
        publish(results, table)


if __name__ == "__main__":
    main()
