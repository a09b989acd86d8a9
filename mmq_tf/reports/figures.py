# SPDX-License-Identifier: Apache-2.0
"""The report's figures as self-contained SVG; nothing shared with pyplot, same bytes for the same run."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmq_tf.metrics.names import CLOCK
from mmq_tf.metrics.results_table import ResultsFile, format_cell
from mmq_tf.metrics.scores import ece, reliability_bins

INK, MUTED, GRID, ACCENT, WARM = "#1d2733", "#66727f", "#e3e8ee", "#0068b5", "#d1690e"
# Okabe & Ito's colours, told apart by colour-blind readers; the model alone is strong, filled and large.
METHOD_STYLE = {
    "logistic": ("#8a949e", "X"),
    "logistic_dropout": ("#4d5761", "x"),
    "forest": ("#009e73", "s"),
    "boosted": ("#e69f00", "^"),
    "boosted_dropout": ("#c25b8e", "D"),
    "zero_fill": ("#56b4e9", "v"),
    "mean_fill": ("#b3a369", "<"),
    "modality_dropout": ("#d55e00", ">"),
    "attention_mask": ("#5b3a8e", "P"),
}
_GUESSES = ("majority", "stratified")
_OWN_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "mmq-tf",
}
_NOT_STYLE = ("backend", "interactive", "toolbar", "timezone", "savefig.directory", "date.epoch")
STYLE: Any = {
    **{key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith(_NOT_STYLE)},
    **_OWN_STYLE,
}
"""Everything a figure's look depends on, so that nobody's matplotlibrc counts."""


class PageFigure(Figure):
    """A figure whose points can say what they are, on a page.

    Attributes
    ----------
    tips : dict of str to list of str
        Id of a group of marks in the SVG -> what each mark is, in the order they were drawn.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.tips: dict[str, list[str]] = {}

    def tell(self, artist: Artist, texts: Sequence[str]) -> None:
        """Say what each mark of an artist is."""
        name = f"marks-{len(self.tips)}"
        artist.set_gid(name)
        self.tips[name] = list(texts)


def as_svg(figure: Figure, stamps: Sequence[str] = ()) -> str:
    """Render a figure as SVG; stamps such as SIMULATED stand above it, for where it is shown alone."""
    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        if stamps:
            figure.text(1.0, 1.02, " ".join(stamps), ha="right", va="bottom", color=WARM, weight="bold")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return buffer.getvalue()


def as_data_uri(svg: str) -> str:
    """Turn an SVG into a ``data:`` address, to stand in an ``<img>`` without any other file."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


def _figure(width: float, height: float, columns: int = 1) -> tuple[PageFigure, list[Axes]]:
    with matplotlib.rc_context(STYLE):
        figure = PageFigure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False)
    return figure, list(axes[0])


def named(metric: str) -> str:
    """Return a metric's name as readers know it."""
    return (
        metric.replace("_", " ")
        .replace("auroc", "AUROC")
        .replace("macro f1", "macro-F1")
        .replace("nll", "negative log likelihood")
    )


def conditions_figure(results: ResultsFile, model: str, metric: str = "auroc") -> PageFigure:
    """Draw one metric of every method but the clock, by condition, with its interval over subjects."""
    guesses = _GUESSES if metric.endswith("auroc") else ()
    methods = [m for m in results.methods if m not in (*guesses, CLOCK)]
    conditions = [c for c in results.conditions if any(results.row(m, c, metric) for m in methods)]
    figure, (axes,) = _figure(6.0, 0.9 + len(conditions) * (0.25 + 0.13 * len(methods)))
    with matplotlib.rc_context(STYLE):
        for order, method in enumerate(methods):
            places, means, low, high, texts = [], [], [], [], []
            for place, condition in enumerate(conditions):
                row = results.row(method, condition, metric)
                if row is None or row.mean is None:
                    continue
                places.append(place + 0.7 * ((order + 0.5) / len(methods) - 0.5))
                means.append(row.mean)
                low.append(row.mean - (row.mean if row.low is None else row.low))
                high.append((row.mean if row.high is None else row.high) - row.mean)
                texts.append(f"{method}, {condition}: {format_cell(row)}")
            colour, marker = (ACCENT, "o") if method == model else METHOD_STYLE.get(method, (MUTED, "v"))
            size = 7.5 if method == model else 5
            spread = np.maximum([low, high], 0)
            drawn = axes.errorbar(
                means,
                places,
                xerr=spread,
                color=colour,
                fmt=marker,
                ms=size,
                lw=1.4,
                label=method,
                alpha=0.95,
            )
            figure.tell(drawn.lines[0], texts)
        if guesses:
            axes.axvline(0.5, color=MUTED, lw=1, ls=(0, (4, 3)))
            axes.annotate(
                "chance", (0.5, 0), (3, 4), textcoords="offset points", xycoords=("data", "axes fraction")
            )
        axes.set_yticks(range(len(conditions)), conditions, color=INK)
        axes.set_ylim(len(conditions) - 0.45, -0.55)
        axes.grid(axis="y", visible=False)
        for edge in range(1, len(conditions)):
            axes.axhline(edge - 0.5, color=GRID, lw=1)
        axes.set_xlabel(f"{named(metric)}, mean and 95 % interval over subjects")
        axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, handletextpad=0.3)
    return figure


