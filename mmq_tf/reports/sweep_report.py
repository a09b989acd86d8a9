# SPDX-License-Identifier: Apache-2.0
"""The report of `mmq-tf evaluate`: one HTML file that needs no network, no other file and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmq_tf.baselines.label_shift import is_shifted
from mmq_tf.evaluation.protocols import MASKED, kept_sensors
from mmq_tf.evaluation.robustness import CURVE_METRICS, FRONT_END, area_comparisons
from mmq_tf.evaluation.sweep_scores import FULL
from mmq_tf.metrics.names import CLOCK, TIME_MATCHED
from mmq_tf.metrics.results_table import ABOUT, ResultsFile, format_cell, wearer_tables
from mmq_tf.metrics.significance import Comparison
from mmq_tf.reports.figures import as_data_uri
from mmq_tf.reports.pages import html_environment
from mmq_tf.reports.report import format_p
from mmq_tf.reports.sweep_plots import Plot
from mmq_tf.reports.sweep_summary import SweepSummary, hardest_gap

TITLES = {"auroc": "AUROC", "macro_f1": "Macro-F1"}
"""The metrics of every condition's tables."""


def render_sweep(run: SweepSummary, plots: Mapping[str, Plot]) -> str:
    """Render an evaluation, with the figures of `draw_sweep`, as one self-contained HTML page."""
    comparisons = {metric: area_comparisons(run.sweep, run.model, metric) for metric in CURVE_METRICS}
    environment = html_environment()
    environment.filters["p_value"] = format_p
    return environment.get_template("sweep.html.j2").render(
        run=run,
        results=run.results,
        tree=run.tree,
        cards=_cards(run, comparisons["auroc"]),
        figures={n: {"src": as_data_uri(plot.svg), "alt": plot.alt} for n, plot in plots.items()},
        areas=[_area_table(run, metric, comparisons[metric]) for metric in CURVE_METRICS],
        tables=[*(_table(run, *table) for table in _tables(run)), *_null_tables(run.results)],
        artefacts=_artefacts(run.results),
        matched=_matched_table(run),
        wearer=wearer_tables(run.results),
        about=ABOUT,
        gap=hardest_gap(run.results, run.model, run.modalities),
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
        others = [m for m in means if m not in (run.model, CLOCK)]
        rival = max(others, key=lambda m: means[m], default=None)
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
    """Arrange one metric with a row per condition: there are more conditions than methods."""
    rows = []
    for condition in conditions:
        found = [run.results.row(method, condition, metric) for method in run.sweep.methods]
        texts = [format_cell(row).partition(" ") for row in found]
        rows.append({"condition": condition, "cells": [{"text": t[0], "small": t[2]} for t in texts]})
    return {"title": title, "methods": run.sweep.methods, "rows": rows, "metric": metric}


def _matched_table(run: SweepSummary) -> dict[str, Any] | None:
    """Arrange time-matched AUROC with all sensors and with each one gone; None where nobody can be paired."""
    judged = dict.fromkeys(row.condition for row in run.results.rows if row.metric == TIME_MATCHED)
    return _table(run, TIME_MATCHED, "Time-matched AUROC", list(judged)) if judged else None


def _null_tables(results: ResultsFile) -> list[dict[str, Any]]:
    """Arrange what was fitted to moved labels: a column a method, a row a metric; no table without any."""
    methods = [method for method in results.methods if is_shifted(method)]
    rows = []
    for metric, title in TITLES.items():
        texts = [format_cell(results.row(method, FULL, metric)).partition(" ") for method in methods]
        rows.append({"condition": title, "cells": [{"text": t[0], "small": t[2]} for t in texts]})
    title = "Label-shift null control: all sensors, time-shifted labels"
    return [{"title": title, "methods": methods, "rows": rows}] if methods else []


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
