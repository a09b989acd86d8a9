# SPDX-License-Identifier: Apache-2.0
"""Magnitude pruning while a network is fine-tuned, by tensorflow-model-optimization's maths and schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mmq_export.errors import ExportError

MIN_KERNEL = 256
"""Kernels of fewer weights stay whole: read-outs, where a weight counts most and saves least."""

_UPDATES = 20
"""How often the share of zeros rises on its way to the one asked for."""


@dataclass(frozen=True)
class Kernel:
    """A kernel that may be pruned.

    Attributes
    ----------
    variable : keras.Variable
    index : np.ndarray
        int32 [n]: which of its flattened weights exist. Of a block-diagonal kernel those inside the blocks.
    """

    variable: Any
    index: np.ndarray


def prunable_kernels(net: keras.Model) -> list[Kernel]:
    """Return the kernels of a net's dense layers that have at least `MIN_KERNEL` weights.

    Biases, learned queries and place vectors, and the squashing's scales are left whole: few, and each of
    them shapes every window.
    """
    layers = [layer for layer in net._flatten_layers() if getattr(layer, "kernel", None) is not None]
    found = [Kernel(layer.kernel, _existing(layer)) for layer in layers]
    return [kernel for kernel in found if len(kernel.index) >= MIN_KERNEL]


def _existing(layer: keras.layers.Layer) -> np.ndarray:
    kernel: Any = layer.kernel
    mask = layer.block_mask() if hasattr(layer, "block_mask") else np.ones(kernel.shape)  # type: ignore
    return np.flatnonzero(mask).astype("int32")


def zero_share(net: keras.Model) -> float:
    """Return the share of exact zeros among the weights that may be pruned."""
    weights = [np.asarray(kernel.variable).reshape(-1)[kernel.index] for kernel in prunable_kernels(net)]
    return float(np.mean(np.concatenate(weights) == 0.0)) if weights else 0.0


class Pruning(keras.callbacks.Callback):
    """Set the smallest weights of each kernel to 0 after every training step, and keep them there.

    The share of zeros rises by ``share * (1 - (1 - step / last) ** 3)`` over the first half of the steps
    (Zhu & Gupta 2017, "To prune, or not to prune", arXiv 1710.01878); in the second half the other weights
    settle. Until then a weight set to 0 may come back: the threshold is drawn anew from what the optimiser
    made of the kernel.

    Parameters
    ----------
    net : keras.Model
        Whose `prunable_kernels` are pruned, each by itself.
    share : float
        Of a kernel's weights, above 0 and below 1.
    steps_per_epoch, epochs : int
        How long the fine-tuning takes.

    Raises
    ------
    ExportError
        If `share` is not inside 0 to 1, or the net has no kernel to prune.
    """

    def __init__(self, net: keras.Model, share: float, steps_per_epoch: int, epochs: int) -> None:
        super().__init__()
        if not 0 < share < 1:
            raise ExportError(f"prune: expected a share above 0 and below 1, got {share}.")
        self._kernels = prunable_kernels(net)
        if not self._kernels:
            raise ExportError(
                f"prune: the net has no dense kernel of {MIN_KERNEL} weights or more; export it without."
            )
        every = max(1, steps_per_epoch * epochs // (2 * _UPDATES))
        last = every * max(1, steps_per_epoch * epochs // (2 * every))
        self.first_whole_epoch = math.ceil(last / steps_per_epoch)
        self._step = tf.Variable(tf.constant(0))
        self._slots = [_slot(kernel) for kernel in self._kernels]
        self._maths = _pruning_maths(share, last, every, self._step, self._slots)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Update the masks where the schedule says so, and apply them."""
        self._step.assign_add(1)
        self._prune()

    @tf.function
    def _prune(self) -> None:
        for kernel, (weights, _, _) in zip(self._kernels, self._slots, strict=True):
            weights.assign(tf.gather(tf.reshape(kernel.variable.value, [-1]), kernel.index))
        self._maths.conditional_mask_update()
        self._maths.weight_mask_op()
        for kernel, (weights, _, _) in zip(self._kernels, self._slots, strict=True):
            shape = kernel.variable.shape
            flat = tf.scatter_nd(kernel.index[:, None], weights, [math.prod(shape)])
            kernel.variable.assign(tf.reshape(flat, shape))


def _slot(kernel: Kernel) -> tuple[tf.Variable, tf.Variable, tf.Variable]:
    """Return weights, mask and threshold of a kernel, flat, as the pruning maths wants them."""
    size = [len(kernel.index)]
    return tf.Variable(tf.zeros(size)), tf.Variable(tf.ones(size)), tf.Variable(tf.zeros([]))


def _pruning_maths(share: float, last: int, every: int, step: tf.Variable, slots: list[Any]) -> Any:
    # Imported late: it turns `tf.keras` into Keras 2 for the whole process (nothing here uses that name).
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl, pruning_schedule

    schedule = pruning_schedule.PolynomialDecay(0.0, share, 0, last, frequency=every)
    return pruning_impl.Pruning(lambda: step, slots, schedule, (1, 1), "AVG")
