# SPDX-License-Identifier: Apache-2.0
"""Products: fully connected layers, and products of two activations."""

from __future__ import annotations

import math

import numpy as np

from mmq_bridge.network.graph import NetworkOp, NetworkTensor, refuse
from mmq_bridge.network.lowering import Lowering, bounds_of, constant_of, int8_of, requantised
from mmq_bridge.network.steps import NetworkStep, RowView

MAX_SUM = 1 << 30
MAX_DEPTH = 1 << 14
MAX_NARROW = 32_767
MIN_BLOCK = 8
"""Outputs that a block of a layer's weights has on average, or it is not worth a step of its own."""


def lower_dense(state: Lowering, op: NetworkOp) -> None:
    """Lower a fully connected layer: a step, or one for each block of its weights."""
    source, weights = int8_of(op.inputs[0], op.name), int8_of(op.inputs[1], op.name)
    bias = op.inputs[2] if len(op.inputs) > 2 else None
    matrix = constant_of(weights, op.name)
    if matrix.ndim != 2 or weights.zero_point != 0 or getattr(op.options, "weightsFormat", 0):
        raise refuse(f"{op.name} has weights {list(weights.shape)} with zero point {weights.zero_point}")
    outputs, depth = matrix.shape
    rows = source.size // depth
    if source.size % depth or op.output.size != rows * outputs or op.output.shape[-1:] != (outputs,):
        raise refuse(f"{op.name} goes from {list(source.shape)} to {list(op.output.shape)}")
    sums = _biases(op, source, weights, bias)
    bias_bytes = 0 if not sums.any() else 2 if np.abs(sums).max() <= MAX_NARROW else 4
    own_bias = sums.astype({0: np.int8, 2: np.int16, 4: np.int32}[bias_bytes])[
        : len(sums) if bias_bytes else 0
    ]
    scaling = requantised(source.scale * weights.scale / op.output.scale, op.output.zero_point, op.name)
    low, high = bounds_of(op)
    _check_sums(op, matrix, sums - source.zero_point * matrix.astype(np.int64).sum(1))
    state.new(op.output)
    for part, columns in _blocks(matrix):
        own, wide = len(matrix[part]), columns.stop - columns.start
        padded = np.zeros((own, wide + -wide % 4), np.int8)
        padded[:, :wide] = matrix[part, columns]
        place, target = state.place(source), state.place(op.output)
        state.add(
            op,
            NetworkStep(
                "dense",
                rows,
                {"input": RowView(place.value, place.offset + columns.start, depth, wide)},
                RowView(target.value, target.offset + part.start, outputs, own),
                {
                    "depth": wide,
                    "outputs": own,
                    **scaling,
                    "low": low,
                    "high": high,
                    "offset": -source.zero_point,
                    "bias_bytes": bias_bytes,
                },
                {"weights": padded.reshape(-1), "bias": own_bias[part]},
                scratch=4 * padded.shape[1],
                cost=wide * own * 3 + own * 20 + wide * 6 + 60,
            ),
        )


def _biases(
    op: NetworkOp, source: NetworkTensor, weights: NetworkTensor, bias: NetworkTensor | None
) -> np.ndarray:
    """Return what each sum starts with."""
    sums = np.zeros(len(constant_of(weights, op.name)), np.int64)
    if bias is not None:
        if bias.dtype != "INT32" or bias.size != len(sums):
            raise refuse(f"{op.name} has a bias of {bias.dtype} {list(bias.shape)}")
        wanted = source.scale * weights.scale
        if abs(wanted - bias.scale) / op.output.scale > 0.02:
            raise refuse(f"{op.name} has a bias of another scale than its product")
        sums += constant_of(bias, op.name).reshape(-1)
    if np.abs(sums).max(initial=0) >= MAX_SUM:
        raise refuse(f"{op.name} has a bias beyond 2^30")
    return sums


