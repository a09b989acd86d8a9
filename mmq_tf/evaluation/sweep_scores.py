"""A sweep's prediction files, one a fold and seed, as scores by method, condition, seed and subject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_tf.evaluation.metrics import METRICS
from mmq_tf.evaluation.predictions import Predictions, read_predictions
from mmq_tf.evaluation.summary import SubjectTable, subject_table
from mmq_tf.protocols import MASKED, read_level

FULL = "full"


@dataclass(frozen=True)
class Sweep:
    """Scores of every method and condition a subject, and the predictions under ``full`` themselves."""

    table: SubjectTable
    full: Predictions

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods in order of first appearance."""
        return tuple(dict.fromkeys(method for method, _ in self.table.pairs))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Conditions in order of first appearance."""
        return tuple(dict.fromkeys(condition for _, condition in self.table.pairs))

    def scores(self, method: str, condition: str, metric: str) -> np.ndarray:
        """Give float64 ``[seeds, subjects]``."""
        return self.table.scores[metric][self.table.pairs.index((method, condition))]

    def levels(self, protocol: str) -> dict[float, str]:
        """Give the conditions of one protocol by level; ``full`` is level 0 of A, B and C."""
        found = {0.0: FULL} if protocol in MASKED else {}
        for condition in self.conditions:
            if (level := read_level(condition)) and level[0] == protocol:
                found[level[1]] = condition
        return {} if list(found.values()) == [FULL] else found


def read_sweep(paths: Iterable[Path]) -> Sweep:
    """Read and score the prediction files of a sweep, one a fold and seed.

    Raises
    ------
    MMQError
        If a file cannot be read.
    """
    tables, full = [], []
    for path in paths:
        predictions = read_predictions(path)
        tables.append(subject_table(predictions))
        full.append(predictions.select(predictions.condition == FULL))
    return Sweep(join_tables(tables), Predictions.concatenate(full))


def join_tables(tables: Sequence[SubjectTable]) -> SubjectTable:
    """Put the tables of several folds and seeds into one; NaN where no fold has a value."""
    pairs = list(dict.fromkeys(pair for table in tables for pair in table.pairs))
    seeds = list(dict.fromkeys(seed for table in tables for seed in table.seeds))
    subjects = list(dict.fromkeys(subject for table in tables for subject in table.subjects))
    scores = {name: np.full((len(pairs), len(seeds), len(subjects)), np.nan) for name in METRICS}
    for table in tables:
        place = np.ix_(
            [pairs.index(pair) for pair in table.pairs],
            [seeds.index(seed) for seed in table.seeds],
            [subjects.index(subject) for subject in table.subjects],
        )
        for name, values in scores.items():
            values[place] = table.scores[name]
    return SubjectTable(tuple(pairs), tuple(seeds), tuple(subjects), scores)
