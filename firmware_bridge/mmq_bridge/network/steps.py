# SPDX-License-Identifier: Apache-2.0
"""What the kernels do, as plain data: values in memory, and steps that read and write rows of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

LEFT_SAME, RIGHT_SAME, LEFT_MINUS, RIGHT_MINUS = 1, 2, 4, 8
"""`MMQ_LEFT_SAME` and so on: the ways of an `add` or `multiply`."""


@dataclass(eq=False)
class Value:
    """A run of int8: computed (somewhere in the arena), or constant.

    Attributes
    ----------
    size : int
        In bytes.
    data : numpy.ndarray or None
        int8 of a constant.
    name : str
    """

    size: int
    data: np.ndarray | None = None
    name: str = ""


@dataclass(frozen=True, eq=False)
class RowView:
    """How a step sees a value: row r begins at ``offset + r * width``.

    Attributes
    ----------
    value : Value
    offset, width : int
        In bytes; width 0 is the same row again.
    length : int
        Bytes of a row that are touched.
    whole : bool
        Whether every row of the step reads all of it.
    """

    value: Value
    offset: int
    width: int
    length: int
    whole: bool = False


@dataclass(eq=False)
class NetworkStep:
    """One call of a kernel.

    Attributes
    ----------
    kernel : str
        Its C function without ``mmq_``.
    rows : int
    reads : dict of str to RowView
        By the field of the kernel's parameters.
    output : RowView
    fields : dict of str to int
        The other numbers of its parameters.
    tables : dict of str to numpy.ndarray
        Weights and the like, by field.
    scratch : int
        Bytes it needs beside.
    cost : int
        Of a row, in instructions of a Cortex-M without DSP extension, roughly.
    tensor : int
        Index of the tensor it computes, in the file; -1 where it is a part of one.
    """

    kernel: str
    rows: int
    reads: dict[str, RowView]
    output: RowView
    fields: dict[str, int]
    tables: dict[str, np.ndarray] = field(default_factory=dict)
    scratch: int = 0
    cost: int = 0
    tensor: int = -1


@dataclass(frozen=True, eq=False)
class TensorPlace:
    """Where a tensor lies: in a value, from `offset` on."""

    value: Value
    offset: int


@dataclass(eq=False)
class Lowered:
    """A network as steps.

    Attributes
    ----------
    steps : list of NetworkStep
        In an order that computes it.
    places : dict of int to TensorPlace
        Of the tensors of the file.
    """

    steps: list[NetworkStep]
    places: dict[int, TensorPlace]
