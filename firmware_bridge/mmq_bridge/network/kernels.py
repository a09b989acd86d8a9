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
        Its fields in order: names of rows begin with ``@`` (constant, at, step), of tables with ``*``.
    """

    struct: str
    number: int
    layout: tuple[str, ...]


_ENDING = ("multiplier", "rounding", "shift", "low", "high")
_DENSE = ("@input", "@output", "scratch", "depth", "outputs", "input_width", "output_width", *_ENDING)
_PRODUCT = ("@left", "@right", "@output", "scratch", "depth", "outputs", "left_width", "output_width")
_OPERANDS = tuple(
    f"{kind}{side}{name}"
    for side in ("left", "right")
    for kind, name in (("@", ""), ("", ".width"), ("", ".next"), ("", ".offset"))
)
_PAIR = (
    *_OPERANDS,
    "@output",
    "count",
    "output_width",
    "factor",
    "right_multiplier",
    "right_shift",
    "negate",
)
_IO = ("@input", "@output")
_WIDTHS = ("input_width", "output_width")
_TERMS = (*_IO, "terms", "count", *_WIDTHS)

KERNELS = {
    "dense": KernelFacts("dense", 1, (*_DENSE, "*weights", "*bias")),
    "product_by_rows": KernelFacts("product", 2, (*_PRODUCT, "left_offset", "right_offset", *_ENDING)),
    "product_by_columns": KernelFacts("product", 3, (*_PRODUCT, "left_offset", "right_offset", *_ENDING)),
    "add": KernelFacts("pair", 4, (*_PAIR, *_ENDING)),
    "multiply": KernelFacts("pair", 5, (*_PAIR, *_ENDING)),
    "lookup": KernelFacts("lookup", 6, (*_IO, "count", *_WIDTHS, "*table")),
    "softmax": KernelFacts("softmax", 7, (*_IO, "count", *_WIDTHS, "*exponentials")),
    "maximum": KernelFacts("maximum", 8, _TERMS),
    "mean": KernelFacts("mean", 9, (*_TERMS, "start", "multiplier", "left", "shift", "zero_point")),
    "copy": KernelFacts(
        "copy",
        10,
        (
            *_IO, "outer", "inner", "input_width", "input_outer", "input_inner",
            "output_width", "output_outer", "output_inner",
        ),
    ),
}  # fmt: skip
"""Every kernel by its name; the numbers are those of core/src/network/plan.c."""

SIGNED = frozenset(
    {"multiplier", "rounding", "low", "high", "left_offset", "right_offset", "left.offset", "right.offset",
     "factor", "right_multiplier", "negate", "start", "zero_point"}
)  # fmt: skip


@dataclass(frozen=True)
class RowsAt:
    """`mmq_rows_t`: a constant's bytes or None, where it begins, how far rows are apart over strips."""

    constant: np.ndarray | None
    at: int
    step: int


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
            found[plain] = rows_at(planned, rows)
        elif name.startswith("*"):
            found[plain] = step.tables[plain]
        elif plain == "scratch":
            found[plain] = planned.scratch[step]
        elif plain.endswith("width") and plain not in step.fields:
            side = plain.removesuffix("width").rstrip("_.")
            found[plain] = (step.output if side == "output" else step.reads[side]).width
        else:
            found[plain] = step.fields.get(plain, 0)
    return found


def rows_at(planned: Planned, rows: RowView) -> RowsAt:
    """Return where rows lie: a rolling value begins anew with every strip."""
    if rows.value.data is not None:
        return RowsAt(rows.value.data[rows.offset :], 0, rows.width)
    rolls = rows.value in planned.rolling
    return RowsAt(None, planned.at[rows.value] + rows.offset, 0 if rolls else rows.width)