def reliability_figure(labels: np.ndarray, stages: Mapping[str, np.ndarray]) -> PageFigure:
    """Draw how often the model is right against how sure it is, a panel a stage (before, after temperature).

    Parameters
    ----------
    labels : int ``[N]``
    stages : mapping of a title to probabilities ``[N, K]``
    """
    figure, axes = _figure(3.1 * len(stages), 3.2, len(stages))
    with matplotlib.rc_context(STYLE):
        for panel, (title, probabilities) in zip(axes, stages.items(), strict=True):
            bins = reliability_bins(labels, probabilities)
            used = bins.count > 0
            count = bins.count[used]
            low = 1 / probabilities.shape[1]
            panel.plot([low, 1], [low, 1], color=MUTED, lw=1, ls=(0, (4, 3)))
            sure, right = bins.confidence[used] / count, bins.correct[used] / count
            panel.plot(sure, right, color=ACCENT, lw=1.2)
            panel.scatter(
                sure, right, s=8 + 160 * count / count.max(), color=ACCENT, alpha=0.75, edgecolors="white"
            )
            panel.set_xlim(low - 0.02, 1.02)
            panel.set_ylim(min(low, float(right.min())) - 0.03, 1.03)
            panel.set_title(f"{title}: ECE {ece(labels, probabilities):.3f}")
            panel.set_xlabel("confidence")
        axes[0].set_ylabel("accuracy")
    return figure


def curves_figure(
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    best_epochs: Mapping[str, int],
    metrics: Sequence[str] = (),
) -> PageFigure:
    """Draw the training curves of every fold: losses, then a panel for each further curve named."""
    panels = [("loss", ("loss", "val_loss"))] + [
        (metric.removeprefix("val_"), (metric,)) for metric in metrics
    ]
    figure, axes = _figure(3.1 * len(panels), 2.8, len(panels))
    colours = {"loss": MUTED, "val_loss": ACCENT}
    alpha = float(np.clip(3.0 / max(1, len(histories)), 0.15, 0.9))
    with matplotlib.rc_context(STYLE):
        for panel, (title, keys) in zip(axes, panels, strict=True):
            for key in keys:
                runs = {name: curves[key] for name, curves in histories.items() if len(curves.get(key, ()))}
                colour = colours.get(key, ACCENT)
                for name, values in runs.items():
                    panel.plot(range(1, len(values) + 1), values, color=colour, lw=1, alpha=alpha)
                    best = best_epochs.get(name)
                    if key != "loss" and best is not None and 0 < best <= len(values):
                        panel.plot(best, values[best - 1], "o", ms=3.5, color=WARM, alpha=0.8)
                if runs:
                    panel.plot(
                        [], [], color=colour, label="validation" if key.startswith("val_") else "training"
                    )
            if best_epochs and any(keys[-1] in curves for curves in histories.values()):
                panel.plot([], [], "o", ms=3.5, color=WARM, label="epoch kept")
            panel.set_title(named(title))
            panel.set_xlabel("epoch")
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            panel.legend(loc="best")
    return figure


def presence_figure(share: np.ndarray, subjects: Sequence[str], modalities: Sequence[str]) -> PageFigure:
    """Draw which share of the tokens each subject's sensors gave, ``[subjects, modalities]`` in 0..1."""
    figure, (axes,) = _figure(6.4, 0.9 + 0.32 * len(modalities))
    with matplotlib.rc_context(STYLE):
        picture = axes.imshow(share.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        every = max(1, -(-len(subjects) // 40))
        axes.set_xticks(range(0, len(subjects), every), list(subjects)[::every], rotation=90, fontsize=7.5)
        axes.set_yticks(range(len(modalities)), modalities, color=INK)
        axes.set_xticks(np.arange(len(subjects) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(modalities) + 1) - 0.5, minor=True)
        axes.grid(visible=False)
        axes.grid(which="minor", color="white", lw=1.5)
        axes.tick_params(which="both", length=0)
        bar = figure.colorbar(picture, ax=axes, ticks=[0, 0.5, 1], pad=0.01, aspect=10)
        bar.ax.set_yticklabels(["0 %", "50 %", "100 %"])
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure
