# SPDX-License-Identifier: Apache-2.0
"""What a run or a bundle does on people of another data set: the table and its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmq_tf.config.run_config import RunConfig
from mmq_tf.datasets import Dataset
from mmq_tf.evaluation.judge_bundle import METHOD, BundleJob, ShippedModel
from mmq_tf.evaluation.protocols import MASKED, read_level
from mmq_tf.evaluation.robustness import sweep_rows
from mmq_tf.evaluation.sweep_scores import Sweep
from mmq_tf.evaluation.transfer import TransferJob, shared_modalities
from mmq_tf.features.windows import Stream
from mmq_tf.metrics.names import DISPLAY
from mmq_tf.metrics.per_model import limits_per_model, per_model
from mmq_tf.metrics.predictions import Predictions, write_predictions
from mmq_tf.metrics.results_table import (
    ResultRow,
    ResultsFile,
    format_cell,
    machine_description,
    write_results,
)
from mmq_tf.metrics.summary import results_from_predictions, subject_table
from mmq_tf.reports.report import RunSummary, render_report
from mmq_tf.reports.run_report import confidence_limits, enrolment_words
from mmq_tf.training.run import Run, read_fold
from mmq_tf.utils.atomic_files import write_text
from mmq_tf.version import __version__


@dataclass(frozen=True)
class JudgedElsewhere:
    """A run's models, or a bundle's one, that have judged everyone of another data set.

    Attributes
    ----------
    here, there : RunConfig
        Of what was judged, and how the other set is read.
    trained_on : str
        What is said of its training.
    simulated : bool
        Whether that was on simulated people.
    method : str
        The network's name in the table.
    size : str
        What is said of the network.
    predictions : Predictions
        Each model has a seed of its own.
    limits, temperatures : mapping
        By (method, seed, fold), the confidence below which a decision is withheld; by (seed, fold), what
        logits were divided by.
    streams : sequence of Stream
        Of the people judged.
    folder : Path
        Of the results.
    """

    here: RunConfig
    there: RunConfig
    trained_on: str
    simulated: bool
    method: str
    size: str
    predictions: Predictions
    limits: Mapping[tuple[str, int, int], float]
    temperatures: Mapping[tuple[int, int], float]
    streams: Sequence[Stream] = field(repr=False)
    folder: Path

    @classmethod
    def by_run(cls, run: Run, jobs: Sequence[TransferJob]) -> JudgedElsewhere:
        """Gather what the models of a run's folds did; writes ``predictions.csv``."""
        folder = jobs[0].folder
        predictions = Predictions.concatenate([job.predictions() for job in jobs])
        write_predictions(folder / "predictions.csv", predictions)
        folds, task = [job.fold for job in jobs], run.config.data.task
        count = int(predictions.fold.max(initial=0)) + 1
        return cls(
            run.config,
            jobs[0].there,
            run.dataset.title,
            run.dataset.simulated,
            run.config.model.name,
            f"{run.config.model.name} is the size {run.config.model.size}",
            per_model(predictions),
            limits_per_model(confidence_limits(run, folds), predictions),
            {
                (job.seed * count + job.index, job.index): read_fold(job.folder)["decision"]["temperature"][
                    task
                ]
                for job in folds
            },
            jobs[0].streams,
            folder,
        )

    @classmethod
    def by_bundle(cls, shipped: ShippedModel, job: BundleJob) -> JudgedElsewhere:
        """Gather what a bundle did."""
        manifest = shipped.manifest
        task = shipped.task_for(job.there.classes, job.there.data.task)
        ran = "the C core" if "Network" in type(shipped.model).__name__ else "LiteRT"
        return cls(
            shipped.config(task),
            job.there,
            manifest.data.title,
            manifest.simulated,
            METHOD,
            f"{METHOD} is the network of the bundle {manifest.name} as it is shipped, run by {ran}",
            job.predictions(),
            {(METHOD, 0, 0): manifest.decision.min_confidence.get(task, 0.0)},
            {(0, 0): manifest.decision.temperature.get(task, 1.0)},
            job.streams,
            job.folder,
        )

    @property
    def models(self) -> int:
        """How many models there are."""
        return len(np.unique(self.predictions.seed))


