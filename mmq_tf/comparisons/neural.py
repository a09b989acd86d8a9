# SPDX-License-Identifier: Apache-2.0
"""Transformers that meet a missing sensor in the ways of the literature: what MMQ-Net must beat.

Each has an MMQ-Net's width, depth, optimiser, epochs, augmentation, soft labels and validation views, and
about as many weights; only what happens to absent tokens differs, and how sensors are joined. They are not
among `mmq_tf.baselines.BASELINES`: they take as long to train as the network itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmq_bridge.front_end.feature_layout import FeatureLayout

from mmq_tf.comparisons.estimator import Changes, NetworkComparison
from mmq_tf.config.training_spec import TrainingSpec
from mmq_tf.features.windows import WindowSet
from mmq_tf.model.cross_modal import CrossModalTransformer
from mmq_tf.model.ensemble import member_seeds, trained_together
from mmq_tf.model.memory_tokens import MemoryTraining, MemoryTransformer
from mmq_tf.model.transformer import (
    TokenTransformer,
    Transformer,
    TransformerTraining,
    mean_of_present,
)

Absent = Callable[[FeatureLayout, WindowSet], dict[str, Any]]
"""A network's own arguments, of the layout and the training windows: what it does about absent tokens."""

NOTHING_HIDDEN: Changes = {"missing": {"complete_share": 1.0}}
"""Trained on windows as they are, where the method does not hide tokens in training."""


def zeros(layout: FeatureLayout, train: WindowSet) -> dict[str, Any]:
    """Absent features are 0 and nothing says so."""
    return {}


def means(layout: FeatureLayout, train: WindowSet) -> dict[str, Any]:
    """Absent features are the mean of the training features."""
    return {"fill": mean_of_present(train.features, layout.by_feature(train.presence)).tolist()}


def masked(layout: FeatureLayout, train: WindowSet) -> dict[str, Any]:
    """Absent tokens are masked out of attention and pooling."""
    return {"masked": True}


@dataclass(frozen=True)
class TransformerBuild:
    """Makes a transformer of the run's size, and the model that trains it."""

    network: type[TokenTransformer] = Transformer
    teaching: type[TransformerTraining] = TransformerTraining
    absent: Absent = zeros

    def __call__(self, spec: TrainingSpec, classes: int, seed: int, train: WindowSet) -> Any:
        """Return the training model of as many members as the run's network has."""
        nets = [
            self.network.from_spec(spec, classes, own, **self.absent(spec.layout, train))
            for own in member_seeds(seed, spec.model.members)
        ]
        return trained_together([self.teaching(net, spec.losses) for net in nets])


ZERO_FILL = NetworkComparison("zero_fill", TransformerBuild(), NOTHING_HIDDEN)
"""Absent features are 0; trained on windows as they are."""

MEAN_FILL = NetworkComparison("mean_fill", TransformerBuild(absent=means), NOTHING_HIDDEN)
"""Absent features are the training mean; trained on windows as they are."""

MODALITY_DROPOUT = NetworkComparison("modality_dropout", TransformerBuild())
"""Zero filling, taught with tokens hidden as MMQ-Net is: whole modalities, blocks, scattered tokens."""

ATTENTION_MASK = NetworkComparison("attention_mask", TransformerBuild(absent=masked))
"""Absent tokens are masked out of attention and pooling; tokens are hidden in training.

Xu et al. 2025, "LSM-2: Learning from Incomplete Wearable Sensor Data", arXiv 2506.05321: adaptive and
inherited masking, here without its pretraining.
"""

MEMORY_TOKENS = NetworkComparison("memory_tokens", TransformerBuild(MemoryTransformer, MemoryTraining))
"""ActionMAE-type, our reading: absent tokens are rebuilt with learned memory tokens, as a second task.

See `mmq_tf.model.memory_tokens.MemoryTransformer`; tokens are hidden in training.
"""

CROSS_MODAL = NetworkComparison("cross_modal", TransformerBuild(CrossModalTransformer))
"""MulT-type, our reading: each sensor attends to each other one; absent tokens are masked.

See `mmq_tf.model.cross_modal.CrossModalTransformer`; tokens are hidden in training.
"""

NEURAL_BASELINES: Mapping[str, NetworkComparison] = {
    one.name: one
    for one in (ZERO_FILL, MEAN_FILL, MODALITY_DROPOUT, ATTENTION_MASK, MEMORY_TOKENS, CROSS_MODAL)
}
"""Every neural baseline by its name in the results."""
