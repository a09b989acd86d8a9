# SPDX-License-Identifier: Apache-2.0
"""Element by element and row by row: sums, products, tables, softmax, means and maxima."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from mmq_bridge.network.fixed_point import (
    high_product,
    multiply,
    quantise_multiplier,
    rounded_shift,
    softmax_exponentials,
    softmax_parts,
    tanh_table,
)
from mmq_bridge.network.graph import NetworkOp, NetworkTensor, refuse
from mmq_bridge.network.lowering import (
    Lowering,
    bounds_of,
    check_same_scale,
    constant_of,
    int8_of,
    requantised,
)
from mmq_bridge.network.steps import (
    LEFT_MINUS,
    LEFT_SAME,
    RIGHT_MINUS,
    RIGHT_SAME,
    NetworkStep,
    RowView,
)

MAX_SOFTMAX = 4095
MAX_TERMS = 1 << 14


def lower_multiply(state: Lowering, op: NetworkOp) -> None:
    """Lower a multiplication; by a number it is a table."""
    one, other = _both(op)
    real = one.scale * other.scale / op.output.scale
    low, high = bounds_of(op)
    if found := _scalar(op):
        tensor, number, side = found
        factor = number - (other if side == 0 else one).zero_point
        multiplier, exponent = quantise_multiplier(real)

        def answer(q: int) -> int:
            return op.output.zero_point + multiply((q - tensor.zero_point) * factor, multiplier, exponent)

        _lookup(state, op, tensor, answer, low, high)
        return
    fields = requantised(real, op.output.zero_point, op.name)
    _pair(state, op, "multiply", (0, 1), (-one.zero_point, -other.zero_point), fields, 20)


def lower_add(state: Lowering, op: NetworkOp) -> None:
    """Lower an addition or subtraction; with a number it is a table."""
    one, other = _both(op)
    (first, second), out = _sum_multipliers(op, one.scale, other.scale)
    sign = -1 if op.name == "SUB" else 1
    low, high = bounds_of(op)
    if found := _scalar(op):
        tensor, number, side = found

        def answer(q: int) -> int:
            given = (q, number) if side == 0 else (number, q)
            a = _scaled(given[0] - one.zero_point, first)
            b = _scaled(given[1] - other.zero_point, second)
            return multiply(a + sign * b, *out) + op.output.zero_point

        _lookup(state, op, tensor, answer, low, high)
        return
    # The operand of larger scale is exact: it is the kernel's left one.
    order = (0, 1) if one.scale >= other.scale else (1, 0)
    smaller = second if order == (0, 1) else first
    if smaller != (1 << 30, 0) and (smaller[1] >= 0 or smaller[0] == 0):
        raise refuse(f"{op.name} has operands of scales {one.scale:.3g} and {other.scale:.3g}")
    negative = {(0, 1): (1, sign), (1, 0): (sign, 1)}[order]
    fields = {
        "ways": LEFT_MINUS * (negative[0] < 0) + RIGHT_MINUS * (negative[1] < 0),
        "right_multiplier": smaller[0],
        "right_shift": -smaller[1],
        **_requantised_pair(out, op.output.zero_point, op.name),
    }
    _pair(state, op, "add", order, (-one.zero_point, -other.zero_point), fields, 35)


def _both(op: NetworkOp) -> tuple[NetworkTensor, NetworkTensor]:
    """Return the operands, whose common shape the output must have."""
    one, other = int8_of(op.inputs[0], op.name), int8_of(op.inputs[1], op.name)
    if np.broadcast_shapes(one.shape, other.shape) != op.output.shape:
        raise refuse(
            f"{op.name} spreads {list(one.shape)} and {list(other.shape)} over {list(op.output.shape)}"
        )
    return one, other


def _pair(
    state: Lowering,
    op: NetworkOp,
    kernel: str,
    order: Sequence[int],
    offsets: Sequence[int],
    fields: dict[str, int],
    cost: int,
) -> None:
    rows, count, steps = _operands(op)
    reads: dict[str, RowView] = {}
    numbers: dict[str, int] = {"count": count}
    ways = fields.get("ways", 0)
    for side, which, same in zip(("left", "right"), order, (LEFT_SAME, RIGHT_SAME), strict=True):
        tensor = int8_of(op.inputs[which], op.name)
        outer, inner = steps[which]
        place = state.place(tensor)
        length = count if inner else 1
        reads[side] = RowView(place.value, place.offset, outer, length, whole=outer == 0 and rows > 1)
        numbers[f"{side}_offset"] = offsets[which]
        ways |= 0 if inner else same
    low, high = bounds_of(op)
    state.new(op.output)
    state.add(
        op,
        NetworkStep(
            kernel,
            rows,
            reads,
            state.rows(op.output, count),
            {**numbers, **fields, "ways": ways, "low": low, "high": high},
            cost=count * cost + 40,
        ),
    )


def _operands(op: NetworkOp) -> tuple[int, int, list[tuple[int, int]]]:
    """Return rows, elements of a row, and of each operand how far rows and elements are apart."""
    shape = op.output.shape
    kept = [axis for axis, n in enumerate(shape) if n > 1]
    flags = []
    for tensor in (int8_of(given, op.name) for given in op.inputs[:2]):
        own = (1,) * (len(shape) - len(tensor.shape)) + tensor.shape
        if len(own) != len(shape) or any(n not in (1, wanted) for n, wanted in zip(own, shape, strict=True)):
            raise refuse(f"{op.name} spreads {list(tensor.shape)} over {list(shape)}")
        flags.append([own[axis] > 1 for axis in kept])
    cut = next((cut for cut in range(max(len(kept) - 1, 0), -1, -1) if _is_regular(flags, cut)), None)
    if cut is None:
        raise refuse(f"{op.name} spreads its operands over {list(shape)} irregularly")
    count = math.prod(shape[axis] for axis in kept[cut:])
    steps = []
    for flag in flags:
        inner = int(any(flag[cut:]))
        outer = (count if inner else 1) if any(flag[:cut]) else 0
        steps.append((outer, inner))
    return op.output.size // count, count, steps


def _scalar(op: NetworkOp) -> tuple[NetworkTensor, int, int] | None:
    """Return the operand that varies, the other's number, the first's side; None where both vary."""
    for side in (0, 1):
        other = op.inputs[1 - side]
        tensor = op.inputs[side]
        if other is not None and other.data is not None and other.size == 1 and tensor is not None:
            if tensor.data is None and tensor.size == op.output.size:
                return tensor, int(other.data.reshape(-1)[0]), side
    return None


def lower_tanh(state: Lowering, op: NetworkOp) -> None:
    """Lower a tanh: a table."""
    tensor = int8_of(op.inputs[0], op.name)
    if op.output.scale != 1 / 128 or op.output.zero_point != 0:
        raise refuse("TANH has an output of another scale than 1/128")
    if tensor.scale * (1 << 27) < 1:
        raise refuse(f"TANH has an input of scale {tensor.scale:.3g}")
    _table(state, op, tensor, tanh_table(tensor.scale, tensor.zero_point))


def lower_relu(state: Lowering, op: NetworkOp) -> None:
    """Lower a ReLU: a table."""
    tensor = int8_of(op.inputs[0], op.name)
    _rescaled(state, op, tensor, max(-128, op.output.zero_point))


def lower_quantise(state: Lowering, op: NetworkOp) -> None:
    """Lower a change of scale: a table."""
    tensor = int8_of(op.inputs[0], op.name)
    _rescaled(state, op, tensor, -128)


def lower_softmax(state: Lowering, op: NetworkOp) -> None:
    """Lower a softmax over the last axis."""
    tensor = int8_of(op.inputs[0], op.name)
    beta = float(getattr(op.options, "beta", 0.0))
    if op.output.scale != 1 / 256 or op.output.zero_point != -128 or tensor.shape != op.output.shape:
        raise refuse("SOFTMAX has an output of another scale than 1/256, or of another shape")
    count = tensor.shape[-1] if tensor.shape else 1
    if count > MAX_SOFTMAX or not 0 < beta <= 1:
        raise refuse(f"SOFTMAX of {count} elements with beta {beta:g}")
    if tensor.scale * beta * (1 << 26) < 1:
        raise refuse(f"SOFTMAX has an input of scale {tensor.scale:.3g}")
    exponentials, small = softmax_parts(softmax_exponentials(tensor.scale, beta))
    exact = len(exponentials)
    state.new(op.output)
    state.add(
        op,
        NetworkStep(
            "softmax",
            tensor.size // count,
            {"input": state.rows(tensor, count)},
            state.rows(op.output, count),
            {"count": count, "exact": exact, "differences": exact + len(small)},
            {"exponentials": exponentials, "small": small},
            cost=28 * count + 150,
        ),
    )


def lower_reduction(state: Lowering, op: NetworkOp) -> None:
    """Lower a mean or maximum over axes that lie side by side."""
    tensor = int8_of(op.inputs[0], op.name)
    axes = constant_of(op.inputs[1] if len(op.inputs) > 1 else None, op.name).reshape(-1)
    dims = len(tensor.shape)
    if any(not -dims <= int(axis) < dims for axis in axes):
        raise refuse(f"{op.name} over axes {axes.tolist()} of {list(tensor.shape)}")
    over = sorted({int(axis) % dims for axis in axes})
    mean = op.name == "MEAN"
    if not mean:
        check_same_scale(op, [tensor])
    if not over or over != list(range(over[0], over[-1] + 1)):
        raise refuse(f"{op.name} over the axes {over}")
    terms = math.prod(tensor.shape[over[0] : over[-1] + 1])
    count = math.prod(tensor.shape[over[-1] + 1 :])
    rows = math.prod(tensor.shape[: over[0]])
    if op.output.size != rows * count:
        raise refuse(f"{op.name} goes from {list(tensor.shape)} to {list(op.output.shape)}")
    if mean and terms == 1:
        _rescaled(state, op, tensor, -128)
        return
    state.new(op.output)
    state.add(
        op,
        NetworkStep(
            "mean" if mean else "maximum",
            rows,
            {"input": state.rows(tensor, terms * count)},
            state.rows(op.output, count),
            {"terms": terms, "count": count, **(_mean(tensor, op.output, terms) if mean else {})},
            cost=count * (6 * terms + 12) + 30,
        ),
    )


def _rescaled(state: Lowering, op: NetworkOp, tensor: NetworkTensor, low: int) -> None:
    multiplier, exponent = quantise_multiplier(tensor.scale / op.output.scale)

    def answer(q: int) -> int:
        return op.output.zero_point + multiply(q - tensor.zero_point, multiplier, exponent)

    _lookup(state, op, tensor, answer, low, 127)


def _lookup(
    state: Lowering, op: NetworkOp, tensor: NetworkTensor, answer: Callable[[int], int], low: int, high: int
) -> None:
    table = np.array([min(max(answer(q), low), high) for q in range(-128, 128)], np.int8)
    _table(state, op, tensor, table)


def _table(state: Lowering, op: NetworkOp, tensor: NetworkTensor, table: np.ndarray) -> None:
    if tensor.size != op.output.size:
        raise refuse(f"{op.name} goes from {list(tensor.shape)} to {list(op.output.shape)}")
    count = op.output.shape[-1] if op.output.shape else 1
    state.new(op.output)
    state.add(
        op,
        NetworkStep(
            "lookup",
            op.output.size // count,
            {"input": state.rows(tensor, count)},
            state.rows(op.output, count),
            {"count": count},
            {"table": table},
            cost=6 * count + 30,
        ),
    )


def _is_regular(flags: Sequence[Sequence[bool]], cut: int) -> bool:
    """Whether each operand varies over all or none of the axes before a cut, and of those behind."""
    return all(len(set(part)) <= 1 for flag in flags for part in (flag[:cut], flag[cut:]))


def _sum_multipliers(
    op: NetworkOp, one: float, other: float
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Return the multipliers of both operands and of the sum."""
    twice = 2 * max(one, other)
    last = twice / ((1 << 20) * op.output.scale)
    return [quantise_multiplier(one / twice), quantise_multiplier(other / twice)], quantise_multiplier(last)


def _scaled(x: int, multiplier: tuple[int, int]) -> int:
    return rounded_shift(high_product(x * (1 << 20), multiplier[0]), -multiplier[1])


def _mean(source: NetworkTensor, output: NetworkTensor, terms: int) -> dict[str, int]:
    """Return what a sum of so many terms is multiplied by: Micro divides the multiplier, not the sum."""
    multiplier, exponent = quantise_multiplier(source.scale / output.scale)
    up = min(terms.bit_length() - 1, 31 + exponent)
    shift = up - exponent
    if terms > MAX_TERMS or not -6 <= shift <= 30 or multiplier == 0:
        raise refuse(f"MEAN of {terms} elements scales by {source.scale / output.scale:.4g}")
    return {
        "start": -source.zero_point * terms,
        "multiplier": (multiplier << up) // terms,
        "left": max(-shift, 0),
        "shift": max(shift, 0),
        "zero_point": output.zero_point,
    }


def _requantised_pair(out: tuple[int, int], zero_point: int, what: str) -> dict[str, int]:
    multiplier, exponent = out
    return requantised(multiplier * 2.0 ** (exponent - 31), zero_point, what)
