# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net with one part taken out in turn, trained by the run's own recipe, to see what each part is worth.

Everything else stays: the same folds, windows, seeds, epochs, augmentation and choice of the epoch, and the
parts that remain start from the same weights. Like neural baselines they train as long as the network itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from mmq_bridge.front_end.modalities import SUPPORTED_MODALITIES

from mmq_tf.baselines.base import Baseline
from mmq_tf.config.training_spec import Recipe
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import ArrayLayout, PlainRecipe
from mmq_tf.features.windows import WindowSet, presence_by_feature
from mmq_tf.metrics.calibration import apply_temperature, fit_temperature
from mmq_tf.training.fit import EAGER_STEPS, History, fit_network, new_network, predict_logits

MOTION = "acc"
"""The modality that may tell what someone does instead of how they feel."""

Changes = Mapping[str, Mapping[str, Any]]
"""Section of a recipe -> name -> value."""

CHANGES: Mapping[str, Changes] = MappingProxyType(
    {
        "without_modality_queries": {"model": {"queries": ("category", "interference")}},
        "without_category_queries": {"model": {"queries": ("modality", "interference")}},
        "without_interference_queries": {"model": {"queries": ("modality", "category")}},
        "without_learned_mask": {"model": {"learned_mask": False}},
        "without_rebuilt_penalty": {"model": {"rebuilt_penalty": 0.0}},
        "without_rebuild_losses": {"losses": {"rebuild_tokens": 0.0, "rebuild_features": 0.0}},
        "without_orthogonality_loss": {"losses": {"orthogonality": 0.0}},
        "without_no_label_loss": {"losses": {"no_label": 0.0}},
        "without_consistency_loss": {"losses": {"consistency": 0.0}},
        "without_interference_teaching": {"losses": {"interference": 0.0}},
        "without_missing_in_training": {"missing": {"complete_share": 1.0}},
        # With nothing corrupted to show there is nothing to name either.
        "without_artefacts_in_training": {"artefacts": {"used_share": 0.0}, "losses": {"interference": 0.0}},
    }
)
"""What each ablation changes in a run's recipe, by its name in the results."""


@dataclass(frozen=True)
class Sensors:
    """Some of a layout's modalities: their own layout, and where they lie in whole windows."""

    layout: ArrayLayout
    columns: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, recipe: Recipe, kept: Collection[str]) -> Sensors:
        """Return those of a recipe's modalities that are in `kept`."""
        slices = {name: part for name, part in recipe.front_end.feature_slices.items() if name in kept}
        names = list(recipe.front_end.modality_names)
        columns = [np.arange(part.start, part.stop) for part in slices.values()]
        sizes = {name: part.stop - part.start for name, part in slices.items()}
        features = [name for part in slices.values() for name in recipe.front_end.feature_names[part]]
        return cls(
            ArrayLayout(recipe.front_end.tokens, sizes, features),
            np.concatenate(columns),
            np.array([names.index(name) for name in slices]),
        )

    def cut(self, windows: WindowSet) -> WindowSet:
        """Return windows that never had another sensor."""
        return replace(
            windows,
            features=windows.features[..., self.columns],
            presence=windows.presence[..., self.places],
            variant_features=windows.variant_features[..., self.columns],
            variant_presence=windows.variant_presence[..., self.places],
            variant_corrupted=windows.variant_corrupted[..., self.places],
        )


