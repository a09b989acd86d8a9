# SPDX-License-Identifier: Apache-2.0
"""What training asks of a configuration, be it that of a run or one put together from plain parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mmq_tf.config.loss_weights import LossWeights
    from mmq_tf.config.run_config import (
        ArtefactsConfig,
        DataConfig,
        MissingConfig,
        ModelConfig,
        TrainingConfig,
    )


class TokenLayout(Protocol):
    """How a window's features belong to modalities; a front end is one."""

    @property
    def tokens(self) -> int:
        """Steps in a window, T."""
        ...

    @property
    def feature_slices(self) -> Mapping[str, slice]:
        """The M modalities in order, each with its slice of the F features."""
        ...

    @property
    def modality_names(self) -> Sequence[str]:
        """The M modalities in order."""
        ...

    @property
    def feature_names(self) -> Sequence[str]:
        """The F features, ``modality.feature`` or ``modality.channel.feature``."""
        ...


class Recipe(Protocol):
    """Everything that decides what a network learns from given windows; `RunConfig` is one."""

    @property
    def front_end(self) -> TokenLayout:
        """Whose tokens they are."""
        ...

    @property
    def data(self) -> DataConfig:
        """Which task the labels belong to."""
        ...

    @property
    def model(self) -> ModelConfig:
        """The network."""
        ...

    @property
    def losses(self) -> LossWeights:
        """How much each loss counts."""
        ...

    @property
    def missing(self) -> MissingConfig:
        """What training hides."""
        ...

    @property
    def artefacts(self) -> ArtefactsConfig:
        """How often training shows a corrupted variant."""
        ...

    @property
    def training(self) -> TrainingConfig:
        """Optimiser, augmentation and stopping."""
        ...
