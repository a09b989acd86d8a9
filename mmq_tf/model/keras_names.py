# SPDX-License-Identifier: Apache-2.0
"""Keras' names that its own annotations describe wrongly, as `Any`, and the initial values used here."""

from typing import Any

import keras

ops: Any = keras.ops


def glorot(seed: int) -> Any:
    """Return the Glorot uniform initialiser of a dense kernel."""
    return keras.initializers.GlorotUniform(seed=seed)


def normal(stddev: float, seed: int) -> Any:
    """Return a truncated normal initialiser."""
    return keras.initializers.TruncatedNormal(stddev=stddev, seed=seed)


def constant(values) -> Any:
    """Return an initialiser that gives the array ``values``."""
    return lambda shape, dtype: ops.reshape(ops.convert_to_tensor(values, dtype), shape)
