# SPDX-License-Identifier: Apache-2.0
"""The gate of `mmq-tf export`: int8 against float on windows with sensors missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from mmq_bridge.bundle.agreement import agreement
from sklearn.metrics import f1_score

from mmq_export.errors import ExportError

MIN_JUDGED = 2000
MAX_JUDGED = 6000
CONDITIONS = ("full", "cells hidden", "modalities gone")


class Predictor(Protocol):
    """Anything that turns windows into logits by task: LiteRT, TFLite Micro, a Keras model."""

    def predict_many(self, features: np.ndarray, presence: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return logits [N, classes] by task of features [N, T, F] and presence [N, T, M]."""
        ...


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
        Index into `CONDITIONS` [N].
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
    features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int = 0
) -> JudgedWindows:
    """Show every window complete, with random cells hidden, and with whole modalities gone.

    A cell is one token of one modality; its rate is drawn from U(0, 0.9) a window. Of the modalities at least
    one stays. Small sets are shown several times with other masks, so that one window weighs little.

    Parameters
    ----------
    features, presence, labels
        [N, T, F], [N, T, M], [N, tasks] of validation subjects.
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
    repeats = max(1, -(-MIN_JUDGED // (len(CONDITIONS) * len(known))))
    rows = rng.permutation(known)[: MAX_JUDGED // len(CONDITIONS)]
    parts, conditions, picks = [], [], []
    for _ in range(repeats):
        for index in range(len(CONDITIONS)):
            parts.append(presence[rows].astype(bool) & _keep(rng, index, (len(rows), *presence.shape[1:])))
            conditions.append(np.full(len(rows), index))
            picks.append(rows)
    order = np.concatenate(picks)
    return JudgedWindows(
        features[order].astype(np.float32),
        np.concatenate(parts).astype(np.float32),
        labels[order],
        np.concatenate(conditions),
    )


def _keep(rng: np.random.Generator, condition: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Return bool [N, T, M], False where a token is hidden."""
    windows, _, modalities = shape
    rate = rng.uniform(0.0, 0.9, windows)
    if condition == 0:
        return np.ones(shape, dtype=bool)
    if condition == 1:
        return rng.random(shape) >= rate[:, None, None]
    score = rng.random((windows, modalities))
    keep = score >= rate[:, None]
    keep[np.arange(windows), score.argmax(axis=1)] = True
    return np.broadcast_to(keep[:, None, :], shape)


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


def macro_f1(labels: np.ndarray, logits: Mapping[str, np.ndarray], tasks: Sequence[str]) -> float:
    """Mean over tasks of macro-F1 over the labelled windows.

    Parameters
    ----------
    labels
        int [N, tasks], -1 where unknown; a task without a label does not count.
    logits
        [N, classes] by task.
    tasks
        Names in the order of the label columns.
    """
    scores = []
    for column, task in enumerate(tasks):
        known = labels[:, column] >= 0
        if known.any():
            guess = np.asarray(logits[task])[known].argmax(axis=1)
            truth = labels[known, column]
            scores.append(f1_score(truth, guess, average="macro", labels=np.unique(truth)))
    return float(np.mean(scores)) if scores else float("nan")


def compare(
    float_model: Predictor, int8_model: Predictor, windows: JudgedWindows, tasks: Sequence[str]
) -> list[GateRow]:
    """Return one row a condition, then one over all windows together (condition ``all``)."""
    exact = float_model.predict_many(windows.features, windows.presence)
    coded = int8_model.predict_many(windows.features, windows.presence)
    groups = [(name, windows.condition == index) for index, name in enumerate(CONDITIONS)]
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
                macro_f1(labels, first, tasks),
                macro_f1(labels, second, tasks),
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
