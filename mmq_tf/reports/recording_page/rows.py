# SPDX-License-Identifier: Apache-2.0
"""Rows of a recording's picture: one signal each, its channels over the strip of its tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from mmq_bridge.front_end.units import shown_unit

from mmq_tf.recording import Signal
from mmq_tf.reports.figures import ACCENT, INK
from mmq_tf.reports.recording_page.numbers import percent
from mmq_tf.reports.recording_page.presence_rows import BEYOND, LOST, strip_rows
from mmq_tf.reports.recording_page.time_rows import COLUMNS, Row, gap, heading, set_time, shortened
from mmq_tf.reports.recording_page.traces import Trace, alone, lane_scale, limits, trace
from mmq_tf.reports.recording_page.view import RecordingView, samples_between

MAX_AXES = 4
"""Up to so many channels have an axis each; more are stacked on one."""


def sensor_rows(view: RecordingView, modality: str, name: str = "") -> list[Row]:
    """Return the rows of one signal: a heading, its channels, the strip of its tokens.

    Parameters
    ----------
    view : RecordingView
        What is drawn is its stretch.
    modality : str
    name : str
        What the stretch is called, for the heading.
    """
    signal = view.recording.signals[modality]
    start_s, samples = samples_between(signal, view.from_s, view.to_s)
    drawn = trace(samples, start_s, signal.sampling_rate_hz, COLUMNS)
    what = f"{len(signal.channels)} channels" if len(signal.channels) > 1 else "".join(signal.channels)
    parts = [modality, name, what, f"{signal.sampling_rate_hz:g} Hz"]
    title = "  ·  ".join(dict.fromkeys(part for part in parts if part))  # a channel is often named eda
    return [
        heading(title, _present_text(view, modality)),
        *_channel_rows(view, signal, samples, drawn),
        gap(0.03),
        *strip_rows(view, modality),
        gap(0.1),
    ]


def _present_text(view: RecordingView, modality: str) -> str:
    if modality not in view.judged:
        return "not judged by this front end"
    presence, _ = view.presence_of(modality)
    return f"{percent(float(presence.mean()))} of tokens present" if len(presence) else "no whole token"


def _channel_rows(view: RecordingView, signal: Signal, samples: np.ndarray, drawn: Trace) -> list[Row]:
    count = len(signal.channels)
    if not samples.size or np.isnan(samples).all():
        said = "every sample lost" if samples.size else "no sample in this stretch"
        return [Row(0.4, lambda axes: _draw_nothing(axes, view, said))]
    if count > MAX_AXES:
        height = float(np.clip(7.5 / count, 0.1, 0.34)) * (count + 0.6)
        return [Row(height, lambda axes: _draw_lanes(axes, view, signal, samples, drawn)), gap(0.03)]

    def row(channel: int) -> Row:
        return Row(
            0.95 if count == 1 else 0.58,
            lambda axes: _draw_channel(axes, view, signal, channel, limits(samples[channel]), drawn),
        )

    return [part for channel in range(count) for part in (row(channel), gap(0.06))]


def _draw_nothing(axes: Axes, view: RecordingView, said: str) -> None:
    set_time(axes, view.from_s, view.to_s)
    axes.set_yticks([])
    axes.set_facecolor(LOST)
    axes.text(0.5, 0.5, said, ha="center", va="center", color=INK, transform=axes.transAxes)


def _draw_channel(
    axes: Axes,
    view: RecordingView,
    signal: Signal,
    channel: int,
    shown: tuple[float, float],
    drawn: Trace,
) -> None:
    """Draw one channel on axes of its own, in its unit."""
    set_time(axes, view.from_s, view.to_s)
    _draw_losses(axes, drawn, channel, (0.0, 1.0), axes.get_xaxis_transform())
    _draw_line(axes, drawn, channel, drawn.values[channel], shown, ACCENT)
    axes.set_ylim(*shown)
    axes.locator_params(axis="y", nbins=4 if len(signal.channels) == 1 else 3)
    axes.tick_params(axis="y", labelsize=7, length=2)
    axes.set_ylabel(shown_unit(signal.unit), fontsize=7.5)
    axes.yaxis.set_label_coords(-0.06, 0.5)
    if len(signal.channels) > 1:
        axes.text(
            1.008,
            0.5,
            shortened(signal.channels[channel], 13),
            va="center",
            size=7.5,
            transform=axes.transAxes,
        )


def _draw_lanes(axes: Axes, view: RecordingView, signal: Signal, samples: np.ndarray, drawn: Trace) -> None:
    """Draw many channels on one axis, a lane each, all on one scale; a bar says how long its unit is."""
    set_time(axes, view.from_s, view.to_s)
    count = len(signal.channels)
    middles, reach = lane_scale(samples)
    for channel in range(count):
        lane = count - 1 - channel
        values = lane + (drawn.values[channel] - middles[channel]) / (2 * reach)
        _draw_losses(axes, drawn, channel, (lane - 0.5, 1.0), axes.transData)
        _draw_line(axes, drawn, channel, values, (lane - 0.95, lane + 0.95), (ACCENT, INK)[channel % 2])
    axes.set_ylim(-0.8, count - 0.2)
    size = float(np.clip(7.5 / count * 60, 5.5, 7))  # a letter is lower than its lane
    axes.set_yticks(range(count), [shortened(name, 12) for name in reversed(signal.channels)], fontsize=size)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    bar = _round_value(1.4 * reach)
    height = bar / (2 * reach)
    middle = (count - 1) / 2
    where: Any = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    axes.plot([1.01, 1.01], [middle - height / 2, middle + height / 2], color=INK, lw=2, **where)
    axes.text(1.018, middle, f"{bar:g} {shown_unit(signal.unit)}", va="center", size=7.5, color=INK, **where)


def _draw_line(
    axes: Axes, drawn: Trace, channel: int, values: np.ndarray, shown: tuple[float, float], colour: str
) -> None:
    """Draw a line, cut at what is shown; where it is cut it takes another colour."""
    time_s = drawn.time_s
    cut = np.clip(values, *shown)
    with np.errstate(invalid="ignore"):
        beyond = np.where((values < shown[0]) | (values > shown[1]), cut, np.nan)
    for line, its_colour, order in ((cut, colour, 2.0), (beyond, BEYOND, 2.2)):
        if np.isfinite(line).any():
            axes.plot(time_s, line, color=its_colour, lw=0.55, zorder=order, solid_joinstyle="round")
            single = alone(time_s, line)
            axes.plot(time_s[single], line[single], ".", ms=1.6, color=its_colour, zorder=order)


def _draw_losses(axes: Axes, drawn: Trace, channel: int, place: tuple[float, float], transform: Any) -> None:
    """Shade every stretch in which samples of a channel are lost."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], drawn.lost[channel], [False]]).astype(np.int8)))
    spans = [
        (float(drawn.edges_s[a]), float(drawn.edges_s[b] - drawn.edges_s[a]))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]
    if spans:
        axes.broken_barh(
            spans, place, transform=transform, facecolor=LOST, edgecolor=LOST, lw=0.3, zorder=0.2
        )


def _round_value(value: float) -> float:
    """Return the greatest of 1, 2 or 5 times a power of ten that is not above `value`."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-9)) * power)
