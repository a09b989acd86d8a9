# SPDX-License-Identifier: Apache-2.0
"""A sweep's prediction files, one per fold and method, as scores by method, condition, seed and subject."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mmq_tf.evaluation.protocols import MASKED, read_level
from mmq_tf.metrics.names import FULL
from mmq_tf.metrics.predictions import Predictions, read_predictions, write_predictions
from mmq_tf.metrics.scores import METRICS
from mmq_tf.metrics.summary import SubjectTable, subject_table
from mmq_tf.utils.atomic_files import written_whole
from mmq_tf.utils.npz_files import read_npz

SENSOR_GONE = "no-"
"""How a condition's name begins in which one sensor is hidden."""
NAMED = (FULL, SENSOR_GONE)


@dataclass(frozen=True)
class Sweep:
    """Scores of every method and condition a subject, and some predictions themselves.

    `named` are those under ``full`` and with one sensor gone.
    """

    table: SubjectTable
    named: Predictions

    @cached_property
    def full(self) -> Predictions:
        """The predictions under ``full``."""
        return self.named.select(self.named.condition == FULL)

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


def write_scored(path: Path, predictions: Predictions) -> None:
    """Write predictions and beside them their scores, for `read_sweep` to use again.

    ``full`` comes first, then each sensor gone, then the others.

    Raises
    ------
    MMQError
        If a file cannot be written.
    """
    others = (predictions.condition != FULL).astype(int) + ~_named(predictions.condition)
    write_predictions(path, predictions.select(np.argsort(others, kind="stable")))
    table = subject_table(predictions)
    with written_whole(_scores_path(path)) as temporary:
        np.savez(
            temporary,
            allow_pickle=False,
            predictions_sha256=_digest(path),
            pairs=np.array(table.pairs),
            seeds=np.array(table.seeds),
            subjects=np.array(table.subjects),
            **table.scores,
        )


def read_sweep(paths: Iterable[Path]) -> Sweep:
    """Read and score the prediction files of a sweep: of any number of folds, seeds and methods each.

    Of a file of `write_scored` only the rows of `Sweep.named` are read, as long as it is the one scored.

    Raises
    ------
    MMQError
        If a file cannot be read.
    """
    tables, named = [], []
    for path in paths:
        table = _stored_table(path)
        predictions = read_predictions(path, first=None if table is None else NAMED)
        tables.append(table or subject_table(predictions))
        named.append(predictions.select(_named(predictions.condition)))
    return Sweep(join_tables(tables), Predictions.concatenate(named))


def _named(conditions: np.ndarray) -> np.ndarray:
    """Tell which conditions are ``full`` or one sensor gone, bool ``[N]``."""
    return (conditions == FULL) | np.char.startswith(conditions, SENSOR_GONE)


def _stored_table(path: Path) -> SubjectTable | None:
    """Return the scores stored beside a prediction file; None where there are none of this very file."""
    try:
        saved = read_npz(_scores_path(path))
        if saved["predictions_sha256"].tolist() != _digest(path):
            return None
        pairs, seeds, subjects = (saved[name].tolist() for name in ("pairs", "seeds", "subjects"))
        scores = {name: saved[name] for name in METRICS}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return SubjectTable(
        tuple((method, condition) for method, condition in pairs), tuple(seeds), tuple(subjects), scores
    )


def _scores_path(path: Path) -> Path:
    return path.with_suffix(".npz")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def join_tables(tables: Sequence[SubjectTable]) -> SubjectTable:
    """Put the tables of several folds and seeds into one; NaN where no fold has a value."""
    pairs, seeds, subjects = (
        {value: place for place, value in enumerate(dict.fromkeys(v for values in axis for v in values))}
        for axis in zip(*((table.pairs, table.seeds, table.subjects) for table in tables), strict=True)
    )
    scores = {name: np.full((len(pairs), len(seeds), len(subjects)), np.nan) for name in METRICS}
    for table in tables:
        place = np.ix_(
            [pairs[pair] for pair in table.pairs],
            [seeds[seed] for seed in table.seeds],
            [subjects[subject] for subject in table.subjects],
        )
        for name, values in scores.items():
            values[place] = table.scores[name]
    return SubjectTable(tuple(pairs), tuple(seeds), tuple(subjects), scores)
