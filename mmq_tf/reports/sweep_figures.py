# SPDX-License-Identifier: Apache-2.0
"""Figures of `mmq-tf evaluate`: missing curves, and accuracy against coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator

from mmq_tf.metrics.results_table import ResultsFile
from mmq_tf.metrics.risk_coverage import COVERAGES
from mmq_tf.metrics.significance import bootstrap_intervals
from mmq_tf.reports.figures import ACCENT, METHOD_STYLE, MUTED, STYLE

PANELS = {
    "A": "A: share of sensors hidden",
    "B": "B: share hidden in blocks of 2–20 s",
    "C": "C: share of tokens hidden",
    "E": "E: artefacts on 30 % of tokens",
}
_SPARE = ("#56b4e9", "#7a5195", "#5d8a3a", "#b3446c", "#8d6e63", "#00838f")
_MARKERS = ("P", "v", "<", ">", "h", "*")

Levels = Mapping[str, Mapping[float, str]]
"""Protocol -> level -> condition."""


def method_styles(methods: Sequence[str], model: str) -> dict[str, tuple[str, str]]:
    """Give every method a colour and a marker of its own; the model alone has the house's blue."""
    styles = {model: (ACCENT, "o")}
    spare = iter(zip(_SPARE, _MARKERS, strict=True))
    for method in methods:
        if method != model:
            styles[method] = METHOD_STYLE.get(method) or next(spare, (MUTED, "."))
    return styles


def missing_figure(results: ResultsFile, levels: Levels, methods: Sequence[str], model: str) -> Figure:
    """Draw AUROC and macro-F1 of every method against each protocol's level, with the model's interval."""
    panels = [protocol for protocol in PANELS if levels.get(protocol)]
    metrics = {"auroc": "AUROC", "macro_f1": "macro-F1"}
    styles = method_styles(methods, model)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.2 + 2.35 * len(panels), 5.9), layout="constrained")
        axes = figure.subplots(2, len(panels), squeeze=False, sharey="row")
        for row, (metric, title) in enumerate(metrics.items()):
            for axis, protocol in zip(axes[row], panels, strict=True):
                for order, method in enumerate([*(m for m in methods if m != model), model]):
                    _curve(axis, results, levels[protocol], (method, metric), styles[method], protocol, order)
                _level_axis(axis, protocol, levels[protocol])
                if row == 0:
                    axis.set_title(PANELS[protocol])
                    axis.axhline(0.5, color=MUTED, lw=1, ls=(0, (4, 3)))
            axes[row][0].set_ylabel(f"{title}, mean over subjects")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(
            handles[::-1], labels[::-1], loc="outside upper center", ncols=min(6, len(labels)), fontsize=9
        )
    return figure


def _curve(
    axis: Axes,
    results: ResultsFile,
    levels: Mapping[float, str],
    what: tuple[str, str],
    style: tuple[str, str],
    protocol: str,
    order: int,
) -> None:
    method, metric = what
    rows = {level: results.row(method, condition, metric) for level, condition in levels.items()}
    if protocol == "E":  # full stands one step to the left of the mildest artefacts
        rows = {-level: row for level, row in rows.items()}
        rows[min(rows) - 5.0] = results.row(method, "full", metric)
    known = sorted(
        (x, r.mean, r.low, r.high) for x, r in rows.items() if r is not None and r.mean is not None
    )
    if not known:
        return
    x, mean, low, high = np.array(known, dtype=np.float64).T
    strong = style[0] == ACCENT
    if strong:  # a band each would hide what is drawn first
        axis.fill_between(x, low, high, color=style[0], alpha=0.2, lw=0, zorder=order)
    axis.plot(
        x,
        mean,
        marker=style[1],
        ms=5 if strong else 3.6,
        lw=2.2 if strong else 1.2,
        color=style[0],
        label=method,
        zorder=10 + order,
    )


def _level_axis(axis: Axes, protocol: str, levels: Mapping[float, str]) -> None:
    if protocol == "E":
        places = sorted(-level for level in levels)
        axis.xaxis.set_major_locator(FixedLocator([places[0] - 5, *places]))
        axis.set_xticklabels(["none", *(f"{-place:g}" for place in places)])
        axis.set_xlabel("signal-to-noise ratio, dB")
    else:
        axis.xaxis.set_major_locator(MultipleLocator(0.2))
        axis.set_xlabel("share hidden")


def coverage_figure(curves: Mapping[str, np.ndarray], model: str) -> Figure:
    """Draw accuracy against coverage of every method, with the model's interval.

    Parameters
    ----------
    curves : mapping
        Method -> float64 ``[seeds, subjects, COVERAGES]``.
    model : str
    """
    styles = method_styles(list(curves), model)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 3.7), layout="constrained")
        axes = figure.subplots()
        for method in [*(m for m in curves if m != model), model]:
            mean, low, high = bootstrap_intervals(np.nanmean(curves[method], axis=0).T)
            strong = method == model
            colour, marker = styles[method]
            if strong:
                axes.fill_between(COVERAGES, low, high, color=colour, alpha=0.16, lw=0)
            axes.plot(
                COVERAGES,
                mean,
                color=colour,
                marker=marker,
                ms=4.5 if strong else 3.2,
                lw=2.2 if strong else 1.2,
                label=method,
            )
        axes.set_xlim(1.02, float(COVERAGES[0]) - 0.02)
        axes.set_xlabel("share of windows decided, the surest first")
        axes.set_ylabel("accuracy, mean over subjects")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
