# SPDX-License-Identifier: Apache-2.0
"""How long counted work still takes, judged by what was done so far."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Counted work: how much is done, and how long the rest takes at the pace so far.

    Parameters
    ----------
    total : float
        Steps in all, those that were done before included.
    done : float
        Steps that were done before: they cost nothing now.
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> pace = Pace(10, clock=iter([0.0, 30.0]).__next__)
    >>> pace.reach(2)
    >>> in_words(pace.left_s())
    '2 min'
    """

    def __init__(self, total: float, done: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self._clock = total, clock
        self._before = self._done = done
        self._began_s = clock()

    def reach(self, done: float) -> None:
        """Take how many steps are done in all."""
        self._done = done

    @property
    def done(self) -> float:
        """Steps that are done in all."""
        return self._done

    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began_s

    def left_s(self) -> float | None:
        """Seconds that the rest takes; None before anything was done."""
        made = self._done - self._before
        return None if made <= 0 else self.elapsed_s() * (self.total - self._done) / made


def in_words(seconds: float | None) -> str:
    """Return a length of time as people say it; empty where it is not known.

    Examples
    --------
    >>> in_words(4.2), in_words(95), in_words(5400), in_words(None)
    ('4 s', '2 min', '1 h 30 min', '')
    """
    if seconds is None:
        return ""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
