# SPDX-License-Identifier: Apache-2.0
"""A finished run in plain words: better or worse than the trees, by how much, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from mmq_tf.metrics.names import CLOCK, FULL
from mmq_tf.metrics.results_table import ResultRow, ResultsFile
from mmq_tf.metrics.significance import Comparison

LIKELY = 0.05
"""Below this p (Wilcoxon over people, Holm over the methods) a difference is called one."""

FEW = 12
"""With fewer people hardly any difference can be told: six of six is the least that Wilcoxon calls likely,
and a correction over six rivals asks for twice that."""


def verdict(results: ResultsFile, model: str, rival: str | None, comparisons: Sequence[Comparison]) -> str:
    """Return what a run says, in two to four sentences; empty where the model has no AUROC.

    Parameters
    ----------
    results : ResultsFile
        The run's table.
    model : str
        The network's method.
    rival : str, optional
        The best of the trees.
    comparisons : sequence of Comparison
        The model against each method, over people.
    """
    ours = results.row(model, FULL, "auroc")
    if ours is None or ours.mean is None:
        return ""
    said = [_against(results, ours, rival, comparisons)]
    if ours.mean < 0.5:
        said.append("That is below chance: look at labels, enrolment and units before anything else.")
    elif rival and (gone := _where_sensors_are_gone(results, model, rival)):
        said.append(gone)
    if clock := results.row(CLOCK, FULL, "auroc"):
        if clock.mean is not None and clock.mean > ours.mean:
            said.append(f"A clock has {clock.mean:.3f}, so read the time-matched AUROC.")
    if ours.n < FEW:
        said.append(f"{ours.n} people are too few to tell methods apart: record more before you choose.")
    return " ".join(["SIMULATED people:"] * results.simulated + said)


def _against(
    results: ResultsFile, ours: ResultRow, rival: str | None, comparisons: Sequence[Comparison]
) -> str:
    theirs = results.row(rival, FULL, "auroc") if rival else None
    found = next((one for one in comparisons if one.method == rival), None)
    if theirs is None or theirs.mean is None or found is None:
        return f"On {ours.n} people {ours.method} has an AUROC of {ours.mean:.3f}; no trees stand beside it."
    numbers = f"AUROC {ours.mean:.3f} against {theirs.mean:.3f}, {found.difference:+.3f} by person"
    who = f"On {ours.n} people {ours.method}"
    whom = f"the best of the trees, {rival} ({numbers})"
    if not found.p_holm < LIKELY:
        return f"{who} is neither clearly better nor clearly worse than {whom}: the difference may be chance."
    if found.difference > 0:
        return f"{who} is better than {whom}."
    return f"{who} is worse than {whom}. Where every sensor is always there, use the {rival}."


def _where_sensors_are_gone(results: ResultsFile, model: str, rival: str) -> str:
    """Say in how many cases of a hidden sensor the model is ahead; empty where there are none."""
    cases = [condition for condition in results.conditions if condition.startswith("no-")]
    pairs = [[results.row(method, case, "auroc") for method in (model, rival)] for case in cases]
    means = [(a.mean, b.mean) for a, b in pairs if a and b and a.mean is not None and b.mean is not None]
    if not means:
        return ""
    ahead = sum(a > b for a, b in means)
    return f"With one sensor hidden it is ahead in {ahead} of {len(means)} cases."
