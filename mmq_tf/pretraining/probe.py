# SPDX-License-Identifier: Apache-2.0
"""What an encoder knows without being asked: nearest neighbours among training subjects name the class."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.scores import balanced_accuracy

NEIGHBOURS = 15
MAX_WINDOWS = 4000


def encode_windows(encoder: Any, windows: WindowSet) -> np.ndarray:
    """Return the vectors float32 ``[N, M * dim]`` of windows, those of absent modalities 0."""
    import keras

    rows = 1024
    parts = []
    for first in range(0, len(windows), rows):
        part = slice(first, first + rows)
        inputs = {
            "features": windows.features[part],
            "presence": windows.presence[part].astype(np.float32),
        }
        vectors, _ = encoder.encode(inputs)
        parts.append(np.asarray(keras.ops.convert_to_numpy(vectors)).reshape(len(vectors), -1))
    return np.concatenate(parts)


def neighbour_probabilities(
    known: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int
) -> np.ndarray:
    """Return float ``[n, classes]``: shares of the classes among the `NEIGHBOURS` nearest by cosine.

    Parameters
    ----------
    known : numpy.ndarray
        float ``[N, D]`` vectors of windows whose labels int ``[N]`` are known.
    asked : numpy.ndarray
        float ``[n, D]``.

    Examples
    --------
    >>> known = np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0]])
    >>> neighbour_probabilities(known, np.array([0, 0, 1]), np.array([[2.0, 0.0]]), 2).round(2).tolist()
    [[0.67, 0.33]]
    """
    nearness = _unit(asked) @ _unit(known).T
    count = min(NEIGHBOURS, len(known))
    nearest = np.argpartition(-nearness, count - 1, axis=1)[:, :count]
    return np.eye(classes)[labels[nearest]].mean(axis=1)


def probe(encoder: Any, known: WindowSet, asked: WindowSet, classes: int) -> float:
    """Return the balanced accuracy of `neighbour_probabilities` on other subjects' windows."""
    if len(known) > MAX_WINDOWS:
        known = known.take(np.sort(np.random.default_rng(0).permutation(len(known))[:MAX_WINDOWS]))
    probabilities = neighbour_probabilities(
        encode_windows(encoder, known),
        known.label.astype(np.int64),
        encode_windows(encoder, asked),
        classes,
    )
    return balanced_accuracy(asked.label, probabilities)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
