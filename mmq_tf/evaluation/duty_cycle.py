# SPDX-License-Identifier: Apache-2.0
"""Which sensor is worth its power: sets of sensors by score and energy, the best mix within a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmq_tf.errors import MMQError
from mmq_tf.evaluation.protocols import kept_sensors
from mmq_tf.evaluation.sensor_power import Costs
from mmq_tf.metrics.names import FULL
from mmq_tf.metrics.results_table import ResultsFile


@dataclass(frozen=True)
class SensorSet:
    """A set of sensors that is on.

    Attributes
    ----------
    sensors : tuple of str
    uj : float
        What a decision costs.
    score, low, high : float
        Mean over subjects, and its interval where there is one.
    best : bool
        Whether no cheaper set scores as high.
    """

    sensors: tuple[str, ...]
    uj: float
    score: float
    low: float | None
    high: float | None
    best: bool = False


@dataclass(frozen=True)
class Plan:
    """What is on for which share of the time.

    Attributes
    ----------
    parts : tuple of (SensorSet, float)
        One or two sets and their shares, which add up to 1.
    uj, score : float
        Means over the parts: an estimate, for scores do not truly add up.
    lost : float
        The score of all sensors minus `score`.
    """

    parts: tuple[tuple[SensorSet, float], ...]
    uj: float
    score: float
    lost: float

    def on(self, sensor: str) -> float:
        """Return the share of the time for which a sensor is on."""
        return sum(share for choice, share in self.parts if sensor in choice.sensors)


def choices(results: ResultsFile, method: str, metric: str, costs: Costs) -> list[SensorSet]:
    """Return every set of sensors that was judged, the cheapest first.

    Parameters
    ----------
    results : ResultsFile
        Of `mmq-tf evaluate` or of a run.
    method, metric : str
        Of its rows; of the metric more is better.
    costs : Costs

    Raises
    ------
    MMQError
        When the table has no such rows.
    """
    names = tuple(costs.sensor_uj)
    found: dict[tuple[str, ...], SensorSet] = {}
    for condition in results.conditions:
        kept = names if condition == FULL else kept_sensors(condition, names)
        row = results.row(method, condition, metric) if kept else None
        if kept and row is not None and row.mean is not None:
            found[kept] = SensorSet(kept, costs.of(kept), row.mean, row.low, row.high)
    if names not in found:
        raise MMQError(f"results: expected {metric} of {method} with all sensors, found none.")
    ordered = sorted(found.values(), key=lambda choice: (choice.uj, -choice.score))
    top, told = float("-inf"), []
    for choice in ordered:
        is_best = choice.score > top
        top = max(top, choice.score)
        told.append(SensorSet(choice.sensors, choice.uj, choice.score, choice.low, choice.high, is_best))
    return told


def plan_for(known: Sequence[SensorSet], budget_uj: float) -> Plan:
    """Return the mix of at most two sets with the highest mean score within a budget.

    Parameters
    ----------
    known : sequence of SensorSet
        From `choices`.
    budget_uj : float
        A decision, on average.

    Raises
    ------
    MMQError
        When even the cheapest set costs more.

    Examples
    --------
    >>> known = [SensorSet(("a",), 10.0, 0.6, None, None), SensorSet(("a", "b"), 30.0, 0.8, None, None)]
    >>> plan = plan_for(known, 15.0)
    >>> [(part.sensors, share) for part, share in plan.parts], round(plan.score, 6), plan.on("b")
    ([(('a',), 0.75), (('a', 'b'), 0.25)], 0.65, 0.25)
    """
    cheapest = min(known, key=lambda choice: choice.uj)
    if not budget_uj >= cheapest.uj:
        raise MMQError(
            f"budget: {budget_uj:g} uJ a decision are too few: the cheapest set, "
            f"{' and '.join(cheapest.sensors)}, costs {cheapest.uj:,.0f}."
        )
    full = max(known, key=lambda choice: len(choice.sensors))
    best: tuple[float, float, tuple[tuple[SensorSet, float], ...]] | None = None
    for low in known:
        for high in known:
            if low.uj > budget_uj or high.uj < low.uj:
                continue
            share = 1.0 if high.uj <= budget_uj else (budget_uj - low.uj) / (high.uj - low.uj)
            parts = tuple((c, s) for c, s in ((low, 1 - share), (high, share)) if s > 0)
            score = sum(c.score * s for c, s in parts)
            uj = sum(c.uj * s for c, s in parts)
            if best is None or (score, -uj) > (best[0], -best[1]):
                best = score, uj, parts
    assert best is not None
    return Plan(best[2], best[1], best[0], full.score - best[0])
