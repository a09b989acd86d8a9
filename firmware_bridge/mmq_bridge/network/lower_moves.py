# SPDX-License-Identifier: Apache-2.0
"""What only moves: reshapes, joins, turns and cuts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mmq_bridge.network.graph import NetworkOp, NetworkTensor, refuse
from mmq_bridge.network.lowering import Lowering, check_same_scale, constant_of, int8_of
from mmq_bridge.network.steps import NetworkStep, RowView, TensorPlace


def lower_reshape(state: Lowering, op: NetworkOp) -> None:
    """Lower a reshape: another name for the same numbers."""
    tensor = int8_of(op.inputs[0], op.name)
    if tensor.size != op.output.size:
        raise refuse(f"RESHAPE goes from {list(tensor.shape)} to {list(op.output.shape)}")
    check_same_scale(op, [tensor])
    state.places[op.output.index] = state.place(tensor)


def lower_concatenation(state: Lowering, op: NetworkOp) -> None:
    """Lower a concatenation: a copy of each part."""
    tensors = [int8_of(tensor, op.name) for tensor in op.inputs]
    check_same_scale(op, tensors)
    shape = op.output.shape
    axis = int(getattr(op.options, "axis", 0))
    if getattr(op.options, "fusedActivationFunction", 0) or not -len(shape) <= axis < len(shape):
        raise refuse("CONCATENATION has an activation or an axis that is not there")
    axis %= len(shape)
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    if any(t.shape[:axis] + t.shape[axis + 1 :] != shape[:axis] + shape[axis + 1 :] for t in tensors):
        raise refuse(f"CONCATENATION gives {list(shape)}")
    if sum(tensor.shape[axis] for tensor in tensors) != shape[axis]:
        raise refuse(f"CONCATENATION gives {list(shape)}")
    place, width, at = state.new(op.output), shape[axis] * inner, 0
    for tensor in tensors:
        own = tensor.shape[axis] * inner
        output = RowView(place.value, at, width, own)
        _copy(state, op, outer, state.rows(tensor, own), output, (1, own), (0, 1), (0, 1))
        at += own


def lower_transpose(state: Lowering, op: NetworkOp) -> None:
    """Lower a transposition."""
    tensor = int8_of(op.inputs[0], op.name)
    order = constant_of(op.inputs[1] if len(op.inputs) > 1 else None, op.name).reshape(-1).tolist()
    if sorted(order) != list(range(len(tensor.shape))):
        raise refuse(f"TRANSPOSE by {order} of {list(tensor.shape)}")
    indices = np.arange(tensor.size).reshape(tensor.shape).transpose(order)
    if indices.shape != op.output.shape:
        raise refuse(f"TRANSPOSE by {order} goes from {list(tensor.shape)} to {list(op.output.shape)}")
    _moved(state, op, tensor, indices)


def lower_slice(state: Lowering, op: NetworkOp) -> None:
    """Lower a strided slice."""
    tensor = int8_of(op.inputs[0], op.name)
    begin, end, stride = (constant_of(part, op.name).reshape(-1).tolist() for part in op.inputs[1:4])
    options, dims = op.options, len(tensor.shape)
    if not len(begin) == len(end) == len(stride) == dims or getattr(options, "ellipsisMask", 0):
        raise refuse("STRIDED_SLICE names other axes than its input has")
    if getattr(options, "newAxisMask", 0) or getattr(options, "offset", False) or min(stride) < 1:
        raise refuse("STRIDED_SLICE adds axes or runs backwards")
    cuts: list[slice] = []
    for axis in range(dims):
        first = None if options.beginMask >> axis & 1 else begin[axis]
        last = None if options.endMask >> axis & 1 else end[axis]
        if options.shrinkAxisMask >> axis & 1:
            first = begin[axis]
            last = first + 1 if first != -1 else None
        cuts.append(slice(first, last, stride[axis]))
    _moved(state, op, tensor, np.arange(tensor.size).reshape(tensor.shape)[tuple(cuts)])


def _moved(state: Lowering, op: NetworkOp, tensor: NetworkTensor, indices: np.ndarray) -> None:
    """Make a tensor of some elements of another: an alias where they lie side by side."""
    check_same_scale(op, [tensor])
    regular = _affine(indices)
    if regular is None or indices.size != op.output.size or len(regular[0]) > 3:
        raise refuse(f"{op.name} goes from {list(tensor.shape)} to {list(op.output.shape)} irregularly")
    sizes, distances, first = regular
    place = state.place(tensor)
    if np.array_equal(indices.reshape(-1), first + np.arange(indices.size)):
        state.places[op.output.index] = TensorPlace(place.value, place.offset + first)
        return
    sizes, distances = (1,) * (3 - len(sizes)) + sizes, (0,) * (3 - len(sizes)) + distances
    width = sizes[1] * sizes[2]
    source = RowView(place.value, place.offset + first, distances[0], tensor.size - first, whole=True)
    output = _rows_of_new(state, op.output, width)
    _copy(state, op, sizes[0], source, output, sizes[1:], distances[1:], (sizes[2], 1))


def _rows_of_new(state: Lowering, tensor: NetworkTensor, width: int) -> RowView:
    return RowView(state.new(tensor).value, 0, width, width)


def _copy(
    state: Lowering,
    op: NetworkOp,
    rows: int,
    source: RowView,
    output: RowView,
    sizes: Sequence[int],
    come: Sequence[int],
    go: Sequence[int],
) -> None:
    fields = {
        "outer": sizes[0],
        "inner": sizes[1],
        "input_outer": come[0],
        "input_inner": come[1],
        "output_outer": go[0],
        "output_inner": go[1],
    }
    cost = sizes[0] * (sizes[1] * 6 + 10) + 30
    state.add(op, NetworkStep("copy", rows, {"input": source}, output, fields, cost=cost))


def _affine(indices: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...], int] | None:
    """Return sizes, distances and first of an array of flat indices, or None where it is not regular."""
    sizes = [n for n in indices.shape if n > 1]
    flat = indices.reshape(sizes)
    distances = [int(np.take(flat, 1, axis).flat[0] - flat.flat[0]) for axis in range(len(sizes))]
    first = int(flat.flat[0]) if flat.size else 0
    grid = sum(
        (np.arange(n).reshape([-1 if a == axis else 1 for a in range(len(sizes))]) * d
        for axis, (n, d) in enumerate(zip(sizes, distances, strict=True))),
        start=np.full(sizes, first),
    )  # fmt: skip
    if not np.array_equal(grid, flat) or any(d < 0 for d in distances):
        return None
    return tuple(sizes), tuple(distances), first
