# SPDX-License-Identifier: Apache-2.0
"""What a run found: its table by the results contract, its predictions and its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmq_tf.config.run_config import RunConfig
from mmq_tf.metrics.predictions import Predictions, read_predictions, write_predictions
from mmq_tf.metrics.results_table import (
    ResultRow,
    ResultsFile,
    machine_description,
    write_results,
)
from mmq_tf.metrics.summary import NO_LIMITS, results_from_predictions
from mmq_tf.reports.report import RunSummary, render_report
from mmq_tf.training.fold import FoldJob
from mmq_tf.training.run import Run, read_fold
from mmq_tf.utils.atomic_files import write_text
from mmq_tf.version import __version__


def conclude(run: Run, jobs: Sequence[FoldJob]) -> tuple[ResultsFile, str]:
    """Join the folds into `predictions.csv`, `results.json` and `.md`, `report.html`.

    Returns
    -------
    results : ResultsFile
    verdict : str
        What it says in plain words; see `mmq_tf.reports.verdict.verdict`.
    """
    predictions = Predictions.concatenate([read_predictions(job.folder / "predictions.csv") for job in jobs])
    write_predictions(run.folder / "predictions.csv", predictions)
    results = results_of(run, predictions, confidence_limits(run, jobs))
    write_results(run.folder / "results.json", results)
    page = render_report(_summary(run, jobs, results, predictions))
    write_text(run.folder / "report.html", page.html)
    return results, page.verdict


def confidence_limits(run: Run, jobs: Sequence[FoldJob]) -> dict[tuple[str, int, int], float]:
    """Return, for the network in each seed and fold, the confidence below which its decision is withheld."""
    task, network = run.config.data.task, run.config.model.name
    return {
        (network, job.seed, job.index): read_fold(job.folder)["decision"]["min_confidence"][task]
        for job in jobs
    }


def results_of(
    run: Run, predictions: Predictions, limits: Mapping[tuple[str, int, int], float] = NO_LIMITS
) -> ResultsFile:
    """Return the table of a run, computed from its predictions and the `confidence_limits` alone."""
    rows = results_from_predictions(predictions, limits=limits)
    return results_file(run, rows, len(np.unique(predictions.subject)))


def enrolment_words(config: RunConfig) -> str:
    """Return what an enrolment takes of a test subject, after a comma; empty without one."""
    norm = config.normalisation
    if norm.mode != "enrolment":
        return ""
    rest = norm.rest_class
    of = "the test subject" if rest is None else f"the test subject's first {rest!r} trial"
    measured = " measured" if config.front_end.frontend_version >= 3 else ""
    apart = {
        "rest_half": "in the first half of it; all else is judged, also what came before",
        "other_visit": "of another session; all of this one is judged",
    }
    where = "" if norm.enrolment_from is None else f" ({apart[norm.enrolment_from]})"
    return f", the first{measured} {norm.enrolment_s:g} s of {of}{where}, not scored"


def results_file(run: Run, rows: Sequence[ResultRow], subjects: int) -> ResultsFile:
    """Return rows measured on a run as a results file that says how the run was made."""
    config = run.config
    dataset = run.dataset
    folds = (
        "leave one data set out"
        if config.split.by == "dataset"
        else (
            f"{config.split.folds} folds of subjects"
            if config.split.folds != "loso"
            else "leave one subject out"
        )
    )
    return ResultsFile(
        name=config.name,
        command=run.facts.command,
        version=__version__,
        data=f"{dataset.title}, {subjects} subjects",
        simulated=dataset.simulated,
        split=(
            f"{folds}; epoch and calibration chosen on validation subjects; all methods on the same windows"
        ),
        normalisation=f"{config.normalisation.mode}{enrolment_words(config)}",
        seeds=config.seeds,
        machine=machine_description(),
        rows=tuple(rows),
        notes=(
            f"{config.model.name} is the size {config.model.size}; the label is {dataset.label_kind}.",
            *config.notes,
            *(member.note for member in dataset.members if member.note),
            *_weight_notes(config),
            *(f"Left out as bad: {line}" for line in run.facts.left_out.splitlines()),
        ),
    )


def _weight_notes(config: RunConfig) -> list[str]:
    """Say how much each joined data set counts in training; nothing where every window counts the same."""
    if not config.data.weights:
        return []
    said = (f"{name} {config.data.weights.get(name, 1.0):g}" for name in config.set_order)
    return [f"Total weight in training: {', '.join(said)}."]


def publish(path: Path, results: ResultsFile) -> None:
    """Write the table again under the name it is published by."""
    write_results(path, results.model_copy(update={"name": path.stem}))


def _summary(run: Run, jobs: Sequence[FoldJob], results: ResultsFile, predictions: Predictions) -> RunSummary:
    dataset = run.dataset
    streams = jobs[0].streams
    facts = {f"seed {job.seed}, fold {job.index}": read_fold(job.folder) for job in jobs}
    histories = {name: _curves(fact["history"]["epochs"]) for name, fact in facts.items()}
    task = run.config.data.task
    return RunSummary(
        title=dataset.title,
        task=task,
        results=results,
        predictions=predictions,
        model=run.config.model.name,
        histories=histories,
        best_epochs={name: fact["history"]["best_epoch"] for name, fact in facts.items()},
        temperatures={
            (job.seed, job.index): fact["decision"]["temperature"][task]
            for job, fact in zip(jobs, facts.values(), strict=True)
        },
        modalities=run.config.front_end.modality_names,
        presence_subjects=[stream.subject for stream in streams],
        presence_share=np.array([stream.presence.mean(0) for stream in streams]),
        config_text=run.config.to_toml(),
        attribution=f"{dataset.attribution} Licence: {dataset.licence}.",
    )


def _curves(epochs: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    return {
        name: [epoch[name] for epoch in epochs]
        for name in ("loss", "val_nll", "val_auroc")
        if name in epochs[0]
    }
