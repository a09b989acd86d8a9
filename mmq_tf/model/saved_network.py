# SPDX-License-Identifier: Apache-2.0
"""Networks from their ``.keras`` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from mmq_tf.errors import MMQError


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
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # keras raises zip, HDF5, JSON and its own errors here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MMQError(f"{place}{path}: cannot be loaded as a network ({reason}); {remedy}.") from error
