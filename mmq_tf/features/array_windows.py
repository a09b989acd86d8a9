# SPDX-License-Identifier: Apache-2.0
"""Arrays with NaN where nothing was measured become windows: who owns which column, what is present."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmq_bridge.front_end.feature_layout import FeatureLayout
from sklearn.preprocessing import StandardScaler

from mmq_tf.config.run_config import NormalisationConfig
from mmq_tf.config.training_spec import (
    ArtefactsConfig,
    DataConfig,
    MissingConfig,
    ModelConfig,
    TrainingConfig,
    TrainingSpec,
)
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import WindowSet

TASK = "label"
CLIP = NormalisationConfig().clip


def layout_of_columns(columns: int, tokens: int, modalities: Mapping[str, int] | None) -> FeatureLayout:
    """Return the layout of so many columns; without `modalities` one holds all.

    Raises
    ------
    MMQError
        If they do not fit.
    """
    if not isinstance(modalities, Mapping | None):
        raise MMQError(
            f"modalities: expected a dict of names and their numbers of features, got {modalities!r}."
        )
    layout = FeatureLayout(tokens, {"all": columns // tokens} if modalities is None else dict(modalities))
    if tokens * layout.n_features != columns:
        raise MMQError(
            f"X: expected {layout.n_features} features in each of {tokens} tokens, so "
            f"{tokens * layout.n_features} columns, got {columns}; correct tokens or modalities."
        )
    return layout


def array_spec(
    layout: FeatureLayout, model: ModelConfig, missing: MissingConfig, training: TrainingConfig
) -> TrainingSpec:
    """Return the training spec of windows that came as an array: one task, no artefacts."""
    return TrainingSpec(
        layout=layout,
        data=DataConfig(dataset="array", task=TASK),
        model=model,
        missing=missing,
        artefacts=ArtefactsConfig(variants=0),
        training=training,
    )


def flat(X: Any, tokens: int) -> Any:
    """Return a 3-D X ``[N, T, F]`` as ``[N, T * F]``, anything else as it is."""
    if getattr(X, "ndim", 2) != 3:
        return X
    if X.shape[1] != tokens:
        raise MMQError(f"X: expected [windows, {tokens} tokens, features], got shape {X.shape}.")
    return np.asarray(X).reshape(len(X), X.shape[1] * X.shape[2])


def array_windows(
    rows: np.ndarray, layout: FeatureLayout, scaler: StandardScaler, label: np.ndarray, subject: np.ndarray
) -> WindowSet:
    """Standardise as the C core does, and tell what is present.

    Parameters
    ----------
    rows : float ``[N, T * F]``
        A token is absent where all features of its modality are NaN; another NaN becomes 0, the mean.
    layout
        T and the modalities.
    scaler
        Fitted on the F features of training tokens.
    label, subject : ``[N]``
        Of each window.
    """
    shape = (len(rows), layout.tokens, layout.n_features)
    measured = np.isfinite(rows).reshape(shape)
    presence = [measured[..., part].any(axis=-1) for part in layout.feature_slices.values()]
    z = np.nan_to_num(scaler.transform(rows.reshape(-1, layout.n_features))).reshape(shape)
    return plain_windows(
        np.clip(z, -CLIP, CLIP).astype(np.float32), np.stack(presence, axis=-1), label, subject
    )


def plain_windows(
    features: np.ndarray, presence: np.ndarray, label: np.ndarray, subject: np.ndarray
) -> WindowSet:
    """Return windows of arrays that came without session, trial, time and corrupted variants."""
    count = len(features)
    nothing = np.zeros((0, *presence.shape), dtype=bool)
    return WindowSet(
        features=features,
        presence=presence,
        label=label,
        subject=subject,
        session=np.full(count, ""),
        trial=np.zeros(count, dtype=np.int64),
        start_s=np.zeros(count),
        variant_features=np.zeros((0, *features.shape), dtype=np.float32),
        variant_presence=nothing,
        variant_corrupted=nothing,
    )
