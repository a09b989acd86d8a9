# SPDX-License-Identifier: Apache-2.0
"""The one small interface of all baselines."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np

from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from mmq_tf.config.training_spec import TrainingSpec
    from mmq_tf.features.windows import WindowSet


def check_windows(features: np.ndarray, presence: np.ndarray, slices: Mapping[str, slice]) -> None:
    """Refuse windows whose shapes do not fit each other.

    Parameters
    ----------
    features : float ``[N, T, F]``
    presence : bool ``[N, T, M]``
    slices : mapping of the M modality names, in order, to their slice of the F features

    Raises
    ------
    MMQError
        When a shape or the number of modalities does not fit.
    """
    if features.ndim != 3:
        raise MMQError(
            f"features: expected an array [windows, tokens, features], got shape {features.shape}."
        )
    wanted = (*features.shape[:2], len(slices))
    if presence.shape != wanted:
        raise MMQError(f"presence: expected shape {wanted} beside these features, got {presence.shape}.")
    widest = max((part.stop for part in slices.values()), default=0)
    if widest != features.shape[2]:
        raise MMQError(f"slices: they cover {widest} features, but the windows hold {features.shape[2]}.")


class Baseline(ABC):
    """A method that learns from windows and gives class probabilities.

    Subclasses set `name` and write `_fit` and `_predict`; the checks, the unknown labels and the number of
    classes are handled here. `_weight` float64 ``[N]`` is the weight of each window `_fit` is given, None
    where all count the same.

    Attributes
    ----------
    name : str
        In the results.
    version : int
        Of what the method means: raised whenever the same windows may give other predictions than before, so
        that evaluations made before judge it again.
    """

    name: str
    version: int = 1
    classes: int
    slices: dict[str, slice]
    _weight: np.ndarray | None = None

    def fit(
        self,
        features: np.ndarray,
        presence: np.ndarray,
        labels: np.ndarray,
        slices: Mapping[str, slice],
        seed: int = 0,
        classes: int | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Learn from training windows.

        Parameters
        ----------
        features : float32 ``[N, T, F]``
            Normalised features; absent tokens are never read.
        presence : bool ``[N, T, M]``
        labels : int ``[N]``
            Class numbers; windows labelled -1 (unknown) are left out.
        slices : mapping
            The M modalities in order, each with its slice of the features.
        seed : int
            The only source of randomness.
        classes : int, optional
            Number of classes; by default the largest label + 1.
        sample_weight : float ``[N]``, optional
            How much each window counts; by default all the same.

        Returns
        -------
        Baseline
            Itself.

        Raises
        ------
        MMQError
            When shapes do not fit, no window is labelled, or a label is not one of the classes.
        """
        features, presence, labels = np.asarray(features), np.asarray(presence, bool), np.asarray(labels)
        check_windows(features, presence, slices)
        if labels.shape != features.shape[:1]:
            raise MMQError(
                f"labels: expected one per window ({features.shape[0]}), got shape {labels.shape}."
            )
        known = labels >= 0
        if not known.any():
            raise MMQError(
                f"labels: {self.name} needs at least one labelled window, got {labels.size} of -1."
            )
        self.classes = int(labels.max()) + 1 if classes is None else int(classes)
        if labels.max() >= self.classes:
            raise MMQError(f"labels: got class {labels.max()}, but there are only {self.classes} classes.")
        self.slices = dict(slices)
        self._weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)[known]
        self._fit(features[known], presence[known], labels[known].astype(np.int64), seed)
        return self

    def fit_windows(
        self,
        train: "WindowSet",
        validation: "WindowSet | None",
        spec: "TrainingSpec",
        seed: int = 0,
        classes: int | None = None,
    ) -> Self:
        """Learn from one fold: what all methods of a table are given alike.

        A method that chooses something on validation subjects, or trains by the run's training spec,
        overrides this; the others take the training windows alone.

        Parameters
        ----------
        train, validation : WindowSet
            Training windows, and those of the validation subjects.
        spec : TrainingSpec
            Of the run.
        seed, classes
            As for `fit`.

        Returns
        -------
        Baseline
            Itself.

        Raises
        ------
        MMQError
            As `fit`.
        """
        labels = train.label.astype(np.int64)
        slices = spec.layout.feature_slices
        weight = train.sample_weight
        return self.fit(train.features, train.presence, labels, slices, seed, classes, weight)

    def predict_proba(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Give the class probabilities of windows.

        Parameters
        ----------
        features : float32 ``[N, T, F]``
        presence : bool ``[N, T, M]``

        Returns
        -------
        numpy.ndarray
            float64 ``[N, classes]``, each row summing to 1.

        Raises
        ------
        MMQError
            When shapes do not fit or `fit` was not called before.
        """
        if not hasattr(self, "classes"):
            raise MMQError(f"{self.name}: predict_proba was called before fit; call fit first.")
        features, presence = np.asarray(features), np.asarray(presence, bool)
        check_windows(features, presence, self.slices)
        if not len(features):
            return np.zeros((0, self.classes))
        return self._predict(features, presence)

    def predict_windows(self, windows: "WindowSet") -> np.ndarray:
        """Give the class probabilities of windows, which know more than their features: when they begin.

        A method that looks at anything else than features and presence overrides this.

        Parameters
        ----------
        windows : WindowSet
            Normalised; absent tokens are never read.

        Returns
        -------
        numpy.ndarray
            float64 ``[N, classes]``, each row summing to 1.

        Raises
        ------
        MMQError
            As `predict_proba`.
        """
        return self.predict_proba(windows.features, windows.presence)

    @abstractmethod
    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        """Learn from checked windows that all have a label."""

    @abstractmethod
    def _predict(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Give probabilities ``[N, classes]`` of checked windows, N > 0."""
