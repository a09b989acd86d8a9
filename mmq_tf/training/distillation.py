# SPDX-License-Identifier: Apache-2.0
"""Soft labels from trees that never saw the wearer: what a network learns beside the labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from sklearn.model_selection import GroupKFold

from mmq_tf.baselines import Forest
from mmq_tf.features.windows import WindowSet

TREES = 100
MAX_FOLDS = 5

_latest: dict[bytes, np.ndarray] = {}
"""The latest answer, by what was asked: a fold's methods ask in turn for the same."""


def out_of_fold_probabilities(
    windows: WindowSet, slices: Mapping[str, slice], classes: int, seed: int
) -> np.ndarray:
    """Return float32 [N, classes]: each window judged by a forest of *other* training subjects.

    A forest asked about subjects it was fitted on repeats their labels; asked about others, it says how much
    a window looks like its label. Learning that beside the label is distillation (Hinton et al. 2015,
    arXiv 1503.02531), here also from complete windows to windows with sensors hidden.

    Parameters
    ----------
    windows
        Training windows; with one subject there is no other, and its own labels come back.
    slices
        The front end's feature slices by modality.
    classes
        Number of classes.
    seed
        Of the forests.
    """
    asked = hashlib.blake2b(repr((slices, classes, seed)).encode())
    parts = (windows.features, windows.presence, windows.label, windows.subject.astype(str), windows.weight)
    for part in parts:
        asked.update(repr((part.shape, part.dtype)).encode() + np.ascontiguousarray(part).tobytes())
    if asked.digest() not in _latest:
        soft = _ask_forests(windows, slices, classes, seed)
        soft.flags.writeable = False
        _latest.clear()
        _latest[asked.digest()] = soft
    return _latest[asked.digest()]


def _ask_forests(windows: WindowSet, slices: Mapping[str, slice], classes: int, seed: int) -> np.ndarray:
    labels = windows.label.astype(np.int64)
    folds = min(MAX_FOLDS, len(np.unique(windows.subject)))
    if folds < 2:
        return np.eye(classes, dtype=np.float32)[labels]
    soft = np.empty((len(windows), classes), dtype=np.float32)
    for fit, judge in GroupKFold(folds).split(labels, groups=windows.subject):
        forest = Forest(TREES).fit(
            windows.features[fit],
            windows.presence[fit],
            labels[fit],
            slices,
            seed,
            classes,
            sample_weight=None if windows.sample_weight is None else windows.weight[fit],
        )
        soft[judge] = forest.predict_proba(windows.features[judge], windows.presence[judge])
    return soft
