# SPDX-License-Identifier: Apache-2.0
"""The figure of one artefact: raw signals, interference, attention and decision, without and with it."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mmq_bridge.front_end.units import shown_unit

from mmq_tf.evaluation.artefact_stretch import VIEWS, ArtefactStretch
from mmq_tf.recording import Signal
from mmq_tf.reports.figures import ACCENT, GRID, INK, MUTED, STYLE, WARM
from mmq_tf.reports.recording_page.traces import trace

COLUMNS = 300
MAX_CHANNELS = 3
_LABEL = {"rotation": 0, "ha": "center", "va": "center", "color": INK, "fontsize": 9}


def stretch_figure(stretch: ArtefactStretch) -> Figure:
    """Draw a stretch as measured on the left, with the artefact on the right, on the same axes."""
    names = stretch.modalities
    rows = len(names)
    cells = 0.32 + 0.2 * rows
    heights = [0.62] * rows + [cells, cells, 1.25]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10.8, 1.1 + sum(heights) + 0.12 * len(heights)), layout="constrained")
        axes = figure.subplots(rows + 3, 2, sharex=True, sharey="row", height_ratios=heights)
        for column, title in enumerate(VIEWS):
            axes[0, column].set_title(title, color=INK, fontsize=11, fontweight="bold")
        for row, name in enumerate(names):
            _signals(axes[row], stretch, name)
        bound = max(1.0, float(np.nanmax(np.abs(stretch.interference), initial=0.0)))
        _cells(
            figure, axes[rows], stretch, "interference", ("PuOr_r", -bound, bound), "rather corrupted: > 0"
        )
        top = float(np.nanmax(stretch.attention))
        _cells(figure, axes[rows + 1], stretch, "attention", ("Blues", 0.0, top), "1 = an equal share")
        _decisions(axes[rows + 2], stretch)
        for axis in axes[:, 0]:
            axis.yaxis.set_label_coords(-0.225, 0.5)
        for axis in axes.flat:
            for edge_s in stretch.artefact_s:
                axis.axvline(edge_s, color=WARM, lw=0.9, ls=(0, (2, 2)), zorder=4)
        axes[0, 0].set_xlim(stretch.start_s, stretch.stop_s)
    return figure


def _signals(pair: np.ndarray, stretch: ArtefactStretch, name: str) -> None:
    """Draw a modality's samples in both columns; those of the artefact in another colour."""
    signal = stretch.signals.get(name)
    for column, axis in enumerate(pair):
        axis.tick_params(axis="x", length=0)
        axis.grid(axis="y", visible=False)
        axis.yaxis.set_major_locator(MaxNLocator(2))
        if signal is None:
            continue
        _lines(axis, signal, stretch.start_s, stretch.stop_s, MUTED)
        if column and name == stretch.modality:
            _lines(axis, stretch.corrupted, *stretch.artefact_s, WARM)
    unit = "not recorded" if signal is None else _shown(signal)
    pair[0].set_ylabel(f"{name}\n{unit}", **_LABEL)


def _shown(signal: Signal) -> str:
    """Say the unit, and which channel of many is drawn."""
    unit = shown_unit(signal.unit)
    return f"{signal.channels[0]}, {unit}" if len(signal.channels) > MAX_CHANNELS else unit


def _lines(axis: Axes, signal: Signal, start_s: float, stop_s: float, colour: str) -> None:
    rate = signal.sampling_rate_hz
    first, last = (max(0, int(np.ceil((at - signal.start_s) * rate - 1e-6))) for at in (start_s, stop_s))
    count = len(signal.channels) if len(signal.channels) <= MAX_CHANNELS else 1
    lines = trace(signal.samples[:count, first:last], signal.start_s + first / rate, rate, COLUMNS)
    for order, values in enumerate(lines.values):
        axis.plot(lines.time_s, values, color=colour, lw=0.8, alpha=1.0 - 0.25 * order)


def _cells(
    figure: Figure,
    pair: np.ndarray,
    stretch: ArtefactStretch,
    what: str,
    scale: tuple[str, float, float],
    note: str,
) -> None:
    """Draw a number per token as a grid of modality by time, with a cross where the token is absent."""
    names, count = stretch.modalities, stretch.presence.shape[1]
    edges = stretch.start_s + np.arange(count + 1) * stretch.token_s
    colours, low, high = scale
    picture = None
    for axis, values, presence in zip(pair, getattr(stretch, what), stretch.presence, strict=True):
        picture = axis.pcolormesh(
            edges,
            np.arange(len(names) + 1) - 0.5,
            values.T,
            cmap=colours,
            vmin=low,
            vmax=high,
            edgecolors="white",
            lw=0.6,
            zorder=1,
        )
        at, row = np.nonzero(~presence)
        axis.plot(edges[at] + stretch.token_s / 2, row, "x", ms=3.2, mew=0.8, color=MUTED, zorder=2)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_yticks(range(len(names)), names, color=INK)
        axis.grid(visible=False)
        axis.tick_params(length=0)
    title = "interference\nscore" if what == "interference" else "attention\nof category\nqueries"
    pair[0].set_ylabel(title, **_LABEL)
    if picture is not None:
        bar = figure.colorbar(picture, ax=list(pair), pad=0.01, aspect=9)
        bar.ax.yaxis.set_major_locator(MaxNLocator(3))
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        bar.set_label(note, fontsize=7.5)


def _decisions(pair: np.ndarray, stretch: ArtefactStretch) -> None:
    """Draw the probability of the true class at the end of each window; hollow where the device abstains."""
    time = stretch.decision_s
    for column, axis in enumerate(pair):
        axis.axhline(1 / stretch.classes, color=MUTED, lw=1, ls=(0, (4, 3)))
        if column:
            axis.plot(time, stretch.truth[0], color=ACCENT, lw=1.2, label=VIEWS[0])
        colour = WARM if column else ACCENT
        truth, sure = stretch.truth[column], stretch.sure[column]
        axis.plot(time, truth, color=colour, lw=1.4, label=VIEWS[column])
        axis.scatter(time[sure], truth[sure], s=16, color=colour, zorder=3)
        axis.scatter(time[~sure], truth[~sure], s=16, fc="white", ec=colour, lw=1, zorder=3)
        axis.set_ylim(-0.04, 1.04)
        axis.set_yticks([0, 0.5, 1])
        axis.set_xlabel("time in the recording, s")
        axis.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axis.tick_params(axis="x", length=3, color=GRID)
    pair[0].set_ylabel(f"probability\nof “{stretch.label}”,\nthe truth", **_LABEL)
    pair[1].legend(loc="upper right", fontsize=8, handlelength=1.4, ncols=2)
