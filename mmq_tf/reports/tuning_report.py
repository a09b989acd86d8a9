# SPDX-License-Identifier: Apache-2.0
"""What searches bought on the outer folds, over the presets: a table, and a sentence for each method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from mmq_tf.metrics.names import FULL
from mmq_tf.metrics.predictions import Predictions, read_predictions, write_predictions
from mmq_tf.metrics.results_table import ResultsFile, write_results
from mmq_tf.metrics.significance import compare
from mmq_tf.metrics.summary import SubjectTable, subject_table
from mmq_tf.reports.run_report import results_of
from mmq_tf.training.run import Run
from mmq_tf.tuning.job import TUNED, TuningJob, judged_beside


def conclude_tuning(run: Run, jobs: Sequence[TuningJob]) -> ResultsFile:
    """Join the folds into `predictions.csv` and `results.json` and `.md`; return the table."""
    searched = [read_predictions(job.predictions_path) for job in jobs]
    predictions = Predictions.concatenate([*searched, *judged_beside(jobs)])
    write_predictions(run.folder / "predictions.csv", predictions)
    table = results_of(run, predictions)
    notes = (*table.notes, _how(jobs), *said(jobs, subject_table(predictions)))
    table = table.model_copy(update={"notes": notes})
    write_results(run.folder / "results.json", table)
    return table


def _how(jobs: Sequence[TuningJob]) -> str:
    first = jobs[0]
    return (
        f"Methods ending in {TUNED} are the best of {first.budget} trials, the preset's included, in each "
        f"outer fold: by the AUROC on the people of {len(first.inner)} inner folds of its training and "
        "validation people, mean over complete sensors and each one gone. The outer test people are in none "
        "of them."
    )


def said(jobs: Sequence[TuningJob], scores: SubjectTable) -> list[str]:
    """Return, of each method, what its search bought over the preset, and what was chosen."""
    methods = list(dict.fromkeys(job.method for job in jobs))
    return [
        line
        for method in methods
        for line in _said_of(method, [job.chosen() for job in jobs if job.method == method], scores)
    ]


def _said_of(method: str, chosen: Sequence[dict[str, Any]], scores: SubjectTable) -> list[str]:
    tuned = method + TUNED
    both = {name: scores.of(name, FULL, "auroc") for name in (method, tuned)}
    found = next(one for one in compare(both, tuned) if one.method == method)
    hoped = fmean(fold["score"] - fold["preset_score"] for fold in chosen)
    p = "" if found.p != found.p else f", p {found.p:.2g}"
    kept = sum(not fold["values"] for fold in chosen)
    pruned = sum(fold["pruned"] for fold in chosen)
    trials = sum(fold["budget"] for fold in chosen)
    lines = [
        f"{method}: the search bought {found.difference:+.3f} AUROC by person on the outer folds (higher "
        f"for {found.wins} of {found.subjects} people{p}); inside the folds it seemed {hoped:+.3f}. The "
        f"preset was kept in {kept} of {len(chosen)} folds; {pruned} of {trials} trials were given up early."
    ]
    values = [fold["values"] for fold in chosen if fold["values"]]
    if values:
        own = f"{method}."
        words = [f"{name.removeprefix(own)} {_middle([one[name] for one in values])}" for name in values[0]]
        lines.append(f"{tuned}, over the folds where something was chosen: {'; '.join(words)}.")
    return lines


def _middle(values: Sequence[float | int | str]) -> str:
    """Return numbers as their median and range, names as the most frequent one."""
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        name, count = Counter(values).most_common(1)[0]
        return f"{name} ({count} of {len(values)})"
    return f"{median(numbers):.3g} ({min(numbers):.3g} to {max(numbers):.3g})"
