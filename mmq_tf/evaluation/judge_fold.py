# SPDX-License-Identifier: Apache-2.0
"""One fold trained and judged: the network and every baseline on the same windows, and the fold's files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mmq_bridge.front_end.feature_layout import FeatureLayout

from mmq_tf.augmentation.missingness import hide_modalities, named_conditions
from mmq_tf.baselines import BASELINES, Baseline
from mmq_tf.baselines.label_shift import unshifted_name
from mmq_tf.comparisons.ablations import ABLATIONS
from mmq_tf.comparisons.estimator import NetworkEstimator
from mmq_tf.comparisons.neural import NEURAL_BASELINES
from mmq_tf.features.windows import WindowSet
from mmq_tf.metrics.calibration import apply_temperature
from mmq_tf.metrics.predictions import Predictions, write_predictions
from mmq_tf.training.fit import Progress, predict_logits
from mmq_tf.training.fold import (
    STATE_NAME,
    FoldJob,
    FoldWindows,
    calibrate,
    fold_windows,
    network_seed,
    train_fold,
    write_model,
)
from mmq_tf.training.personal_tables import write_head
from mmq_tf.utils.atomic_files import write_text

Predict = Callable[[WindowSet], np.ndarray]
"""Class probabilities [N, C] of windows."""

View = tuple[str, np.ndarray, np.ndarray]
"""A condition's name, and the features and presence of all test windows under it."""

_NETWORKS = {**NEURAL_BASELINES, **ABLATIONS}


@dataclass(frozen=True)
class JudgedFold:
    """What a worker does to make one fold's folder: train the network, then judge it and the baselines."""

    fold: FoldJob

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.fold.name

    @property
    def done(self) -> bool:
        """Whether the folder is complete."""
        return self.fold.done

    def run(self, on_epoch: Progress) -> None:
        """Call `run_fold`."""
        run_fold(self.fold, on_epoch)


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
    layout, task = windows.front_end.feature_layout, job.config.data.task
    write_head(job.folder, windows.train, layout, task, job.classes)
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
    (job.folder / STATE_NAME).unlink(missing_ok=True)


def judge_network(model: Any, test: WindowSet, decision: dict[str, Any], job: FoldJob) -> Predictions:
    """Return the calibrated predictions of the network under every named condition."""
    return judge_conditions(job.config.model.name, calibrated(model.net, decision, job), test, job)


def calibrated(net: Any, decision: dict[str, Any], job: FoldJob) -> Predict:
    """Return a network's class probabilities at the temperature of a fold's decision settings."""
    task = job.config.data.task
    temperature = decision["temperature"][task]

    def predict(windows: WindowSet) -> np.ndarray:
        return apply_temperature(predict_logits(net, windows.features, windows.presence)[task], temperature)

    return predict


def judge_baseline(name: str, windows: FoldWindows, job: FoldJob) -> Predictions:
    """Fit one baseline on the fold's training windows and predict under every named condition."""
    return judge_conditions(name, fit_baseline(name, windows, job).predict_windows, windows.test, job)


def fit_baseline(name: str, windows: FoldWindows, job: FoldJob) -> Baseline:
    """Fit one baseline on the fold's training windows; the same fold gives the same baseline."""
    method = NetworkEstimator(_NETWORKS[name]) if name in _NETWORKS else BASELINES[name]()
    return method.fit_windows(
        windows.train, windows.validation, job.config.training_spec, network_seed(job.seed, job.index)
    )


def versioned_name(method: str) -> str:
    """Return a method's name as the keys of finished evaluations hold it.

    Parameters
    ----------
    method : str
        A baseline or comparison, also with moved labels; any other name is a run's network, which its own
        digest tells apart.

    Returns
    -------
    str
        The name itself, with the version of the method behind it where that is not the first.

    Examples
    --------
    >>> versioned_name("forest"), versioned_name("logistic")
    ('forest', 'logistic 2')
    """
    name = unshifted_name(method)
    known = BASELINES.get(name) or _NETWORKS.get(name)
    return method if known is None or known.version == 1 else f"{method} {known.version}"


def judge_conditions(method: str, predict: Predict, test: WindowSet, job: FoldJob) -> Predictions:
    """Return a method's predictions with all sensors, with each one hidden, and as the run's config says."""
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
    return predict_views(
        method,
        predict,
        test,
        views,
        layout=job.config.feature_layout,
        classes=job.classes,
        seed=job.seed,
        fold=job.index,
    )


def predict_views(
    method: str,
    predict: Predict,
    test: WindowSet,
    views: Iterable[View],
    *,
    layout: FeatureLayout,
    classes: Sequence[str],
    seed: int = 0,
    fold: int = 0,
) -> list[Predictions]:
    """Return the predictions of whatever gives probabilities, for each view; absent features are 0."""
    parts = []
    for condition, features, presence in views:
        seen = replace(test, features=layout.visible(features, presence), presence=presence)
        parts.append(
            Predictions.of_windows(
                classes=classes,
                method=method,
                condition=condition,
                seed=seed,
                fold=fold,
                subject=test.subject,
                session=test.session,
                trial=test.trial,
                start_s=test.start_s,
                label=test.label,
                probabilities=predict(seen),
            )
        )
    return parts
