# SPDX-License-Identifier: Apache-2.0
"""The UpSet-type plot: a score for every subset of sensors, and what each sensor adds on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmq_tf.metrics.results_table import ResultsFile
from mmq_tf.reports.figures import ACCENT, GRID, INK, MUTED, STYLE
from mmq_tf.reports.sweep_figures import method_styles

METRIC = "auroc"
_STRIPE = "#f5f8fb"


def subsets_figure(
    results: ResultsFile,
    subsets: Mapping[str, tuple[str, ...]],
    sensors: Sequence[str],
    methods: Sequence[str],
) -> Figure:
    """Draw AUROC of a few methods for every subset of sensors, best first, above a matrix of dots.

    Parameters
    ----------
    results : ResultsFile
    subsets : mapping
        Condition -> the sensors that stay.
    sensors : sequence of str
    methods : sequence of str
        The model first: the subsets stand in the order of its AUROC.

    References
    ----------
    Lex et al. 2014, "UpSet: Visualization of Intersecting Sets", IEEE TVCG 20(12).
    """
    means = model_means(results, subsets, methods[0])
    shown = sorted(means, key=lambda condition: -means[condition])
    worth = sensor_worth({subsets[c]: mean for c, mean in means.items()}, sensors)
    with matplotlib.rc_context(STYLE):
        dots_high = 0.3 * len(sensors)
        wide = max(4.5, (0.24 + 0.13 * len(methods)) * len(shown))
        figure = Figure(figsize=(2.6 + wide, 3.6 + dots_high), layout="constrained")
        (corner, scores), (bars, dots) = figure.subplots(
            2, 2, width_ratios=[1.9, wide], height_ratios=[3.0, dots_high]
        )
        corner.set_axis_off()
        _scores(scores, results, shown, methods)
        _dots(dots, [subsets[condition] for condition in shown], sensors)
        _worth(bars, worth, sensors)
        scores.set_xlim(-0.5, len(shown) - 0.5)
        dots.set_xlim(-0.5, len(shown) - 0.5)
    return figure


def model_means(
    results: ResultsFile, conditions: Mapping[str, tuple[str, ...]], method: str
) -> dict[str, float]:
    """Return a method's mean AUROC by condition, where it has one."""
    rows = {condition: results.row(method, condition, METRIC) for condition in conditions}
    return {c: row.mean for c, row in rows.items() if row is not None and row.mean is not None}


def sensor_worth(means: Mapping[tuple[str, ...], float], sensors: Sequence[str]) -> dict[str, float]:
    """Return what a sensor adds: the mean over all subsets without it of the score with it minus without.

    Only subsets that are scored on both sides count; a sensor without any is left out.

    Examples
    --------
    >>> sensor_worth({("a",): 0.6, ("b",): 0.7, ("a", "b"): 0.8}, ["a", "b"])
    {'a': 0.1, 'b': 0.2}
    """
    scores = {frozenset(kept): mean for kept, mean in means.items()}
    found = {}
    for sensor in sensors:
        gains = [
            scores[kept | {sensor}] - score
            for kept, score in scores.items()
            if sensor not in kept and kept | {sensor} in scores
        ]
        if gains:
            found[sensor] = round(float(np.mean(gains)), 6)
    return found


def _scores(axis: Axes, results: ResultsFile, shown: Sequence[str], methods: Sequence[str]) -> None:
    """Draw a point with its interval a method and subset."""
    styles = method_styles(methods, methods[0])
    for order, method in reversed(list(enumerate(methods))):
        rows = [results.row(method, condition, METRIC) for condition in shown]
        values = [(np.nan,) * 3 if r is None else (r.mean, r.low, r.high) for r in rows]
        mean, low, high = np.array(values, dtype=np.float64).T  # None becomes NaN
        at = np.arange(len(shown)) + (order - (len(methods) - 1) / 2) * 0.22
        colour, marker = styles[method]
        axis.vlines(at, low, high, color=colour, lw=2.2 if order == 0 else 1.3, alpha=0.45)
        axis.plot(at, mean, marker, color=colour, ms=6.5 if order == 0 else 4.5, label=method, zorder=3)
    _stripes(axis, len(shown))
    axis.axhline(0.5, color=MUTED, lw=1, ls=(0, (4, 3)))
    axis.annotate("chance", (-0.45, 0.5), (0, 3), textcoords="offset points", color=MUTED, fontsize=8)
    axis.set_ylabel("AUROC, mean over subjects")
    axis.set_xticks([])
    axis.grid(axis="x", visible=False)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(methods))


def _stripes(axis: Axes, count: int) -> None:
    for place in range(0, count, 2):
        axis.axvspan(place - 0.5, place + 0.5, color=_STRIPE, lw=0, zorder=0)


def _dots(axis: Axes, kept: Sequence[tuple[str, ...]], sensors: Sequence[str]) -> None:
    """Draw which sensors each subset holds."""
    _stripes(axis, len(kept))
    for place, subset in enumerate(kept):
        rows = [row for row, sensor in enumerate(sensors) if sensor in subset]
        axis.plot([place, place], [min(rows), max(rows)], color=INK, lw=1.6, zorder=2)
        axis.scatter([place] * len(sensors), range(len(sensors)), s=48, color=GRID, zorder=1)
        axis.scatter([place] * len(rows), rows, s=48, color=INK, zorder=3)
    _bare(axis, len(sensors))
    axis.set_xticks([])
    axis.set_xlabel("sensors that are left")


def _worth(axis: Axes, worth: Mapping[str, float], sensors: Sequence[str]) -> None:
    """Draw what each sensor adds, to the left as UpSet draws the sizes of its sets."""
    values = np.array([worth.get(sensor, np.nan) for sensor in sensors])
    axis.barh(range(len(sensors)), values, 0.55, color=ACCENT, alpha=0.85)
    for row, value in enumerate(values):
        if np.isfinite(value):
            axis.annotate(
                f"{value:+.3f}",
                (max(value, 0.0), row),
                (-4, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8,
            )
    known = values[np.isfinite(values)]
    axis.set_xlim(1.9 * max(0.02, *known) if known.size else 1.0, min(0.0, *known) if known.size else 0.0)
    axis.xaxis.set_major_locator(MaxNLocator(3))
    _bare(axis, len(sensors))
    axis.yaxis.tick_right()
    axis.set_yticks(range(len(sensors)), list(sensors), color=INK, fontsize=10)
    axis.set_xticks([])
    axis.set_xlabel("AUROC it adds, mean\nover all other subsets")


def _bare(axis: Axes, count: int) -> None:
    axis.set_yticks([])
    axis.set_ylim(count - 0.5, -0.5)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
