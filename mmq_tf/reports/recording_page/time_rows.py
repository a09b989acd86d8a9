# SPDX-License-Identifier: Apache-2.0
"""A figure as rows under each other over one time axis, laid out in inches so that nothing overlaps."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from mmq_tf.reports.figures import INK, MUTED, STYLE

DPI = 200
WIDTH_IN, LEFT_IN, RIGHT_IN = 11.0, 0.95, 0.85
PLOT_IN = WIDTH_IN - LEFT_IN - RIGHT_IN
COLUMNS = int(DPI * PLOT_IN)
"""Pixels over which a row's time axis runs."""

TIME_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
MAX_TICKS = 12


@dataclass(frozen=True)
class Row:
    """A part of a figure: how high it is, and what draws it on axes of that height."""

    height_in: float
    draw: Callable[[Axes], object]


def rows_figure(rows: Sequence[Row]) -> Figure:
    """Lay rows under each other."""
    height = sum(row.height_in for row in rows) + 0.1
    with matplotlib.rc_context(STYLE | {"text.parse_math": False, "font.size": 8.0}):
        figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor="white")
        top = height - 0.05
        for row in rows:
            top -= row.height_in
            place = (LEFT_IN / WIDTH_IN, top / height, PLOT_IN / WIDTH_IN, row.height_in / height)
            row.draw(figure.add_axes(place))
    return figure


def gap(height_in: float) -> Row:
    """Return an empty row."""
    return Row(height_in, lambda axes: axes.set_axis_off())


def heading(text: str, right: str = "", size: float = 9.0, colour: str = INK) -> Row:
    """Return a line of text over the plot, in bold, with more at its right end."""

    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        axes.text(0, 0.25, text, size=size, color=colour, weight="bold")
        axes.text(1, 0.25, right, size=8, color=MUTED, ha="right")

    return Row(size * 1.9 / 72, draw)


def paragraph(text: str) -> Row:
    """Return a line of small text over the plot."""

    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        axes.text(0, 0.25, text, size=8, color=INK)

    return Row(0.17, draw)


def clock(time_s: float, decimals: int = 0) -> str:
    """Write a time as min:s.

    Examples
    --------
    >>> clock(3039.2), clock(61.25, 1), clock(59.96, 1), clock(0.0)
    ('50:39', '1:01.2', '1:00.0', '0:00')
    """
    rounded = round(time_s, decimals) + 0.0  # -0.0 would be written as it is
    minutes = int(rounded // 60)
    return f"{minutes}:{rounded - 60 * minutes:0{3 + decimals if decimals else 2}.{decimals}f}"


def shortened(text: str, most: int) -> str:
    """Cut a text so that it has at most so many letters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def set_time(axes: Axes, from_s: float, to_s: float) -> list[tuple[float, str]]:
    """Give axes the time axis, with a line but no text at each tick; return the ticks with their text."""
    step = next((s for s in TIME_STEPS_S if (to_s - from_s) / s <= MAX_TICKS), (to_s - from_s) / MAX_TICKS)
    ticks = np.arange(np.ceil(from_s / step - 1e-9), np.floor(to_s / step + 1e-9) + 1) * step
    axes.set_xlim(from_s, to_s)
    axes.set_xticks(ticks)
    axes.tick_params(axis="x", labelbottom=False, length=0)
    return [(float(tick), clock(float(tick), 1 if step < 1 else 0)) for tick in ticks]


def time_axis(from_s: float, to_s: float) -> Row:
    """Return the row with the times in min:s."""

    def draw(axes: Axes) -> None:
        for tick, text in set_time(axes, from_s, to_s):
            axes.text(tick, 0.5, text, ha="center", va="center", color=MUTED, size=8)
        axes.text(1.03, 0.5, "min:s", va="center", color=MUTED, size=8, transform=axes.transAxes)
        axes.set_axis_off()

    return Row(0.24, draw)


def as_png(figure: Figure) -> bytes:
    """Render a figure as a PNG with a palette, which takes a third of the bytes and looks the same."""
    whole, smaller = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(STYLE), _unknown_letters():
        figure.savefig(whole, format="png", dpi=DPI)
    whole.seek(0)
    with Image.open(whole) as picture:
        # the octree keeps rare colours, such as a legend's; the median cut, Pillow's default, mixes them
        few = picture.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(smaller, format="png")
    return smaller.getvalue()


def as_png_uri(figure: Figure) -> str:
    """Render a figure as a PNG in a ``data:`` address, to stand in an ``<img>`` without any other file."""
    return "data:image/png;base64," + base64.b64encode(as_png(figure)).decode("ascii")


@contextmanager
def _unknown_letters() -> Iterator[None]:
    """Let a name hold letters that the font lacks: they become boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
