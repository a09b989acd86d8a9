# SPDX-License-Identifier: Apache-2.0
"""One method searched in one fold: inside the fold's training people, then judged on its test people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mmq_tf.baselines import BASELINES
from mmq_tf.datasets import Dataset
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.judge_fold import Predict, calibrated, judge_baseline, judge_conditions
from mmq_tf.metrics.predictions import Predictions, write_predictions
from mmq_tf.metrics.summary import subject_table
from mmq_tf.training.fit import EAGER_STEPS, Progress, fit_network, new_network
from mmq_tf.training.fold import FoldJob, FoldWindows, calibrate, fold_windows, network_seed
from mmq_tf.training.run import check_folds
from mmq_tf.training.splits import Fold, joined_folds
from mmq_tf.tuning.search import Attempt, Reporter, best, search
from mmq_tf.tuning.space import Value, arguments_of, preset_values, space_of, unsearched_beside, with_values
from mmq_tf.utils.atomic_files import write_text

TUNED = "_tuned"
"""What the name of a searched method ends with in the results."""


def inner_folds(outer: FoldJob, dataset: Dataset, count: int) -> tuple[Fold, ...]:
    """Return folds of an outer fold's training and validation people, each checked.

    Raises
    ------
    MMQError
        If they are too few, or a fold cannot be trained, chosen and judged.
    """
    inside = sorted({*outer.fold.train, *outer.fold.validation})
    try:
        folds = tuple(joined_folds(dataset.grouped(inside), count, outer.config.split.validation_share, 0))
        check_folds(inner_jobs(outer, folds))
    except MMQError as error:
        raise MMQError(f"inside fold {outer.index}, {count} inner folds: {error}") from error
    return folds


def inner_jobs(outer: FoldJob, folds: Sequence[Fold]) -> list[FoldJob]:
    """Return jobs of folds inside an outer fold; nothing of the outer test people is in them.

    Raises
    ------
    MMQError
        If a fold holds somebody who is not among the outer training and validation people.
    """
    inside = {*outer.fold.train, *outer.fold.validation}
    for fold in folds:
        if others := {*fold.train, *fold.validation, *fold.test} - inside:
            raise MMQError(f"fold {outer.index}: {min(others)} is none of its training people.")
    streams = tuple(stream for stream in outer.streams if stream.subject in inside)
    return [
        replace(outer, fold=fold, index=index, streams=streams, tensorboard=False, callbacks=None)
        for index, fold in enumerate(folds)
    ]


@dataclass(frozen=True)
class TuningJob:
    """Everything one worker needs to search one method in one fold, and to judge what it found.

    Attributes
    ----------
    outer : FoldJob
        The fold; its folder takes the files.
    method : str
        The run's network, or a baseline's name.
    inner : tuple of Fold
        Folds of the outer training and validation people, see `inner_jobs`.
    budget : int
        Trials, the preset's included.
    only : tuple of str
        What is searched, all where none is named.
    """

    outer: FoldJob
    method: str
    inner: tuple[Fold, ...]
    budget: int
    only: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What progress calls it."""
        return f"{self.method}, {self.outer.name}"

    @property
    def trials_path(self) -> Path:
        """The file of trials."""
        return self.outer.folder / f"{self.method}-trials.json"

    @property
    def predictions_path(self) -> Path:
        """Predictions of the preset and of what was chosen, for the outer test people."""
        return self.outer.folder / f"{self.method}-predictions.csv"

    @property
    def chosen_path(self) -> Path:
        """What was chosen, written last."""
        return self.outer.folder / f"{self.method}.json"

    @property
    def done(self) -> bool:
        """Whether what was found with this budget is judged."""
        return self.chosen_path.is_file() and self.chosen()["budget"] == self.budget

    def chosen(self) -> dict[str, Any]:
        """Return what was chosen: ``values`` (empty for the preset), ``score``, ``preset_score``, ``budget``.

        Raises
        ------
        MMQError
            If its file cannot be read.
        """
        try:
            found = json.loads(self.chosen_path.read_text("utf-8"))
            return {key: found[key] for key in ("budget", "values", "score", "preset_score", "pruned")}
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise MMQError(f"{self.chosen_path}: cannot be read; remove it to judge anew.") from error

    def run(self, on_epoch: Progress = lambda epoch, metrics: None) -> None:
        """Search, then judge the preset and what was chosen. What is done is left as it is."""
        if self.done:
            return
        self.outer.folder.mkdir(parents=True, exist_ok=True)
        tried = self.search(on_epoch)
        found = best(tried)
        heard = _heartbeat(on_epoch, self.budget, found.score)
        plain = self._judged({}, heard)
        tuned = self._judged(found.values, heard) if found.values else plain
        parts = [plain, replace(tuned, method=np.full(len(tuned), self.method + TUNED))]
        write_predictions(self.predictions_path, Predictions.concatenate(parts))
        facts = {
            "budget": self.budget,
            "values": found.values,
            "score": found.score,
            "preset_score": tried[0].score,
            "pruned": sum(one.pruned for one in tried),
            "inner_folds": [vars(fold) for fold in self.inner],
        }
        write_text(self.chosen_path, json.dumps(facts, indent=1))

    def search(self, on_epoch: Progress = lambda epoch, metrics: None) -> list[Attempt]:
        """Try values on the inner folds alone."""
        config = self.outer.config
        space = space_of(self.method, config, self.only)
        jobs = inner_jobs(self.outer, self.inner)
        told = {"done": 0, "score": 0.0}

        def told_of(tried: Sequence[Attempt]) -> None:
            told.update(done=len(tried), score=best(tried).score)
            on_epoch(len(tried), {"val_auroc": told["score"]})

        def attempt(values: dict[str, Value], reporter: Reporter) -> None:
            for job in jobs:

                def at_step(step: int, metrics: dict[str, float]) -> None:
                    _heartbeat(on_epoch, int(told["done"]), told["score"])(step, metrics)
                    reporter.step(step, metrics["val_auroc"])

                reporter.fold(_score(self.method, *_fitted(self.method, values, job, at_step)))

        return search(
            space,
            preset_values(self.method, config, space),
            self.budget,
            attempt,
            self.trials_path,
            (self.outer.seed, self.outer.index),
            told_of,
        )

    def _judged(self, values: Mapping[str, Value], on_step: Progress) -> Predictions:
        predict, windows, job = _fitted(self.method, values, self.outer, on_step)
        return judge_conditions(self.method, predict, windows.test, job)


