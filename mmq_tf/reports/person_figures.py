# SPDX-License-Identifier: Apache-2.0
"""Figures of persons and their windows: one method against another, and what was predicted for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from mmq_tf.reports.figures import ACCENT, INK, MUTED, STYLE, WARM, PageFigure, named

NAMED_SUBJECTS = 3
"""How many persons, those on whom the methods differ most, are named in a panel."""


@dataclass(frozen=True)
class PairedComparison:
    """Two methods' scores of each subject under one condition, both float ``[subjects]``, NaN where none."""

    condition: str
    model: str
    other: str
    model_scores: np.ndarray
    other_scores: np.ndarray
    subjects: Sequence[str]

    @property
    def known(self) -> np.ndarray:
        """Whether both have a score, bool ``[subjects]``."""
        return ~(np.isnan(self.model_scores) | np.isnan(self.other_scores))

    @property
    def wins(self) -> int:
        """On how many subjects the model is strictly better."""
        return int((self.model_scores > self.other_scores).sum())


def subject_figure(pairs: Sequence[PairedComparison], metric: str = "auroc") -> PageFigure:
    """Draw each subject as a point, one panel per condition: the other method across, the model up."""
    values = [v[pair.known] for pair in pairs for v in (pair.model_scores, pair.other_scores)]
    low = float(np.floor(10 * min([1.0, *np.concatenate(values)]) - 0.2) / 10)
    with matplotlib.rc_context(STYLE):
        figure = PageFigure(figsize=(4.3 * len(pairs), 4.5), layout="constrained")
        axes = figure.subplots(1, len(pairs), squeeze=False)
        for axis, pair in zip(axes[0], pairs, strict=True):
            _draw_pair(figure, axis, pair, low, named(metric))
    return figure


def _draw_pair(figure: PageFigure, axis: Axes, pair: PairedComparison, low: float, metric: str) -> None:
    x, y = pair.other_scores[pair.known], pair.model_scores[pair.known]
    names = [name for name, here in zip(pair.subjects, pair.known, strict=True) if here]
    texts = [
        f"{name}: {pair.model} {ours:.3f}, {pair.other} {theirs:.3f}"
        for name, ours, theirs in zip(names, y, x, strict=True)
    ]
    axis.plot([low, 1.02], [low, 1.02], color=MUTED, lw=1, ls=(0, (4, 3)))
    for which, colour, marker, text in (
        (y >= x, ACCENT, "o", f"{pair.model} at least as good"),
        (y < x, WARM, "s", f"{pair.other} better"),
    ):
        label = f"{text}: {int(which.sum())}"
        drawn = axis.scatter(
            x[which], y[which], s=42, color=colour, marker=marker, alpha=0.8, edgecolors="white", label=label
        )
        figure.tell(drawn, [texts[place] for place in np.flatnonzero(which)])
    for place in np.argsort(-np.abs(y - x), kind="stable")[:NAMED_SUBJECTS]:
        above = y[place] >= x[place]
        axis.annotate(
            names[place],
            (x[place], y[place]),
            (-6, 4) if above else (6, -4),
            textcoords="offset points",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            fontsize=8,
        )
    axis.set_xlim(low, 1.02)
    axis.set_ylim(low, 1.02)
    axis.set_aspect("equal")
    step = MultipleLocator(0.1 if low < 0.75 else 0.05)
    axis.xaxis.set_major_locator(step)
    axis.yaxis.set_major_locator(MultipleLocator(0.1 if low < 0.75 else 0.05))
    axis.set_xlabel(f"{pair.other}: {metric} of a person")
    axis.set_ylabel(f"{pair.model}: {metric} of a person")
    legend = axis.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), handletextpad=0.2, title=pair.condition, alignment="left"
    )
    legend.get_title().set_fontweight("bold")


def confusion_counts(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count windows by true class (rows) and predicted class (columns), int ``[K, K]``.

    Examples
    --------
    >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def confusion_figure(matrices: Mapping[str, np.ndarray], classes: Sequence[str]) -> PageFigure:
    """Draw confusion matrices, a panel per condition: of each true class, the share predicted as each class.

    Parameters
    ----------
    matrices : mapping
        Title -> int ``[K, K]`` of `confusion_counts`.
    classes : sequence of str
    """
    size = len(classes)
    with matplotlib.rc_context(STYLE):
        figure = PageFigure(
            figsize=((1.7 + 0.85 * size) * len(matrices), 1.4 + 0.8 * size), layout="constrained"
        )
        axes = figure.subplots(1, len(matrices), squeeze=False)
        for axis, (title, counts) in zip(axes[0], matrices.items(), strict=True):
            share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
            for i in range(size):
                for j in range(size):
                    text = f"{100 * share[i, j]:.0f} %\n{counts[i, j]:,}"
                    colour = "white" if share[i, j] > 0.55 else INK
                    axis.text(j, i, text, ha="center", va="center", color=colour)
            axis.set_title(title, fontweight="bold")
            axis.set_xticks(range(size), classes, color=INK)
            axis.set_yticks(range(size), classes, color=INK)
            axis.set_xlabel("predicted")
            axis.set_ylabel("true")
            axis.grid(visible=False)
            axis.tick_params(length=0)
    return figure
