# SPDX-License-Identifier: Apache-2.0
"""All that the report of `mmq-tf evaluate` is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmq_tf.baselines import BoostedDropout
from mmq_tf.baselines.label_shift import is_shifted
from mmq_tf.evaluation.artefact_stretch import ArtefactStretch
from mmq_tf.evaluation.protocols import kept_sensors
from mmq_tf.evaluation.sweep_scores import FULL, Sweep
from mmq_tf.metrics.names import CLOCK
from mmq_tf.metrics.results_table import ResultsFile
from mmq_tf.reports.provenance import Provenance
from mmq_tf.reports.report import TREES, best_tree

GUESSES = ("majority", "stratified")


@dataclass(frozen=True)
class SweepSummary:
    """All the page is made of.

    Attributes
    ----------
    title, task : str
        The data set's title, and the task judged.
    results : ResultsFile
    sweep : Sweep
        What `results` was computed from.
    model : str
        The method the page is about.
    temperatures : mapping
        (seed, fold) -> the calibration temperature of the model.
    modalities : sequence of str
    confusions : mapping
        Condition -> windows of the model by true and predicted class, int ``[K, K]``.
    stretch : ArtefactStretch, optional
    provenance : Provenance
    attribution, config_text : str
        Source and licence of the data; the run's configuration.
    """

    title: str
    task: str
    results: ResultsFile
    sweep: Sweep
    model: str
    temperatures: Mapping[tuple[int, int], float]
    modalities: Sequence[str]
    confusions: Mapping[str, np.ndarray]
    stretch: ArtefactStretch | None
    provenance: Provenance
    attribution: str
    config_text: str

    @property
    def curves(self) -> list[str]:
        """The methods drawn as curves: all but guesses, nulls and the clock."""
        return [m for m in self.sweep.methods if m not in (*GUESSES, CLOCK) and not is_shifted(m)]

    @property
    def tree(self) -> str | None:
        """The tree that is best with all sensors."""
        return best_tree(self.results)

    @property
    def rivals(self) -> list[str]:
        """What stands in the plot of subsets: the model, the best tree, and trees taught with gaps."""
        wanted = dict.fromkeys([self.model, self.tree, BoostedDropout.name])
        return [method for method in wanted if method in self.sweep.methods]


def hardest_gap(results: ResultsFile, model: str, modalities: Sequence[str]) -> str | None:
    """Name the condition with one sensor gone where the model's AUROC is lowest; None if none was judged."""
    found = {
        condition: row.mean
        for condition in results.conditions
        if condition.startswith("no-") and kept_sensors(condition, modalities)
        if (row := results.row(model, condition, "auroc")) is not None and row.mean is not None
    }
    return min(found, key=lambda condition: found[condition], default=None)


def tree_under(results: ResultsFile, condition: str) -> str | None:
    """Name the tree with the highest AUROC under a condition, picked with hindsight as `best_tree` does."""
    rows = {method: results.row(method, condition, "auroc") for method in TREES}
    means = {method: row.mean for method, row in rows.items() if row is not None and row.mean is not None}
    return max(means, key=lambda method: means[method], default=None)


def shown_conditions(results: ResultsFile, model: str, modalities: Sequence[str]) -> list[str]:
    """Return the conditions that are shown person by person: all sensors, and the hardest gap."""
    gap = hardest_gap(results, model, modalities)
    return [FULL] if gap is None else [FULL, gap]
