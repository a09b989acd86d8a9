# SPDX-License-Identifier: Apache-2.0
"""Transformers that meet a missing sensor in the ways of the literature: what MMQ-Net must beat.

Each has an MMQ-Net's width, depth, optimiser, epochs, augmentation, soft labels and validation views, and
about as many weights; only what happens to absent tokens differs, and how sensors are joined. They are not
among `mmq_tf.baselines.BASELINES`: they take as long to train as the network itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import softmax

from mmq_tf.baselines.base import Baseline
from mmq_tf.config.run_config import MissingConfig, ModelConfig, TrainingConfig
from mmq_tf.config.training_spec import Recipe
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import ArrayLayout, PlainRecipe, plain_windows
from mmq_tf.features.windows import WindowSet, presence_by_feature
from mmq_tf.model.cross_modal import CrossModalTransformer
from mmq_tf.model.ensemble import member_seeds, trained_together
from mmq_tf.model.memory_tokens import MemoryTraining, MemoryTransformer
from mmq_tf.model.transformer import (
    TokenTransformer,
    Transformer,
    TransformerTraining,
    mean_of_present,
)
from mmq_tf.training.fit import EAGER_STEPS, History, fit_network, predict_logits


class NeuralBaseline(Baseline):
    """A transformer trained as MMQ-Net is; subclasses say what they do about absent tokens.

    `fit_windows` is what a fold calls: it takes the run's own recipe and chooses the epoch on the same
    validation views as MMQ-Net. `fit`, which gets neither, trains for all epochs by the recipe given here.

    Parameters
    ----------
    model, missing, training
        The recipe of `fit`; the run's defaults where left out.

    Attributes
    ----------
    hides : bool
        Whether tokens are hidden in training, by the same draws as for MMQ-Net.
    network, teaching : type
        The network, and the model that trains it.
    history : History
        Of the last training: the scores by epoch and the best one.
    """

    hides: ClassVar[bool] = True
    network: ClassVar[type[TokenTransformer]] = Transformer
    teaching: ClassVar[type[TransformerTraining]] = TransformerTraining
    history: History

    def __init__(
        self,
        model: ModelConfig | None = None,
        missing: MissingConfig | None = None,
        training: TrainingConfig | None = None,
    ):
        self.model = model or ModelConfig()
        self.missing = missing or MissingConfig()
        self.training = training or TrainingConfig()

    def fit_windows(
        self,
        train: WindowSet,
        validation: WindowSet | None,
        recipe: Recipe,
        seed: int = 0,
        classes: int | None = None,
    ) -> Self:
        """Learn from one fold; the epoch is the best one on the validation subjects."""
        known = train.take(np.flatnonzero(train.label >= 0))
        if not len(known):
            raise MMQError(f"labels: {self.name} needs at least one labelled window, got {len(train)} of -1.")
        self.classes = int(known.label.max()) + 1 if classes is None else int(classes)
        self.slices = dict(recipe.front_end.feature_slices)
        self._train(known, validation, recipe, seed)
        return self

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        sizes = {name: part.stop - part.start for name, part in self.slices.items()}
        layout = ArrayLayout(features.shape[1], sizes)
        recipe = PlainRecipe(layout, self.model, self.missing, self.training)
        self._train(plain_windows(features, presence, labels, np.full(len(labels), "")), None, recipe, seed)

    def _train(self, train: WindowSet, validation: WindowSet | None, recipe: Recipe, seed: int) -> None:
        recipe = self._own_recipe(recipe)
        self.task, self.layout = recipe.data.task, recipe.front_end
        nets = [
            self.network.from_size(
                recipe.model.size,
                train.features.shape[1],
                {name: part.stop - part.start for name, part in self.slices.items()},
                {self.task: self.classes},
                dropout=recipe.model.dropout,
                seed=own,
                **self._absent(train),
            )
            for own in member_seeds(seed, recipe.model.members)
        ]
        # Trained by the very loop of MMQTraining.
        model: Any = trained_together([self.teaching(net, recipe.losses) for net in nets])
        self.net: Any = model.net
        steps = recipe.training.epochs * -(-len(train) // recipe.training.batch_size)
        eager = steps <= EAGER_STEPS
        self.history = fit_network(model, train, validation, recipe, seed, state_path=None, run_eagerly=eager)

    def _absent(self, train: WindowSet) -> dict[str, Any]:
        """Return the network's own arguments: what it does about absent tokens."""
        return {}

    def _own_recipe(self, recipe: Recipe) -> PlainRecipe[Any]:
        """Return the same recipe, with nothing hidden in training where the method does not do that."""
        own = PlainRecipe.of(recipe)
        shown = own.missing.model_copy(update={"complete_share": 1.0})
        return own if self.hides else replace(own, missing=shown)

    def _predict(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        seen = np.where(presence_by_feature(presence, self.layout), features, 0.0)
        logits = predict_logits(self.net, seen, presence)[self.task]
        return softmax(logits.astype(np.float64), axis=1)


class ZeroFill(NeuralBaseline):
    """Absent features are 0 and nothing says so; trained on windows as they are."""

    name = "zero_fill"
    hides = False


class MeanFill(NeuralBaseline):
    """Absent features are the mean of the training features; trained on windows as they are."""

    name = "mean_fill"
    hides = False

    def _absent(self, train: WindowSet) -> dict[str, Any]:
        visible = presence_by_feature(train.presence, self.layout)
        return {"fill": mean_of_present(train.features, visible).tolist()}


class ModalityDropout(NeuralBaseline):
    """Zero filling, taught with tokens hidden as MMQ-Net is: whole modalities, blocks, scattered tokens."""

    name = "modality_dropout"


class AttentionMask(NeuralBaseline):
    """Absent tokens are masked out of attention and pooling; tokens are hidden in training.

    References
    ----------
    Xu et al. 2025, "LSM-2: Learning from Incomplete Wearable Sensor Data", arXiv 2506.05321: adaptive and
    inherited masking, here without its pretraining.
    """

    name = "attention_mask"

    def _absent(self, train: WindowSet) -> dict[str, Any]:
        return {"masked": True}


class MemoryTokens(NeuralBaseline):
    """ActionMAE-type, our reading: absent tokens are rebuilt with learned memory tokens, as a second task.

    See `mmq_tf.model.memory_tokens.MemoryTransformer`; tokens are hidden in training.
    """

    name = "memory_tokens"
    network = MemoryTransformer
    teaching = MemoryTraining


class CrossModal(NeuralBaseline):
    """MulT-type, our reading: each sensor attends to each other one; absent tokens are masked.

    See `mmq_tf.model.cross_modal.CrossModalTransformer`; tokens are hidden in training.
    """

    name = "cross_modal"
    network = CrossModalTransformer


NEURAL_BASELINES: Mapping[str, type[NeuralBaseline]] = {
    kind.name: kind for kind in (ZeroFill, MeanFill, ModalityDropout, AttentionMask, MemoryTokens, CrossModal)
}
"""Every neural baseline by its name in the results."""
