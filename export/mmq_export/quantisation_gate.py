# SPDX-License-Identifier: Apache-2.0
"""The gate of `mmq-tf export`: int8 against float on windows with sensors missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from mmq_bridge.bundle.agreement import agreement

from mmq_export.errors import ExportError

MIN_JUDGED = 2000
MAX_JUDGED = 6000
MAX_RATE = 0.9
FULL = "full"

Hide = Callable[[np.random.Generator, np.ndarray, int, int], np.ndarray]
"""Draws bool [N, T, M], True where a token is kept, of a rate [N], T and M."""


class Predictor(Protocol):
    """Anything that turns windows into logits by task: LiteRT, TFLite Micro, a Keras model."""

    def predict_many(self, features: np.ndarray, presence: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return logits [N, classes] by task of features [N, T, F] and presence [N, T, M]."""
        ...


@dataclass(frozen=True)
class GateRules:
    """How the gate hides and scores; the caller's, so that export judges as training and results do.

    Attributes
    ----------
    score : callable
        Macro-F1 of labels int [N] and probabilities [N, classes]; here 1 for the class that is named.
    hiding : mapping of str to Hide
        What is hidden under each condition beside `FULL`, at a rate drawn from U(0, `MAX_RATE`).
    """

    score: Callable[[np.ndarray, np.ndarray], float]
    hiding: Mapping[str, Hide]

    @property
    def conditions(self) -> tuple[str, ...]:
        """`FULL`, then those that hide something."""
        return (FULL, *self.hiding)


@dataclass(frozen=True)
class JudgedWindows:
    """Windows under the missing-data mix.

    Attributes
    ----------
    features : np.ndarray
        float32 [N, T, F].
    presence : np.ndarray
        float32 [N, T, M], 0 or 1.
    labels : np.ndarray
        int8 [N, tasks], -1 where unknown.
    condition : np.ndarray
        Name of what was done to each window, str [N].
    """

    features: np.ndarray
    presence: np.ndarray
    labels: np.ndarray
    condition: np.ndarray


@dataclass(frozen=True)
class GateRow:
    """Macro-F1 of float and int8 under one condition, mean over tasks, and the share of equal classes."""

    condition: str
    windows: int
    float32_macro_f1: float
    int8_macro_f1: float
    agreement: float

    @property
    def drop_points(self) -> float:
        """Points of macro-F1 that int8 loses (negative where it gains)."""
        return 100.0 * (self.float32_macro_f1 - self.int8_macro_f1)


def missing_mix(
    features: np.ndarray, presence: np.ndarray, labels: np.ndarray, rules: GateRules, seed: int = 0
) -> JudgedWindows:
    """Show every window complete once, and with data missing as the rules say.

    Of small sets the latter several times with other masks, so that one window weighs little.

    Parameters
    ----------
    features, presence, labels
        [N, T, F], [N, T, M], [N, tasks] of validation subjects.
    rules : GateRules
    seed : int
        The same seed hides the same cells.

    Raises
    ------
    ExportError
        When the arrays do not fit together or no window is labelled.
    """
    _check_windows(features, presence, labels)
    rng = np.random.default_rng([seed, 20250728])
    known = np.flatnonzero((labels >= 0).any(axis=1))
    repeats = max(1, -(-(MIN_JUDGED - len(known)) // (len(rules.hiding) * len(known))))
    rows = rng.permutation(known)[: MAX_JUDGED // len(rules.conditions)]
    parts, conditions, picks = [], [], []
    for repeat in range(repeats):
        for condition in rules.hiding if repeat else rules.conditions:
            rate = rng.uniform(0.0, MAX_RATE, len(rows))
            shown = presence[rows].astype(bool)
            if condition != FULL:
                shown &= rules.hiding[condition](rng, rate, *presence.shape[1:])
            parts.append(shown)
            conditions.append(np.full(len(rows), condition))
            picks.append(rows)
    order = np.concatenate(picks)
    return JudgedWindows(
        features[order].astype(np.float32),
        np.concatenate(parts).astype(np.float32),
        labels[order],
        np.concatenate(conditions),
    )


def _check_windows(features: np.ndarray, presence: np.ndarray, labels: np.ndarray) -> None:
    shapes = features.shape, presence.shape, labels.shape
    if (
        (features.ndim, presence.ndim, labels.ndim) != (3, 3, 2)
        or features.shape[:2] != presence.shape[:2]
        or len(features) != len(labels)
    ):
        raise ExportError(
            "validation windows: expected features [N, T, F], presence [N, T, M] and labels [N, tasks], "
            f"got {shapes}."
        )
    if not (labels >= 0).any():
        raise ExportError("validation windows: expected labelled windows, got none; train again.")
    if not np.isfinite(features).all():
        raise ExportError("validation windows: expected finite features, got NaN or infinity; train again.")


def mean_score(
    labels: np.ndarray, logits: Mapping[str, np.ndarray], tasks: Sequence[str], rules: GateRules
) -> float:
    """Mean over tasks of the score over the labelled windows.

    Parameters
    ----------
    labels
        int [N, tasks], -1 where unknown; a task without a label does not count.
    logits
        [N, classes] by task.
    tasks
        Names in the order of the label columns.
    rules : GateRules
    """
    scores = []
    for column, task in enumerate(tasks):
        known = labels[:, column] >= 0
        if known.any():
            found = np.asarray(logits[task])[known]
            named = np.eye(found.shape[1])[found.argmax(axis=1)]
            scores.append(rules.score(labels[known, column], named))
    return float(np.mean(scores)) if scores else float("nan")


def compare(
    float_model: Predictor,
    int8_model: Predictor,
    windows: JudgedWindows,
    tasks: Sequence[str],
    rules: GateRules,
) -> list[GateRow]:
    """Return one row per condition, then one over all windows together (condition ``all``)."""
    exact = float_model.predict_many(windows.features, windows.presence)
    coded = int8_model.predict_many(windows.features, windows.presence)
    groups = [(name, windows.condition == name) for name in rules.conditions]
    groups.append(("all", np.ones(len(windows.labels), dtype=bool)))
    rows = []
    for name, chosen in groups:
        first = {task: exact[task][chosen] for task in tasks}
        second = {task: coded[task][chosen] for task in tasks}
        labels = windows.labels[chosen]
        rows.append(
            GateRow(
                name,
                int(chosen.sum()),
                mean_score(labels, first, tasks, rules),
                mean_score(labels, second, tasks, rules),
                agreement(first, second),
            )
        )
    return rows


def require(rows: Sequence[GateRow], max_drop: float) -> GateRow:
    """Return the last row (all windows), or raise where int8 loses more than `max_drop` points there.

    Raises
    ------
    ExportError
        With both scores and the drop.
    """
    total = rows[-1]
    if not total.drop_points <= max_drop:
        raise ExportError(
            f"int8 loses {total.drop_points:.2f} points of macro-F1 against float "
            f"({100 * total.float32_macro_f1:.2f} to {100 * total.int8_macro_f1:.2f} over "
            f"{total.windows} validation "
            f"windows with data missing), {max_drop:g} are allowed: train again or raise --max-drop."
        )
    return total
