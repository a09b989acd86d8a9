# SPDX-License-Identifier: Apache-2.0
"""Every figure of an evaluation, with the words that stand for it where it cannot be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mmq_tf.evaluation.artefact_stretch import ArtefactStretch
from mmq_tf.evaluation.protocols import MASKED, PROTOCOLS, kept_sensors
from mmq_tf.evaluation.robustness import calibration_stages, coverage_curves
from mmq_tf.evaluation.sweep_scores import FULL
from mmq_tf.metrics.results_table import format_cell
from mmq_tf.reports import sweep_figures
from mmq_tf.reports.figures import as_svg, reliability_figure
from mmq_tf.reports.person_figures import PairedComparison, confusion_figure, subject_figure
from mmq_tf.reports.stretch_figure import stretch_figure
from mmq_tf.reports.subset_figure import model_means, sensor_worth, subsets_figure
from mmq_tf.reports.sweep_summary import SweepSummary, shown_conditions, tree_under
from mmq_tf.utils.atomic_files import write_text

Drawn = tuple[Figure, str]
"""A figure, and what it shows in a sentence or two."""


@dataclass(frozen=True)
class Plot:
    """A figure as SVG, and what it shows for those who cannot see it."""

    svg: str
    alt: str


def draw_sweep(run: SweepSummary) -> dict[str, Plot]:
    """Draw what the sweep has data for, by name; stamps such as SIMULATED stand above each figure."""
    makers = (_missing, _subsets, _people, _confusion, _coverage, _reliability, _stretch)
    drawn = {maker.__name__.removeprefix("_"): maker(run) for maker in makers}
    stamps = run.results.stamps
    return {name: Plot(as_svg(made[0], stamps), made[1]) for name, made in drawn.items() if made is not None}


def write_plots(folder: Path, plots: Mapping[str, Plot]) -> None:
    """Write each figure as ``NAME.svg``.

    Raises
    ------
    MMQError
        If a file cannot be written.
    """
    for name, plot in plots.items():
        write_text(folder / f"{name}.svg", plot.svg)


def _missing(run: SweepSummary) -> Drawn | None:
    levels = {protocol: run.sweep.levels(protocol) for protocol in PROTOCOLS}
    if not any(levels.values()):
        return None
    methods = run.curves
    areas = [
        f"{protocol} {format_cell(row)}"
        for protocol in MASKED
        if (row := run.results.row(run.model, protocol, "area_auroc")) is not None
    ]
    alt = f"Curves of AUROC and macro-F1 against what is missing, of {', '.join(methods)}."
    if areas:
        alt += f" Area under {run.model}'s AUROC: {'; '.join(areas)}."
    return (sweep_figures.missing_figure(run.results, levels, methods, run.model), alt)


def _subsets(run: SweepSummary) -> Drawn | None:
    kept = {c: sensors for c in run.sweep.conditions if (sensors := kept_sensors(c, run.modalities))}
    unique = {sensors: condition for condition, sensors in reversed(kept.items())}
    if len(unique) < 2:
        return None
    subsets = {condition: sensors for sensors, condition in unique.items()}
    means = {subsets[c]: mean for c, mean in model_means(run.results, subsets, run.model).items()}
    best = ", ".join(f"{'+'.join(s)} {mean:.3f}" for s, mean in means.items() if len(s) == 1)
    worth = ", ".join(f"{s} {gain:+.3f}" for s, gain in sensor_worth(means, run.modalities).items())
    alt = f"AUROC of {', '.join(run.rivals)} with each of {len(subsets)} sets of sensors left. "
    alt += f"{run.model} with one sensor alone: {best}. What a sensor adds on average: {worth}."
    return (subsets_figure(run.results, subsets, run.modalities, run.rivals), alt)


def _people(run: SweepSummary) -> Drawn | None:
    pairs = []
    for condition in shown_conditions(run.results, run.model, run.modalities):
        tree = tree_under(run.results, condition)
        if tree is not None:
            ours, theirs = (run.sweep.table.of(m, condition, "auroc") for m in (run.model, tree))
            pairs.append(PairedComparison(condition, run.model, tree, ours, theirs, run.sweep.table.subjects))
    pairs = [pair for pair in pairs if pair.known.any()]
    if not pairs:
        return None
    parts = [
        f"under {d.condition} {d.model} is better than {d.other} for {d.wins} of {d.known.sum()}"
        for d in pairs
    ]
    return (subject_figure(pairs), f"AUROC person by person: {'; '.join(parts)}.")


def _confusion(run: SweepSummary) -> Drawn | None:
    classes = run.sweep.full.classes
    parts = []
    for condition, counts in run.confusions.items():
        right = np.diag(counts) / np.maximum(counts.sum(axis=1), 1)
        shares = [f"{100 * share:.0f} % of {name}" for name, share in zip(classes, right, strict=True)]
        parts.append(f"{condition}: {' and '.join(shares)} right")
    return (confusion_figure(run.confusions, classes), f"Confusion matrices. {'; '.join(parts)}.")


def _coverage(run: SweepSummary) -> Drawn | None:
    curves = {m: curve for m, curve in coverage_curves(run.sweep).items() if m in run.curves}
    gain = run.results.row(run.model, FULL, "accuracy_gain_at_70")
    alt = "Curves of accuracy against the share of windows decided, the surest first."
    if gain is not None and gain.mean is not None:
        alt += f" {run.model} gains {100 * gain.mean:+.1f} points on the surest 70 %."
    return (sweep_figures.coverage_figure(curves, run.model), alt)


def _reliability(run: SweepSummary) -> Drawn | None:
    labels = run.sweep.full.label[run.sweep.full.method == run.model]
    stages = calibration_stages(run.sweep, run.temperatures, run.model)
    alt = "Share right against confidence, before and after temperature scaling; the diagonal is perfect."
    return (reliability_figure(labels, stages), alt)


def _stretch(run: SweepSummary) -> Drawn | None:
    if run.stretch is None:
        return None
    return (stretch_figure(run.stretch), stretch_words(run.stretch))


def stretch_words(stretch: ArtefactStretch) -> str:
    """Say in numbers what the figure of an artefact shows."""
    column = stretch.modalities.index(stretch.modality)
    at = stretch.start_s + np.arange(stretch.presence.shape[1]) * stretch.token_s
    inside = (at >= stretch.artefact_s[0]) & (at < stretch.artefact_s[1])
    seen = [stretch.attention[view, inside, column].mean() for view in (0, 1)]
    text = (
        f"In the artefact, {stretch.modality}'s tokens get {seen[1]:.2f} of an equal share of attention "
        f"against {seen[0]:.2f} without it"
    )
    if np.isfinite(stretch.interference).any():
        scores = [_mean(stretch.interference[view, inside, column]) for view in (0, 1)]
        text += f"; their interference score is {scores[1]} against {scores[0]}"
    worst = np.abs(stretch.truth[1] - stretch.truth[0]).max()
    return f"{text}; the probability of the true class changes by at most {worst:.2f}."


def _mean(scores: np.ndarray) -> str:
    known = scores[~np.isnan(scores)]
    return f"{known.mean():+.2f}" if known.size else "not known (absent)"
