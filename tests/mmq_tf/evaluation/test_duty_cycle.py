# SPDX-License-Identifier: Apache-2.0
"""Energy of sensors, and the plan within a budget."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.errors import MMQError
from mmq_tf.evaluation.duty_cycle import SensorSet, choices, plan_for
from mmq_tf.evaluation.sensor_power import (
    CORE_ROWS,
    NETWORK_INSTRUCTIONS,
    SENSORS,
    UJ_PER_MILLION,
    WINDOW_INSTRUCTIONS,
    Costs,
    decision_costs,
)
from mmq_tf.metrics.results_table import ResultRow
from mmq_tf.reports.advice_figure import advice_figure, worth_mixing

RESULTS = Path(__file__).parents[3] / "results"


def choice(names, uj, score, best=True):
    return SensorSet(tuple(names), uj, score, None, None, best)


KNOWN = [choice("a", 10, 0.6), choice("b", 20, 0.62), choice("ab", 30, 0.8), choice("abc", 40, 0.78, False)]


def test_the_counted_instructions_are_those_of_the_tables():
    """Within a tenth: the tables are measured anew more often than this estimate."""
    rows = json.loads((RESULTS / "core_cost.json").read_text())["rows"]
    rows += json.loads((RESULTS / "network_cost.json").read_text())["rows"]
    counted = {
        (row["method"], row["condition"]): row["mean"] for row in rows if row["metric"] == "instructions"
    }
    for name, row in CORE_ROWS.items():
        channels = 8 if name == "eeg" else 1
        wanted = counted[row, "second -O2"] / channels
        assert SENSORS[name].instructions == pytest.approx(wanted, rel=0.1), name
    assert pytest.approx(counted["wrist-stress", "M4F -O2 DSP"], rel=0.1) == NETWORK_INSTRUCTIONS
    assert pytest.approx(counted["wrist set", "int8 window -Os"], rel=0.1) == WINDOW_INSTRUCTIONS


def test_exact_costs():
    front_end = FrontEnd.wearable({"ppg": 128, "acc": 32})
    costs = decision_costs(front_end, 2, power={"acc": 10.0}, uj_per_million=100.0, network_uj=7.0)
    assert costs.period_s == 2 * front_end.token_s
    assert costs.sensor_uj["ppg"] == pytest.approx(costs.period_s * (1000 + 2 * 44_350 * 1e-4))
    assert costs.sensor_uj["acc"] == pytest.approx(costs.period_s * (10 + 11_685 * 1e-4))
    assert costs.base_uj == pytest.approx(7 + WINDOW_INSTRUCTIONS * 1e-4)
    assert costs.of(("acc",)) == costs.base_uj + costs.sensor_uj["acc"]
    assert any(note.startswith("acc: 10 uW (as given)") for note in costs.notes)


def test_a_sensor_of_another_run_is_refused():
    with pytest.raises(MMQError, match="power: eda is not a sensor of this run; it has ppg"):
        decision_costs(FrontEnd.wearable({"ppg": 64}), power={"eda": 1.0}, uj_per_million=UJ_PER_MILLION)


@pytest.mark.parametrize(
    ("budget", "parts", "score"),
    [
        (10, {"a": 1.0}, 0.6),
        (15, {"a": 0.75, "ab": 0.25}, 0.65),
        (30, {"ab": 1.0}, 0.8),
        (1000, {"ab": 1.0}, 0.8),  # what costs more and scores less is never on
    ],
)
def test_the_best_mix_within_a_budget(budget, parts, score):
    plan = plan_for(KNOWN, budget)
    assert {"".join(part.sensors): share for part, share in plan.parts} == pytest.approx(parts)
    assert plan.score == pytest.approx(score)
    assert plan.uj <= budget
    assert plan.lost == pytest.approx(0.78 - score)
    assert plan.on("a") == pytest.approx(1.0)


@pytest.mark.parametrize("budget", [9.9, float("nan")])
def test_a_budget_that_no_set_keeps_is_refused(budget):
    with pytest.raises(MMQError, match="are too few: the cheapest set, a, costs 10"):
        plan_for(KNOWN, budget)


def test_choices_come_from_the_conditions_that_name_sensors():
    means = {"full": 0.8, "no-eda": 0.7, "only-eda": 0.6, "A-0.5": 0.9}

    def row(method, condition, metric):
        return ResultRow(method=method, condition=condition, metric=metric, mean=means[condition], n=3)

    results = SimpleNamespace(conditions=tuple(means), row=row)
    costs = Costs(5.0, 1.0, {"ppg": 10.0, "eda": 5.0}, ())
    found = choices(results, "net", "auroc", costs)  # type: ignore[arg-type]
    told = [(one.sensors, one.uj, one.score, one.best) for one in found]
    assert told == [
        (("eda",), 6.0, 0.6, True),
        (("ppg",), 11.0, 0.7, True),
        (("ppg", "eda"), 16.0, 0.8, True),
    ]
    del means["full"]
    with pytest.raises(MMQError, match="expected auroc of net with all sensors, found none"):
        choices(SimpleNamespace(conditions=tuple(means), row=row), "net", "auroc", costs)  # type: ignore[arg-type]


def test_the_figure_joins_what_is_worth_mixing():
    assert [one.sensors for one in worth_mixing(KNOWN)] == [("a",), ("a", "b")]
    figure = advice_figure(KNOWN, plan_for(KNOWN, 15), 15, "auroc", "SIMULATED")
    line = figure.axes[0].lines[1]
    assert np.asarray(line.get_xdata()).tolist() == [10, 30]
    assert figure.axes[0].get_title(loc="left") == "SIMULATED"
