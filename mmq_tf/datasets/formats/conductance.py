# SPDX-License-Identifier: Apache-2.0
"""Skin conductance from channels that hold conductance or resistance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmq_tf.errors import MMQError


def conductance_us(path: Path, values: np.ndarray, unit: str) -> np.ndarray:
    """Skin conductance in uS from a BioSemi GSR channel, whose header says which coupler recorded it.

    Ohm is the resistance an older 512 Hz coupler measures, nS the conductance of the 16 Hz coupler. (Cortech
    Solutions, Skin Conductance Measurement with ActiveTwo.)

    Parameters
    ----------
    path : Path
        Named in errors.
    values : numpy.ndarray
        float32; a resistance of 0 or less is a sample lost.
    unit : str
        As the file states it.

    Raises
    ------
    MMQError
        If the unit is neither.
    """
    name = unit.lower()
    if name == "ohm":
        with np.errstate(divide="ignore"):
            return np.where(values > 0, np.float32(1e6) / values, np.float32(np.nan))
    if name in ("ns", "nanosiem"):  # a header has room for eight characters
        return values * np.float32(1e-3)
    raise MMQError(
        f"{path}: expected skin conductance in Ohm or nS, to make uS of it; the header says {unit!r}."
    )
