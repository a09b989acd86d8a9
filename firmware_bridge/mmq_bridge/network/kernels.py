# SPDX-License-Identifier: Apache-2.0
"""The parameters of each kernel as C lays them out: what is written as C source and into a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmq_bridge.network.schedule import Planned
from mmq_bridge.network.steps import NetworkStep, RowView


@dataclass(frozen=True)
class KernelFacts:
    """One kernel.

    Attributes
    ----------
    struct : str
        Its parameters' type without ``mmq_`` and ``_t``.
    number : int
        In a plan.
    layout : tuple of str
        Its fields in order: names of rows begin with ``@``, of tables with ``*``.
    """

    struct: str
    number: int
    layout: tuple[str, ...]


_SCALING = tuple(f"scaling.{name}" for name in ("multiplier", "shift", "zero_point", "low", "high"))
_IO = ("@input", "@output")
_DENSE = (*_IO, "scratch", "depth", "outputs", *_SCALING, "offset", "bias_bytes", "*weights", "*bias")
_OPERANDS = ("@left", "@right", "@output")
_PRODUCT = (*_OPERANDS, "scratch", "depth", "outputs", "left_offset", "right_offset", *_SCALING)
_PAIR = (
    *_OPERANDS, "count", *_SCALING, "right_multiplier", "left_offset", "right_offset", "right_shift", "ways",
)  # fmt: skip
_TERMS = (*_IO, "terms", "count")
_DISTANCES = ("input_outer", "input_inner", "output_outer", "output_inner")

KERNELS = {
    "dense": KernelFacts("dense", 1, _DENSE),
    "product_by_rows": KernelFacts("product", 2, _PRODUCT),
    "product_by_columns": KernelFacts("product", 3, _PRODUCT),
    "add": KernelFacts("pair", 4, _PAIR),
    "multiply": KernelFacts("pair", 5, _PAIR),
    "lookup": KernelFacts("lookup", 6, (*_IO, "count", "*table")),
    "softmax": KernelFacts("softmax", 7, (*_IO, "count", "exact", "differences", "*exponentials", "*small")),
    "maximum": KernelFacts("maximum", 8, _TERMS),
    "mean": KernelFacts("mean", 9, (*_TERMS, "start", "multiplier", "left", "shift", "zero_point")),
    "copy": KernelFacts("copy", 10, (*_IO, "outer", "inner", *_DISTANCES)),
    "outer": KernelFacts("outer", 11, ("@output", "count", "period", "*slow", "*fast")),
}
"""Every kernel by its name; the numbers are those of core/src/network/plan.c."""

SIGNED = frozenset(
    {"scaling.multiplier", "scaling.zero_point", "scaling.low", "scaling.high", "offset", "left_offset",
     "right_offset", "right_multiplier", "start", "multiplier", "zero_point"}
)  # fmt: skip

CONSTANT, ROLLS = 1, 2
"""Kinds of `mmq_rows_t`."""


@dataclass(frozen=True)
class RowsAt:
    """`mmq_rows_t`: a constant's bytes or None, where it begins, how far rows are apart.

    Attributes
    ----------
    constant : numpy.ndarray or None
    at, width : int
    kind : int
        `CONSTANT` or not, `ROLLS` or not.
    """

    constant: np.ndarray | None
    at: int
    width: int
    kind: int


Parameter = int | RowsAt | np.ndarray


def parameters(planned: Planned, step: NetworkStep) -> dict[str, Parameter]:
    """Return a step's parameters by field, in the struct's order.

    Returns
    -------
    dict
        Numbers, `RowsAt` and tables, by name without the marks of `KernelFacts.layout`.
    """
    found: dict[str, Parameter] = {}
    for name in KERNELS[step.kernel].layout:
        plain = name.lstrip("@*")
        if name.startswith("@"):
            rows = step.output if plain == "output" else step.reads[plain]
            found[plain] = _rows_at(planned, rows, step.rows)
        elif name.startswith("*"):
            found[plain] = step.tables[plain]
        elif plain == "scratch":
            found[plain] = planned.scratch[step]
        else:
            found[plain] = step.fields.get(plain.removeprefix("scaling."), 0)
    return found


def _rows_at(planned: Planned, rows: RowView, count: int) -> RowsAt:
    """Return where rows lie: a rolling value begins anew with every strip."""
    width = rows.width if count > 1 else 0
    if rows.value.data is not None:
        return RowsAt(rows.value.data[rows.offset :], 0, width, CONSTANT)
    rolls = ROLLS if rows.value in planned.rolling else 0
    return RowsAt(None, planned.at[rows.value] + rows.offset, width, rolls)
