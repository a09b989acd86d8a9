# SPDX-License-Identifier: Apache-2.0
"""How a window's features belong to its sensors: sizes, names, slices and what is visible."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from mmq_bridge.front_end.modalities import QUALITY_FEATURES

LOOK_BACK = ".look_back"
"""Ends the name of a look-back, after that of the feature it is of."""


@dataclass(frozen=True)
class FeatureLayout:
    """T tokens of M modalities, each with its own part of the F features.

    Parameters
    ----------
    tokens : int
        Steps in a window, T.
    feature_sizes : mapping of str to int
        The M modalities in order, each with its number of features.
    feature_names : tuple of str
        The F features, ``modality.feature`` or ``modality.channel.feature``; without them each modality
        numbers its own.

    Examples
    --------
    >>> layout = FeatureLayout(12, {"eda": 2, "temp": 1})
    >>> layout.feature_slices["temp"], layout.feature_names
    (slice(2, 3, None), ('eda.0', 'eda.1', 'temp.0'))
    """

    tokens: int
    feature_sizes: Mapping[str, int]
    feature_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.feature_names:
            numbered = [
                f"{name}.{index}" for name, size in self.feature_sizes.items() for index in range(size)
            ]
            object.__setattr__(self, "feature_names", tuple(numbered))

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

    @property
    def look_backs(self) -> np.ndarray:
        """Which of the F features are differences to the wearer's own past, bool ``[F]``."""
        return np.array([name.endswith(LOOK_BACK) for name in self.feature_names], bool)

    @property
    def quality(self) -> np.ndarray:
        """Which of the F features say how good a signal is (`QUALITY_FEATURES`), bool ``[F]``."""
        names = [name.split(".") for name in self.feature_names]
        return np.array([parts[-1] in QUALITY_FEATURES.get(parts[0], ()) for parts in names], bool)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channel of each of the F features, ``modality`` or ``modality.channel``."""
        return tuple(name.removesuffix(LOOK_BACK).rpartition(".")[0] for name in self.feature_names)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The F features without their channels, ``modality.feature``: what several channels share."""
        return tuple(_kind(name) for name in self.feature_names)

    def columns_of(self, modalities: Collection[str]) -> np.ndarray:
        """Return int ``[f]``: the places of some modalities' features among the F, in order."""
        parts = [np.arange(p.start, p.stop) for name, p in self.feature_slices.items() if name in modalities]
        return np.concatenate(parts)

    def places_in(self, other: FeatureLayout) -> np.ndarray:
        """Return int ``[F]``: the place of each of these features among the wider `other`'s, by name."""
        found = {name: place for place, name in enumerate(other.feature_names)}
        return np.array([found[name] for name in self.feature_names])

    def places_of(self, modalities: Collection[str]) -> np.ndarray:
        """Return int ``[m]``: the places of some modalities among the M, in order."""
        return np.array([place for place, name in enumerate(self.feature_sizes) if name in modalities])

    def only(self, modalities: Collection[str]) -> FeatureLayout:
        """Return the layout of some of the modalities, in the same order."""
        sizes = {name: size for name, size in self.feature_sizes.items() if name in modalities}
        return FeatureLayout(
            self.tokens, sizes, tuple(self.feature_names[column] for column in self.columns_of(modalities))
        )

    def by_feature(self, presence: np.ndarray) -> np.ndarray:
        """Return presence ``[..., M]`` repeated over each modality's features, ``[..., F]``."""
        return np.repeat(presence, list(self.feature_sizes.values()), axis=-1)

    def visible(self, features: np.ndarray, presence: np.ndarray, absent: float = 0.0) -> np.ndarray:
        """Return the features of present tokens, and `absent` in place of the others.

        Parameters
        ----------
        features : float ``[..., F]``
        presence : bool ``[..., M]``
        absent : float
            0 for a network, NaN for statistics.

        Returns
        -------
        numpy.ndarray
            ``[..., F]`` of the features' own type.
        """
        return np.where(self.by_feature(presence), features, features.dtype.type(absent))


def _kind(name: str) -> str:
    measured = name.removesuffix(LOOK_BACK)
    return f"{name.partition('.')[0]}.{measured.rpartition('.')[2]}{name[len(measured) :]}"
