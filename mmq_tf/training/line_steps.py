# SPDX-License-Identifier: Apache-2.0
"""Boosting one column at a time: how a line of steps is fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

ROUNDS = (200, 400, 800)
"""Rounds of boosting that inner folds of people choose from."""

RATE = 0.05
"""Share of a Newton step that a round takes."""

LOOKED_AT = 0.1
"""Share of the columns, drawn at random, of which a round takes the best: columns that say the same share the
weight, as the columns of a forest's splits do (Breiman 2001)."""

RIDGE = 1.0
"""Added to each column's curvature, a window of average weight counting as at most 1/4."""


def boosted(
    columns: np.ndarray,
    label: np.ndarray,
    weight: np.ndarray,
    classes: int,
    rounds: Sequence[int],
    seed: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the weights after each number of rounds, from the first to the last.

    Component-wise Newton boosting of the multinomial likelihood (Buehlmann and Hothorn 2007,
    doi 10.1214/07-STS242; the step of each class by Friedman 2001, doi 10.1214/aos/1013203451): a round takes
    the one column that lowers the loss most and moves its coefficients a little. Few columns are ever taken,
    and those that say the same share the weight.

    Parameters
    ----------
    columns : float ``[n, K]``
        Each with a mean near 0. A constant one is never taken.
    label : int ``[n]``
    weight : float ``[n]``
    classes : int
        C.
    rounds : sequence of int
        Ascending, of at least 1.
    seed : int
        Of the columns looked at.

    Returns
    -------
    list of (kernel, bias)
        ``[K, C]`` and ``[C]``, for each number of rounds.
    """
    rng, (n, wide) = np.random.default_rng([seed, len(label), 3]), columns.shape
    columns, target = np.asfortranarray(columns, np.float64), np.eye(classes)[label]
    kernel, bias, logits = np.zeros((wide, classes)), np.zeros(classes), np.zeros((n, classes))
    looked_at, step, found = max(1, round(LOOKED_AT * wide)), (classes - 1) / classes, []
    for turn in range(1, max(rounds) + 1):
        chance = softmax(logits + bias, axis=1)
        error, curvature = weight[:, None] * (target - chance), weight[:, None] * chance * (1 - chance)
        bias = bias + step * error.sum(0) / np.maximum(curvature.sum(0), 1e-9)
        drawn = rng.choice(wide, looked_at, replace=False)
        shown = columns[:, drawn]
        slope, bend = shown.T @ error, (shown**2).T @ curvature + RIDGE
        best = int(np.argmax((slope**2 / bend).sum(1)))
        move = RATE * step * slope[best] / bend[best]
        kernel[drawn[best]] += move
        logits += shown[:, [best]] * move
        if turn in rounds:
            found.append((kernel.copy(), bias - bias.mean()))
    return found
