# SPDX-License-Identifier: Apache-2.0
"""The kNN probe of raw windows, which are taken from a bank a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmq_tf.features.windows import window_starts
from mmq_tf.metrics.scores import balanced_accuracy
from mmq_tf.pretraining.probe import MAX_WINDOWS, neighbour_probabilities
from mmq_tf.pretraining.raw_bank import RawBank

AT_ONCE = 64


@dataclass(frozen=True)
class LabelledWindows:
    """Windows of a bank, by their numbers int ``[N]``, and their labels int ``[N]``."""

    bank: RawBank
    first: np.ndarray
    label: np.ndarray

    @classmethod
    def of_bank(
        cls, bank: RawBank, task: str, classes: Sequence[str], stride_s: float
    ) -> LabelledWindows | None:
        """Return every labelled window, cut where those of front-end tokens are; None where there is none."""
        layout: Any = bank.front_end  # what places windows is the same in both front ends
        rows: list[tuple[int, int]] = []
        for line in bank.timelines:
            for start, trial in window_starts(line.trials, layout, stride_s, line.count).tolist():
                label = line.trials[trial].labels.get(task)
                if label is not None:
                    rows.append((line.first + start, classes.index(label)))
        if not rows:
            return None
        first, labels = np.array(rows).T
        return cls(bank, first, labels)

    def sample(self, count: int) -> LabelledWindows:
        """Return at most so many of them, the same ones every time."""
        chosen = np.sort(np.random.default_rng(0).permutation(len(self.first))[:count])
        return LabelledWindows(self.bank, self.first[chosen], self.label[chosen])

    def vectors(self, encoder: Any) -> np.ndarray:
        """Return what an encoder makes of them, float32 ``[N, M * dim]``."""
        import keras

        parts = []
        for begin in range(0, len(self.first), AT_ONCE):
            vectors, _ = encoder.encode(self.bank.windows(self.first[begin : begin + AT_ONCE]))
            parts.append(np.asarray(keras.ops.convert_to_numpy(vectors)).reshape(len(vectors), -1))
        return np.concatenate(parts)


def raw_probe(encoder: Any, known: LabelledWindows, asked: LabelledWindows, classes: int) -> float:
    """Return the balanced accuracy of nearest neighbours among `known` on other subjects' windows."""
    known = known.sample(MAX_WINDOWS)
    probabilities = neighbour_probabilities(
        known.vectors(encoder), known.label, asked.vectors(encoder), classes
    )
    return balanced_accuracy(asked.label, probabilities)
