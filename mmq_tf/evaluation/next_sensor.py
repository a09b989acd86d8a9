# SPDX-License-Identifier: Apache-2.0
"""Which sensor would help the undecided most, by taking sensors away from validation windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mmq_bridge.front_end.feature_layout import FeatureLayout

from mmq_tf.errors import MMQError

MIN_UNDECIDED = 20
"""With fewer undecided windows a gain is 0: too few to tell."""

MAX_MODALITIES = 8
"""As many as `mmq_next_t` of the core holds."""

Predict = Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]]
"""Probabilities [N, classes] by task of features [N, T, F] and presence bool [N, T, M]."""


def next_sensor_table(
    predict: Predict,
    layout: FeatureLayout,
    features: np.ndarray,
    presence: np.ndarray,
    labels: np.ndarray,
    decision: Mapping[str, Any],
) -> list[list[int]]:
    """Return how much each sensor helps undecided windows, for every set of sensors that is there.

    A window counts for a set and a sensor where all of these are present in half of its tokens, and where
    with the set alone it is undecided: a likeliest class under its threshold, or too little present. The gain
    is by how much the right class becomes likelier with the sensor, on their mean. A simulation: sensors
    were taken away, none was switched on.

    Parameters
    ----------
    predict : callable
        The calibrated network.
    layout : FeatureLayout
        Of the front end.
    features : np.ndarray
        float32 [N, T, F].
    presence : np.ndarray
        bool [N, T, M].
    labels : np.ndarray
        int [N, tasks], -1 where unknown.
    decision : mapping
        The run's decision settings.

    Returns
    -------
    list of list of int
        [2^M][M], in 255ths; row by mask, bit m for the front end's modality m.

    Raises
    ------
    MMQError
        When there are more than `MAX_MODALITIES` modalities.
    """
    modalities = presence.shape[2]
    if modalities > MAX_MODALITIES:
        raise MMQError(
            f"next sensor: expected at most {MAX_MODALITIES} sensors, this model has {modalities}."
        )
    there = presence.mean(1) >= 0.5
    right, undecided = [], []
    for mask in range(1 << modalities):
        seen = presence & _members(mask, modalities)
        likely = predict(layout.visible(features, seen), seen) if mask else _guesses(decision, len(labels))
        right.append(_right(likely, labels))
        undecided.append(_undecided(likely, decision) | (seen.mean((1, 2)) < decision["min_present_share"]))
    return [
        [0 if mask >> m & 1 else _gain(right, undecided[mask], there, mask, m) for m in range(modalities)]
        for mask in range(1 << modalities)
    ]


def _members(mask: int, modalities: int) -> np.ndarray:
    return np.array([bool(mask >> m & 1) for m in range(modalities)])


def _guesses(decision: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
    """Return what is known without any sensor: all classes alike."""
    return {task: np.full((count, len(names)), 1 / len(names)) for task, names in decision["tasks"].items()}


def _right(likely: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Return the probability of the right class [N], mean over known tasks; NaN where none is known."""
    columns = []
    for place, values in enumerate(likely.values()):
        label = labels[:, place].astype(int)
        picked = np.take_along_axis(values, np.maximum(label, 0)[:, None], 1)[:, 0]
        columns.append(np.where(label < 0, np.nan, picked))
    stacked = np.stack(columns)
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)


def _undecided(likely: Mapping[str, np.ndarray], decision: Mapping[str, Any]) -> np.ndarray:
    least = decision.get("min_confidence", {})
    return np.any([values.max(1) < least.get(task, 0.0) for task, values in likely.items()], axis=0)


def _gain(right: list[np.ndarray], undecided: np.ndarray, there: np.ndarray, mask: int, sensor: int) -> int:
    more = mask | 1 << sensor
    rows = undecided & there[:, _members(more, there.shape[1])].all(1) & ~np.isnan(right[mask])
    if rows.sum() < MIN_UNDECIDED:
        return 0
    return int(np.clip(np.rint(255 * (right[more][rows] - right[mask][rows]).mean()), 0, 255))
