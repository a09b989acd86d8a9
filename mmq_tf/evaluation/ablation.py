# SPDX-License-Identifier: Apache-2.0
"""What each part of the network is worth: the whole network against the same one without that part.

Every number is a function of the folds' prediction files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmq_tf.evaluation.protocols import MASKED, condition_name
from mmq_tf.evaluation.robustness import CURVE_METRICS, area_under, over_seeds, quantity_rows
from mmq_tf.evaluation.sweep_scores import FULL, Sweep
from mmq_tf.metrics.results_table import ResultRow
from mmq_tf.metrics.significance import bootstrap_counts, compare

NOISY = condition_name("E", 0)
"""Where the use of interference queries is judged: artefacts as strong as the signal."""

LOSS_SHARE = "lost_{metric}_over_{method}"


def judged_under(sweep: Sweep, modalities: Sequence[str]) -> list[str]:
    """Name where a part is judged: all sensors, the areas of A to C, artefacts at 0 dB, each sensor gone."""
    areas = [protocol for protocol in MASKED if sweep.levels(protocol)]
    single = [f"no-{name}" for name in modalities]
    return [FULL, *areas, *(c for c in (NOISY, *single) if c in sweep.conditions)]


def metric_name(condition: str, metric: str) -> str:
    """Name the metric of a place of `judged_under`: that of a protocol is the area under its curve."""
    return f"area_{metric}" if condition in MASKED else metric


def ablation_rows(sweep: Sweep, reference: str, modalities: Sequence[str]) -> list[ResultRow]:
    """Compute the rows of an ablation.

    Beside each method's own value stands what `reference`, the whole network, has more than it: mean over
    subjects of the paired difference with its bootstrap interval, and the p-value of a Wilcoxon signed-rank
    test over subjects, Holm-corrected over the ablations under that condition.

    Parameters
    ----------
    sweep : Sweep
        Of the whole network and of those without a part.
    reference : str
    modalities : sequence of str
        All sensors.
    """
    quantities, tests = [], []
    for condition in judged_under(sweep, modalities):
        for metric in CURVE_METRICS:
            name = metric_name(condition, metric)
            values = {m: _values(sweep, m, condition, metric) for m in sweep.methods}
            quantities += [(m, condition, name, found) for m, found in values.items()]
            quantities += [
                (m, condition, f"{name}_{reference}_gains", values[reference] - found)
                for m, found in values.items()
                if m != reference
            ]
            tests += [
                ResultRow(
                    method=found.method,
                    condition=condition,
                    metric=f"{name}_p_holm",
                    mean=found.p_holm,
                    n=found.subjects,
                )
                for found in compare({m: over_seeds(found) for m, found in values.items()}, reference)
            ]
    return quantity_rows(quantities) + tests + _loss_shares(sweep, reference)


def _values(sweep: Sweep, method: str, condition: str, metric: str) -> np.ndarray:
    """Return float64 ``[seeds, subjects]``."""
    if condition in MASKED:
        return area_under(sweep, method, condition, metric)
    return sweep.scores(method, condition, metric)


def _loss_shares(sweep: Sweep, reference: str) -> list[ResultRow]:
    """Say what share of a network's loss to artefacts is left in the whole network, for each part taken out.

    The ratio of mean losses over subjects; the interval is from draws of subjects, those in which the
    network without the part loses nothing left out. No ratio where it loses nothing at all.
    """
    if NOISY not in sweep.conditions:
        return []
    rows = []
    for metric in CURVE_METRICS:
        lost = {
            m: over_seeds(sweep.scores(m, FULL, metric) - sweep.scores(m, NOISY, metric))
            for m in sweep.methods
        }
        for method in (m for m in sweep.methods if m != reference):
            pair = np.stack([lost[reference], lost[method]])
            pair = pair[:, ~np.isnan(pair).any(axis=0)]
            draws = bootstrap_counts(pair.shape[1]) @ pair.T if pair.size else np.zeros((0, 2))
            draws = draws[draws[:, 1] > 0]
            total = pair.sum(axis=1)
            if total[1] <= 0 or not len(draws):
                continue
            low, high = np.percentile(draws[:, 0] / draws[:, 1], [2.5, 97.5])
            rows.append(
                ResultRow(
                    method=reference,
                    condition=NOISY,
                    metric=LOSS_SHARE.format(metric=metric, method=method),
                    mean=float(total[0] / total[1]),
                    low=float(low),
                    high=float(high),
                    n=pair.shape[1],
                )
            )
    return rows
