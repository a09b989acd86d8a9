# SPDX-License-Identifier: Apache-2.0
"""The report of a training run: one HTML file that needs no network, no other file and no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup

from mmq_tf.errors import MMQError
from mmq_tf.metrics.calibration import undo_temperature
from mmq_tf.metrics.names import CLOCK, FULL, TIME_MATCHED, WEARER_METRICS
from mmq_tf.metrics.predictions import Predictions
from mmq_tf.metrics.results_table import ABOUT, ResultsFile, format_cell, wearer_tables
from mmq_tf.metrics.significance import Comparison
from mmq_tf.metrics.summary import SubjectTable, compare_methods, subject_table
from mmq_tf.reports import figures
from mmq_tf.reports.pages import as_picture, html_environment
from mmq_tf.reports.person_figures import PairedComparison, confusion_counts, confusion_figure, subject_figure
from mmq_tf.reports.verdict import verdict

TREES = ("forest", "boosted", "boosted_dropout")
LOWER_IS_BETTER = ("ece", "brier", "trial_ece", "trial_brier")
METRIC_TITLES = {
    "auroc": "AUROC",
    "auroc_pooled": "AUROC, all subjects' windows pooled",
    TIME_MATCHED: "Time-matched AUROC",
    "macro_f1": "Macro-F1",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "ece": "Expected calibration error (15 bins)",
    "brier": "Brier score",
}
_OPEN = ("auroc", TIME_MATCHED, "macro_f1")


@dataclass(frozen=True)
class RunSummary:
    """All a report is made of.

    Attributes
    ----------
    title : str
        The data set's title.
    task : str
        The task judged, such as ``stress``.
    results : ResultsFile
    predictions : Predictions
        What `results` was computed from.
    model : str
        The method the report is about.
    histories : mapping
        Training run (``"seed 0, fold 3"``) -> curve name (``loss``, ``val_loss``, ``val_macro_f1``) ->
        value per epoch.
    best_epochs : mapping
        Training run -> the epoch kept, counted from 1.
    temperatures : mapping
        (seed, fold) -> the calibration temperature the model's probabilities were divided by.
    modalities, presence_subjects : sequence of str
    presence_share : float array ``[subjects, modalities]``
        Share of present tokens, 0..1.
    config_text : str
        The run's configuration file.
    attribution : str
        Source and licence of the data.
    caveats : sequence of str
        What a reader of these numbers must know, one sentence each.
    protocols : sequence of mapping
        Tables of the missing-data protocols, as `mmq_tf.metrics.results_table.wearer_tables` gives them.
    """

    title: str
    task: str
    results: ResultsFile
    predictions: Predictions
    model: str = "mmqnet"
    histories: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    best_epochs: Mapping[str, int] = field(default_factory=dict)
    temperatures: Mapping[tuple[int, int], float] = field(default_factory=dict)
    modalities: Sequence[str] = ()
    presence_subjects: Sequence[str] = ()
    presence_share: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    config_text: str = ""
    attribution: str = ""
    caveats: Sequence[str] = ()
    protocols: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class ReportPage:
    """A rendered report, and what it says in plain words; empty where it claims nothing."""

    html: str
    verdict: str


def render_report(run: RunSummary) -> ReportPage:
    """Render a run as one self-contained HTML page.

    Parameters
    ----------
    run : RunSummary

    Returns
    -------
    ReportPage
        HTML with figures and style embedded, which refers to nothing outside itself, and its verdict.

    Raises
    ------
    MMQError
        When the model has no predictions under the condition ``full``.
    """
    rows = (run.predictions.method == run.model) & (run.predictions.condition == FULL)
    if not rows.any():
        raise MMQError(
            f"predictions: the report needs {run.model} under the condition {FULL}, but no row has it."
        )
    scores = subject_table(run.predictions)
    tree = best_tree(run.results)
    comparisons = compare_methods(scores, run.model) if len(run.results.methods) > 1 else []
    environment = html_environment()
    environment.filters["p_value"] = format_p
    said = verdict(run.results, run.model, tree, comparisons)
    html = environment.get_template("report.html.j2").render(
        run=run,
        results=run.results,
        verdict=said,
        glance=_glance(run, tree, comparisons),
        tables=_tables(run),
        wearer=wearer_tables(run.results),
        about=ABOUT,
        comparisons=comparisons,
        figures=_figures(run, scores, tree, np.flatnonzero(rows)),
        picture=_picture,
        presence=_presence(run),
        people=_people(scores),
        tree=tree,
    )
    return ReportPage(html, said)


def best_tree(results: ResultsFile, metric: str = "auroc") -> str | None:
    """Name the tree method with the highest mean under ``full`` on the test subjects, or None.

    Picked with hindsight, so it flatters the trees: a hard bar for the model, which is picked by nothing.
    """
    found = [(row.mean, m) for m in TREES if (row := results.row(m, FULL, metric)) and row.mean is not None]
    return max(found)[1] if found else None


def _glance(run: RunSummary, tree: str | None, comparisons: Sequence[Comparison]) -> list[dict[str, str]]:
    """Make the few numbers at the top of the page."""
    cards = []
    for method in (run.model, tree):
        row = run.results.row(method, FULL, "auroc") if method else None
        if row is not None:
            note = "all sensors" if method == run.model else "all sensors, the best of the trees"
            cards.append(
                {"what": f"{method} AUROC", "value": _short(row.mean), "note": f"{_interval(row)} {note}"}
            )
    matched = run.results.row(run.model, FULL, TIME_MATCHED)
    if matched is not None and run.results.cautions:
        note = f"{_interval(matched)} all sensors; a clock scores about 0.5"
        cards.append({"what": "time-matched AUROC", "value": _short(matched.mean), "note": note})
    worst = _worst_condition(run, tree)
    if worst is not None:
        condition, ours, theirs = worst
        note = f"AUROC of {run.model}" + (f"; {tree} {theirs:.3f}" if theirs is not None else "")
        cards.append({"what": f"worst case: {condition}", "value": f"{ours:.3f}", "note": note})
    against = next((c for c in comparisons if c.method == tree), None)
    if against is not None:
        note = f"subjects on whom {run.model} beats {tree}; Wilcoxon, Holm: p {_equals(against.p_holm)}"
        cards.append(
            {"what": "person by person", "value": f"{against.wins} of {against.subjects}", "note": note}
        )
    return cards


def _worst_condition(run: RunSummary, tree: str | None) -> tuple[str, float, float | None] | None:
    """Find the condition, other than full, in which the model's AUROC is lowest."""
    found = [
        (row.mean, row.condition)
        for row in run.results.rows
        if row.method == run.model
        and row.metric == "auroc"
        and row.condition != FULL
        and row.mean is not None
    ]
    if not found:
        return None
    mean, condition = min(found)
    other = run.results.row(tree, condition, "auroc") if tree else None
    return condition, mean, None if other is None else other.mean


