# SPDX-License-Identifier: Apache-2.0
"""Networks from their ``.keras`` files."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import keras
from mmq_bridge.recordings.archives import opened_zip
from mmq_bridge.recordings.room import check_room

from mmq_tf.errors import MMQError
from mmq_tf.utils.sizes.hdf5 import hdf5_bytes

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MAX_CONFIG_BYTES = 2**20
MAX_WEIGHTS_BYTES = 2**29
MAX_WIDTH = 2**16
FREE_NUMBERS = ("seed", "shared_object_id")
VALUE_BYTES = 8
"""A number of a network, and its copy while it is read."""


def load_network(path: Path, place: str = "", remedy: str = "train again") -> Any:
    """Return the network of a file, as it was saved, without its optimiser.

    Parameters
    ----------
    path : Path
        A ``.keras`` file of one of `mmq_tf.model`'s networks.
    place, remedy : str
        What the error says before the path, and what to do about it.

    Raises
    ------
    MMQError
        If it is not there or cannot be loaded.
    """
    if not path.is_file():
        raise MMQError(f"{place}{path}: no such file; name the folder of a finished run.")
    try:
        _check_size(path)
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # keras raises zip, HDF5, JSON and its own errors here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MMQError(f"{place}{path}: cannot be loaded as a network ({reason}); {remedy}.") from error


def _check_size(path: Path) -> None:
    """Check what a file would take, by its directory, its weights' shapes and the network it describes."""
    with opened_zip(path) as archive:
        files = archive.names
        check_room(path, 2 * sum(archive.size(name) for name in files))
        if WEIGHTS in files:
            weights = io.BytesIO(archive.read(WEIGHTS, MAX_WEIGHTS_BYTES))
            check_room(path, 2 * hdf5_bytes(weights, path / WEIGHTS))
        config = json.loads(archive.read(CONFIG, MAX_CONFIG_BYTES)) if CONFIG in files else {}
    largest = _largest(config)
    if largest > MAX_WIDTH:
        raise MMQError(f"expected numbers up to {MAX_WIDTH} in its {CONFIG}, got {largest}")
    check_room(path, VALUE_BYTES * _described_values(config))


def _described_values(config: dict[str, Any]) -> int:
    """Return how many numbers a described network has, before memory is taken for any of them."""
    try:
        with keras.StatelessScope(initialize_variables=False):
            net = keras.saving.deserialize_keras_object(config)
            return sum(math.prod(variable.shape) for variable in net.variables)
    except Exception:  # one that cannot be made without memory, or not at all: as many as it could have
        return 8 * _largest(config) ** 2 * max(1, *_numbers_of(config, "blocks"), 1)


def _largest(config: Any) -> int:
    """Return the largest whole number in a description, seeds and identities left out."""
    return max(_numbers_of(config), default=0)


def _numbers_of(config: Any, name: str | None = None) -> list[int]:
    """Return the sizes of all whole numbers in a description, or of those under one key."""
    found, waiting = [], [(None, config)]
    while waiting:
        key, here = waiting.pop()
        if isinstance(here, dict):
            waiting += [(key, value) for key, value in here.items() if key not in FREE_NUMBERS]
        elif isinstance(here, list):
            waiting += [(key, value) for value in here]
        elif isinstance(here, int) and name in (None, key):
            found.append(abs(here))
    return found
