# SPDX-License-Identifier: Apache-2.0
"""Go on training a finished run's network: on its own windows, by its own loop, calibrated anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd
from scipy.special import softmax

from mmq_tf.config.run_config import RunConfig
from mmq_tf.errors import MMQError
from mmq_tf.features.short_enrolments import ShortEnrolments
from mmq_tf.features.token_streams import without_enrolment_artefacts
from mmq_tf.features.windows import Stream, WindowSet, build_windows
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.training.fit import History, Progress, fit_network, predict_logits, training_model
from mmq_tf.training.fold import fit_decision


@dataclass(frozen=True)
class TuningWindows:
    """The windows a network learned from, and those its epoch was chosen on (none where it was not)."""

    train: WindowSet
    validation: WindowSet | None


def tuning_windows(
    config: RunConfig, front_end: FrontEnd, streams: Sequence[Stream], facts: Mapping[str, Any]
) -> TuningWindows:
    """Cut the windows of the subjects that an exported network was trained and validated on.

    Parameters
    ----------
    config
        The run's.
    front_end
        The exported network's, with its normalisation.
    streams
        Every recording of the run.
    facts
        ``train_subjects`` and ``validation_subjects``, as `metrics.json` of a run or a fold has them.

    Raises
    ------
    MMQError
        If a training subject is not among the streams, or none is named.
    """
    learners = facts.get("train_subjects", ())
    missing = sorted(set(learners) - {stream.subject for stream in streams})
    if missing or not learners:
        reason = f"those of {missing[0]} are not there" if missing else "the run does not say who they are"
        raise MMQError(
            f"fine-tuning needs the recordings of the run's training subjects, but {reason}; train again."
        )

    def cut(side: str) -> list[Stream]:
        return [stream for stream in streams if stream.subject in facts.get(side, ())]

    def build(side: Sequence[Stream], short: ShortEnrolments | None = None) -> WindowSet:
        return build_windows(
            side, front_end, config.data.task, config.classes, config.windows.stride_s, short
        )

    train = without_enrolment_artefacts(cut("train_subjects"), config.normalisation.enrolment_s)
    validation = cut("validation_subjects")
    short = ShortEnrolments.of(config.normalisation, config.seeds[0])
    return TuningWindows(build(train, short), build(validation) if validation else None)


def steps_per_epoch(config: RunConfig, windows: TuningWindows) -> int:
    """Return the training steps an epoch takes."""
    return -(-len(windows.train) // config.training.batch_size)


def self_distillation_targets(net: MMQNet, windows: TuningWindows, task: str) -> np.ndarray:
    """Return the probabilities float32 [N, classes] that a network gives the complete training windows.

    Trained towards these instead of the labels, a network that is changed keeps its decisions where they
    were (Hinton et al. 2015, "Distilling the knowledge in a neural network", arXiv 1503.02531).
    """
    logits = predict_logits(net, windows.train.features, windows.train.presence)[task]
    return softmax(logits, axis=1).astype("float32")


def fine_tune(
    net: MMQNet,
    windows: TuningWindows,
    config: RunConfig,
    target: np.ndarray,
    seed: int,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    keep_from: int = 1,
    on_epoch: Progress = lambda epoch, metrics: None,
) -> History:
    """Train a network further, in place.

    The two losses whose heads a run does not keep (rebuilt features, labels read from interference) are off.

    Parameters
    ----------
    target
        Soft labels [N, classes] of the training windows, such as `self_distillation_targets`.
    seed
        Of what each epoch shows.
    epochs
        How many, all of them; the cosine of the learning rate ends with the last.
    callbacks
        Keras callbacks, such as `mmq_export.sparsity.Pruning`.
    keep_from
        The first epoch whose weights may be kept. Of those the best on validation subjects is kept, or the
        last one where there are none.
    """
    settings = config.training.model_copy(update={"epochs": epochs, "patience": epochs})
    losses = replace(config.losses, rebuild_features=0.0, no_label=0.0, label_smoothing=0.0)
    model = training_model(net, losses)
    return fit_network(
        model,
        windows.train,
        windows.validation,
        config.training_spec.model_copy(update={"training": settings}),
        seed,
        None,
        on_epoch,
        epochs=epochs,
        callbacks=callbacks,
        keep_from=keep_from,
        target=target,
    )


def recalibrated(
    decision: Mapping[str, Any], net: MMQNet, validation: WindowSet | None, task: str
) -> dict[str, Any]:
    """Return decision settings whose temperature and confidence limit fit the network as it is now.

    Without validation windows they stay as they were.
    """
    return {**decision, **({} if validation is None else fit_decision(net, validation, task))}
