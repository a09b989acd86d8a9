# SPDX-License-Identifier: Apache-2.0
"""What an ablation found: its table by the results contract, its plot and its page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mmq_tf.comparisons.ablations import ABLATIONS
from mmq_tf.evaluation.ablation import LOSS_SHARE, NOISY, ablation_rows, judged_under, metric_name
from mmq_tf.evaluation.sweep import SweepJob
from mmq_tf.evaluation.sweep_scores import read_sweep
from mmq_tf.metrics.results_table import ResultsFile, format_cell, write_results
from mmq_tf.reports.figures import ACCENT, MUTED, STYLE, as_data_uri, as_svg
from mmq_tf.reports.pages import html_environment
from mmq_tf.reports.report import format_p
from mmq_tf.reports.run_report import results_file
from mmq_tf.training.run import Run
from mmq_tf.utils.atomic_files import write_text


def conclude_ablations(
    run: Run, jobs: Sequence[SweepJob], folder: Path, command: str, plots: Path | None = None
) -> ResultsFile:
    """Write ``ablation.json``, ``.html`` and the figure of a sweep whose folds are done; return the table.

    Of the jobs' methods only the network and its ablations are looked at. The figure goes to `plots` too, if
    given.
    """
    network, modalities = run.config.model.name, run.config.front_end.modality_names
    methods = [m for m in jobs[0].methods if m == network or m in ABLATIONS]
    sweep = read_sweep(job.predictions_path(method) for job in jobs for method in methods)
    trained = results_file(run, ablation_rows(sweep, network, modalities), len(sweep.table.subjects))
    results = trained.model_copy(
        update={
            "name": f"{run.config.name}-ablation",
            "command": command,
            "notes": (*_notes(network), f"Trained by: {run.facts.command}", *trained.notes),
        }
    )
    conditions = judged_under(sweep, modalities)
    svg = as_svg(ablation_figure(results, network, conditions), results.stamps)
    for place in (folder / "figures", plots):
        if place is not None:
            write_text(place / "ablation.svg", svg)
    write_results(folder / "ablation.json", results)
    write_text(folder / "ablation.html", _render(results, network, conditions, svg))
    return results


def ablation_figure(results: ResultsFile, network: str, conditions: Sequence[str]) -> Figure:
    """Draw what the whole network has more than it has without each part, a panel per condition."""
    methods = [method for method in results.methods if method != network]
    height = np.arange(len(methods))[::-1]
    with matplotlib.rc_context(STYLE):
        figure = Figure(
            figsize=(2.6 + 1.5 * len(conditions), 1.2 + 0.27 * len(methods)), layout="constrained"
        )
        axes = figure.subplots(1, len(conditions), squeeze=False, sharey=True)[0]
        for axis, condition in zip(axes, conditions, strict=True):
            gains = f"{metric_name(condition, 'auroc')}_{network}_gains"
            axis.axvline(0, color=MUTED, lw=1)
            for place, method in zip(height, methods, strict=True):
                row = results.row(method, condition, gains)
                if row is None or row.mean is None:
                    continue
                if row.low is not None and row.high is not None:
                    axis.plot([row.low, row.high], [place, place], color=ACCENT, lw=1.6, alpha=0.5)
                axis.plot([row.mean], [place], "o", color=ACCENT, ms=4.5)
            axis.set_title(f"area {condition}" if len(condition) == 1 else condition)
            axis.locator_params(axis="x", nbins=3)
        axes[0].set_yticks(height, [method.replace("_", " ") for method in methods])
        figure.supxlabel(f"AUROC of {network} minus without the part; lines: 95 % over subjects", fontsize=9)
    return figure


def _render(results: ResultsFile, network: str, conditions: Sequence[str], svg: str) -> str:
    rows = []
    for method in results.methods:
        cells = []
        for condition in conditions:
            name = metric_name(condition, "auroc")
            if method == network:
                cells.append({"text": format_cell(results.row(method, condition, name)), "small": ""})
                continue
            gain = results.row(method, condition, f"{name}_{network}_gains")
            p = results.row(method, condition, f"{name}_p_holm")
            found = np.nan if p is None or p.mean is None else p.mean
            cells.append({"text": format_cell(gain), "small": f"p {format_p(found)}"})
        rows.append({"method": method, "cells": cells, "model": method == network})
    share = LOSS_SHARE.format(metric="auroc", method="without_interference_queries")
    return (
        html_environment()
        .get_template("ablation.html.j2")
        .render(
            results=results,
            network=network,
            conditions=conditions,
            rows=rows,
            figure=as_data_uri(svg),
            noisy=NOISY,
            share=format_cell(results.row(network, NOISY, share)),
        )
    )


def _notes(network: str) -> list[str]:
    share = LOSS_SHARE.format(metric="*", method="METHOD")
    return [
        f"Each method is {network} with one part taken out, trained anew on the same folds by the same "
        "settings and seeds, calibrated alike, and judged on the same stored masks and artefacts.",
        f"*_{network}_gains: {network}'s value minus the method's, paired over subjects; above 0 the part "
        "helps. *_p_holm: Wilcoxon signed-rank over subjects, Holm-corrected over a condition's ablations.",
        f"{share}: what {network} loses to artefacts as strong as the signal on 30 % of tokens, over what it "
        "loses without the part; a ratio of means over subjects.",
        "without_artefacts_in_training is neither shown artefacts nor taught to name them; "
        "without_interference_teaching is shown them.",
        "without_SENSOR and only_acc: networks that never had the other sensors, in training, validation or "
        "test. What the whole network loses beside without_SENSOR when that sensor is hidden is the price of "
        "one network for all cases; what without_SENSOR itself lacks is what the sensor knows.",
    ]
