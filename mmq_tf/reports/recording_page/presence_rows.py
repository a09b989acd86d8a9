# SPDX-License-Identifier: Apache-2.0
"""Rows of a recording's picture beside the signals: tokens with their reasons, trials, and the legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from mmq_bridge.core_binding.quality_flags import Reason

from mmq_tf.reports.figures import GRID, INK, MUTED
from mmq_tf.reports.recording_page.numbers import percent, reason_shares
from mmq_tf.reports.recording_page.time_rows import COLUMNS, PLOT_IN, Row, gap, set_time, shortened
from mmq_tf.reports.recording_page.view import RecordingView

# Okabe & Ito's colours, told apart by colour-blind readers; each row of a strip is named beside it as well.
PRESENT, ABSENT, LOST, BEYOND = "#8fb8d8", "#eaeef2", "#ecdccb", "#d55e00"
REASON_GROUPS = {
    "nothing measured": ("#1d2733", ("lost", "lead_off", "unjudged")),
    "level": ("#e69f00", ("range", "saturated", "flat", "step", "weak", "strong", "rate")),
    "shape": ("#8b4f9f", ("kurtosis", "band", "irregular", "skewed")),
}
CLASS_COLOURS = ("#bcd9ef", "#f7cfa3", "#cfe8d5", "#e6cfe3", "#f3eeb0", "#d4d8dc")
_CHARACTER_IN = 0.067
"""Width of a letter at 8 points, on average a little less."""


def strip_rows(view: RecordingView, modality: str) -> list[Row]:
    """Return a row with the presence of each token, and one for each reason that was given."""
    if modality not in view.judged or not len(view.presence_of(modality)[0]):
        return []
    presence, reasons = view.presence_of(modality)
    shares = reason_shares(reasons)
    names = ["present", *shares]
    flags = [presence, *((reasons & Reason[name.upper()]) != 0 for name in shares)]
    colours = [PRESENT, *(reason_colour(name) for name in shares)]
    pixels = np.stack([_shaded(flag, colour) for flag, colour in zip(flags, colours, strict=True)])

    def draw(axes: Axes) -> None:
        edges = view.tokens.start * view.token_s, view.tokens.stop * view.token_s
        extent = (*edges, len(names) - 0.5, -0.5)
        axes.imshow(pixels, extent=extent, aspect="auto", interpolation="nearest")
        set_time(axes, view.from_s, view.to_s)
        axes.set_yticks(range(len(names)), names, fontsize=6.8)
        axes.tick_params(axis="y", length=0, pad=3)
        axes.grid(visible=False)
        axes.hlines(np.arange(len(names) - 1) + 0.5, view.from_s, view.to_s, color="white", lw=1)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        for row, flag in enumerate(flags):
            axes.text(
                1.008,
                row,
                percent(float(flag.mean())),
                va="center",
                size=6.8,
                color=MUTED,
                transform=axes.get_yaxis_transform(),
            )

    return [Row(0.125 * len(names), draw)]


def reason_colour(reason: str) -> str:
    """Return the colour of a reason's group."""
    return next(colour for colour, members in REASON_GROUPS.values() if reason in members)


def _shaded(flags: np.ndarray, colour: str) -> np.ndarray:
    """Colours ``[columns, 3]`` of tokens: the stronger, the more of a column's tokens are flagged."""
    starts = np.arange(min(len(flags), COLUMNS)) * len(flags) // min(len(flags), COLUMNS)
    share = np.add.reduceat(flags.astype(float), starts) / np.diff(np.append(starts, len(flags)))
    strength = np.where(share > 0, 0.35 + 0.65 * share, 0)[:, None]
    return strength * np.array(to_rgb(colour)) + (1 - strength) * np.array(to_rgb(ABSENT))


def class_colours(view: RecordingView) -> dict[tuple[str, str], str]:
    """Return a colour for each class of each task, in the order in which they occur."""
    found: dict[str, dict[str, None]] = {}
    for trial in view.recording.trials:
        for task, label in trial.labels.items():
            found.setdefault(task, {})[label] = None
    return {
        (task, label): CLASS_COLOURS[number % len(CLASS_COLOURS)]
        for task, labels in found.items()
        for number, label in enumerate(labels)
    }


