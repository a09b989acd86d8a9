# SPDX-License-Identifier: Apache-2.0
"""Why a modality's token is absent, in the core's bits and in words."""

from __future__ import annotations

from enum import IntFlag

from mmq_bridge.core_binding.library import library


class Reason(IntFlag):
    """`MMQ_WHY_*` of the core; `mmq_bridge.h` says when each is set."""

    LOST = 1
    RANGE = 2
    LEAD_OFF = 4
    SATURATED = 8
    FLAT = 16
    STEP = 32
    WEAK = 64
    STRONG = 128
    KURTOSIS = 256
    BAND = 512
    IRREGULAR = 1024
    SKEWED = 2048
    UNJUDGED = 4096
    RATE = 8192


def reason_names(bits: int) -> tuple[str, ...]:
    """Name the bits that are set, in their order.

    Parameters
    ----------
    bits : int
        What `mmq_bridge_reasons` gave.

    Examples
    --------
    >>> reason_names(Reason.LOST | Reason.FLAT)
    ('lost', 'flat')
    >>> reason_names(0)
    ()
    """
    name = library().mmq_reason_name
    return tuple(name(reason).decode("ascii") for reason in Reason if reason & bits)
