# SPDX-License-Identifier: Apache-2.0
"""`Decider`: the C core's decision: when one is due, what stands against it, what logits say."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.input_validation import number_array
from mmq_bridge.core_binding.library import NO_TOKEN, OK, library, raise_status
from mmq_bridge.core_binding.network import Runner
from mmq_bridge.core_binding.personal_head import PersonalHead
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.head_tables import MAX_COMPONENTS

MAX_TASKS, MAX_OUTPUTS, MAX_MODALITIES = 16, 64, 16
"""`MMQ_MAX_TASKS`, `MMQ_MAX_OUTPUTS` (classes of all tasks together) and `MMQ_MAX_MODALITIES`."""


class Abstention(IntEnum):
    """`mmq_abstention_t`: why a decision is not to be acted on; `mmq_decision.h` says when."""

    DECIDED = 0
    ENROLLING = 1
    FILLING = 2
    ABSENT = 3
    UNSURE = 4
    NO_NUMBERS = 5


class CTask(ctypes.Structure):
    """`mmq_task_t`, field by field."""

    _fields_ = [
        ("classes", ctypes.c_uint32),
        ("zero_point", ctypes.c_int32),
        ("scale", ctypes.c_float),
        ("temperature", ctypes.c_float),
        ("min_confidence", ctypes.c_float),
    ]


class CRules(ctypes.Structure):
    """`mmq_rules_t`, field by field."""

    _fields_ = [
        ("n_tasks", ctypes.c_uint32),
        ("every_tokens", ctypes.c_uint32),
        ("min_present_share", ctypes.c_float),
        ("tasks", ctypes.POINTER(CTask)),
    ]


class CDecision(ctypes.Structure):
    """`mmq_decision_t`, field by field; `mmq_decision.h` explains them."""

    _fields_ = [
        ("number", ctypes.c_int64),
        ("time_s", ctypes.c_double),
        *((name, ctypes.c_uint32) for name in (
            "abstention", "tokens", "tokens_left", "unsure_task", "sure", "not_enrolled", "n_probabilities",
        )),
        ("present_share", ctypes.c_float),
        ("present", ctypes.c_uint16 * MAX_MODALITIES),
        ("reasons", ctypes.c_uint16 * MAX_MODALITIES),
        ("best", ctypes.c_uint16 * MAX_TASKS),
        ("confidence", ctypes.c_float * MAX_TASKS),
        ("probability", ctypes.c_float * MAX_OUTPUTS),
    ]  # fmt: skip


class CDecider(ctypes.Structure):
    """`mmq_decider_t`, field by field."""

    _fields_ = [
        ("bridge", ctypes.c_void_p),
        ("rules", ctypes.POINTER(CRules)),
        ("seen", ctypes.c_int64),
        ("follow", ctypes.c_void_p),
        ("head", ctypes.c_void_p),
        ("mine", ctypes.c_void_p),
        ("task", ctypes.c_uint32),
        ("summarised", ctypes.c_uint32),
        ("u", ctypes.c_float * MAX_COMPONENTS),
        ("logit", ctypes.c_float),
        ("shift", ctypes.c_float),
    ]


class CDisplay(ctypes.Structure):
    """`mmq_display_t`, field by field."""

    _fields_ = [
        ("display_s", ctypes.c_double),
        ("times_s", ctypes.POINTER(ctypes.c_double)),
        ("kept", ctypes.POINTER(ctypes.c_float)),
        *((name, ctypes.c_uint32) for name in ("rows", "columns", "count", "first")),
    ]


class TaskRules(NamedTuple):
    """How the logits of one task become a decision; scale and zero point where they are int8."""

    classes: int
    temperature: float = 1.0
    min_confidence: float = 0.0
    scale: float = 0.0
    zero_point: int = 0


class Rules:
    """`mmq_rules_t` and the tasks it points to.

    Parameters
    ----------
    tasks : sequence of TaskRules
    every_tokens : int
        One decision every so many tokens.
    min_present_share : float
        With a smaller share of present tokens a decision abstains.
    """

    def __init__(
        self, tasks: Sequence[TaskRules], every_tokens: int = 1, min_present_share: float = 0.0
    ) -> None:
        self.tasks = tuple(tasks)
        self._tasks = (CTask * max(len(self.tasks), 1))(
            *(
                CTask(task.classes, task.zero_point, task.scale, task.temperature, task.min_confidence)
                for task in self.tasks
            )
        )
        self.struct = CRules(len(self.tasks), every_tokens, min_present_share, self._tasks)

    @property
    def outputs(self) -> int:
        """Classes of all tasks together."""
        return sum(task.classes for task in self.tasks)


class Decider:
    """Decides for one bridge, about tokens that close from now on.

    Parameters
    ----------
    bridge : Bridge
    rules : Rules

    Raises
    ------
    BridgeError
        When the core refuses the rules.
    """

    def __init__(self, bridge: Bridge, rules: Rules) -> None:
        self._core, self._bridge, self.rules = library(), bridge, rules
        self._decider, self._head = CDecider(), None
        status = self._core.mmq_decider_init(self._given, bridge.handle, ctypes.byref(rules.struct))
        if status != OK:
            raise BridgeError(
                f"decision: the C core refuses its rules: expected up to {MAX_TASKS} tasks of 2 classes or "
                f"more, {MAX_OUTPUTS} in all, temperatures above 0 and shares from 0 to 1."
            )

    @property
    def _given(self) -> ctypes._Pointer:
        return ctypes.pointer(self._decider)

    def follow(self, head: PersonalHead, task: int) -> None:
        """Correct the decisions of a task of two classes by what the wearer marked, now and later.

        Raises
        ------
        BridgeError
            When the task has other classes, or the tables are of another front end.
        """
        status = self._core.mmq_decider_personal(self._given, *head.given, task)
        if status != OK:
            raise_status(status, "personal head")
        self._head = head

    def due(self) -> CDecision | None:
        """Return the next decision that is due, with all that is known before the model is run, or None.

        Where its `abstention` is `Abstention.DECIDED`, the model is to be run on the window that ends with
        token `number`, and `decide` finishes it.
        """
        decision = CDecision()
        status = self._core.mmq_decision_due(self._given, ctypes.byref(decision))
        if status not in (OK, NO_TOKEN):
            raise_status(status, "decision")
        return decision if status == OK else None

    def decide(self, decision: CDecision, logits: np.ndarray) -> None:
        """Finish a decision that was due.

        Parameters
        ----------
        decision : CDecision
        logits : ndarray, shape (classes of all tasks,)
            Of one task after the other: int8 of the model's scale and zero point, or numbers.

        Raises
        ------
        BridgeError
            When there are more or fewer.
        """
        array = number_array("logits", logits, f"[{self.rules.outputs}]")
        if array.shape != (self.rules.outputs,):
            raise BridgeError(f"logits: expected the shape [{self.rules.outputs}], got {list(array.shape)}")
        if array.dtype == np.int8:
            given, finish = np.ascontiguousarray(array), self._core.mmq_decide_i8
        else:
            with np.errstate(over="ignore"):
                given, finish = np.ascontiguousarray(array, np.float32), self._core.mmq_decide
        status = finish(self._given, given.ctypes.data, ctypes.byref(decision))
        if status != OK:
            raise_status(status, "decision")

    def step(self, runner: Runner) -> CDecision | None:
        """Make the next decision that is due, the network run by the core, and return it; None where none is.

        Raises
        ------
        BridgeError
            When the front end has no quantisation, or the network fails.
        """
        decision = CDecision()
        status = self._core.mmq_step(self._given, runner.given, ctypes.byref(decision))
        if status not in (OK, NO_TOKEN):
            raise_status(status, "decision")
        return decision if status == OK else None

    @property
    def components(self) -> np.ndarray | None:
        """Components of the newest window that was due, float32 [k]; None where it gave none."""
        if self._head is None or not self._decider.summarised:
            return None
        return np.array(self._decider.u[: len(self._head.tables.component)], np.float32)

    @property
    def logit(self) -> float:
        """Log-odds of class 1 of the corrected task at its temperature, before the correction."""
        return float(self._decider.logit)


class Display:
    """The average of the probabilities of the last seconds, as a display shows it.

    Parameters
    ----------
    rules : Rules
    display_s : float
    rows : int
        How many decisions can lie so close together.
    """

    def __init__(self, rules: Rules, display_s: float, rows: int) -> None:
        self._core, self._rules = library(), rules
        columns = rules.outputs
        self._display = CDisplay(
            display_s, (ctypes.c_double * rows)(), (ctypes.c_float * (rows * columns))(), rows, columns, 0, 0
        )

    def show(self, decision: CDecision) -> CDecision:
        """Take a decision; return what is shown with it: never before the one shown last."""
        shown = CDecision()
        status = self._core.mmq_display_show(
            ctypes.byref(self._display),
            ctypes.byref(self._rules.struct),
            ctypes.byref(decision),
            ctypes.byref(shown),
        )
        if status != OK:
            raise_status(status, "display")
        return shown


def abstention_name(abstention: int) -> str:
    """Return the core's words for why a decision abstains.

    Examples
    --------
    >>> abstention_name(Abstention.ABSENT)
    'too little present'
    """
    return library().mmq_abstention_name(abstention).decode("ascii")
