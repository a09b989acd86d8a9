"""The report of `mmq-tf evaluate`: one HTML file that needs no network, no other file and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmq_tf.baselines import BoostedDropout
from mmq_tf.evaluation import figures, sweep_figures
from mmq_tf.evaluation.pages import html_environment
from mmq_tf.evaluation.report import best_tree, format_p
from mmq_tf.evaluation.results import ResultsFile, format_cell
from mmq_tf.evaluation.robustness import (
    CURVE_METRICS,
    FRONT_END,
    area_comparisons,
    calibration_stages,
    coverage_curves,
)
from mmq_tf.evaluation.statistics import Comparison
from mmq_tf.evaluation.sweep_scores import FULL, Sweep
from mmq_tf.protocols import MASKED, PROTOCOLS, kept_sensors

GUESSES = ("majority", "stratified")
TITLES = {"auroc": "AUROC", "macro_f1": "Macro-F1"}


@dataclass(frozen=True)
class SweepSummary:
    """All the page is made of.

    Attributes
    ----------
    title, task : str
        The data set's title, and the task judged.
    results : ResultsFile
    sweep : Sweep
        What `results` was computed from.
    model : str
        The method the page is about.
    temperatures : mapping
        (seed, fold) -> the calibration temperature of the model.
    modalities : sequence of str
    attribution, config_text : str
        Source and licence of the data; the run's configuration.
    """

    title: str
    task: str
    results: ResultsFile
    sweep: Sweep
    model: str
    temperatures: Mapping[tuple[int, int], float]
    modalities: Sequence[str]
    attribution: str
    config_text: str


def render_sweep(run: SweepSummary) -> str:
    """Render an evaluation as one self-contained HTML page."""
    comparisons = {metric: area_comparisons(run.sweep, run.model, metric) for metric in CURVE_METRICS}
    tree = best_tree(run.results)
    environment = html_environment()
    environment.filters["p_value"] = format_p
    return environment.get_template("sweep.html.j2").render(
        run=run,
        results=run.results,
        tree=tree,
        cards=_cards(run, comparisons["auroc"]),
        figures=_figures(run, tree),
        areas=[_area_table(run, metric, comparisons[metric]) for metric in CURVE_METRICS],
        tables=[_table(run, *table) for table in _tables(run)],
        artefacts=_artefacts(run.results),
    )


def _cards(run: SweepSummary, comparisons: Mapping[str, Sequence[Comparison]]) -> list[dict[str, str]]:
    """Make the few numbers at the top of the page: areas beside the best other method's, then confidence."""
    cards = []
    for protocol, found in comparisons.items():
        areas = {m: run.results.row(m, protocol, "area_auroc") for m in run.sweep.methods}
        means = {m: row.mean for m, row in areas.items() if row is not None and row.mean is not None}
        if run.model not in means:
            continue
        note = f"{run.model}, area under AUROC"
        rival = max((m for m in means if m != run.model), key=lambda m: means[m], default=None)
        if rival is not None:
            p = format_p(next(c.p_holm for c in found if c.method == rival))
            note += f"; the best other, {rival}, {means[rival]:.3f}, p {p if p.startswith('<') else '= ' + p}"
        cards.append({"what": f"protocol {protocol}", "value": f"{means[run.model]:.3f}", "note": note})
    gain = run.results.row(run.model, FULL, "accuracy_gain_at_70")
    if gain is not None and gain.mean is not None:
        cards.append(
            {
                "what": "abstaining from 30 %",
                "value": f"{100 * gain.mean:+.1f} points",
                "note": f"accuracy of {run.model} on the surest 70 % of a person's windows, against all",
            }
        )
    ece = [run.results.row(run.model, FULL, name) for name in ("ece_pooled_before", "ece_pooled")]
    if all(row is not None and row.mean is not None for row in ece):
        before, after = (f"{row.mean:.3f}" for row in ece if row is not None)
        cards.append(
            {"what": "calibration error", "value": after, "note": f"before temperature {before}; all windows"}
        )
    return cards


