# SPDX-License-Identifier: Apache-2.0
"""Train one network on one fold: what it sees an epoch, when it stops, how it resumes after a break."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy.special import softmax

from mmq_tf.augmentation.missingness import channel_keep, hide_modalities, named_conditions, training_keep
from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.config.training_spec import TrainingSpec
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.calibration import negative_log_likelihood
from mmq_tf.metrics.scores import auroc
from mmq_tf.model.ensemble import member_seeds, members_of, trained_together
from mmq_tf.model.mhacl import MHACL
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.training_model import MMQTraining
from mmq_tf.model.transformer import TransformerTraining
from mmq_tf.training.callbacks import (
    AfterEpoch,
    BestWeights,
    EpochBatches,
    EpochStart,
    History,
    Progress,
    ValidationScore,
    check_callbacks,
)
from mmq_tf.training.devices import devices_used, filled, whole
from mmq_tf.training.distillation import out_of_fold_probabilities
from mmq_tf.training.line import LineChoice, fit_line
from mmq_tf.utils.atomic_files import written_whole
from mmq_tf.utils.foreign_settings import check_keras
from mmq_tf.utils.npz_files import read_npz

BATCH = 1024
"""Windows judged at once."""

RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
"""Callbacks that set the learning rate, which Keras allows only where it follows no schedule."""

EAGER_STEPS = 30  # up to here, steps run operation by operation cost less than tracing one does (about 4 s)


class EpochData:
    """What one epoch shows: artefacts, hidden tokens and order are drawn from (seed, epoch) alone.

    Since nothing depends on what was drawn before, an interrupted run resumes exactly where it was.
    """

    def __init__(
        self,
        windows: WindowSet,
        config: TrainingSpec,
        classes: int,
        seed: int,
        target: np.ndarray | None = None,
    ) -> None:
        self.windows, self.config, self.seed = windows, config, seed
        if target is not None:
            self.target = target
            return
        self.target = np.eye(classes, dtype=np.float32)[windows.label]
        share = config.training.teacher_share
        if share:
            slices = config.layout.feature_slices
            self.target += share * (out_of_fold_probabilities(windows, slices, classes, seed) - self.target)

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-len(self.windows) // self.config.training.batch_size)

    def draw(self, epoch: int) -> tuple[Any, ...]:
        """Return the inputs and soft labels [N, classes] of one epoch, in the order to be shown.

        And a weight [N], where windows count differently.
        """
        rng = np.random.default_rng([self.seed, epoch])
        windows, missing = self.windows, self.config.missing
        order = rng.permutation(len(windows))
        features, presence, corrupted = self._with_artefacts(rng, order)
        jitter = self._jitter(rng, features.shape)
        keep = training_keep(
            rng, presence.shape, max_rate=missing.max_rate, complete_share=missing.complete_share
        )
        presence = presence & keep
        layout = self.config.layout
        working = channel_keep(rng, len(order), layout.channels, max_rate=missing.max_channel_rate)
        known = self._known_past(epoch, len(order))[:, None]
        visible = layout.by_feature(presence) & working[:, None] & known
        inputs = {
            "features": np.where(visible, features + jitter, 0.0).astype(np.float32),
            "presence": presence.astype(np.float32),
            "features_full": np.where(
                layout.by_feature(windows.presence[order]) & known, windows.features[order] + jitter, 0.0
            ).astype(np.float32),
            "presence_full": windows.presence[order].astype(np.float32),
            "corrupted": (corrupted & presence).astype(np.float32),
        }
        weight = windows.sample_weight
        weights = () if weight is None else (weight[order],)
        return inputs, {self.config.data.task: self.target[order]}, *weights

    def _known_past(self, epoch: int, windows: int) -> np.ndarray:
        """Return bool [windows, F]: all but the look-backs of windows whose past is hidden."""
        past = self.config.layout.look_backs
        if not past.any():
            return np.ones((windows, len(past)), bool)
        rng = np.random.default_rng([self.seed, epoch, 1])
        return ~((rng.random(windows) < self.config.missing.look_back_share)[:, None] & past)

    def _jitter(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return what is added to the normalised features: noise per token, and an offset per window.

        The offset stands for a baseline that was not quite the wearer's own.
        """
        settings = self.config.training
        noise = settings.feature_noise * self._noise(rng, shape)
        return noise + settings.feature_shift * self._noise(rng, (shape[0], 1, shape[2]))

    def _noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draw from N(0, 1), correlated between the channels of a sensor as the settings say."""
        own = rng.standard_normal(shape, dtype=np.float32)
        share = self.config.training.channels_in_common
        kinds, kind = np.unique(self.config.layout.kinds, return_inverse=True)
        if not share or len(kinds) == len(kind):
            return own
        common = rng.standard_normal((*shape[:-1], len(kinds)), dtype=np.float32)[..., kind]
        return np.float32(np.sqrt(1 - share)) * own + np.float32(np.sqrt(share)) * common

    def _with_artefacts(
        self, rng: np.random.Generator, order: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return features, presence, corrupted in `order`, some windows from their corrupted variants."""
        windows = self.windows
        variants = len(windows.variant_features)
        chosen = rng.integers(-1, max(variants, 1), size=len(order))
        chosen[rng.random(len(order)) >= self.config.artefacts.used_share] = -1
        features, presence = windows.features[order], windows.presence[order]
        corrupted = np.zeros(presence.shape, dtype=bool)
        rows = np.flatnonzero(chosen >= 0) if variants else np.empty(0, dtype=int)
        source = (chosen[rows], order[rows])
        features[rows], presence[rows] = windows.variant_features[source], windows.variant_presence[source]
        corrupted[rows] = windows.variant_corrupted[source]
        return features, presence, corrupted


