# SPDX-License-Identifier: Apache-2.0
"""The tables of a personal head: principal components of what the training people's windows are like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.head_tables import MAX_BYTES, MAX_COMPONENTS, HeadTables, table_bytes

from mmq_tf.baselines.base import check_windows
from mmq_tf.features.windows import WindowSet
from mmq_tf.model.line_path import REACH, SQUASH
from mmq_tf.training.line import LEAST_DEVIATION
from mmq_tf.utils.atomic_files import write_text

HEAD_NAME = "personal_head.json"
"""The tables in the folder of a run or a fold, and in a bundle."""
BATCH = 1024
"""Windows looked at at once."""
LEAST_VARIANCE = 1e-3
"""A component of less, in a training window's squashed statistics, is no direction people differ in."""


def write_head(
    folder: Path, windows: WindowSet, layout: FeatureLayout, task: str, classes: Sequence[str]
) -> None:
    """Write the tables of training windows; nothing where there are none, see `head_tables`."""
    tables = head_tables(windows, layout, task, classes)
    if tables is not None:
        write_text(folder / HEAD_NAME, tables.to_json())


def head_tables(
    windows: WindowSet, layout: FeatureLayout, task: str, classes: Sequence[str]
) -> HeadTables | None:
    """Return the tables that training windows make; None where a personal head is not for this task.

    That is where there are not two classes, or nothing is evidence or varies. Components are of unit variance
    over the windows, at most 32 and as many as fit into 10 KB.

    Parameters
    ----------
    windows : WindowSet
        Of the training people.
    layout : FeatureLayout
        Features that are evidence are read; look-backs are, if those they look back on are.
    task : str
    classes : sequence of str

    Raises
    ------
    MMQError
        If the windows are not of this layout.
    """
    check_windows(windows.features, windows.presence, layout.feature_slices)
    columns = np.flatnonzero(~_quality(layout))
    if len(classes) != 2 or len(windows) < 2 or not len(columns):
        return None
    owner = np.repeat(np.arange(len(layout.feature_sizes)), list(layout.feature_sizes.values()))[columns]
    mean, here = _means(windows, columns, owner)
    count = np.maximum(here.sum(0), 1)
    centre = (mean * here).sum(0) / count
    deviation = np.sqrt((here * (mean - centre) ** 2).sum(0) / count)
    scale = 1.0 / (REACH * np.maximum(deviation, LEAST_DEVIATION))
    component = _components(np.tanh((mean - centre) * scale) * here)
    if not len(component):
        return None
    return HeadTables(
        task=task,
        tokens=layout.tokens,
        n_modalities=len(layout.feature_sizes),
        n_features=layout.n_features,
        column=tuple(columns.tolist()),
        owner=tuple(owner.tolist()),
        centre=_short(centre),
        scale=_short(scale),
        component=tuple(_short(row) for row in component),
    )


def _quality(layout: FeatureLayout) -> np.ndarray:
    """Return which features are no evidence, or look back on one that is none, bool [F]."""
    measured = tuple(name.removesuffix(".look_back") for name in layout.feature_names)
    return FeatureLayout(layout.tokens, layout.feature_sizes, measured).quality


def _means(windows: WindowSet, columns: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each squashed feature over its present tokens, and whether there are any, [N, E]."""
    parts = []
    for first in range(0, len(windows), BATCH):
        rows = slice(first, first + BATCH)
        seen = windows.presence[rows][:, :, owner]
        shown = np.tanh(windows.features[rows][:, :, columns] / SQUASH) * seen
        parts.append((shown.sum(1) / np.maximum(seen.sum(1), 1), seen.any(1)))
    mean, here = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return mean.astype(np.float64), here


def _components(shown: np.ndarray) -> np.ndarray:
    """Return principal components [k, E] on which the rows [N, E] have unit variance."""
    from sklearn.decomposition import PCA

    most = min(MAX_COMPONENTS, *shown.shape)
    while most > 1 and table_bytes(shown.shape[1], most) > MAX_BYTES:
        most -= 1
    if not np.ptp(shown, axis=0).any():
        return np.zeros((0, shown.shape[1]))
    found = PCA(most, svd_solver="full").fit(shown)
    component, variance = np.asarray(found.components_), np.asarray(found.explained_variance_)
    kept = variance > LEAST_VARIANCE
    return component[kept] / np.sqrt(variance[kept, None])


def _short(values: np.ndarray) -> tuple[float, ...]:
    """Return numbers that become the same float32 with few digits."""
    return tuple(float(f"{value:.9g}") for value in values.astype(np.float32))