def _figures(run: SweepSummary, tree: str | None) -> dict[str, str]:
    """Draw what the sweep has data for; name -> ``data:`` address."""
    methods = [m for m in run.sweep.methods if m not in GUESSES]
    levels = {protocol: run.sweep.levels(protocol) for protocol in PROTOCOLS}
    drawn = {
        "coverage": sweep_figures.coverage_figure(
            {m: curve for m, curve in coverage_curves(run.sweep).items() if m not in GUESSES}, run.model
        ),
        "reliability": figures.reliability_figure(
            run.sweep.full.label[run.sweep.full.method == run.model],
            calibration_stages(run.sweep, run.temperatures, run.model),
        ),
    }
    if any(levels.values()):
        drawn["missing"] = sweep_figures.missing_figure(run.results, levels, methods, run.model)
    subsets = {c: kept for c in run.sweep.conditions if (kept := kept_sensors(c, run.modalities))}
    if len(set(subsets.values())) > 1:
        unique = {kept: condition for condition, kept in reversed(subsets.items())}
        drawn["subsets"] = sweep_figures.subsets_figure(
            run.results,
            {condition: kept for kept, condition in unique.items()},
            run.modalities,
            _rivals(run, tree),
        )
    return {name: figures.as_data_uri(figure) for name, figure in drawn.items()}


def _rivals(run: SweepSummary, tree: str | None) -> list[str]:
    """Name what stands in the plot of subsets: the model, the best tree, and trees taught with gaps."""
    wanted = dict.fromkeys([run.model, tree, BoostedDropout.name])
    return [method for method in wanted if method in run.sweep.methods]


def _area_table(
    run: SweepSummary, metric: str, comparisons: Mapping[str, Sequence[Comparison]]
) -> dict[str, Any]:
    """Arrange one metric's areas: a row a method; of each protocol the area, what it lost, and the test."""
    protocols = [p for p in MASKED if p in comparisons]
    rows = []
    for method in run.sweep.methods:
        cells = []
        for protocol in protocols:
            levels = run.sweep.levels(protocol)
            lost = [run.results.row(method, levels.get(at, ""), f"lost_{metric}") for at in (0.5, 0.7)]
            found = next((c for c in comparisons[protocol] if c.method == method), None)
            mean, _, interval = format_cell(run.results.row(method, protocol, f"area_{metric}")).partition(
                " "
            )
            cells += [
                {"text": mean, "small": interval},
                *({"text": _points(row.mean) if row else "–", "small": ""} for row in lost),
                {
                    "text": f"{found.difference:+.3f}" if found else "",
                    "small": f"p {format_p(found.p_holm)}" if found else "",
                },
            ]
        rows.append({"method": method, "cells": cells, "model": method == run.model})
    return {"title": TITLES[metric], "protocols": protocols, "rows": rows}


def _points(value: float | None) -> str:
    return "–" if value is None else f"{round(-100 * value, 1) + 0.0:+.1f}"


def _tables(run: SweepSummary) -> list[tuple[str, str, list[str]]]:
    """Name the tables of single conditions: metric, title, conditions."""
    named = [c for c in run.sweep.conditions if kept_sensors(c, run.modalities)]
    others = [c for c in run.sweep.conditions if c not in named]
    found = []
    for metric, title in TITLES.items():
        found.append((metric, f"{title}: sensors gone, and left", named))
        if others:
            found.append((metric, f"{title}: every level", others))
    found.append(("ece", "Expected calibration error (mean over subjects)", list(run.sweep.conditions)))
    found.append(("brier", "Brier score", list(run.sweep.conditions)))
    return found


def _table(run: SweepSummary, metric: str, title: str, conditions: Sequence[str]) -> dict[str, Any]:
    """Arrange one metric with a row a condition: there are more conditions than methods."""
    rows = []
    for condition in conditions:
        found = [run.results.row(method, condition, metric) for method in run.sweep.methods]
        texts = [format_cell(row).partition(" ") for row in found]
        rows.append({"condition": condition, "cells": [{"text": t[0], "small": t[2]} for t in texts]})
    return {"title": title, "methods": run.sweep.methods, "rows": rows, "metric": metric}


def _artefacts(results: ResultsFile) -> list[dict[str, str]]:
    """Say, a row a ratio, what protocol E's artefacts did to tokens."""
    names = ("corrupted_share", "ruled_absent_share", "untouched_absent_share")
    rows = []
    for condition in results.conditions:
        found = [results.row(FRONT_END, condition, name) for name in names]
        if all(row is not None and row.mean is not None for row in found):
            shares = [f"{100 * row.mean:.1f} %" for row in found if row is not None and row.mean is not None]
            rows.append({"condition": condition, "shares": shares})
    return rows
