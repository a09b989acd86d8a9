# SPDX-License-Identifier: Apache-2.0
"""What a recording's protocol allows, where a run would take more of it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The most that one recording gives; infinite where only the run decides.

    Recordings of several data sets in one run differ in how long they rest and how long a condition lasts.

    Attributes
    ----------
    enrolment_s : float
        Rest at its beginning that may set the wearer's baseline, in seconds.
    window_s : float
        Seconds a window may read. The tokens before them are absent, as when a device was just switched on.
    stride_s : float
        Seconds between the starts of neighbouring windows.
    """

    enrolment_s: float = math.inf
    window_s: float = math.inf
    stride_s: float = math.inf


UNLIMITED = Limits()
"""Only the run decides."""
