# SPDX-License-Identifier: Apache-2.0
"""`NextSensor`: which sensor would help an undecided decision most, said by the C core."""

from __future__ import annotations

import ctypes

import numpy as np

from mmq_bridge.core_binding.decision import CDecision
from mmq_bridge.core_binding.library import library

MAX_NEXT_MODALITIES = 8
"""`MMQ_NEXT_MODALITIES`."""


class CNext(ctypes.Structure):
    """`mmq_next_t`, field by field."""

    _fields_ = [("n_modalities", ctypes.c_uint32), ("gain", ctypes.c_void_p)]


class NextSensor:
    """Asks a table of gains.

    Parameters
    ----------
    gain : ndarray of uint8, shape (1 << modalities, modalities)
        As `mmq_next_t` of ``mmq_decision.h`` explains it.
    """

    def __init__(self, gain: np.ndarray) -> None:
        self._gain = np.ascontiguousarray(gain, np.uint8)
        self._table = CNext(self._gain.shape[1], self._gain.ctypes.data)

    def __call__(self, decision: CDecision, can: int = 0xFFFFFFFF) -> int | None:
        """Return the number of the modality among those of the mask `can`, or None where none would help."""
        table, said = ctypes.byref(self._table), ctypes.byref(decision)
        found = library().mmq_next_sensor(table, said, can)
        return None if found < 0 else found