def trial_rows(view: RecordingView) -> list[Row]:
    """Return a row with the trials' numbers, and one per task with their classes."""
    if not view.trials:
        return []
    colours = class_colours(view)
    tasks = list(dict.fromkeys(task for task, _ in colours))

    def row(task: str | None) -> Row:
        return Row(0.2 if task else 0.17, lambda axes: _draw_trials(axes, view, task, colours))

    return [row(None), *(row(task) for task in tasks), gap(0.08)]


def _draw_trials(
    axes: Axes, view: RecordingView, task: str | None, colours: dict[tuple[str, str], str]
) -> None:
    set_time(axes, view.from_s, view.to_s)
    axes.grid(visible=False)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5], [shortened(task or "trial", 14)], fontsize=7.5, color=INK)
    axes.tick_params(axis="y", length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    letter_s = _CHARACTER_IN * (view.to_s - view.from_s) / PLOT_IN
    every = _numbered(view, letter_s)
    for number, trial in view.trials:
        label = str(number) if task is None else trial.labels.get(task, "")
        start, stop = max(trial.start_s, view.from_s), min(trial.stop_s, view.to_s)
        colour = GRID if task is None else colours.get((task, label), "white")
        axes.broken_barh([(start, stop - start)], (0.04, 0.92), facecolor=colour, edgecolor="white", lw=0.8)
        fits = number % every == 0 if task is None else (len(label) + 1) * letter_s <= stop - start
        if fits:
            axes.text((start + stop) / 2, 0.48, label, ha="center", va="center", size=7.5, color=INK)


def _numbered(view: RecordingView, letter_s: float) -> int:
    """Return which trials get their number: every so many-th, so that the numbers do not touch."""
    widest = (len(str(view.trials[-1][0])) + 1) * letter_s
    starts = [trial.start_s for _, trial in view.trials]
    pitch = float(np.median(np.diff(starts))) if len(starts) > 1 else widest
    return next((step for step in (1, 2, 5, 10, 20, 50, 100) if step * pitch >= widest), 1000)


def legend_rows(view: RecordingView) -> list[Row]:
    """Return rows that say what the colours mean: of presence, of the reasons given, of the classes."""
    given = {name for modality in view.judged for name in reason_shares(view.presence_of(modality)[1])}
    signs: list[tuple[Artist, str]] = [
        (Patch(facecolor=PRESENT), "token present"),
        (Patch(facecolor=LOST), "samples lost"),
        (Patch(facecolor=BEYOND), "beyond what the axis shows"),
    ]
    reasons: list[tuple[Artist, str]] = [
        (Patch(facecolor=colour), f"absent, {group}: {', '.join(name for name in members if name in given)}")
        for group, (colour, members) in REASON_GROUPS.items()
        if given & set(members)
    ]
    classes: list[tuple[Artist, str]] = [
        (Patch(facecolor=colour), f"{task}: {label}") for (task, label), colour in class_colours(view).items()
    ]
    lines = [line for part in (signs, reasons, classes) for line in _wrapped(part)]
    return [gap(0.06), *(_legend_row(line) for line in lines)]


def _wrapped(entries: Sequence[tuple[Artist, str]]) -> list[list[tuple[Artist, str]]]:
    """Break legend entries into lines that fit."""
    lines: list[list[tuple[Artist, str]]] = []
    left = 0.0
    for entry in entries:
        width = 0.5 + _CHARACTER_IN * len(entry[1])
        if not lines or width > left:
            lines.append([])
            left = PLOT_IN
        lines[-1].append(entry)
        left -= width
    return lines


def _legend_row(entries: Sequence[tuple[Artist, str]]) -> Row:
    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        handles, labels = zip(*entries, strict=True)
        axes.legend(
            handles,
            labels,
            loc="center left",
            ncols=len(entries),
            borderaxespad=0,
            fontsize=8,
            handlelength=1.2,
            borderpad=0,
        )

    return Row(0.19, draw)