def new_network(config: TrainingSpec, classes: int, seed: int) -> Any:
    """Return a freshly initialised network for this configuration, inside its training model."""
    kind = MHACL if config.model.name == "mhacl" else MMQNet
    nets = [kind.from_spec(config, classes, own) for own in member_seeds(seed, config.model.members)]
    return trained_together([training_model(net, config.losses) for net in nets])


def training_model(net: Any, loss_weights: LossWeights) -> Any:
    """Return what trains a network: an MMQ-Net with all its losses, another one on the same two views."""
    kind = MMQTraining if isinstance(members_of(net)[0], MMQNet) else TransformerTraining
    return trained_together([kind(member, loss_weights=loss_weights) for member in members_of(net)])


def compile_network(
    model: MMQTraining,
    config: TrainingSpec,
    steps_per_epoch: int,
    *,
    run_eagerly: bool = False,
    constant_rate: bool = False,
) -> None:
    """Give the network its optimiser: AdamW with a cosine to a twentieth over the configured epochs.

    With `constant_rate` the learning rate stays as configured, and Keras callbacks may change it.
    """
    settings = config.training
    cosine: Any = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate, settings.epochs * steps_per_epoch, alpha=0.05
    )
    optimizer = keras.optimizers.AdamW(
        settings.learning_rate if constant_rate else cosine,
        weight_decay=settings.weight_decay,
        clipnorm=1.0,
    )
    model.compile(optimizer=optimizer, run_eagerly=run_eagerly)


def fit_network(
    model: MMQTraining,
    train: WindowSet,
    validation: WindowSet | None,
    config: TrainingSpec,
    seed: int,
    state_path: Path | None,
    on_epoch: Progress = lambda epoch, metrics: None,
    epochs: int | None = None,
    tensorboard: Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    keep_from: int = 1,
    target: np.ndarray | None = None,
    *,
    before_epoch: Callable[[Any, int], None] | None = None,
    run_eagerly: bool = False,
    line: LineChoice | None = None,
) -> History:
    """Train until the validation score stops rising, keep the best epoch's weights, return what happened.

    One `model.fit`, so Keras callbacks work as everywhere; their logs hold the losses and, with validation
    windows, `val_auroc`, `val_auroc_full` and `val_nll`. Whatever they do to the weights, the network ends
    with those of the best epoch.

    The score is the AUROC over validation subjects' windows, seen complete, with each sensor gone in turn and
    under the training's random missingness. Without validation windows exactly `epochs` are trained, unless a
    callback stops. After every epoch the whole state goes to `state_path`; where that file exists training
    resumes from it.

    Parameters
    ----------
    callbacks
        Keras' or one's own; called after the epoch is scored and written down, before its state is saved.
        Where one of them sets the learning rate (see `RATE_SETTERS`), there is no cosine beside it.
    keep_from
        Epochs before this one, counted from 1, are never the best one.
    target
        Soft labels [N, classes] in place of the training windows' own.
    before_epoch
        Called with the model and the epoch, counted from 0.
    run_eagerly
        Spares a training of few steps the seconds that tracing a step costs.
    line
        What is chosen already for the line beside the network. With a `target` the line stays as it is.

    Raises
    ------
    MMQError
        If the state file is damaged, or a callback is none.
    """
    check_keras()
    own = check_callbacks(callbacks)
    data = EpochData(train, config, model.net.tasks[config.data.task], seed, target)
    sets_rate = any(isinstance(callback, RATE_SETTERS) for callback in own)
    compile_network(model, config, data.steps, run_eagerly=run_eagerly, constant_rate=sets_rate)
    model.build()
    model.optimizer.build(model.trainable_variables)
    history, best = restore_state(model, state_path)
    keeper = BestWeights(history, best, keep_from, None if validation is None else config.training.patience)
    done, limit = len(history.epochs), epochs or config.training.epochs
    if done < limit and not keeper.exhausted:
        size, devices = config.training.batch_size, devices_used()
        rows = whole(size, devices) if devices > 1 else None
        batches = EpochBatches(data.draw, size, done, rows)
        steps: list[keras.callbacks.Callback] = [EpochStart(batches, before_epoch)]
        if validation is not None:
            steps.append(ValidationScore(ValidationViews(validation, config).score))
        steps += [keeper, *own]
        if tensorboard is not None:
            steps.append(keras.callbacks.TensorBoard(str(tensorboard), write_graph=False))
        if state_path is not None:
            steps.append(AfterEpoch(lambda epoch, metrics: save_state(model, history, best, state_path)))
        steps.append(AfterEpoch(on_epoch))
        model.fit(
            batches,
            shuffle=False,
            verbose=0,  # pyright: ignore[reportArgumentType]  Keras' hint forgets numbers
            initial_epoch=done,
            epochs=limit,
            callbacks=steps,
        )
    model.net.set_weights(best)
    if target is None:
        chosen = fit_line(model.net, train, validation, config, seed, line)
        history.line = None if chosen is None else vars(chosen)
    return history