def _check_sums(op: NetworkOp, matrix: np.ndarray, sums: np.ndarray) -> None:
    largest = 128 * np.abs(matrix.astype(np.int64)).sum(1) + np.abs(sums.astype(np.int64))
    if matrix.shape[1] > MAX_DEPTH or largest.max(initial=0) >= MAX_SUM:
        raise refuse(f"{op.name} may have sums beyond 2^30")


def lower_product(state: Lowering, op: NetworkOp) -> None:
    """Lower a product of two activations: a step for each batch."""
    left, right = int8_of(op.inputs[0], op.name), int8_of(op.inputs[1], op.name)
    if getattr(op.options, "adjX", False) or len(left.shape) < 2 or len(right.shape) < 2:
        raise refuse(f"{op.name} transposes its left side")
    by_rows = bool(getattr(op.options, "adjY", False))
    depth, (outputs, other) = left.shape[-1], right.shape[-2:] if by_rows else right.shape[:-3:-1]
    batches = math.prod(right.shape[:-2])
    rows = left.size // depth
    fits = op.output.size == rows * outputs and op.output.shape[-1:] == (outputs,)
    if other != depth or not fits or rows % batches:
        raise refuse(f"{op.name} of {list(left.shape)} and {list(right.shape)} gives {list(op.output.shape)}")
    if batches > 1 and math.prod(left.shape[:-2]) != batches:
        raise refuse(f"{op.name} repeats {list(left.shape)} over {list(right.shape)}")
    if depth > MAX_DEPTH // 4:
        raise refuse(f"{op.name} sums {depth} products: {MAX_DEPTH // 4} are known to stay below 2^30")
    scaling = requantised(left.scale * right.scale / op.output.scale, op.output.zero_point, op.name)
    state.new(op.output)
    part = rows // batches
    for batch in range(batches):
        sizes = depth * outputs
        state.add(
            op,
            NetworkStep(
                "product_by_rows" if by_rows else "product_by_columns",
                part,
                {
                    "left": state.rows(left, depth, batch * part * depth),
                    "right": state.whole(right, batch * sizes, sizes),
                },
                state.rows(op.output, outputs, batch * part * outputs),
                {
                    "depth": depth,
                    "outputs": outputs,
                    "left_offset": -left.zero_point,
                    "right_offset": -right.zero_point,
                    **scaling,
                    "low": -128,
                    "high": 127,
                },
                scratch=4 * (depth + -depth % 4),
                cost=depth * outputs * (3 if by_rows else 4) + outputs * 20 + depth * 9 + 60,
            ),
        )


def _blocks(matrix: np.ndarray) -> list[tuple[slice, slice]]:
    """Return the rows and columns of a matrix outside which it is 0: one block, or several if that pays.

    What a block leaves out adds nothing to any sum.
    """
    spans = []
    for row in matrix:
        (used,) = np.nonzero(row)
        spans.append((int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1))
    blocks: list[tuple[slice, slice]] = []
    for number, (first, last) in enumerate(spans):
        if blocks and (blocks[-1][1].start, blocks[-1][1].stop) == (first, last):
            blocks[-1] = slice(blocks[-1][0].start, number + 1), blocks[-1][1]
        else:
            blocks.append((slice(number, number + 1), slice(first, last)))
    blocks = _joined(blocks)
    work = sum(
        (rows.stop - rows.start) * -(-(columns.stop - columns.start) // 4) * 4 for rows, columns in blocks
    )
    if len(blocks) * MIN_BLOCK > len(matrix) or work > 0.7 * matrix.size:
        return [(slice(0, len(matrix)), slice(0, matrix.shape[1]))]
    return blocks


def _joined(blocks: list[tuple[slice, slice]]) -> list[tuple[slice, slice]]:
    """Join neighbours that overlap much: a weight that happens to be 0 makes no block of its own."""
    found = [blocks[0]]
    for rows, columns in blocks[1:]:
        before, wide = found[-1]
        first, last = min(wide.start, columns.start), max(wide.stop, columns.stop)
        overlap = min(wide.stop, columns.stop) - max(wide.start, columns.start)
        if 2 * overlap > last - first:
            found[-1] = slice(before.start, rows.stop), slice(first, last)
        else:
            found.append((rows, columns))
    return found
