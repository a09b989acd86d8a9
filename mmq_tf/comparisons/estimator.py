# SPDX-License-Identifier: Apache-2.0
"""A network trained by a fold's own training spec, with some things changed: what every comparison is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from mmq_bridge.front_end.feature_layout import FeatureLayout

from mmq_tf.baselines.base import Baseline
from mmq_tf.config.training_spec import MissingConfig, ModelConfig, TrainingConfig, TrainingSpec
from mmq_tf.errors import MMQError
from mmq_tf.features.array_windows import array_spec, plain_windows
from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.calibration import apply_temperature, fit_temperature
from mmq_tf.training.fit import EAGER_STEPS, History, fit_network, new_network, predict_logits

Changes = Mapping[str, Mapping[str, Any]]
"""Section of a training spec -> name -> value."""

Build = Callable[[TrainingSpec, int, int, WindowSet], Any]
"""Makes the model that is trained, of a training spec, the number of classes, a seed and the windows."""


def fold_network(spec: TrainingSpec, classes: int, seed: int, train: WindowSet) -> Any:
    """Return the network that a fold trains by this training spec."""
    return new_network(spec, classes, seed)


@dataclass(frozen=True)
class NetworkComparison:
    """What one comparison changes; the rest is as in the fold it stands in.

    Parameters
    ----------
    name : str
        In the results.
    build : callable
        Makes the network; by default the fold's own.
    changes : mapping
        What differs in the training spec.
    without, only : tuple of str
        Sensors that the network never has; if `only` is given, all but those.
    calibrated : bool
        Whether its temperature is chosen on validation windows, which it then needs.
    version : int
        As `Baseline.version`.
    """

    name: str
    build: Build = fold_network
    changes: Changes = field(default_factory=dict)
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    calibrated: bool = False
    version: int = 1

    def sensors(self, modality_names: Collection[str]) -> list[str]:
        """Return which of these sensors the network has."""
        return [n for n in modality_names if n not in self.without and (n in self.only or not self.only)]

    def own_spec(self, spec: TrainingSpec) -> TrainingSpec:
        """Return the training spec as this comparison changes it.

        Conditions that would leave none of its sensors are not asked of it.
        """
        layout = spec.layout.only(self.sensors(spec.layout.modality_names))
        asked = {
            name: gone
            for name, gone in spec.missing.conditions.items()
            if not set(layout.modality_names) <= set(gone)
        }
        missing = spec.missing.model_copy(update={"conditions": asked})
        return changed(spec.model_copy(update={"layout": layout, "missing": missing}), self.changes)


def changed(spec: TrainingSpec, changes: Changes) -> TrainingSpec:
    """Return a training spec with some values of its sections changed."""
    parts = {}
    for section, values in changes.items():
        old: Any = getattr(spec, section)
        parts[section] = (
            replace(old, **values) if section == "losses" else old.model_copy(update=dict(values))
        )
    return spec.model_copy(update=parts)


@dataclass(frozen=True)
class SensorCut:
    """Some of a layout's sensors, and where they lie in windows of all."""

    layout: FeatureLayout
    columns: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, layout: FeatureLayout, kept: Collection[str]) -> Self:
        """Return those of a layout's sensors that are in `kept`."""
        return cls(layout.only(kept), layout.columns_of(kept), layout.places_of(kept))

    def windows(self, windows: WindowSet) -> WindowSet:
        """Return windows that never had another sensor; they themselves where nothing is cut."""
        if len(self.columns) == windows.features.shape[-1]:
            return windows
        return replace(
            windows,
            features=windows.features[..., self.columns],
            presence=windows.presence[..., self.places],
            variant_features=windows.variant_features[..., self.columns],
            variant_presence=windows.variant_presence[..., self.places],
            variant_corrupted=windows.variant_corrupted[..., self.places],
        )


class NetworkEstimator(Baseline):
    """The network of a comparison as a baseline.

    `fit_windows` is what a fold calls: it takes the run's own training spec and chooses the epoch on the same
    validation views as the run's network. `fit` gets neither; it trains for all epochs by the sections given
    here, and a comparison that is calibrated refuses it.

    Parameters
    ----------
    comparison : NetworkComparison
        What is trained.
    model, missing, training
        Of the training spec of `fit`; the run's defaults where left out.

    Attributes
    ----------
    net : keras.Model
        The trained network.
    history : History
        Of the last training: the scores by epoch and the best one.
    temperature : float
        What the logits are divided by; 1 where the comparison is not calibrated.
    """

    net: Any
    history: History
    temperature: float

    def __init__(
        self,
        comparison: NetworkComparison,
        model: ModelConfig | None = None,
        missing: MissingConfig | None = None,
        training: TrainingConfig | None = None,
    ):
        self.comparison = comparison
        self.name, self.version = comparison.name, comparison.version
        self.model = model or ModelConfig()
        self.missing = missing or MissingConfig()
        self.training = training or TrainingConfig()

    def fit_windows(
        self,
        train: WindowSet,
        validation: WindowSet | None,
        spec: TrainingSpec,
        seed: int = 0,
        classes: int | None = None,
    ) -> Self:
        """Train on one fold; epoch and temperature are chosen on the validation subjects."""
        if self.comparison.calibrated and validation is None:
            raise MMQError(f"{self.name}: its epoch is chosen on validation windows, got none; give some.")
        known = train.take(np.flatnonzero(train.label >= 0))
        if not len(known):
            raise MMQError(f"labels: {self.name} needs at least one labelled window, got {len(train)} of -1.")
        self.classes = int(known.label.max()) + 1 if classes is None else int(classes)
        self.slices = dict(spec.layout.feature_slices)
        self._train(known, validation, spec, seed)
        return self

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        if self.comparison.calibrated:
            raise MMQError(f"{self.name}: it needs a fold's validation windows; call fit_windows.")
        sizes = {name: part.stop - part.start for name, part in self.slices.items()}
        layout = FeatureLayout(features.shape[1], sizes)
        spec = array_spec(layout, self.model, self.missing, self.training)
        windows = plain_windows(features, presence, labels, np.full(len(labels), ""))
        if self._weight is not None:
            windows = replace(windows, weight=self._weight.astype(np.float32))
        self._train(windows, None, spec, seed)

    def _train(self, train: WindowSet, validation: WindowSet | None, spec: TrainingSpec, seed: int) -> None:
        own = self.comparison.own_spec(spec)
        self.task = own.data.task
        self.cut = SensorCut.of(spec.layout, own.layout.modality_names)
        train = self.cut.windows(train)
        validation = None if validation is None else self.cut.windows(validation)
        model = self.comparison.build(own, self.classes, seed, train)
        steps = own.training.epochs * -(-len(train) // own.training.batch_size)
        eager = steps <= EAGER_STEPS
        self.history = fit_network(model, train, validation, own, seed, state_path=None, run_eagerly=eager)
        self.net = model.net
        self.temperature = 1.0
        if self.comparison.calibrated and validation is not None:
            logits = predict_logits(self.net, validation.features, validation.presence)[self.task]
            self.temperature = fit_temperature(logits, validation.label.astype(int))

    def _predict(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        features, presence = features[..., self.cut.columns], presence[..., self.cut.places]
        seen = self.cut.layout.visible(features, presence)
        return apply_temperature(predict_logits(self.net, seen, presence)[self.task], self.temperature)
