# SPDX-License-Identifier: Apache-2.0
"""Whether the coefficients that a front end carries are those its settings design."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.filter_design import bank, prefilter
from mmq_bridge.front_end.front_end import FrontEnd

TOLERANCE = 1e-6
"""Relative: versions of SciPy may round the last digit of a coefficient differently."""


def scipy_there() -> bool:
    """Whether SciPy, which designs filters, is installed."""
    return find_spec("scipy") is not None


def check_filters(front_end: FrontEnd, where: str) -> None:
    """Design the filters again and compare, where SciPy is installed; without it nothing is compared.

    Parameters
    ----------
    front_end : FrontEnd
    where : str
        File name for the error message.

    Raises
    ------
    BridgeError
        When a modality carries coefficients that its settings do not design.
    """
    if not scipy_there():
        return
    for name, modality in front_end.modalities.items():
        if modality.filters is None:
            continue
        designed = {"prefilter": prefilter(name, modality), "bank": bank(modality)}
        for part, stored in zip(designed, modality.filters.tables(), strict=True):
            if not np.allclose(stored, designed[part], rtol=TOLERANCE, atol=0):
                raise BridgeError(
                    f"{where}: {name}.filters.{part} are not the coefficients that its settings design; "
                    "export again."
                )
