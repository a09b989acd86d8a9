# SPDX-License-Identifier: Apache-2.0
"""What a recording's protocol allows, where a run would take more of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mmq_bridge.front_end.settings import enrolment_tokens

EnrolmentFrom = Literal["rest_half", "other_visit"]
"""Where the wearer's baseline comes from when it is measured apart from what is judged.

``rest_half``: the first half of the recording's first trial named as rest; all the rest of the recording is
judged, whether it comes before or after. ``other_visit``: the first such trial of another session of the same
person; all of this session is judged.
"""


@dataclass(frozen=True)
class Limits:
    """The most that one recording gives; infinite where only the run decides.

    Recordings of several data sets in one run differ in how long they rest and how long a condition lasts.

    Attributes
    ----------
    enrolment_s : float
        Rest that may set the wearer's baseline, in seconds.
    enrolment_start_s : float
        When that rest begins: at once, or where a trial is named as rest. What lies before is not used.
    window_s : float
        Seconds a window may read. The tokens before them are absent, as when a device was just switched on.
    stride_s : float
        Seconds between the starts of neighbouring windows.
    enrolment_from : str, optional
        One of `EnrolmentFrom`, in place of the run's.
    """

    enrolment_s: float = math.inf
    enrolment_start_s: float = 0.0
    window_s: float = math.inf
    stride_s: float = math.inf
    enrolment_from: EnrolmentFrom | None = None

    def enrolment_span(self, enrolment_s: float, token_s: float) -> tuple[int, int]:
        """Return the first token of an enrolment that should take `enrolment_s`, and the one after its last.

        Examples
        --------
        >>> Limits(enrolment_start_s=61.0, enrolment_s=30.0).enrolment_span(60.0, 5.0)
        (13, 19)
        >>> UNLIMITED.enrolment_span(0.0, 5.0)
        (0, 0)
        """
        first = math.ceil(self.enrolment_start_s / token_s - 1e-9)
        return first, first + enrolment_tokens(min(enrolment_s, self.enrolment_s), token_s)


UNLIMITED = Limits()
"""Only the run decides."""