def conclude_transfer(
    judged: JudgedElsewhere, dataset: Dataset, command: str, left_out: Sequence[str] = ()
) -> ResultsFile:
    """Write ``results.json`` and ``.md`` and ``report.html`` of the folder; return the table.

    Parameters
    ----------
    judged : JudgedElsewhere
    dataset : Dataset
        The other one, as it lies in its folder.
    command : str
        What the results say made them.
    left_out : sequence of str
        Recordings that were not judged, and why.
    """
    here, there, predictions = judged.here, judged.there, judged.predictions
    lacking = [m for m in here.front_end.modality_names if m not in shared_modalities(here, there)]
    by = (
        f"each of {judged.models} models (folds and seeds) judges all of them, and a person's score is the "
        "mean over models"
        if judged.models > 1
        else "one model judges all of them"
    )
    results = ResultsFile(
        name=f"{here.name}-on-{there.name}",
        command=command,
        version=__version__,
        data=f"{dataset.title}, {len(np.unique(predictions.subject))} subjects",
        simulated=dataset.simulated or judged.simulated,
        split=(
            f"trained on {judged.trained_on}, judged on {dataset.title}: nothing is fitted on the people "
            f"judged; {by}"
        ),
        normalisation=_normalisation(here, there),
        seeds=here.seeds,
        machine=machine_description(),
        rows=tuple(transfer_rows(judged)),
        notes=(
            f"{judged.size}; the label is {dataset.label_kind}.",
            *([f"{dataset.title} lacks {', '.join(lacking)}: missing throughout."] if lacking else []),
            *here.notes,
            *dataset.notes,
            *(f"Left out: {line}" for line in left_out),
        ),
    )
    write_results(judged.folder / "results.json", results)
    named = _named(predictions)
    shown = {DISPLAY, *np.unique(named.condition).tolist()}
    page = RunSummary(
        title=f"{here.name} on {dataset.title}",
        task=there.data.task,
        results=results.model_copy(update={"rows": tuple(r for r in results.rows if r.condition in shown)}),
        predictions=named,
        model=judged.method,
        temperatures=judged.temperatures,
        modalities=here.front_end.modality_names,
        presence_subjects=[stream.subject for stream in judged.streams],
        presence_share=np.array([stream.presence.mean(0) for stream in judged.streams]),
        config_text=there.to_toml(),
        attribution=f"{dataset.attribution} Licence: {dataset.licence}.",
        protocols=protocol_tables(judged, results),
    )
    write_text(judged.folder / "report.html", render_report(page).html)
    return results


def protocol_tables(judged: JudgedElsewhere, results: ResultsFile) -> list[dict[str, Any]]:
    """Arrange what is under the levels of protocols A, B, C and E: the areas, then every level.

    Returns
    -------
    list of dict
        As `mmq_tf.metrics.results_table.wearer_tables`; none where no such protocol was judged.
    """
    levels = [c for c in dict.fromkeys(judged.predictions.condition.tolist()) if read_level(c)]
    found = []
    for metric, title in (("auroc", "AUROC"), ("macro_f1", "Macro-F1")):
        for name, columns, key, about in (
            ("area under the curve", MASKED, f"area_{metric}", "The curve's mean height over the levels."),
            ("every level", levels, metric, ""),
        ):
            there = [c for c in columns if any(results.row(m, c, key) for m in results.methods)]
            rows = [(m, [format_cell(results.row(m, c, key)) for c in there]) for m in results.methods]
            if there:
                found.append(
                    {
                        "title": f"{title}: {name}",
                        "about": about,
                        "corner": "method",
                        "columns": there,
                        "rows": rows,
                    }
                )
    return found


def _named(predictions: Predictions) -> Predictions:
    """Return the predictions under conditions that are no level of A, B, C or E."""
    levels = {c for c in np.unique(predictions.condition).tolist() if read_level(c)}
    return predictions.select(~np.isin(predictions.condition, sorted(levels)))


def transfer_rows(judged: JudgedElsewhere) -> list[ResultRow]:
    """Compute the table: a run's under conditions named by sensors, an evaluation's under levels."""
    named = _named(judged.predictions)
    rows = results_from_predictions(named, limits=judged.limits)
    if len(named) == len(judged.predictions):
        return rows
    known = {(row.method, row.condition, row.metric) for row in rows}
    sweep = Sweep(subject_table(judged.predictions), named)
    found = sweep_rows(sweep, judged.temperatures, [], judged.method, judged.limits)
    return rows + [
        row
        for row in found
        if (row.method, row.condition, row.metric) not in known and row.condition != DISPLAY
    ]


def _normalisation(here: RunConfig, there: RunConfig) -> str:
    """Say how the people judged are normalised: by the run's mode, enrolled where the other set says."""
    mode = here.normalisation.mode
    if mode != "enrolment":
        return mode
    length_s = min(here.normalisation.enrolment_s, there.normalisation.enrolment_s)
    settings = there.normalisation.model_copy(update={"enrolment_s": length_s})
    read = there.model_copy(update={"normalisation": settings, "front_end": here.front_end})
    return f"{mode}{enrolment_words(read)}"