class ValidationViews:
    """Validation windows as a wearable may see them: complete, each sensor gone, random tokens gone."""

    def __init__(self, windows: WindowSet, config: TrainingSpec) -> None:
        names = config.layout.modality_names
        keep = training_keep(
            np.random.default_rng(0),
            windows.presence.shape,
            max_rate=config.missing.max_rate,
            complete_share=0.0,
        )
        conditions = named_conditions(names, config.missing.conditions)
        hidden = [hide_modalities(windows.presence, names, gone) for gone in conditions.values()]
        self.presence = np.concatenate([*hidden, windows.presence & keep])
        features = np.concatenate([windows.features] * (len(hidden) + 1))
        self.features = config.layout.visible(features, self.presence)
        self.label = np.concatenate([windows.label] * (len(hidden) + 1)).astype(np.int64)
        self.complete = len(windows)
        self.task = config.data.task

    def score(self, net: MMQNet) -> dict[str, float]:
        """Return `val_auroc` and `val_nll` over all views, and `val_auroc_full` over the complete ones."""
        logits = predict_logits(net, self.features, self.presence)[self.task]
        probability = softmax(logits, axis=1)
        return {
            "val_auroc": auroc(self.label, probability),
            "val_auroc_full": auroc(self.label[: self.complete], probability[: self.complete]),
            "val_nll": negative_log_likelihood(logits, self.label, temperature=1.0),
        }


def predict_logits(net: MMQNet, features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
    """Return logits [N, classes] by task for features [N, T, F] and bool presence [N, T, M]."""
    inputs = {"features": features.astype(np.float32), "presence": presence.astype(np.float32)}
    rows = whole(len(features), devices_used())
    inputs = {name: filled(values, rows) for name, values in inputs.items()}
    batch = whole(BATCH, devices_used())
    # `predict` builds a data pipeline for every call, which takes longer than the network itself.
    parts = [
        net.predict_on_batch({name: values[first : first + batch] for name, values in inputs.items()})
        for first in range(0, max(1, rows), batch)
    ]
    return {task: np.concatenate([part[task] for part in parts])[: len(features)] for task in parts[0]}


def save_state(model: Any, history: History, best: list[np.ndarray], path: Path) -> None:
    """Write everything a training needs to go on: all variables, the optimiser's, and the best weights."""
    arrays = {f"value_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))}
    arrays |= {f"best_{i}": value for i, value in enumerate(best)}
    state = np.frombuffer(json.dumps(vars(history)).encode(), dtype=np.uint8)
    with written_whole(path) as temporary:
        np.savez(temporary, allow_pickle=False, **{"state": state, **arrays})  # pyright: ignore


def restore_state(model: Any, path: Path | None) -> tuple[History, list[np.ndarray]]:
    """Read what `save_state` wrote into a model; where nothing was, the history is empty.

    Raises
    ------
    MMQError
        If the file is damaged.
    """
    if path is None or not path.is_file():
        return History(), [np.array(value) for value in model.net.get_weights()]
    try:
        saved = read_npz(path)
        history = History(**json.loads(saved["state"].tobytes()))
        best = [saved[f"best_{i}"] for i in range(len(model.net.get_weights()))]
        for index, variable in enumerate(_variables(model)):
            variable.assign(saved[f"value_{index}"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MMQError(f"{path} is damaged ({error}); delete it, and this fold starts anew.") from error
    return history, best


def _variables(model: Any) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]
