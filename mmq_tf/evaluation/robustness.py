# SPDX-License-Identifier: Apache-2.0
"""From the predictions of a sweep to its table: curves, areas under them, points lost, tests, calibration.

Every number is a function of the folds' prediction files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmq_tf.evaluation.protocols import MASKED
from mmq_tf.evaluation.sweep_scores import FULL, Sweep
from mmq_tf.metrics.calibration import undo_temperature
from mmq_tf.metrics.names import CLOCK
from mmq_tf.metrics.results_table import ResultRow
from mmq_tf.metrics.risk_coverage import COVERAGES, subject_coverage
from mmq_tf.metrics.scores import METRICS, confidence_bin
from mmq_tf.metrics.significance import (
    Comparison,
    bootstrap_counts,
    bootstrap_intervals,
    compare,
    mean_over_seeds,
)
from mmq_tf.metrics.summary import NO_LIMITS, time_matched_rows, wearer_rows

CURVE_METRICS = ("auroc", "macro_f1")
LOST_AT = (0.5, 0.7)
COVERAGE = 0.7
FRONT_END = "front end"
"""The "method" of the rows that tell what protocol E did to tokens."""

Quantity = tuple[str, str, str, np.ndarray]
"""Method, condition, metric, and float64 ``[seeds, subjects]``."""


def area_under(sweep: Sweep, method: str, protocol: str, metric: str) -> np.ndarray:
    """Area under a metric against the level of protocol A, B or C, float64 ``[seeds, subjects]``.

    By the trapezoid rule from nothing hidden to the last level, divided by that level: the mean height of
    the curve, in units of the metric.
    """
    levels = sweep.levels(protocol)
    places = np.array(sorted(levels))
    values = np.stack([sweep.scores(method, levels[place], metric) for place in places])
    return np.trapezoid(values, places, axis=0) / (places[-1] - places[0])


def area_comparisons(sweep: Sweep, reference: str, metric: str) -> dict[str, list[Comparison]]:
    """Compare every method's area with the reference's over subjects, Holm-corrected within each protocol.

    All but the clock's, which is no rival.
    """
    found, rivals = {}, [method for method in sweep.methods if method != CLOCK]
    for protocol in MASKED:
        if sweep.levels(protocol):
            areas = {m: over_seeds(area_under(sweep, m, protocol, metric)) for m in rivals}
            found[protocol] = compare(areas, reference)
    return found


def sweep_rows(
    sweep: Sweep,
    temperatures: Mapping[tuple[int, int], float],
    artefacts: Sequence[Mapping[str, object]],
    reference: str,
    limits: Mapping[tuple[str, int, int], float] = NO_LIMITS,
) -> list[ResultRow]:
    """Compute every row of a sweep's table.

    Time-matched AUROC with all sensors and with each one gone, what a wearer meets with all.

    Parameters
    ----------
    sweep : Sweep
    temperatures : mapping
        (seed, fold) -> what the reference's logits were divided by.
    artefacts
        Counts of `mmq_tf.evaluation.sweep.artefact_facts`, of all folds.
    reference : str
        The network: compared with every other method, and calibrated.
    limits : mapping
        (method, seed, fold) -> the confidence below which a decision is withheld; see `wearer_rows`.
    """
    quantities = [
        (method, condition, metric, sweep.scores(method, condition, metric))
        for method, condition in sweep.table.pairs
        for metric in METRICS
    ]
    quantities += _lost(sweep) + _areas(sweep, reference) + _abstaining(sweep)
    quantities += [
        (FRONT_END, condition, metric, values[np.newaxis])
        for (condition, metric), values in artefact_shares(artefacts).items()
    ]
    calibration = _pooled_calibration(sweep, temperatures, reference)
    honest = time_matched_rows(sweep.named) + wearer_rows(sweep.full, limits)
    return quantity_rows(quantities) + _tests(sweep, reference) + calibration + honest


def null_rows(sweep: Sweep) -> list[ResultRow]:
    """Compute the rows of the methods whose labels were moved: they were judged with all sensors only."""
    return quantity_rows(
        [(m, FULL, metric, sweep.scores(m, FULL, metric)) for m in sweep.methods for metric in METRICS]
    )


def _lost(sweep: Sweep) -> list[Quantity]:
    """Measure what each method loses against ``full``: at 0.5 and 0.7 of A, B, C and at every ratio of E."""
    conditions = [
        condition
        for protocol in (*MASKED, "E")
        for level, condition in sweep.levels(protocol).items()
        if protocol == "E" or level in LOST_AT
    ]
    return [
        (m, c, f"lost_{metric}", sweep.scores(m, FULL, metric) - sweep.scores(m, c, metric))
        for m in sweep.methods
        for c in conditions
        for metric in CURVE_METRICS
    ]


def _areas(sweep: Sweep, reference: str) -> list[Quantity]:
    found = []
    for method in sweep.methods:
        for protocol in (p for p in MASKED if sweep.levels(p)):
            for metric in CURVE_METRICS:
                area = area_under(sweep, method, protocol, metric)
                found.append((method, protocol, f"area_{metric}", area))
                if method not in (reference, CLOCK):
                    gain = area_under(sweep, reference, protocol, metric) - area
                    found.append((method, protocol, f"area_{metric}_{reference}_gains", gain))
    return found


def coverage_curves(sweep: Sweep) -> dict[str, np.ndarray]:
    """Give each method's accuracy against coverage, all sensors, float64 ``[seeds, subjects, COVERAGES]``."""
    full = sweep.full
    return {
        method: subject_coverage(
            full.seed[rows],
            full.subject[rows],
            full.label[rows],
            full.probabilities[rows],
            list(sweep.table.subjects),
        )
        for method in sweep.methods
        if (rows := full.method == method).any()
    }


