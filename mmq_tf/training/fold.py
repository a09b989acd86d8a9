# SPDX-License-Identifier: Apache-2.0
"""One fold of one seed, from token streams to files: the network and every baseline on the same windows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.augmentation.missingness import hide_modalities, named_conditions
from mmq_tf.baselines import BASELINES, Baseline
from mmq_tf.comparisons.ablations import ABLATIONS
from mmq_tf.comparisons.neural import NEURAL_BASELINES
from mmq_tf.config.run_config import RunConfig
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_streams import without_enrolment_artefacts
from mmq_tf.features.windows import Stream, WindowSet, build_windows, presence_by_feature
from mmq_tf.metrics.calibration import apply_temperature, choose_min_confidence, fit_temperature
from mmq_tf.metrics.predictions import Predictions, write_predictions
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.training_model import MMQTraining
from mmq_tf.training.fit import History, Progress, fit_network, new_network, predict_logits
from mmq_tf.training.pretrained_encoder import Start
from mmq_tf.training.splits import Fold
from mmq_tf.utils.atomic_files import write_text, written_whole

Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Class probabilities [N, C] of features [N, T, F] and presence [N, T, M]."""

View = tuple[str, np.ndarray, np.ndarray]
"""A condition's name, and the features and presence of all test windows under it."""


@dataclass(frozen=True)
class FoldJob:
    """Everything one worker needs to make one fold's folder."""

    config: RunConfig
    classes: tuple[str, ...]
    fold: Fold
    index: int
    seed: int
    folder: Path
    streams: tuple[Stream, ...]
    tensorboard: bool = False
    start: Start | None = None

    @property
    def done(self) -> bool:
        """Whether the folder is complete: `metrics.json` is written last."""
        return (self.folder / "metrics.json").is_file()

    @property
    def name(self) -> str:
        """What progress calls it."""
        return f"fold {self.index} seed {self.seed}"

    def run(self, on_epoch: Progress) -> None:
        """Call `run_fold`."""
        run_fold(self, on_epoch)


@dataclass(frozen=True)
class FoldWindows:
    """The three sides of one fold, normalised by its training subjects, and the front end that did it."""

    front_end: FrontEnd
    train: WindowSet
    validation: WindowSet
    test: WindowSet


def run_fold(job: FoldJob, on_epoch: Progress = lambda epoch, metrics: None) -> None:
    """Train, calibrate and judge one fold, and write its folder. A finished folder is left as it is."""
    if job.done:
        return
    job.folder.mkdir(parents=True, exist_ok=True)
    windows = fold_windows(job)
    model, history = train_fold(job, windows, on_epoch)
    decision = calibrate(model, windows.validation, job)
    predictions = [judge_network(model, windows.test, decision, job)]
    predictions += [judge_baseline(name, windows, job) for name in BASELINES]
    write_predictions(job.folder / "predictions.csv", Predictions.concatenate(predictions))
    write_model(job.folder, model, windows.front_end, windows.validation)
    facts = {
        "exported_model": f"fold {job.index}, test subjects {', '.join(job.fold.test)}",
        "train_subjects": job.fold.train,
        "validation_subjects": job.fold.validation,
        "test_subjects": job.fold.test,
        "seed": job.seed,
        "history": vars(history),
        "decision": decision,
    }
    write_text(job.folder / "metrics.json", json.dumps(facts, indent=1))
    (job.folder / "state.npz").unlink(missing_ok=True)


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

    def cut(streams: Sequence[Stream]) -> WindowSet:
        return build_windows(
            streams, front_end, job.config.data.task, job.classes, job.config.windows.stride_s
        )

    return FoldWindows(front_end, cut(sides["train"]), cut(sides["validation"]), cut(sides["test"]))


def train_fold(job: FoldJob, windows: FoldWindows, on_epoch: Progress) -> tuple[MMQTraining, History]:
    """Train the network of one fold; its state file lets a broken run go on."""
    seed = network_seed(job.seed, job.index)
    model = new_network(job.config, len(job.classes), seed)
    held = job.start.into(model.net, job.fold, job.folder.name) if job.start else None
    history = fit_network(
        model,
        windows.train,
        windows.validation,
        job.config,
        seed,
        job.folder / "state.npz",
        on_epoch,
        tensorboard=job.folder / "tensorboard" if job.tensorboard else None,
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
        "min_present_share": 0.1,
        "every_tokens": 1,
    }


def fit_decision(net: MMQNet, validation: WindowSet, task: str) -> dict[str, dict[str, float]]:
    """Return temperature and confidence limit of a task, chosen on validation windows."""
    logits = predict_logits(net, validation.features, validation.presence)[task]
    labels = validation.label.astype(int)
    temperature = fit_temperature(logits, labels)
    confidence = choose_min_confidence(apply_temperature(logits, temperature), labels)
    return {"temperature": {task: float(temperature)}, "min_confidence": {task: float(confidence)}}


def judge_network(model: MMQTraining, test: WindowSet, decision: dict[str, Any], job: FoldJob) -> Predictions:
    """Return the calibrated predictions of the network under every named condition."""
    task = job.config.data.task

    def predict(features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        return apply_temperature(
            predict_logits(model.net, features, presence)[task], decision["temperature"][task]
        )

    return _judge(job.config.model.name, predict, test, job)


def judge_baseline(name: str, windows: FoldWindows, job: FoldJob) -> Predictions:
    """Fit one baseline on the fold's training windows and predict under every named condition."""
    return _judge(name, fit_baseline(name, windows, job).predict_proba, windows.test, job)


def fit_baseline(name: str, windows: FoldWindows, job: FoldJob) -> Baseline:
    """Fit one baseline on the fold's training windows; the same fold gives the same baseline."""
    kinds: dict[str, type[Baseline]] = {**BASELINES, **NEURAL_BASELINES, **ABLATIONS}
    return kinds[name]().fit_windows(
        windows.train, windows.validation, job.config, network_seed(job.seed, job.index)
    )


def _judge(method: str, predict: Predict, test: WindowSet, job: FoldJob) -> Predictions:
    names = job.config.front_end.modality_names
    conditions = named_conditions(names, job.config.missing.conditions)
    views = (
        (name, test.features, hide_modalities(test.presence, names, gone))
        for name, gone in conditions.items()
    )
    return Predictions.concatenate(judge_views(method, predict, test, job, views))


def judge_views(
    method: str, predict: Predict, test: WindowSet, job: FoldJob, views: Iterable[View]
) -> list[Predictions]:
    """Return a method's predictions for each view of the test windows; absent features are shown as 0."""
    parts = []
    for condition, features, presence in views:
        visible = presence_by_feature(presence, job.config.front_end)
        parts.append(
            Predictions.of_windows(
                classes=job.classes,
                method=method,
                condition=condition,
                seed=job.seed,
                fold=job.index,
                subject=test.subject,
                session=test.session,
                trial=test.trial,
                start_s=test.start_s,
                label=test.label,
                probabilities=predict(np.where(visible, features, np.float32(0)), presence),
            )
        )
    return parts


def write_model(folder: Path, model: MMQTraining, front_end: FrontEnd, gate: WindowSet) -> None:
    """Write what export needs: the network, its front end and the windows int8 is judged on."""
    with written_whole(folder / "model.keras") as temporary:
        model.net.save(temporary)
    write_text(folder / "frontend.json", front_end.to_json())
    with written_whole(folder / "validation.npz") as temporary:
        np.savez_compressed(
            temporary,
            features=gate.features,
            presence=gate.presence,
            labels=gate.label[:, None],
        )
