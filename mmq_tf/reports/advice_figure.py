# SPDX-License-Identifier: Apache-2.0
"""The plot of `mmq-tf advise`: what each set of sensors costs and scores, and the plan."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure

from mmq_tf.evaluation.duty_cycle import Plan, SensorSet
from mmq_tf.reports.figures import ACCENT, INK, MUTED, STYLE


def worth_mixing(known: Sequence[SensorSet]) -> list[SensorSet]:
    """Return the sets on the upper hull of score over energy: the best plans mix two neighbours of these."""
    hull: list[SensorSet] = []
    for choice in (choice for choice in known if choice.best):
        while len(hull) > 1 and _slope(hull[-2], choice) >= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(choice)
    return hull


def _slope(low: SensorSet, high: SensorSet) -> float:
    return (high.score - low.score) / max(high.uj - low.uj, 1e-9)


def advice_figure(
    known: Sequence[SensorSet], plan: Plan, budget_uj: float, metric: str, title: str
) -> Figure:
    """Draw score over energy: all sets as dots, a line through the best mixes of two, budget and plan.

    Parameters
    ----------
    known, plan
        Of `mmq_tf.evaluation.duty_cycle`.
    budget_uj : float
    metric : str
        What the score is called.
    title : str
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.plot([c.uj for c in known], [c.score for c in known], "o", color=MUTED, markersize=4)
        best = worth_mixing(known)
        axes.plot([c.uj for c in best], [c.score for c in best], "o-", color=INK, markersize=5)
        middle = (best[0].uj + best[-1].uj) / 2
        for place, choice in enumerate(best):
            side = "left" if choice.uj < middle else "right"
            offset = (6 if side == "left" else -6, 5 if place % 2 else -12)
            axes.annotate(
                " ".join(choice.sensors),
                (choice.uj, choice.score),
                offset,
                textcoords="offset points",
                fontsize=8,
                ha=side,
            )
        axes.axvline(budget_uj, color=ACCENT, linewidth=1, linestyle="--")
        axes.plot([plan.uj], [plan.score], "D", color=ACCENT, markersize=8)
        axes.annotate(
            "plan", (plan.uj, plan.score), (-8, 6), textcoords="offset points", color=ACCENT, ha="right"
        )
        axes.margins(x=0.12)
        axes.set_xlabel("energy per decision, uJ (estimate)")
        axes.set_ylabel(metric)
        axes.set_title(title)
    return figure