def format_p(p: float) -> str:
    """Format a p-value.

    Examples
    --------
    >>> format_p(0.0421), format_p(3e-8)
    ('0.042', '< 0.001')
    """
    return "–" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _equals(p: float) -> str:
    return format_p(p) if format_p(p).startswith("<") else f"= {format_p(p)}"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(row: Any) -> str:
    return "" if row.low is None or row.high is None else f"[{row.low:.3f}, {row.high:.3f}]"


def _tables(run: RunSummary) -> list[dict[str, Any]]:
    """Arrange the results for the page, the best mean of each column marked."""
    tables = []
    metrics = [metric for metric in run.results.metrics if metric not in WEARER_METRICS]
    for metric in sorted(metrics, key=lambda name: _OPEN.index(name) if name in _OPEN else len(_OPEN)):
        sign = -1 if metric in LOWER_IS_BETTER else 1
        base = metric.removeprefix("trial_")
        title = METRIC_TITLES.get(base, base) + (", per trial" if base != metric else "")
        conditions = [c for c in run.results.conditions if _judged(run.results, c, metric)]
        best = {c: _best(run.results, c, metric, sign) for c in conditions}
        rows = []
        for method in run.results.methods:
            found = [run.results.row(method, c, metric) for c in conditions]
            texts = [format_cell(row).partition(" ") for row in found]
            marks = [
                row is not None and row.mean is not None and row.mean == best[row.condition] for row in found
            ]
            cells = [{"mean": t[0], "interval": t[2], "best": m} for t, m in zip(texts, marks, strict=True)]
            rows.append({"method": method, "cells": cells, "model": method == run.model})
        tables.append(
            {
                "title": title,
                "about": ABOUT.get(metric, ""),
                "conditions": conditions,
                "open": metric in _OPEN,
                "rows": rows,
                "lower": sign < 0,
            }
        )
    return tables


