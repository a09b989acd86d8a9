# SPDX-License-Identifier: Apache-2.0
"""A duty-cycle plan for a run's sensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmq_tf.api.run_files import run_facts
from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from mmq_tf.evaluation.duty_cycle import Plan, SensorSet
    from mmq_tf.evaluation.sensor_power import Costs

ASSUMED = (
    "Scores are of recordings with sensors taken out: a simulation of switching them off.",
    "Energies are estimates of data sheets not read again; sleep, radio and starts are not in them.",
    "The scores of a mix are taken to add up by time; within a window after a switch they do not.",
)


@dataclass(frozen=True)
class SensorAdvice:
    """What `mmq-tf advise` says.

    Attributes
    ----------
    data, metric : str
    simulated : bool
        Whether the recordings were.
    budget_uj : float
    choices : list of SensorSet
        Every set of sensors that was judged, the cheapest first.
    plan : Plan
    costs : Costs
    is_whole : bool
        Whether every set was judged.
    cautions : tuple of str
        Of the results.
    """

    data: str
    metric: str
    simulated: bool
    budget_uj: float
    choices: list[SensorSet]
    plan: Plan
    costs: Costs
    is_whole: bool
    cautions: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the plan and what it rests on, line by line."""
        plan = self.plan
        said = [
            f"plan for {self.budget_uj:,.0f} uJ a decision: {plan.uj:,.0f} uJ, "
            f"{self.metric} {plan.score:.3f}, {plan.lost:.3f} lost against all sensors"
        ]
        said += [f"  {share:.0%} of the time: {' '.join(choice.sensors)}" for choice, share in plan.parts]
        said += [f"  {name}: on {plan.on(name):.0%}" for name in self.costs.sensor_uj]
        if not self.is_whole:
            said.append("only some sets were judged: `mmq-tf evaluate` on this run judges all")
        return [*said, *(f"estimate: {note}" for note in self.costs.notes), *ASSUMED, *self.cautions]

    def cell(self, choice: SensorSet) -> str:
        """Return a score with its interval."""
        if choice.low is None or choice.high is None:
            return f"{choice.score:.3f}"
        return f"{choice.score:.3f} [{choice.low:.3f}, {choice.high:.3f}]"

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        names = list(self.costs.sensor_uj)
        return {
            "data": self.data,
            "simulated": self.simulated,
            "metric": self.metric,
            "budget_uj": self.budget_uj,
            "period_s": self.costs.period_s,
            "every_set_judged": self.is_whole,
            "base_uj": round(self.costs.base_uj, 3),
            "sensor_uj": {name: round(uj, 3) for name, uj in self.costs.sensor_uj.items()},
            "choices": [
                {
                    "sensors": list(choice.sensors),
                    "uj": round(choice.uj, 3),
                    self.metric: choice.score,
                    "low": choice.low,
                    "high": choice.high,
                    "best": choice.best,
                }
                for choice in self.choices
            ],
            "plan": {
                "parts": [
                    {"sensors": list(choice.sensors), "share": round(share, 6)}
                    for choice, share in self.plan.parts
                ],
                "on": {name: round(self.plan.on(name), 6) for name in names},
                "uj": round(self.plan.uj, 3),
                self.metric: self.plan.score,
                "lost": self.plan.lost,
            },
            "estimates": list(self.costs.notes),
            "assumed": list(ASSUMED),
            "cautions": list(self.cautions),
        }

    def draw(self, path: Path) -> None:
        """Draw it into a file.

        Raises
        ------
        MMQError
            If it cannot be written.
        """
        from mmq_tf.reports.advice_figure import advice_figure

        title = f"{'SIMULATED  ' if self.simulated else ''}{self.data}"
        figure = advice_figure(self.choices, self.plan, self.budget_uj, self.metric, title)
        try:
            figure.savefig(path, dpi=150)
        except OSError as error:
            raise MMQError(f"{path}: cannot be written ({error.strerror}).") from error


def advise(
    run: str | Path,
    budget_uj: float,
    *,
    metric: str = "auroc",
    power: Mapping[str, float] | None = None,
    uj_per_million: float | None = None,
    network_uj: float | None = None,
) -> SensorAdvice:
    """Return which sensors of a run to have on when, within an energy budget; see `mmq-tf advise`.

    Parameters
    ----------
    run : str or Path
        A finished run's folder; with `mmq-tf evaluate`'s results in it, every subset of sensors is weighed.
    budget_uj : float
        Energy a decision may cost on average, in uJ.
    metric : str
        Of the results; more is better.
    power : mapping of str to float, optional
        What a sensor draws, in uW, in place of the published figure.
    uj_per_million : float, optional
        Energy of a million instructions, in uJ.
    network_uj : float, optional
        Energy of one run of the network, in uJ.

    Raises
    ------
    MMQError
        If the folder is no finished run, a sensor or metric is not there, or the budget is too small.
    """
    from mmq_bridge.front_end.front_end import FrontEnd

    from mmq_tf.evaluation.duty_cycle import choices, plan_for
    from mmq_tf.evaluation.sensor_power import UJ_PER_MILLION, decision_costs
    from mmq_tf.metrics.results_table import read_results

    folder = Path(run)
    facts = run_facts(folder, None)
    judged = folder / "evaluation" / "results.json"
    table = read_results(judged if judged.is_file() else folder / "results.json")
    front_end = FrontEnd.load(folder / "frontend.json")
    costs = decision_costs(
        front_end,
        int(facts["decision"].get("every_tokens", 1)),
        power=power,
        uj_per_million=UJ_PER_MILLION if uj_per_million is None else uj_per_million,
        network_uj=network_uj,
    )
    known = choices(table, table.methods[0], metric, costs)
    is_whole = len(known) == (1 << len(costs.sensor_uj)) - 1
    plan = plan_for(known, budget_uj)
    return SensorAdvice(
        table.data, metric, table.simulated, budget_uj, known, plan, costs, is_whole, table.cautions
    )