def _abstaining(sweep: Sweep) -> list[Quantity]:
    at = int(np.argmin(np.abs(COVERAGES - COVERAGE)))
    found = []
    for method, curve in coverage_curves(sweep).items():
        found.append((method, FULL, "accuracy_at_70", curve[:, :, at]))
        found.append((method, FULL, "accuracy_gain_at_70", curve[:, :, at] - curve[:, :, -1]))
    return found


def artefact_shares(artefacts: Sequence[Mapping[str, object]]) -> dict[tuple[str, str], np.ndarray]:
    """Give, for (condition, metric), the shares of tokens float64 ``[subjects]`` of protocol E.

    ``corrupted_share``: of the tokens present without artefacts, those an artefact touches;
    ``ruled_absent_share``: of these, those that the front end's quality rules made absent;
    ``untouched_absent_share``: of the tokens without artefact, those absent nevertheless.
    """
    counts: dict[tuple[str, object], np.ndarray] = {}
    names = ("present", "touched", "ruled_absent", "untouched_absent")
    for fact in artefacts:  # the same in every seed: the last one stands for all
        counts[str(fact["condition"]), fact["subject"]] = np.array([fact[n] for n in names], np.float64)
    found = {}
    for condition in dict.fromkeys(condition for condition, _ in counts):
        present, touched, ruled, other = np.array([v for (c, _), v in counts.items() if c == condition]).T
        with np.errstate(invalid="ignore"):
            found[condition, "corrupted_share"] = touched / present
            found[condition, "ruled_absent_share"] = ruled / touched
            found[condition, "untouched_absent_share"] = other / (present - touched)
    return found


def quantity_rows(quantities: Sequence[Quantity]) -> list[ResultRow]:
    """Make rows of means over seeds of means over subjects, with intervals over subjects."""
    subjects = max((values.shape[1] for *_, values in quantities), default=0)
    flat = np.full((len(quantities), subjects), np.nan)
    for row, (*_, values) in zip(flat, quantities, strict=True):
        row[: values.shape[1]] = over_seeds(values)
    bounds = bootstrap_intervals(flat)
    return [
        ResultRow(
            method=method,
            condition=condition,
            metric=metric,
            mean=float(mean),
            low=float(low),
            high=float(high),
            n=int((~np.isnan(row)).sum()),
            seed_std=mean_over_seeds(values)[1],
        )
        for (method, condition, metric, values), row, mean, low, high in zip(
            quantities, flat, *bounds, strict=True
        )
    ]


def _tests(sweep: Sweep, reference: str) -> list[ResultRow]:
    return [
        ResultRow(
            method=found.method,
            condition=protocol,
            metric=f"area_{metric}_p_holm",
            mean=found.p_holm,
            n=found.subjects,
        )
        for metric in CURVE_METRICS
        for protocol, comparisons in area_comparisons(sweep, reference, metric).items()
        for found in comparisons
    ]


def _pooled_calibration(
    sweep: Sweep, temperatures: Mapping[tuple[int, int], float], reference: str
) -> list[ResultRow]:
    """ECE over all subjects' windows together, before and after temperature.

    Pooled because a single subject's few windows bias it upwards. Mean over seeds; the interval is from
    draws of subjects.
    """
    stages = calibration_stages(sweep, temperatures, reference)
    chosen = sweep.full.select(sweep.full.method == reference)
    rows = []
    for metric, probabilities in zip(("ece_pooled_before", "ece_pooled"), stages.values(), strict=True):
        drawn = np.mean(
            [
                _pooled_ece(
                    chosen.subject[here], chosen.label[here], probabilities[here], sweep.table.subjects
                )
                for here in (chosen.seed == seed for seed in sweep.table.seeds)
            ],
            axis=0,
        )
        low, high = np.nanpercentile(drawn[1:], [2.5, 97.5])
        rows.append(
            ResultRow(
                method=reference,
                condition=FULL,
                metric=metric,
                mean=float(drawn[0]),
                low=float(low),
                high=float(high),
                n=len(sweep.table.subjects),
            )
        )
    return rows


def calibration_stages(
    sweep: Sweep, temperatures: Mapping[tuple[int, int], float], method: str
) -> dict[str, np.ndarray]:
    """Give a method's probabilities under ``full``, ``before`` and ``after`` temperature."""
    chosen = sweep.full.select(sweep.full.method == method)
    before = chosen.probabilities.copy()
    for (seed, fold), temperature in temperatures.items():
        here = (chosen.seed == seed) & (chosen.fold == fold)
        before[here] = undo_temperature(before[here], temperature)
    return {"before": before, "after": chosen.probabilities}


def _pooled_ece(
    subject: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, subjects: Sequence[str]
) -> np.ndarray:
    """ECE of all windows together, then of each bootstrap draw of subjects: float64 ``[1 + draws]``."""
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == labels) - confidence
    bins = confidence_bin(confidence)
    sums = np.zeros((len(subjects), int(bins.max(initial=0)) + 1))
    sizes = np.zeros(len(subjects))
    for place, name in enumerate(subjects):
        here = subject == name
        sums[place] = np.bincount(bins[here], gap[here], minlength=sums.shape[1])
        sizes[place] = here.sum()
    counts = np.vstack([np.ones(len(subjects)), bootstrap_counts(len(subjects))])
    with np.errstate(invalid="ignore"):
        return np.abs(counts @ sums).sum(axis=1) / (counts @ sizes)


def over_seeds(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
