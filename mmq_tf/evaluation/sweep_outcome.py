"""What an evaluation found: its table by the results contract, and its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mmq_tf.evaluation.results import ResultsFile, write_results
from mmq_tf.evaluation.robustness import FRONT_END, sweep_rows
from mmq_tf.evaluation.sweep import SweepJob
from mmq_tf.evaluation.sweep_report import SweepSummary, render_sweep
from mmq_tf.evaluation.sweep_scores import read_sweep
from mmq_tf.files import write_text
from mmq_tf.folds import MODEL_NAME
from mmq_tf.outcome import results_file
from mmq_tf.protocols import ARTEFACT_SHARE, MASK_SEED, artefact_seed
from mmq_tf.runs import Run, read_fold


def conclude(run: Run, jobs: Sequence[SweepJob], folder: Path, command: str) -> ResultsFile:
    """Write `results.json` and `.md` and `report.html` of a sweep whose folds are done; return the table."""
    sweep = read_sweep(job.predictions_path for job in jobs)
    task = run.config.data.task
    temperatures = {
        (job.fold.seed, job.fold.index): read_fold(job.fold.folder)["decision"]["temperature"][task]
        for job in jobs
    }
    artefacts = [fact for job in jobs for fact in json.loads(job.facts_path.read_text("utf-8"))["artefacts"]]
    rows = sweep_rows(sweep, temperatures, artefacts, MODEL_NAME)
    trained = results_file(run, rows, len(sweep.table.subjects))
    results = trained.model_copy(
        update={
            "name": f"{run.config.name}-missing",
            "command": command,
            "notes": (
                *_notes(run, jobs[0].protocols),
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
        model=MODEL_NAME,
        temperatures=temperatures,
        modalities=run.config.front_end.modality_names,
        attribution=f"{dataset.attribution} Licence: {dataset.licence}.",
        config_text=run.config.to_toml(),
    )
    write_text(folder / "report.html", render_sweep(page))
    return results


def _notes(run: Run, protocols: Sequence[str]) -> list[str]:
    """Say what the conditions and metrics of the table mean."""
    notes = [
        f"Masks were drawn once (seed {MASK_SEED}), are stored with the evaluation, and are the same for "
        "every method and training seed; what one level hides is hidden at every higher one. The share is of "
        "all cells or tokens of a fold's test windows, absent ones included; something present stays in each."
    ]
    if any(protocol in protocols for protocol in "ABC"):
        notes.append(
            "area_*: area under the curve from full to the last level, divided by that level. lost_*: full "
            f"minus the level. area_*_{MODEL_NAME}_gains: {MODEL_NAME}'s area minus the method's; "
            "area_*_p_holm: Wilcoxon signed-rank over subjects, Holm-corrected within the protocol."
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
