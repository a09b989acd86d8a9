# SPDX-License-Identifier: Apache-2.0
"""One training on several devices: each step's batch is split between them (JAX alone).

Every device has all weights and takes an equal share of each batch, so batches must be whole: a training
batch is filled up with windows that count nothing, a batch to predict with windows that are cut off again.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.model.losses import REAL
from mmq_tf.utils.foreign_settings import check_jax


def use_devices(count: int) -> None:
    """Split every batch of this process between the first `count` devices; before a network is made.

    Raises
    ------
    MMQError
        If Keras's backend is not JAX, or there are fewer devices.
    """
    check_jax(keras.backend.backend(), count)
    there = keras.distribution.list_devices()
    if count > len(there):
        raise MMQError(f"--devices {count}: JAX finds {len(there)} here ({', '.join(there)}).")
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=there[:count], auto_shard_dataset=False)
    )


def devices_used() -> int:
    """Return between how many devices batches are split; 1 where `use_devices` was not called."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(np.prod(distribution.device_mesh.shape))


def whole(rows: int, devices: int) -> int:
    """Return the least number of rows, no fewer than these, that can be split evenly.

    Examples
    --------
    >>> whole(30, 8), whole(32, 8), whole(30, 1)
    (32, 32, 30)
    """
    return -(-rows // devices) * devices


def filled(values: np.ndarray, rows: int) -> np.ndarray:
    """Return an array with zeros added along its first axis until it has so many rows."""
    lacking = rows - len(values)
    return np.pad(values, [(0, lacking), *[(0, 0)] * (values.ndim - 1)]) if lacking else values


def whole_batch(batch: tuple[Any, ...], rows: int) -> tuple[Any, ...]:
    """Return a training batch with so many rows, and with weights: 0 for the rows that fill it up.

    The inputs also say which rows are windows, see `REAL`: losses without a window's weight need it.
    """
    inputs, targets, *weights = batch
    here = len(next(iter(inputs.values())))
    real = filled(np.ones(here, np.float32), rows)
    weight = filled(np.asarray(weights[0], np.float32), rows) if weights else real
    inputs = {name: filled(values, rows) for name, values in inputs.items()} | {REAL: real}
    return inputs, {name: filled(values, rows) for name, values in targets.items()}, weight
