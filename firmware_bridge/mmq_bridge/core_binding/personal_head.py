# SPDX-License-Identifier: Apache-2.0
"""`PersonalHead`: the C core's correction of a logit, learned from windows the wearer marked."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from mmq_bridge.core_binding.input_validation import number_array, plain_number, whole_number
from mmq_bridge.core_binding.library import NOT_READY, OK, UNHELPFUL, library, raise_status
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.head_tables import MAX_COMPONENTS, HeadTables

MAX_MARKS = 32
"""Marked windows that are kept; then the oldest of the more frequent class is forgotten."""
MAX_STRETCH = 2**32 - 1
"""The highest number of a stretch."""
LEAST_MARKS = 2
"""Marked windows of each class without which nothing is corrected."""
BOUND = 3.0
"""A logit is corrected by at most so much, however wrong the marks are."""
_SCRATCH = (MAX_COMPONENTS + 1) * (MAX_COMPONENTS + 4) // 2


class CHead(ctypes.Structure):
    """`mmq_head_t`, field by field."""

    _fields_ = [
        ("tokens", ctypes.c_uint32),
        ("n_modalities", ctypes.c_uint32),
        ("n_features", ctypes.c_uint32),
        ("statistics", ctypes.c_uint32),
        ("components", ctypes.c_uint32),
        ("column", ctypes.POINTER(ctypes.c_uint16)),
        ("owner", ctypes.POINTER(ctypes.c_uint16)),
        ("centre", ctypes.POINTER(ctypes.c_float)),
        ("scale", ctypes.POINTER(ctypes.c_float)),
        ("component", ctypes.POINTER(ctypes.c_float)),
    ]


class CHeadState(ctypes.Structure):
    """`mmq_head_state_t`, field by field."""

    _fields_ = [
        ("count", ctypes.c_uint32),
        ("bias", ctypes.c_float),
        ("weight", ctypes.c_float * MAX_COMPONENTS),
        ("logit", ctypes.c_float * MAX_MARKS),
        ("u", (ctypes.c_float * MAX_COMPONENTS) * MAX_MARKS),
        ("stretch", ctypes.c_uint32 * MAX_MARKS),
        ("label", ctypes.c_uint8 * MAX_MARKS),
    ]


def c_tables(tables: HeadTables) -> dict[str, np.ndarray]:
    """Return the arrays of an `mmq_head_t` by field, in the types a device has."""
    return {
        "column": np.array(tables.column, np.uint16),
        "owner": np.array(tables.owner, np.uint16),
        "centre": np.array(tables.centre, np.float32),
        "scale": np.array(tables.scale, np.float32),
        "component": np.array(tables.component, np.float32),
    }


def c_sizes(tables: HeadTables) -> dict[str, int]:
    """Return the sizes of an `mmq_head_t` by field."""
    return {
        "tokens": tables.tokens,
        "n_modalities": tables.n_modalities,
        "n_features": tables.n_features,
        "statistics": len(tables.column),
        "components": len(tables.component),
    }


class PersonalHead:
    """Marked windows of one wearer and the correction learned from them.

    Parameters
    ----------
    tables : HeadTables

    Attributes
    ----------
    unhelpful : bool
        Whether nothing is corrected since what was marked in one stretch does not hold in another.

    Raises
    ------
    BridgeError
        When the core is not built or refuses the tables.
    """

    def __init__(self, tables: HeadTables) -> None:
        self.tables = tables
        self._core = library()
        self._arrays = c_tables(tables)
        kinds: dict[str, Any] = {field[0]: field[1] for field in CHead._fields_}
        pointers = {name: array.ctypes.data_as(kinds[name]) for name, array in self._arrays.items()}
        self._head = CHead(**c_sizes(tables), **pointers)
        self._state = CHeadState()
        self.unhelpful = False
        self.given = ctypes.byref(self._head), ctypes.byref(self._state)
        status = self._core.mmq_head_init(*self.given)
        if status != OK:
            raise BridgeError("personal head: the C core refuses its tables: export the bundle again")

    @property
    def count(self) -> int:
        """Windows that are marked."""
        return int(self._state.count)

    @property
    def labels(self) -> np.ndarray:
        """Labels of the marked windows, oldest first, int [count]."""
        return np.array(self._state.label[: self.count], int)

    @property
    def stretches(self) -> np.ndarray:
        """In which stretches the marked windows are, int64 [count]."""
        return np.array(self._state.stretch[: self.count], np.int64)

    @property
    def weights(self) -> tuple[float, np.ndarray]:
        """The bias that was learned, and the weights float32 [k]; 0 before."""
        learned = np.array(self._state.weight[: len(self.tables.component)], np.float32)
        return float(self._state.bias), learned

    def summary(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray | None:
        """Return the components of a window, float32 [k]; None where no token that is read is present.

        Parameters
        ----------
        features : ndarray, shape (T, F)
            Normalised.
        presence : ndarray, shape (T, M)

        Raises
        ------
        BridgeError
            When a shape is wrong.
        """
        tables = self.tables
        shown = self._floats("features", features, (tables.tokens, tables.n_features))
        seen = self._floats("presence", presence, (tables.tokens, tables.n_modalities))
        u = np.zeros(len(tables.component), np.float32)
        pointers = (array.ctypes.data for array in (shown, seen, u))
        status = self._core.mmq_head_summary(self.given[0], *pointers)
        if status not in (OK, NOT_READY):
            raise_status(status, "personal head")
        return u if status == OK else None

    def mark(self, u: np.ndarray, logit: float, label: int, stretch: int = 0) -> None:
        """Add a marked window.

        Parameters
        ----------
        u : ndarray, shape (k,)
            From `summary`.
        logit : float
            Log-odds of class 1 against class 0 as the model gave it, at the decision's temperature.
        label : int
            0 or 1.
        stretch : int
            Marks of one stretch share a number, from 0 to 2^32 - 1.

        Raises
        ------
        BridgeError
            When one of them is not that; nothing is changed.
        """
        shown = self._floats("u", u, (len(self.tables.component),))
        value, kind = plain_number("logit", logit), whole_number("label", label, 0, 1)
        place = whole_number("stretch", stretch, 0, MAX_STRETCH)
        status = self._core.mmq_mark_summary(*self.given, shown.ctypes.data, value, kind, place)
        if status != OK:
            raise_status(status, "personal head")

    def adapt(self) -> bool:
        """Learn from what is marked; return whether anything is corrected.

        Nothing is with fewer than `LEAST_MARKS` of a class; or, both classes having been marked in two
        stretches, where what the others teach of each does not lower the loss of what is marked.
        """
        scratch = (ctypes.c_float * _SCRATCH)()
        status = self._core.mmq_adapt(*self.given, ctypes.cast(scratch, ctypes.c_void_p))
        if status not in (OK, NOT_READY, UNHELPFUL):
            raise_status(status, "personal head")
        self.unhelpful = status == UNHELPFUL
        return status == OK

    def join(self, first: int, second: int) -> None:
        """Make one stretch of two: the first; to be learned from by `adapt`."""
        for place, stretch in enumerate(self.stretches):
            if stretch == second:
                self._state.stretch[place] = first

    def correction(self, u: np.ndarray | None) -> float:
        """Return what is added to the logit of a window with these components, within +-`BOUND`."""
        if u is None:
            return 0.0
        shown = self._floats("u", u, (len(self.tables.component),))
        return float(self._core.mmq_head_correction(*self.given, shown.ctypes.data))

    def reset(self) -> None:
        """Forget all marks and what was learned from them."""
        self._core.mmq_head_reset(self.given[1])
        self.unhelpful = False

    def save(self) -> bytes:
        """Return marks and what was learned, for `load` with the same tables: the same bytes everywhere."""
        content = (ctypes.c_uint8 * self._core.mmq_head_size(*self.given))()
        status = self._core.mmq_head_save(*self.given, content, len(content))
        if status != OK:
            raise_status(status, "personal head")
        return bytes(content)

    def load(self, content: bytes, where: str = "personal head") -> None:
        """Take over what `save` returned; `where` begins the error's sentence.

        Raises
        ------
        BridgeError
            When the bytes are cut short, changed, of other tables or of a newer core; nothing is changed.
        """
        status = self._core.mmq_head_load(*self.given, content, len(content))
        if status != OK:
            raise_status(status, where)
        enough = np.bincount(self.labels, minlength=2).min() >= LEAST_MARKS
        bias, weights = self.weights
        self.unhelpful = bool(enough and bias == 0 and not weights.any())

    @staticmethod
    def _floats(what: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        array = number_array(what, values, str(list(shape)))
        if array.shape != shape:
            raise BridgeError(f"{what}: expected the shape {list(shape)}, got {list(array.shape)}")
        return np.ascontiguousarray(array, np.float32)
