# SPDX-License-Identifier: Apache-2.0
"""Methods that do not look at the sensors: the floor of every table."""

import numpy as np

from mmq_tf.baselines.base import Baseline


def class_shares(labels: np.ndarray, classes: int, weight: np.ndarray | None) -> np.ndarray:
    """Return each class' share of the windows, or of their weight, float64 ``[classes]``."""
    counts = np.bincount(labels, weight, minlength=classes)
    return counts / counts.sum()


class Majority(Baseline):
    """Say the training windows' most frequent class, with the classes' training shares as probabilities.

    The probabilities are the same for every window, so its AUROC is 0.5, and its accuracy is the majority
    line.
    """

    name = "majority"

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        self.shares = class_shares(labels, self.classes, self._weight)

    def _predict(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        return np.tile(self.shares, (len(features), 1))


class Stratified(Baseline):
    """Draw each window's class at random by the classes' training shares.

    The probabilities are 0 and 1 (as scikit-learn's ``DummyClassifier(strategy="stratified")``). Calling
    `predict_proba` again on windows of the same number gives the same draws.
    """

    name = "stratified"

    def _fit(self, features: np.ndarray, presence: np.ndarray, labels: np.ndarray, seed: int) -> None:
        self.shares = class_shares(labels, self.classes, self._weight)
        self.seed = seed

    def _predict(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        drawn = np.random.default_rng(self.seed).choice(self.classes, size=len(features), p=self.shares)
        return np.eye(self.classes)[drawn]
