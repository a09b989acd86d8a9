# SPDX-License-Identifier: Apache-2.0
"""How often two models name the same class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def agreement(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> float:
    """Share of windows in which both name the same likeliest class, over all tasks."""
    equal = [np.asarray(first[task]).argmax(1) == np.asarray(second[task]).argmax(1) for task in first]
    return float(np.mean(equal))