def _judged(results: ResultsFile, condition: str, metric: str) -> bool:
    """Tell whether any method has this metric under this condition."""
    return any(results.row(method, condition, metric) for method in results.methods)


def _best(results: ResultsFile, condition: str, metric: str, sign: int) -> float | None:
    rivals = [m for m in results.methods if m != CLOCK]
    means = [row.mean for m in rivals if (row := results.row(m, condition, metric))]
    return max((m for m in means if m is not None), key=lambda mean: sign * mean, default=None)


def _picture(figure: figures.PageFigure, caption: str) -> Markup:
    return as_picture(figures.as_svg(figure), caption, figure.tips)


def _figures(
    run: RunSummary, scores: SubjectTable, tree: str | None, rows: np.ndarray
) -> dict[str, figures.PageFigure]:
    """Draw what the run has data for."""
    chosen = run.predictions.select(rows)
    said = chosen.probabilities.argmax(axis=1)
    counts = confusion_counts(chosen.label, said, len(run.predictions.classes))
    drawn = {
        "conditions": figures.conditions_figure(run.results, run.model),
        "reliability": figures.reliability_figure(chosen.label, _stages(run, chosen)),
        "confusion": confusion_figure({FULL: counts}, run.predictions.classes),
    }
    if tree is not None and (tree, FULL) in scores.pairs:
        ours, theirs = (scores.of(method, FULL, "auroc") for method in (run.model, tree))
        drawn["subjects"] = subject_figure(
            [PairedComparison(FULL, run.model, tree, ours, theirs, scores.subjects)]
        )
    if run.histories:
        keys = dict.fromkeys(key for curves in run.histories.values() for key in curves)
        others = [key for key in keys if key.startswith("val_") and key != "val_loss"]
        drawn["curves"] = figures.curves_figure(run.histories, run.best_epochs, others[:2])
    if np.size(run.presence_share):
        drawn["presence"] = figures.presence_figure(run.presence_share, run.presence_subjects, run.modalities)
    return drawn


def _stages(run: RunSummary, chosen: Predictions) -> dict[str, np.ndarray]:
    """Give the model's probabilities before and after temperature; only the latter where it is not known."""
    after = {"as predicted" if not run.temperatures else "after": chosen.probabilities}
    if not run.temperatures:
        return after
    before = chosen.probabilities.copy()
    for (seed, fold), temperature in run.temperatures.items():
        here = (chosen.seed == seed) & (chosen.fold == fold)
        before[here] = undo_temperature(before[here], temperature)
    return {"before": before, **after}


def _people(scores: SubjectTable) -> dict[str, Any]:
    """Arrange every person's AUROC under ``full``: a row a person, a column a method."""
    methods = [method for method, condition in scores.pairs if condition == FULL]
    columns = [scores.of(method, FULL, "auroc") for method in methods]
    rows = [
        (name, ["–" if np.isnan(column[place]) else f"{column[place]:.3f}" for column in columns])
        for place, name in enumerate(scores.subjects)
    ]
    return {"title": "", "about": "", "corner": "person", "columns": methods, "rows": rows}


def _presence(run: RunSummary) -> list[dict[str, str]]:
    """Summarise presence, a row per modality."""
    if not np.size(run.presence_share):
        return []
    worst = run.presence_share.argmin(axis=0)
    return [
        {
            "modality": modality,
            "mean": f"{100 * run.presence_share[:, i].mean():.1f} %",
            "low": f"{100 * run.presence_share[worst[i], i]:.1f} % ({run.presence_subjects[worst[i]]})",
        }
        for i, modality in enumerate(run.modalities)
    ]
