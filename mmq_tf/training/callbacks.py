# SPDX-License-Identifier: Apache-2.0
"""What a training does at the ends of an epoch, as Keras callbacks beside which a user's own ones work.

They stand before a user's callbacks in the list: when those are called, the epoch's logs hold the validation
scores too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.training.devices import whole_batch

Progress = Callable[[int, dict[str, float]], None]
"""Called with the epoch, counted from 1, and its metrics."""


@dataclass
class History:
    """What happened: the metrics of each epoch, and which was the best on validation subjects (from 1).

    `line` is what was chosen for the line beside the network, as `mmq_tf.training.line.LineChoice` has it.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -np.inf
    line: dict[str, float] | None = None


class EpochBatches(keras.utils.PyDataset):
    """The batches of one epoch at a time.

    Parameters
    ----------
    draw : callable
        Returns the inputs and targets of an epoch, dicts of arrays [N, ...], in the order to be shown; and,
        where windows count differently, their weights [N].
    batch_size : int
        Windows per batch; the last one may hold fewer.
    first_epoch : int
        The epoch to begin with, counted from 0.
    rows : int, optional
        Every batch is filled up to so many, see `whole_batch`.
    """

    def __init__(
        self,
        draw: Callable[[int], tuple[Any, ...]],
        batch_size: int,
        first_epoch: int,
        rows: int | None = None,
    ) -> None:
        super().__init__()
        self._draw, self._batch_size, self._rows = draw, batch_size, rows
        self.show(first_epoch)

    def show(self, epoch: int) -> None:
        """Draw another epoch, counted from 0."""
        self._inputs, self._targets, *self._weights = self._draw(epoch)
        self._epoch = epoch

    @property
    def epoch(self) -> int:
        """The epoch that is shown, counted from 0."""
        return self._epoch

    def __len__(self) -> int:
        return -(-len(next(iter(self._inputs.values()))) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return one batch, inputs and targets, and weights if there are any."""
        rows = slice(index * self._batch_size, (index + 1) * self._batch_size)
        inputs, targets = self._inputs, self._targets
        batch = {k: v[rows] for k, v in inputs.items()}, {k: v[rows] for k, v in targets.items()}
        found = *batch, *(weight[rows] for weight in self._weights)
        return found if self._rows is None else whole_batch(found, self._rows)


class TrainingCallback(keras.callbacks.Callback):
    """A callback of the model that trains a network; the network is its `net`."""

    @property
    def training(self) -> Any:
        """The model that trains; Keras sets it before anything is called."""
        return self.model


class EpochStart(TrainingCallback):
    """Prepares the model for an epoch and draws what the epoch shows.

    Parameters
    ----------
    batches : EpochBatches
    before_epoch : callable, optional
        Called with the model and the epoch, counted from 0. It may hold or release layers; a model whose
        `train_function` it sets to None gets a new one.
    """

    def __init__(self, batches: EpochBatches, before_epoch: Callable[[Any, int], None] | None = None) -> None:
        super().__init__()
        self._batches, self._before_epoch = batches, before_epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Call `before_epoch`, then draw."""
        if self._before_epoch is not None:
            self._before_epoch(self.training, epoch)
            if self.training.train_function is None:
                self.training.make_train_function()
        if self._batches.epoch != epoch:
            self._batches.show(epoch)


class ValidationScore(TrainingCallback):
    """Adds the validation scores of `score(net)` to an epoch's logs.

    Parameters
    ----------
    score : callable
        Returns scores by name for the network inside the training model.
    """

    def __init__(self, score: Callable[[Any], dict[str, float]]) -> None:
        super().__init__()
        self._score = score

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Score the network as this epoch left it."""
        if logs is not None:
            logs.update(self._score(self.training.net))


class BestWeights(TrainingCallback):
    """Keeps the history and the best epoch's weights; stops after `patience` epochs without a better one.

    The score is the logs' `val_auroc`; without it the last epoch is the best.

    Parameters
    ----------
    history : History
        Continued in place.
    best : list of ndarray
        Of the best epoch so far, or the initial weights.
    keep_from : int
        Epochs before this one, counted from 1, are never the best.
    patience : int, optional
        Without it nothing stops early.
    """

    def __init__(
        self, history: History, best: list[np.ndarray], keep_from: int, patience: int | None
    ) -> None:
        super().__init__()
        self.history, self.best = history, best
        self._keep_from, self._patience = keep_from, patience

    @property
    def exhausted(self) -> bool:
        """Whether the score has not risen for as long as the patience lasts."""
        waited = len(self.history.epochs) - self.history.best_epoch
        return self._patience is not None and waited >= self._patience

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the epoch down; keep its weights if it is the best."""
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        self.history.epochs.append(metrics)
        score = metrics.get("val_auroc", float(epoch))
        if epoch + 1 >= self._keep_from and score > self.history.best_score:
            self.history.best_epoch, self.history.best_score = epoch + 1, score
            self.best[:] = [np.array(value) for value in self.training.net.get_weights()]
        if self.exhausted:
            self.training.stop_training = True


class AfterEpoch(keras.callbacks.Callback):
    """Calls a function after each epoch with the epoch, counted from 1, and its metrics."""

    def __init__(self, call: Progress) -> None:
        super().__init__()
        self._call = call

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Call it."""
        self._call(epoch + 1, {name: float(value) for name, value in (logs or {}).items()})


def check_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return a user's callbacks as a list.

    Raises
    ------
    MMQError
        If one of them is no `keras.callbacks.Callback`.
    """
    found = [*callbacks]
    for callback in found:
        if not isinstance(callback, keras.callbacks.Callback):
            raise MMQError(
                f"callbacks: expected keras.callbacks.Callback objects, got {type(callback).__name__}."
            )
    return found
