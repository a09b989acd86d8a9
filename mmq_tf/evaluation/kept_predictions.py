# SPDX-License-Identifier: Apache-2.0
"""Predictions that a job keeps in a file, beside a key that says what they were made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from mmq_tf.metrics.predictions import Predictions, read_predictions, write_predictions
from mmq_tf.utils.atomic_files import write_text


class KeptPredictions(ABC):
    """What a job predicts, made once for the same key."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """Where the predictions are kept."""

    @property
    @abstractmethod
    def key(self) -> str:
        """Digest of what decides the predictions: another one, and they are made again."""

    @property
    def done(self) -> bool:
        """Whether the predictions are there, of this key."""
        try:
            return self._key_path.read_text("utf-8") == self.key and self.path.is_file()
        except (OSError, UnicodeDecodeError):
            return False

    def predictions(self) -> Predictions:
        """Return what was predicted."""
        return read_predictions(self.path)

    def keep(self, parts: Sequence[Predictions]) -> None:
        """Write what was predicted, then its key."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_predictions(self.path, Predictions.concatenate(parts))
        write_text(self._key_path, self.key)

    @property
    def _key_path(self) -> Path:
        return self.path.with_name("key.txt")
