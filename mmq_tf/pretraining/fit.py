# SPDX-License-Identifier: Apache-2.0
"""Stage 1's loop: draw moments, exchange, pull together; a broken run resumes where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import keras
import numpy as np

from mmq_tf.config.run_config import PretrainingConfig
from mmq_tf.pretraining.contrastive_model import Contrastive
from mmq_tf.pretraining.meiosis import Offspring
from mmq_tf.training.fit import History, Progress, restore_state, save_state
from mmq_tf.utils.foreign_settings import check_keras


class Moments(Protocol):
    """Where positives come from: `Seconds` or `Neighbours`."""

    def draw(self, rng: np.random.Generator, seconds: int, pairs: int, one_sided: float = 0.0) -> Offspring:
        """Draw the offspring of one batch."""
        ...


class Bank(Protocol):
    """Where batches come from: `TokenBank` or `RawBank`."""

    def take(self, offspring: Offspring) -> dict[str, np.ndarray]:
        """Return the inputs of one batch."""
        ...


class Epoch(keras.utils.PyDataset):
    """The batches of one epoch, drawn from (seed, epoch) alone; each is copied when its turn comes."""

    def __init__(self, bank: Bank, moments: Moments, settings: PretrainingConfig, seed: int, epoch: int):
        super().__init__()
        rng = np.random.default_rng([seed, epoch])
        wanted = settings.seconds, settings.pairs, settings.one_sided
        self.bank = bank
        self.drawn = [moments.draw(rng, *wanted) for _ in range(settings.steps)]

    def __len__(self) -> int:
        return len(self.drawn)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        return (self.bank.take(self.drawn[index]),)


def members(moments: Moments, settings: PretrainingConfig) -> int:
    """Return the members of a group: Q offspring, or one window where nothing is exchanged."""
    return moments.draw(np.random.default_rng(0), settings.seconds, settings.pairs).before.shape[2]


def compile_contrastive(model: Contrastive, settings: PretrainingConfig) -> None:
    """Give the model its optimiser: AdamW with a cosine to zero over all steps, and its variables."""
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate, settings.epochs * settings.steps
    )
    optimizer = keras.optimizers.AdamW(
        schedule,  # pyright: ignore[reportArgumentType]  Keras' hint forgets schedules
        weight_decay=settings.weight_decay,
        clipnorm=1.0,
    )
    model.compile(optimizer=optimizer)
    model.optimizer.build(model.trainable_variables)


def pretrain(
    model: Contrastive,
    bank: Bank,
    moments: Moments,
    settings: PretrainingConfig,
    seed: int,
    state_path: Path | None = None,
    on_epoch: Progress = lambda epoch, metrics: None,
    judge: Callable[[], dict[str, float]] = dict,
) -> History:
    """Train an encoder for all epochs; the last one's weights stay, since no label may choose.

    Parameters
    ----------
    model
        Around the encoder that is taught.
    bank, moments
        Training subjects' samples, and which belong together.
    settings
        Batch, epochs and optimiser.
    seed
        Of what each epoch draws.
    state_path
        After every epoch the whole state goes there; where that file exists training resumes from it.
    on_epoch
        Called after each epoch with its number and what is known: `loss`, `accuracy`, and `judge`'s.
    judge
        Asked after every epoch, and once before the first, whose answer is entry 0 of the history.
    """
    check_keras()
    compile_contrastive(model, settings)
    history, _ = restore_state(model, state_path)
    if not history.epochs:
        history.epochs.append(judge())
    for epoch in range(len(history.epochs) - 1, settings.epochs):
        logs = model.fit(
            Epoch(bank, moments, settings, seed, epoch),
            shuffle=False,
            verbose=0,  # pyright: ignore[reportArgumentType]  Keras' hint forgets numbers
            initial_epoch=epoch,
            epochs=epoch + 1,
        ).history
        metrics = {name: float(values[-1]) for name, values in logs.items()} | judge()
        history.epochs.append(metrics)
        history.best_epoch = epoch + 1
        if state_path is not None:
            save_state(model, history, model.net.get_weights(), state_path)
        on_epoch(epoch + 1, metrics)
    return history
