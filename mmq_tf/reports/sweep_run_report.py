# SPDX-License-Identifier: Apache-2.0
"""What an evaluation found: its table by the results contract, and its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmq_tf.baselines.label_shift import LEAST_SHIFT_S
from mmq_tf.comparisons.ablations import ABLATIONS
from mmq_tf.evaluation.artefact_stretch import artefact_stretch
from mmq_tf.evaluation.protocols import ARTEFACT_SHARE, MASK_SEED, artefact_seed
from mmq_tf.evaluation.robustness import FRONT_END, null_rows, sweep_rows
from mmq_tf.evaluation.sweep import SweepJob
from mmq_tf.evaluation.sweep_scores import read_sweep
from mmq_tf.metrics.predictions import read_predictions
from mmq_tf.metrics.results_table import ResultsFile, write_results
from mmq_tf.reports.person_figures import confusion_counts
from mmq_tf.reports.provenance import provenance
from mmq_tf.reports.run_report import confidence_limits, results_file
from mmq_tf.reports.sweep_plots import draw_sweep, write_plots
from mmq_tf.reports.sweep_report import render_sweep
from mmq_tf.reports.sweep_summary import SweepSummary, shown_conditions
from mmq_tf.training.run import Run, read_fold
from mmq_tf.utils.atomic_files import write_text


def conclude(
    run: Run, jobs: Sequence[SweepJob], folder: Path, command: str, plots: Path | None = None
) -> ResultsFile:
    """Write the table, the report and its figures of a sweep whose folds are done; return the table.

    The figures go to `plots` too, if given. Ablations have a table of their own
    (`mmq_tf.reports.ablation_report`) and do not count here.
    """
    methods = [method for method in jobs[0].methods if method not in ABLATIONS]
    sweep = read_sweep(job.predictions_path(method) for job in jobs for method in methods)
    task, network = run.config.data.task, run.config.model.name
    temperatures = {
        (job.fold.seed, job.fold.index): read_fold(job.fold.folder)["decision"]["temperature"][task]
        for job in jobs
    }
    limits = confidence_limits(run, [job.fold for job in jobs])
    artefacts = [fact for job in jobs for fact in job.artefact_facts()]
    rows = sweep_rows(sweep, temperatures, artefacts, network, limits)
    if jobs[0].nulls:
        rows += null_rows(read_sweep(job.predictions_path(null) for job in jobs for null in job.nulls))
    trained = results_file(run, rows, len(sweep.table.subjects))
    results = trained.model_copy(
        update={
            "name": f"{run.config.name}-missing",
            "command": command,
            "notes": (
                *_notes(run, jobs[0].protocols, jobs[0].nulls),
                f"Trained by: {run.facts.command}",
                *trained.notes,
            ),
        }
    )
    write_results(folder / "results.json", results)
    dataset = run.dataset
    page = SweepSummary(
        title=dataset.title,
        task=task,
        results=results,
        sweep=sweep,
        model=network,
        temperatures=temperatures,
        modalities=run.config.front_end.modality_names,
        confusions=_confusions(jobs, shown_conditions(results, network, run.config.front_end.modality_names)),
        stretch=artefact_stretch(run, jobs[0].fold),
        provenance=provenance(run, folder / "masks", command),
        attribution=f"{dataset.attribution} Licence: {dataset.licence}.",
        config_text=run.config.to_toml(),
    )
    drawn = draw_sweep(page)
    for place in (folder / "figures", plots):
        if place is not None:
            write_plots(place, drawn)
    write_text(folder / "report.html", render_sweep(page, drawn))
    return results


def _confusions(jobs: Sequence[SweepJob], conditions: Sequence[str]) -> dict[str, np.ndarray]:
    """Count the network's test windows by true and predicted class, under each condition, int ``[K, K]``."""
    counts: dict[str, np.ndarray] = {}
    for job in jobs:
        found = read_predictions(job.predictions_path(job.network))
        said = found.probabilities.argmax(axis=1)
        for condition in conditions:
            here = found.condition == condition
            new = confusion_counts(found.label[here], said[here], len(found.classes))
            counts[condition] = counts.get(condition, 0) + new
    return counts


def _notes(run: Run, protocols: Sequence[str], nulls: Sequence[str]) -> list[str]:
    """Say what the conditions and metrics of the table mean."""
    network = run.config.model.name
    notes = [
        f"Masks were drawn once (seed {MASK_SEED}), are stored with the evaluation, and are the same for "
        "every method and training seed; what one level hides is hidden at every higher one. The share is of "
        "all cells or tokens of a fold's test windows, absent ones included; something present stays in each."
    ]
    if any(protocol in protocols for protocol in "ABC"):
        notes.append(
            "area_*: area under the curve from full to the last level, divided by that level. lost_*: full "
            f"minus the level. area_*_{network}_gains: {network}'s area minus the method's; "
            "area_*_p_holm: Wilcoxon signed-rank over subjects, Holm-corrected within the protocol."
        )
    if nulls:
        notes.append(
            f"{', '.join(nulls)}: fitted and judged on labels that were rotated in time within each session, "
            f"by {LEAST_SHIFT_S / 60:g} minutes or more (a sixth of a short session), anew for each seed. "
            "Chance is what is expected where classes alternate; more means that time in the session alone "
            "tells something or, where a class fills one block, that labels never land where they stood."
        )
    if "E" in protocols:
        seed = run.config.seeds[0]
        notes.append(
            f"E: artefacts on {100 * ARTEFACT_SHARE:g} % of the tokens of each sensor's raw test recording "
            f"(seed {artefact_seed(seed)}; training's is {seed}), through the same front end; the enrolment "
            "is clean. Tokens that its quality rules make absent are absent, as on a device: the rows of "
            f"{FRONT_END!r} say how many."
        )
    notes.append(
        "accuracy_at_70: on the 70 % of a subject's windows with the highest probability; ece_pooled: over "
        "all subjects' windows together, ece_pooled_before without the temperature."
    )
    return notes
