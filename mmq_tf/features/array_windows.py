# SPDX-License-Identifier: Apache-2.0
"""Arrays with NaN where nothing was measured become windows: who owns which column, what is present."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Any, Generic, TypeVar

import numpy as np
from sklearn.preprocessing import StandardScaler

from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.config.run_config import (
    ArtefactsConfig,
    DataConfig,
    MissingConfig,
    ModelConfig,
    NormalisationConfig,
    TrainingConfig,
)
from mmq_tf.config.training_spec import Recipe, TokenLayout
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import WindowSet

Layout = TypeVar("Layout", bound=TokenLayout)

TASK = "label"
CLIP = NormalisationConfig().clip


@dataclass(frozen=True)
class ArrayLayout:
    """The layout of windows that come as an array: T tokens, and the number of features of each modality.

    `names` are its features' names, as in `TokenLayout`; without it each modality numbers its own.

    Examples
    --------
    >>> ArrayLayout(12, {"eda": 5, "temp": 2}).feature_slices["temp"]
    slice(5, 7, None)
    """

    tokens: int
    feature_sizes: Mapping[str, int]
    names: Sequence[str] = ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The F features, ``modality.feature`` or ``modality.channel.feature``."""
        numbered = [f"{name}.{index}" for name, size in self.feature_sizes.items() for index in range(size)]
        return tuple(self.names or numbered)

    @property
    def modality_names(self) -> tuple[str, ...]:
        """The M modalities in order."""
        return tuple(self.feature_sizes)

    @property
    def n_features(self) -> int:
        """Features of one token of all modalities, F."""
        return sum(self.feature_sizes.values())

    @property
    def feature_slices(self) -> dict[str, slice]:
        """Each modality's slice of the F features."""
        stops = accumulate(self.feature_sizes.values())
        sizes = self.feature_sizes.items()
        return {name: slice(stop - size, stop) for (name, size), stop in zip(sizes, stops, strict=True)}

    @classmethod
    def of_columns(cls, columns: int, tokens: int, modalities: Mapping[str, int] | None) -> ArrayLayout:
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
        layout = cls(tokens, {"all": columns // tokens} if modalities is None else dict(modalities))
        if tokens * layout.n_features != columns:
            raise MMQError(
                f"X: expected {layout.n_features} features in each of {tokens} tokens, so "
                f"{tokens * layout.n_features} columns, got {columns}; correct tokens or modalities."
            )
        return layout


@dataclass(frozen=True)
class PlainRecipe(Generic[Layout]):
    """A recipe put together from its parts, not read from a file; see `mmq_tf.config.training_spec`."""

    front_end: Layout
    model: ModelConfig
    missing: MissingConfig
    training: TrainingConfig
    data: DataConfig = DataConfig(dataset="array", task=TASK)
    losses: LossWeights = LossWeights()
    artefacts: ArtefactsConfig = ArtefactsConfig(variants=0)

    @classmethod
    def of(cls, recipe: Recipe) -> PlainRecipe[TokenLayout]:
        """Return the parts of any recipe."""
        return PlainRecipe(**{part.name: getattr(recipe, part.name) for part in fields(cls)})


def flat(X: Any, tokens: int) -> Any:
    """Return a 3-D X ``[N, T, F]`` as ``[N, T * F]``, anything else as it is."""
    if getattr(X, "ndim", 2) != 3:
        return X
    if X.shape[1] != tokens:
        raise MMQError(f"X: expected [windows, {tokens} tokens, features], got shape {X.shape}.")
    return np.asarray(X).reshape(len(X), X.shape[1] * X.shape[2])


def array_windows(
    rows: np.ndarray, layout: ArrayLayout, scaler: StandardScaler, label: np.ndarray, subject: np.ndarray
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
