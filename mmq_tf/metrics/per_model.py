# SPDX-License-Identifier: Apache-2.0
"""Predictions of several models that each judged everyone: every model counts as a seed of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mmq_tf.metrics.predictions import Predictions


def per_model(predictions: Predictions) -> Predictions:
    """Return predictions in which every fold of every seed counts as a seed of its own.

    Each fold's model has judged everyone: scores are of one model's windows, and means are over models.
    """
    folds = int(predictions.fold.max(initial=0)) + 1
    return replace(predictions, seed=predictions.seed * folds + predictions.fold)


def limits_per_model(
    limits: Mapping[tuple[str, int, int], float], predictions: Predictions
) -> dict[tuple[str, int, int], float]:
    """Return confidence limits by (method, seed, fold), seeds numbered as by `per_model`."""
    folds = int(predictions.fold.max(initial=0)) + 1
    return {(method, seed * folds + fold, fold): limit for (method, seed, fold), limit in limits.items()}
