# SPDX-License-Identifier: Apache-2.0
"""Breaks that a file declares: samples follow each other there that were not measured after each other.

EEGLAB writes an event ``boundary`` (or -99) whose duration is the time that was cut out, MNE's
``concatenate_raws`` writes ``BAD boundary`` and ``EDGE boundary``, BrainVision ``New Segment``, GDF the code
32766. Here the time that is missing is put back as lost samples, and what comes later is that much later.
Where nobody says how long it was, it is `GAP_S`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_DURATION_S

GAP_S = 5.0
"""At least this much is lost between two pieces, so that the front end starts anew."""

_BOUNDARY = re.compile(r"((bad|edge)[ _]*)?boundary|-99(\.0*)?|new segment\b.*|32766", re.IGNORECASE)
_SAME_S = 1e-6


def is_boundary(text: str) -> bool:
    """Whether an annotation or event is a break in the signal; it is never a class.

    Examples
    --------
    >>> [is_boundary(text) for text in ("boundary", "EDGE boundary", "New Segment/LostSamples : 9", "-99.0")]
    [True, True, True, True]
    >>> is_boundary("rest"), is_boundary("BAD_motion")
    (False, False)
    """
    return _BOUNDARY.fullmatch(text.strip()) is not None


@dataclass(frozen=True)
class Break:
    """A break before the sample at `at_s` of the file's own time; `lost_s` were not recorded."""

    at_s: float
    lost_s: float


class Breaks:
    """The breaks of one file, and what its time becomes with them.

    Parameters
    ----------
    found : iterable of (float, float)
        Time in the file, in s from its first sample, and how long was lost; 0 or NaN where nobody says it.
        Two at one time are one. What is not between two samples is none.
    duration_s : float
        Of the file.

    Raises
    ------
    MMQError
        If more was lost than any recording lasts.
    """

    def __init__(self, found: Iterable[tuple[float, float]], duration_s: float) -> None:
        longest: dict[float, float] = {}
        for at_s, lost_s in sorted(found):
            if not _SAME_S < at_s < duration_s - _SAME_S:
                continue
            at_s = next((known for known in longest if abs(known - at_s) < _SAME_S), at_s)
            longest[at_s] = max(longest.get(at_s, 0.0), lost_s if lost_s > 0 else 0.0)
        self.found = tuple(Break(at_s, lost_s or GAP_S) for at_s, lost_s in longest.items())
        total_s = sum(one.lost_s for one in self.found)
        if total_s > MAX_DURATION_S:
            raise MMQError(
                f"its breaks leave out {total_s:g} s; expected at most {MAX_DURATION_S / 86400:g} days."
            )

    def __bool__(self) -> bool:
        return bool(self.found)

    def moved(self, time_s: float, *, is_stop: bool = False) -> float:
        """Return a time of the file with what was lost before it; a stop at a break lies before that."""
        slack_s = -_SAME_S if is_stop else _SAME_S
        return time_s + sum(one.lost_s for one in self.found if one.at_s < time_s + slack_s)

    def lost_samples(self, rate_hz: float) -> int:
        """Return how many samples of `rate_hz` were lost in all."""
        return round(sum(one.lost_s for one in self.found) * rate_hz)

    def spread(self, samples: np.ndarray, rate_hz: float) -> np.ndarray:
        """Put samples ``[..., n]`` of `rate_hz` apart: float32 or float64 as given, NaN where time was lost.

        Examples
        --------
        >>> Breaks([(1.0, 1.5)], 2.0).spread(np.arange(4.0), 2.0).tolist()
        [0.0, 1.0, nan, nan, nan, 2.0, 3.0]
        """
        count = samples.shape[-1]
        edges = [math.ceil(one.at_s * rate_hz - 1e-6) for one in self.found]
        lost_s = np.cumsum([one.lost_s for one in self.found])
        shifts = [0, *(round(lost * rate_hz) for lost in lost_s)]
        result = np.full((*samples.shape[:-1], count + shifts[-1]), np.nan, samples.dtype)
        for first, last, shift in zip([0, *edges], [*edges, count], shifts, strict=True):
            result[..., first + shift : last + shift] = samples[..., first:last]
        return result
