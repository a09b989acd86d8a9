# SPDX-License-Identifier: Apache-2.0
"""A verdict says what the numbers say, and no more."""

import pytest
from made_table import made_table

from mmq_tf.metrics.results_table import ResultRow
from mmq_tf.metrics.significance import Comparison
from mmq_tf.reports.verdict import verdict


def table(net, forest=None, *, n=26, clock=None, gone=(), simulated=False):
    means = {("mmqnet", "full"): net, ("forest", "full"): forest, ("clock", "full"): clock}
    for case, (ours, theirs) in enumerate(gone):
        means |= {("mmqnet", f"no-{case}"): ours, ("forest", f"no-{case}"): theirs}
    rows = tuple(
        ResultRow(method=method, condition=condition, metric="auroc", mean=mean, n=n)
        for (method, condition), mean in means.items()
        if mean is not None
    )
    return made_table(rows, simulated=simulated)


def against(difference, p):
    return [Comparison("forest", difference, 26, 13, p, p)]


@pytest.mark.parametrize(
    ("difference", "p", "words"),
    [
        (
            0.03,
            0.001,
            "mmqnet is better than the best of the trees, forest (AUROC 0.870 against 0.840, +0.030",
        ),
        (-0.03, 0.001, "mmqnet is worse than the best of the trees, forest"),
        (
            0.03,
            0.2,
            "neither clearly better nor clearly worse than the best of the trees, forest",
        ),
        (0.03, float("nan"), "by person): the difference may be chance."),
    ],
)
def test_a_difference_is_called_one_only_where_it_is_likely(difference, p, words):
    said = verdict(table(0.87, 0.84), "mmqnet", "forest", against(difference, p))
    assert words in said
    assert ("use the forest" in said) == ("is worse" in words)


def test_it_counts_the_cases_of_a_hidden_sensor():
    gone = [(0.83, 0.84), (0.77, 0.76), (0.87, 0.86)]
    assert "With one sensor hidden it is ahead in 2 of 3 cases." in verdict(
        table(0.87, 0.86, gone=gone), "mmqnet", "forest", against(0.01, 0.5)
    )


def test_below_chance_it_says_where_to_look_and_nothing_of_hidden_sensors():
    said = verdict(table(0.27, 0.8, gone=[(0.3, 0.2)]), "mmqnet", "forest", against(-0.5, 0.001))
    assert "below chance: look at labels" in said
    assert "hidden" not in said


def test_a_clock_few_people_and_simulated_people_are_named():
    said = verdict(table(0.8, 0.7, n=5, clock=0.95, simulated=True), "mmqnet", "forest", against(0.1, 0.06))
    assert said.startswith("SIMULATED people: On 5 people")
    assert "A clock has 0.950" in said
    assert "5 people are too few" in said
    assert "clock" not in verdict(table(0.8, 0.7, clock=0.5), "mmqnet", "forest", against(0.1, 0.06))


def test_without_trees_or_an_auroc_it_claims_nothing():
    assert "no trees stand beside it" in verdict(table(0.8), "mmqnet", None, [])
    assert verdict(table(None, 0.7), "mmqnet", "forest", []) == ""
