# SPDX-License-Identifier: Apache-2.0
"""Train the gate of a line: which tokens its mean believes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from mmq_tf.augmentation.missingness import training_keep
from mmq_tf.config.training_spec import TrainingSpec
from mmq_tf.features.windows import WindowSet

STEPS, BATCH = 180, 128
"""Steps, and windows a step: as many of each class."""

RATE, DECAY = 5e-3, 0.3
"""Learning rate (to 0 by a cosine), and decay towards a gate that lets all tokens count alike."""


def fit_gate(net: Any, sides: Sequence[WindowSet], spec: TrainingSpec, seed: int) -> None:
    """Train a network's `line_gate` by the line's own cross entropy, in place; nothing else changes.

    Sensors, and look-backs, are hidden as in the network's training. The line must be fitted, with all
    tokens counting alike, and stays as it is: what it weighs travels, and a line that follows its gate does
    so less (see results/log.md).

    Parameters
    ----------
    net : MMQNet
        Trained, with a line and its gate.
    sides : sequence of WindowSet
        To learn from.
    spec : TrainingSpec
    seed : int
        Of what is drawn.
    """
    layers = net._flatten_layers()
    before = [layer.trainable for layer in layers]
    net.trainable, net.line_gate.trainable = False, True
    net.line_gate.kernel.assign(np.zeros(net.line_gate.kernel.shape, np.float32))
    rate: Any = keras.optimizers.schedules.CosineDecay(RATE, STEPS)
    model: Any = GateTraining(net, spec.data.task)
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=DECAY),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    model.fit(*_shown(sides, spec, net.tasks[spec.data.task], seed), BATCH, shuffle=False, verbose=0)
    for layer, trainable in zip(layers, before, strict=True):
        layer.trainable = trainable


class GateTraining(keras.Model):
    """The line's logits of one task, for Keras to fit."""

    def __init__(self, net: Any, task: str) -> None:
        super().__init__()
        self.net, self.task = net, task

    def call(self, inputs):
        """Return ``[B, classes]``; inputs as of `MMQNet.trace`."""
        return self.net.line_logits(inputs)[self.task]


def _shown(
    sides: Sequence[WindowSet], spec: TrainingSpec, classes: int, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw the inputs and targets [N, classes] of all steps, in order."""
    features, presence, label, weight = (
        np.concatenate([getattr(side, name) for side in sides])
        for name in ("features", "presence", "label", "weight")
    )
    rng, label, missing = np.random.default_rng([seed, len(label), 2]), label.astype(int), spec.missing
    chance = weight / np.bincount(label, weight, minlength=classes)[label]
    rows = rng.choice(len(label), STEPS * BATCH, p=chance / chance.sum())
    presence = presence[rows] & training_keep(
        rng,
        (len(rows), *presence.shape[1:]),
        max_rate=missing.max_rate,
        complete_share=missing.complete_share,
    )
    past = spec.layout.look_backs & (rng.random((len(rows), 1, 1)) < missing.look_back_share)
    seen = np.where(past, 0.0, spec.layout.visible(features[rows], presence)).astype(np.float32)
    inputs = {"features": seen, "presence": presence.astype(np.float32)}
    return inputs, np.eye(classes, dtype=np.float32)[label[rows]]
