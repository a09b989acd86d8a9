# SPDX-License-Identifier: Apache-2.0
"""One fold of one seed, from token streams to a trained and calibrated network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import RunConfig
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.set_weights import weighted_by_set
from mmq_tf.features.short_enrolments import ShortEnrolments
from mmq_tf.features.token_streams import without_enrolment_artefacts
from mmq_tf.features.windows import Stream, WindowSet, build_windows
from mmq_tf.metrics.calibration import apply_temperature, choose_min_confidence, fit_temperature
from mmq_tf.model.ensemble import members_of
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.training_model import MMQTraining
from mmq_tf.training.fit import History, Progress, fit_network, new_network, predict_logits
from mmq_tf.training.pretrained_encoder import Start
from mmq_tf.training.splits import Fold
from mmq_tf.utils.atomic_files import write_text, written_whole

STATE_NAME = "state.npz"
"""What lets a fold's training that was stopped go on; it is there no longer when the fold is done."""

DECISION_DEFAULTS = {"min_present_share": 0.1, "every_tokens": 1}
"""What every bundle begins with: the least share of present tokens, and how often it decides."""

CallbacksOf = Callable[[str], Sequence[keras.callbacks.Callback]]
"""Gives the Keras callbacks of a training by its name, that of its fold and seed."""


@dataclass(frozen=True)
class FoldJob:
    """Everything one worker needs to train one fold; `mmq_tf.evaluation.judge_fold.JudgedFold` does it."""

    config: RunConfig
    classes: tuple[str, ...]
    fold: Fold
    index: int
    seed: int
    folder: Path
    streams: tuple[Stream, ...]
    tensorboard: bool = False
    start: Start | None = None
    callbacks: CallbacksOf | None = None

    @property
    def done(self) -> bool:
        """Whether the folder is complete: `metrics.json` is written last."""
        return (self.folder / "metrics.json").is_file()

    @property
    def name(self) -> str:
        """What progress calls it."""
        return f"fold {self.index} seed {self.seed}"


@dataclass(frozen=True)
class FoldWindows:
    """The three sides of one fold, normalised by its training subjects, and the front end that did it."""

    front_end: FrontEnd
    train: WindowSet
    validation: WindowSet
    test: WindowSet


def fold_windows(job: FoldJob) -> FoldWindows:
    """Fit the normalisation on training subjects and cut the windows of all three sides."""
    settings = job.config.normalisation
    sides = {
        side: [stream for stream in job.streams if stream.subject in getattr(job.fold, side)]
        for side in ("train", "validation", "test")
    }
    normalisation = fit_normalisation(sides["train"], settings, job.config.front_end.token_s)
    front_end = job.config.front_end.with_normalisation(normalisation)
    sides["train"] = without_enrolment_artefacts(sides["train"], settings.enrolment_s)

    def cut(side: str, short: ShortEnrolments | None = None) -> WindowSet:
        task, stride_s = job.config.data.task, job.config.windows.stride_s
        return build_windows(sides[side], front_end, task, job.classes, stride_s, short)

    short = ShortEnrolments.of(settings, network_seed(job.seed, job.index))
    train, validation = (
        weighted_by_set(part, job.config.data.weights, job.config.set_order)
        for part in (cut("train", short), cut("validation"))
    )
    return FoldWindows(front_end, train, validation, cut("test"))


def train_fold(job: FoldJob, windows: FoldWindows, on_epoch: Progress) -> tuple[MMQTraining, History]:
    """Train the network of one fold; its state file lets a broken run go on."""
    seed = network_seed(job.seed, job.index)
    model = new_network(job.config.training_spec, len(job.classes), seed)
    held = job.start.into(model.net, job.fold, job.folder.name) if job.start else None
    history = fit_network(
        model,
        windows.train,
        windows.validation,
        job.config.training_spec,
        seed,
        job.folder / STATE_NAME,
        on_epoch,
        tensorboard=job.folder / "tensorboard" if job.tensorboard else None,
        callbacks=job.callbacks(job.name) if job.callbacks else (),
        before_epoch=held,
    )
    return model, history


def network_seed(seed: int, index: int) -> int:
    """Return the seed of one fold's weights and draws: different in every fold of every seed."""
    return seed * 1009 + index


def calibrate(model: MMQTraining, validation: WindowSet, job: FoldJob) -> dict[str, Any]:
    """Return the decision settings of the bundle, chosen on validation subjects."""
    task = job.config.data.task
    return {
        "tasks": {task: list(job.classes)},
        **fit_decision(model.net, validation, task),
        **DECISION_DEFAULTS,
    }


def fit_decision(net: MMQNet, validation: WindowSet, task: str) -> dict[str, dict[str, float]]:
    """Return temperature and confidence limit of a task, chosen on validation windows.

    Beside a line of steps the temperature is 1: `fit_line` has calibrated the whole on validation windows,
    before the line learned from them.
    """
    logits = predict_logits(net, validation.features, validation.presence)[task]
    labels = validation.label.astype(int)
    lines = [getattr(member, "line", None) for member in members_of(net)]
    of_steps = any(line is not None and line.steps for line in lines)
    temperature = 1.0 if of_steps else fit_temperature(logits, labels)
    confidence = choose_min_confidence(apply_temperature(logits, temperature), labels)
    return {"temperature": {task: float(temperature)}, "min_confidence": {task: float(confidence)}}


def write_model(folder: Path, model: MMQTraining, front_end: FrontEnd, gate: WindowSet) -> None:
    """Write what export needs: the network, its front end and the windows int8 is judged on."""
    with written_whole(folder / "model.keras") as temporary:
        model.net.save(temporary)
    write_text(folder / "frontend.json", front_end.with_filters().to_json())
    with written_whole(folder / "validation.npz") as temporary:
        np.savez_compressed(
            temporary,
            features=gate.features,
            presence=gate.presence,
            labels=gate.label[:, None],
        )
