# SPDX-License-Identifier: Apache-2.0
"""A clock: what elapsed time alone tells of the label, the confound of every fixed protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from mmq_tf.baselines.models import Forest
from mmq_tf.errors import MMQError
from mmq_tf.metrics.names import CLOCK

if TYPE_CHECKING:
    from mmq_tf.config.training_spec import TrainingSpec
    from mmq_tf.features.windows import WindowSet

_NO_TIME = "features do not say when a window begins; call {} with its windows"


class Clock(Forest):
    """The forest, shown nothing but the elapsed time at which each window begins in its recording.

    It is no rival and no tree to be chosen: where its AUROC is far from 0.5, the order of the tasks tells the
    label, and whatever remembers long enough can learn that order.
    """

    name = CLOCK

    def fit_windows(
        self,
        train: WindowSet,
        validation: WindowSet | None,
        spec: TrainingSpec,
        seed: int = 0,
        classes: int | None = None,
    ) -> Self:
        """Learn each class' times from the training windows; see `Baseline.fit_windows`."""
        return super().fit(
            *_as_features(train),
            train.label.astype(np.int64),
            {CLOCK: slice(0, 1)},
            seed,
            classes,
            train.sample_weight,
        )

    def predict_windows(self, windows: WindowSet) -> np.ndarray:
        """Give the class probabilities of the times at which windows begin, float64 ``[N, classes]``."""
        return super().predict_proba(*_as_features(windows))

    def fit(self, *arguments: object, **options: object) -> Self:
        """Refuse: there is no time in features."""
        raise MMQError(f"{self.name}: {_NO_TIME.format('fit_windows')}.")

    def predict_proba(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Refuse: there is no time in features."""
        raise MMQError(f"{self.name}: {_NO_TIME.format('predict_windows')}.")

    def _rows(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        return features[:, 0]


def _as_features(windows: WindowSet) -> tuple[np.ndarray, np.ndarray]:
    """Return each window's start as its one token's one feature ``[N, 1, 1]``, which is present."""
    start_s = windows.start_s.astype(np.float64)[:, np.newaxis, np.newaxis]
    return start_s, np.ones(start_s.shape, bool)
