# SPDX-License-Identifier: Apache-2.0
"""`Personal`: what a wearer marked of the past of a device, and the correction of its decisions."""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmq_bridge.core_binding.personal_head import LEAST_MARKS, PersonalHead
from mmq_bridge.decision.manifest import DecisionSettings
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.head_tables import HeadTables

APART_S = 15.0
"""Marked windows of one stretch begin at least so many seconds apart."""
A_STRETCH = 8
"""The most windows one stretch gives, evenly spread, so that two of each class have room."""
PAST = 17_280
"""Decisions that are remembered: a day of one every 5 s."""
_NEAR_S = 1e-6


class MarkedStretch(NamedTuple):
    """A stretch the wearer marked, in s, how many windows of it are used, and its number.

    Marks of one class that touch are of one stretch.
    """

    label: str
    start_s: float
    stop_s: float
    windows: int
    stretch: int


class Advice(NamedTuple):
    """A window worth marking: its time in s, and the probability of the second class there."""

    start_s: float
    stop_s: float
    probability: float


@dataclass(frozen=True)
class _Past:
    """One decision: its time in s, the window's components, the logit as the model gave it."""

    time_s: float
    u: np.ndarray | None
    logit: float


class Personal:
    """The personal head of one wearer on one device.

    It corrects the log-odds of a task's second class against its first, at the decision's temperature, by
    what was learned from marked windows; within +-`mmq_bridge.core_binding.personal_head.BOUND`.

    Parameters
    ----------
    tables : HeadTables
        That fit the front end and the decision settings.
    decision : DecisionSettings
    window_s : float
        Length of a window.

    Attributes
    ----------
    head : PersonalHead
        What was learned.
    marks : list of MarkedStretch
        Since the device began or last forgot.
    """

    def __init__(self, tables: HeadTables, decision: DecisionSettings, window_s: float) -> None:
        self.task, self.classes = tables.task, decision.tasks[tables.task]
        self.marks: list[MarkedStretch] = []
        self.head = PersonalHead(tables)
        self._window_s = window_s
        self._past: deque[_Past] = deque(maxlen=PAST)

    @property
    def counts(self) -> dict[str, int]:
        """Marked windows that are kept, by class."""
        found = np.bincount(self.head.labels, minlength=2)
        return dict(zip(self.classes, found.tolist(), strict=True))

    @property
    def adapted(self) -> bool:
        """Whether anything is corrected."""
        return min(self.counts.values()) >= LEAST_MARKS and not self.head.unhelpful

    def follow(self, time_s: float, u: np.ndarray | None, logit: float) -> None:
        """Remember a window that is decided about.

        Parameters
        ----------
        time_s : float
            Its end.
        u : ndarray, shape (k,), or None
            Its components; None where nothing that is read was present.
        logit : float
            The model's, of the second class against the first, at the decision's temperature.
        """
        self._past.append(_Past(time_s, u, logit))

    def mark(self, label: str, start_s: float, stop_s: float) -> int:
        """Learn that a stretch of the past was of one class; return how many of its windows are used.

        Raises
        ------
        BridgeError
            When there is no such class, the stretch overlaps another mark, or no whole window of it was
            decided about; nothing is changed.
        """
        if label not in self.classes:
            raise BridgeError(f"mark: expected {' or '.join(self.classes)}, got {label!r:.60}.")
        if not (math.isfinite(start_s) and math.isfinite(stop_s) and start_s < stop_s):
            raise BridgeError(f"mark: expected a stop after the start, got {start_s:g} to {stop_s:g} s.")
        for mark in self.marks:
            if start_s < mark.stop_s - _NEAR_S and mark.start_s < stop_s - _NEAR_S:
                raise BridgeError(
                    f"mark: {start_s:g} to {stop_s:g} s overlaps {mark.start_s:g} to {mark.stop_s:g} s, "
                    f"which is marked {mark.label}; mark them apart, or forget all and begin again."
                )
        windows = self._windows(start_s, stop_s)
        if not windows:
            raise BridgeError(
                f"mark: no window of {self._window_s:g} s from {start_s:g} to {stop_s:g} s was decided about"
                f"{self._reach()}."
            )
        stretch = self._stretch(label, start_s, stop_s)
        for one in windows:
            self.head.mark(np.asarray(one.u), one.logit, self.classes.index(label), stretch)
        self.head.adapt()
        self.marks.append(MarkedStretch(label, start_s, stop_s, len(windows), stretch))
        return len(windows)

    def forget(self) -> None:
        """Undo all marks: decisions are the model's own again."""
        self.head.reset()
        self.marks.clear()

    def asks(self) -> str | None:
        """Return what should be marked before this is relied on, as a sentence; None when nothing."""
        for label, count in self.counts.items():
            if count < LEAST_MARKS:
                return (
                    f"Nothing is corrected yet: mark at least {LEAST_MARKS} windows of {self._window_s:g} s "
                    f"of {label}, {APART_S:g} s apart."
                )
        if self.head.unhelpful:
            return (
                "Nothing is corrected: what was marked in one stretch does not hold in another; "
                "mark more of them, or forget all."
            )
        label = self.classes[1]
        if len(set(self.head.stretches[self.head.labels == 1].tolist())) < 2:
            return (
                f"Only one stretch of {label} is marked: mark a second, different one, or only what is like "
                "the first will be told better."
            )
        return None

    def advise(self, count: int = 5) -> list[Advice]:
        """Return the unmarked windows that would teach most: those nearest to undecided, none overlapping."""
        found: list[Advice] = []
        unsure = sorted(
            (one for one in self._past if one.u is not None), key=lambda one: abs(self._said(one))
        )
        for one in unsure:
            start_s = one.time_s - self._window_s
            taken = [(mark.start_s, mark.stop_s) for mark in self.marks] + [item[:2] for item in found]
            if all(one.time_s <= low + _NEAR_S or high - _NEAR_S <= start_s for low, high in taken):
                found.append(Advice(start_s, one.time_s, _sigmoid(self._said(one))))
            if len(found) == count:
                break
        return found

    def before_and_after(self) -> list[tuple[float, float, float]]:
        """Return each remembered decision's time in s, and p of the second class without and with marks."""
        return [(one.time_s, _sigmoid(one.logit), _sigmoid(self._said(one))) for one in self._past]

    def save(self) -> bytes:
        """Return what was learned as bytes; empty where nothing is marked."""
        return self.head.save() if self.head.count else b""

    def load(self, content: bytes, where: str = "marks") -> None:
        """Take over what `save` returned; `where` begins the error's sentence.

        Raises
        ------
        BridgeError
            When it is damaged, of another model or of a newer version; nothing is changed.
        """
        self.head.load(content, where)
        self.marks.clear()

    def _said(self, one: _Past) -> float:
        return one.logit + self.head.correction(one.u)

    def _stretch(self, label: str, start_s: float, stop_s: float) -> int:
        """Return the number of a stretch: that of those it touches, which become one, or a new one."""
        touched = [
            mark.stretch
            for mark in self.marks
            if mark.label == label and min(abs(mark.stop_s - start_s), abs(stop_s - mark.start_s)) <= _NEAR_S
        ]
        if not touched:
            taken = {*self.head.stretches.tolist(), *(mark.stretch for mark in self.marks)}
            return next(number for number in itertools.count() if number not in taken)
        first = min(touched)
        for other in set(touched) - {first}:
            self.head.join(first, other)
            self.marks = [
                mark._replace(stretch=first) if mark.stretch == other else mark for mark in self.marks
            ]
        return first

    def _windows(self, start_s: float, stop_s: float) -> list[_Past]:
        """Return the windows of a stretch that are marked, oldest first."""
        inside: list[_Past] = []
        for one in self._past:
            begins = one.time_s - self._window_s
            if one.u is None or begins < start_s - _NEAR_S or one.time_s > stop_s + _NEAR_S:
                continue
            if not inside or one.time_s >= inside[-1].time_s + APART_S - _NEAR_S:
                inside.append(one)
        if len(inside) <= A_STRETCH:
            return inside
        return [inside[round(place)] for place in np.linspace(0, len(inside) - 1, A_STRETCH)]

    def _reach(self) -> str:
        if not self._past:
            return "; nothing was yet"
        return f"; decisions are known from {self._past[0].time_s:g} to {self._past[-1].time_s:g} s"


def split_state(content: bytes) -> tuple[bytes, bytes]:
    """Return a saved state's two parts: that of the front end, and that of the personal head or nothing.

    The first says in its third word how long it is; what follows is the head's if it begins like one.
    """
    length = int.from_bytes(content[8:12], "little")
    if len(content) > length and content[length : length + 4] == b"MMQH":
        return content[:length], content[length:]
    return content, b""


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit)) if logit > -700 else 0.0
