# SPDX-License-Identifier: Apache-2.0
"""What may be handed to the C core, which reads memory as it is told: every shape and number is checked."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from mmq_bridge.errors import BridgeError

MAX_FRAMES = 400_000_000
"""More than a day at the highest rate: the core refuses such a push, and copying it might exhaust memory."""


def sample_rows(what: str, samples: Any, channels: int) -> np.ndarray:
    """Return samples as C-contiguous float32 [channels, frames].

    Parameters
    ----------
    what : str
        Name for the error message.
    samples : array-like, shape (channels, frames)
        Booleans, integers or floats; what float32 cannot hold becomes infinite: lost to the core.
    channels : int

    Raises
    ------
    BridgeError
        When they are something else than numbers, or of another shape.
    """
    array = number_array(what, samples, f"[{channels}, frames]")
    if array.ndim != 2 or array.shape[0] != channels:
        raise BridgeError(f"{what}: expected samples [{channels}, frames], got shape {array.shape}")
    if array.shape[1] > MAX_FRAMES:
        raise BridgeError(f"{what}: expected at most {MAX_FRAMES} frames in one push, got {array.shape[1]}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)


def number_array(what: str, values: Any, shape: str) -> np.ndarray:
    """Return an array of booleans, integers or floats, or say that it is none.

    Raises
    ------
    BridgeError
        When it is ragged, or of complex numbers, texts, dates or objects.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise BridgeError(f"{what}: expected numbers {shape}, got something uneven ({error})") from error
    if array.dtype.kind not in "biuf":
        raise BridgeError(f"{what}: expected numbers {shape}, got an array of {array.dtype}")
    return array


def plain_number(what: str, value: Any) -> float:
    """Return one number as a float; NaN and infinities pass, the core answers them.

    Raises
    ------
    BridgeError
        When it is none.
    """
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError("a text")
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError) as error:
        raise BridgeError(f"{what}: expected a number, got {value!r:.60}") from error


def whole_number(what: str, value: Any, low: int, high: int) -> int:
    """Return an integer from `low` to `high`.

    Raises
    ------
    BridgeError
        When it is no integer, or outside.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise BridgeError(f"{what}: expected a whole number, got {value!r:.60}") from error
    if not low <= number <= high:
        raise BridgeError(f"{what}: expected {low} to {high}, got {str(number):.40}")
    return number