class Ablation(Baseline):
    """MMQ-Net trained and calibrated as a fold's own network, by a changed recipe; for `fit_windows` only.

    Attributes
    ----------
    changes : mapping
        What is changed in the recipe.
    history : History
        The scores by epoch and the best one.
    """

    changes: ClassVar[Changes] = {}
    history: History

    def sensors(self, recipe: Recipe) -> Sequence[str]:
        """Return the modalities the network has: all, if a subclass does not say otherwise."""
        return recipe.front_end.modality_names

    def fit_windows(
        self,
        train: WindowSet,
        validation: WindowSet | None,
        recipe: Recipe,
        seed: int = 0,
        classes: int | None = None,
    ) -> Self:
        """Train on one fold; epoch and temperature are chosen on the validation subjects."""
        if validation is None:
            raise MMQError(f"{self.name}: its epoch is chosen on validation windows, got none; give some.")
        self.classes = int(train.label.max()) + 1 if classes is None else int(classes)
        self.slices = dict(recipe.front_end.feature_slices)
        self.kept = Sensors.of(recipe, self.sensors(recipe))
        self.task = recipe.data.task
        train, validation = self.kept.cut(train), self.kept.cut(validation)
        own = _on(self.kept.layout, changed(recipe, self.changes))
        model = new_network(own, self.classes, seed)
        steps = own.training.epochs * -(-len(train) // own.training.batch_size)
        self.history = fit_network(
            model, train, validation, own, seed, state_path=None, run_eagerly=steps <= EAGER_STEPS
        )
        self.net = model.net
        logits = predict_logits(self.net, validation.features, validation.presence)[self.task]
        self.temperature = fit_temperature(logits, validation.label.astype(int))
        return self

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        raise MMQError(f"{self.name}: an ablation needs a run's recipe; call fit_windows.")

    def _predict(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        features, presence = features[..., self.kept.columns], presence[..., self.kept.places]
        seen = np.where(presence_by_feature(presence, self.kept.layout), features, np.float32(0))
        return apply_temperature(predict_logits(self.net, seen, presence)[self.task], self.temperature)


class WithoutSensor(Ablation):
    """A network that never had a sensor: what a network of the others alone can reach.

    Beside it stands the whole network from which that sensor is hidden: the difference is what failing costs,
    apart from what the sensor knows.
    """

    gone: ClassVar[str]

    def sensors(self, recipe: Recipe) -> Sequence[str]:
        """Return all but that one."""
        return [name for name in recipe.front_end.modality_names if name != self.gone]


class MotionAlone(Ablation):
    """A network of the accelerometer alone: how much of a result is only that people moved."""

    name = "only_acc"

    def sensors(self, recipe: Recipe) -> Sequence[str]:
        """Return the accelerometer."""
        return [MOTION]


def changed(recipe: Recipe, changes: Changes) -> PlainRecipe[Any]:
    """Return a recipe with some values of its sections changed."""
    own = PlainRecipe.of(recipe)
    parts = {}
    for section, values in changes.items():
        old: Any = getattr(own, section)
        if section == "losses":
            parts[section] = replace(old, **values)
        else:
            parts[section] = old.model_copy(update=dict(values))
    return replace(own, **parts)


def _on(layout: ArrayLayout, recipe: PlainRecipe[Any]) -> PlainRecipe[Any]:
    """Return the recipe for fewer sensors; conditions that would leave none are not asked of it."""
    asked = {
        name: gone
        for name, gone in recipe.missing.conditions.items()
        if not set(layout.modality_names) <= set(gone)
    }
    return replace(recipe, front_end=layout, missing=recipe.missing.model_copy(update={"conditions": asked}))


WITHOUT: Mapping[str, str] = MappingProxyType({f"without_{name}": name for name in SUPPORTED_MODALITIES})
"""The sensor that a network never had, by the ablation's name."""

ABLATIONS: Mapping[str, type[Ablation]] = {
    **{name: type(name, (Ablation,), {"name": name, "changes": parts}) for name, parts in CHANGES.items()},
    **{name: type(name, (WithoutSensor,), {"name": name, "gone": gone}) for name, gone in WITHOUT.items()},
    MotionAlone.name: MotionAlone,
}
"""Every ablation by its name in the results."""


def ablations_of(modality_names: Collection[str]) -> tuple[str, ...]:
    """Name the ablations that these sensors allow: those of a sensor need it, and another one."""
    several = len(modality_names) > 1
    needed = {**WITHOUT, MotionAlone.name: MOTION}
    return tuple(
        name for name in ABLATIONS if name not in needed or (several and needed[name] in modality_names)
    )