def judged_beside(jobs: Sequence[TuningJob]) -> list[Predictions]:
    """Return what was not searched, as it is, on every outer fold: see `unsearched_beside`."""
    outer = {job.outer.folder: job.outer for job in jobs}
    names = unsearched_beside({job.method for job in jobs})
    found = []
    for fold in outer.values():
        windows = fold_windows(fold)
        found += [judge_baseline(name, windows, fold) for name in names]
    return found


def _heartbeat(on_epoch: Progress, done: int, score: float) -> Progress:
    """Return what tells the caller, at each epoch of a trial, how many trials are done: it may stop us."""
    return lambda step, metrics: on_epoch(done, {"val_auroc": score})


def _fitted(
    method: str, values: Mapping[str, Value], job: FoldJob, on_step: Progress
) -> tuple[Predict, FoldWindows, FoldJob]:
    """Return what predicts, fitted on a fold's training people with these values, and the fold as it saw it.

    The fold's validation people choose epoch and temperature.
    """
    job = replace(job, config=with_values(job.config, values))
    windows, seed = fold_windows(job), network_seed(job.seed, job.index)
    spec = job.config.training_spec
    if method in BASELINES:
        baseline = BASELINES[method](**arguments_of(method, values))
        baseline.fit_windows(windows.train, windows.validation, spec, seed, len(job.classes))
        return baseline.predict_windows, windows, job
    keras.backend.clear_session()  # hundreds of networks in one process
    model = new_network(spec, len(job.classes), seed)
    steps = spec.training.epochs * -(-len(windows.train) // spec.training.batch_size)
    eager = steps <= EAGER_STEPS
    fit_network(model, windows.train, windows.validation, spec, seed, None, on_step, run_eagerly=eager)
    return calibrated(model.net, calibrate(model, windows.validation, job), job), windows, job


def _score(method: str, predict: Predict, windows: FoldWindows, job: FoldJob) -> float:
    """Return the AUROC by person, mean over the people and over the conditions: each sensor gone in turn."""
    scores = subject_table(judge_conditions(method, predict, windows.test, job)).scores["auroc"]
    known = ~np.isnan(scores)
    if not known.any(axis=(1, 2)).all():
        raise MMQError(
            f"{', '.join(job.fold.test)}: none of them has windows of two classes, so they cannot choose "
            "between settings; use fewer inner folds."
        )
    by_condition = np.where(known, scores, 0.0).sum(axis=(1, 2)) / known.sum(axis=(1, 2))
    return float(by_condition.mean())
