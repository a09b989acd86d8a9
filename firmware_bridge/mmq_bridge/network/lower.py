# SPDX-License-Identifier: Apache-2.0
"""From the operations of an int8 .tflite to steps of the kernels, with the numbers Micro prepares."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from mmq_bridge.errors import BridgeError
from mmq_bridge.network.fixed_point import (
    high_product,
    multiply,
    quantise_multiplier,
    rounded_shift,
    softmax_exponentials,
    tanh_table,
)
from mmq_bridge.network.graph import NetworkGraph, NetworkOp, NetworkTensor, refuse
from mmq_bridge.network.steps import Lowered, NetworkStep, RowView, TensorPlace, Value

MAX_SHIFT = 22
MAX_SUM = 1 << 30
MAX_DEPTH = 1 << 14
MAX_SOFTMAX = 4095
RELU, RELU6 = 1, 3
MIN_BLOCK = 8
"""Outputs that a block of a layer's weights has on average, or it is not worth a step of its own."""


def lower(graph: NetworkGraph) -> Lowered:
    """Return the steps of a network.

    Raises
    ------
    BridgeError
        Naming the first thing whose bits the kernels would not give.
    """
    return _Lowering(graph).done()


def _int8(tensor: NetworkTensor | None, what: str) -> NetworkTensor:
    """Return a tensor that must be int8 with one scale."""
    if tensor is None:
        raise refuse(f"{what} lacks an input")
    if tensor.dtype != "INT8" or tensor.scales != 1 or tensor.scale <= 0:
        raise refuse(
            f"{what} has a tensor of {tensor.dtype} with {tensor.scales} scales where int8 with one is known"
        )
    return tensor


def _constant(tensor: NetworkTensor | None, what: str) -> np.ndarray:
    if tensor is None or tensor.data is None:
        raise refuse(f"{what} computes its parameters (dynamic shapes)")
    return tensor.data


def _requantised(real: float, zero_point: int, what: str) -> dict[str, int]:
    """Return multiplier, rounding and shift that scale by a real number and add a zero point."""
    multiplier, exponent = quantise_multiplier(real)
    shift = -exponent
    if not 1 <= shift <= MAX_SHIFT or multiplier == 0:
        raise refuse(f"{what} scales by {real:.4g}: from 2^-{MAX_SHIFT} to below 1/2 is known")
    rounding = (1 << (shift - 1)) + (zero_point << shift)
    return {"multiplier": multiplier, "rounding": rounding, "shift": shift}


def _bounds(op: NetworkOp) -> tuple[int, int]:
    """Return the lowest and highest output of a fused activation."""
    activation = getattr(op.options, "fusedActivationFunction", 0)
    scale, zero_point = np.float32(op.output.scale), op.output.zero_point
    if activation == 0:
        return -128, 127
    if activation not in (RELU, RELU6):
        raise refuse(f"{op.name} has the fused activation number {activation}")
    if activation == RELU:
        return max(-128, zero_point), 127
    six = math.floor(float(np.float32(6.0) / scale) + 0.5)
    return max(-128, zero_point), min(127, zero_point + six)


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


class _Lowering:
    """The state of `lower`: steps so far, and where each tensor lies."""

    def __init__(self, graph: NetworkGraph) -> None:
        self.graph = graph
        self.steps: list[NetworkStep] = []
        self.places: dict[int, TensorPlace] = {}
        for name, tensor in graph.inputs.items():
            self._new(_int8(tensor, f"input {name}"))
        for name, tensor in graph.outputs.items():
            _int8(tensor, f"output {name}")

    def done(self) -> Lowered:
        """Lower every operation."""
        known: dict[str, Callable[[NetworkOp], None]] = {
            "ADD": self._add,
            "BATCH_MATMUL": self._product,
            "CONCATENATION": self._concatenation,
            "FULLY_CONNECTED": self._dense,
            "MEAN": self._reduce,
            "MUL": self._multiply,
            "QUANTIZE": self._quantise,
            "REDUCE_MAX": self._reduce,
            "RELU": self._relu,
            "RESHAPE": self._reshape,
            "SOFTMAX": self._softmax,
            "STRIDED_SLICE": self._slice,
            "SUB": self._add,
            "TANH": self._tanh,
            "TRANSPOSE": self._transpose,
        }
        for op in self.graph.ops:
            if op.name not in known:
                raise refuse(f"the operation {op.name} is not known")
            _int8(op.output, op.name)
            try:
                known[op.name](op)
            except BridgeError:
                raise
            except (IndexError, ValueError, TypeError, AttributeError, ArithmeticError, KeyError) as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
                raise refuse(f"{op.name} has inputs or options that do not fit ({reason})") from error
        if not self.steps:
            raise refuse("the model computes nothing")
        return Lowered(self.steps, self.places)

    # Where things lie.

    def _new(self, tensor: NetworkTensor) -> TensorPlace:
        place = TensorPlace(Value(tensor.size, None, tensor.name), 0)
        self.places[tensor.index] = place
        return place

    def _place(self, tensor: NetworkTensor) -> TensorPlace:
        if tensor.data is not None and tensor.index not in self.places:
            data = np.ascontiguousarray(tensor.data, np.int8).reshape(-1)
            self.places[tensor.index] = TensorPlace(Value(data.size, data, tensor.name), 0)
        return self.places[tensor.index]

    def _rows(self, tensor: NetworkTensor, width: int, offset: int = 0) -> RowView:
        place = self._place(tensor)
        return RowView(place.value, place.offset + offset, width, width)

    def _whole(self, tensor: NetworkTensor, offset: int = 0, length: int | None = None) -> RowView:
        place = self._place(tensor)
        length = tensor.size if length is None else length
        return RowView(place.value, place.offset + offset, 0, length, whole=True)

    def _step(self, op: NetworkOp, step: NetworkStep) -> None:
        step.tensor = op.output.index
        self.steps.append(step)

    # Products.

    def _dense(self, op: NetworkOp) -> None:
        source, weights = _int8(op.inputs[0], op.name), _int8(op.inputs[1], op.name)
        bias = op.inputs[2] if len(op.inputs) > 2 else None
        matrix = _constant(weights, op.name)
        if matrix.ndim != 2 or weights.zero_point != 0 or getattr(op.options, "weightsFormat", 0):
            raise refuse(f"{op.name} has weights {list(weights.shape)} with zero point {weights.zero_point}")
        outputs, depth = matrix.shape
        if source.size % depth or op.output.size != source.size // depth * outputs:
            raise refuse(f"{op.name} goes from {list(source.shape)} to {list(op.output.shape)}")
        sums = self._biases(op, source, weights, bias)
        scaling = _requantised(source.scale * weights.scale / op.output.scale, op.output.zero_point, op.name)
        low, high = _bounds(op)
        self._check_sums(op, matrix, sums)
        rows = source.size // depth
        self._new(op.output)
        for part, columns in _blocks(matrix):
            own, wide = len(matrix[part]), columns.stop - columns.start
            padded = np.zeros((own, wide + -wide % 4), np.int8)
            padded[:, :wide] = matrix[part, columns]
            place, target = self._place(source), self._place(op.output)
            self._step(
                op,
                NetworkStep(
                    "dense",
                    rows,
                    {"input": RowView(place.value, place.offset + columns.start, depth, wide)},
                    RowView(target.value, target.offset + part.start, outputs, own),
                    {"depth": wide, "outputs": own, **scaling, "low": low, "high": high},
                    {"weights": padded.reshape(-1), "bias": sums[part]},
                    scratch=4 * padded.shape[1],
                    cost=wide * own * 3 + own * 20 + wide * 6 + 60,
                ),
            )

    def _biases(
        self, op: NetworkOp, source: NetworkTensor, weights: NetworkTensor, bias: NetworkTensor | None
    ) -> np.ndarray:
        """Return what each sum starts with: the bias, and the input's zero point times the weights."""
        matrix = _constant(weights, op.name).astype(np.int64)
        sums = -source.zero_point * matrix.sum(1)
        if bias is not None:
            if bias.dtype != "INT32" or bias.size != len(matrix):
                raise refuse(f"{op.name} has a bias of {bias.dtype} {list(bias.shape)}")
            wanted = source.scale * weights.scale
            if abs(wanted - bias.scale) / op.output.scale > 0.02:
                raise refuse(f"{op.name} has a bias of another scale than its product")
            sums = sums + _constant(bias, op.name).reshape(-1)
        if np.abs(sums).max(initial=0) >= MAX_SUM:
            raise refuse(f"{op.name} has a bias beyond 2^30")
        return sums.astype(np.int32)

    def _check_sums(self, op: NetworkOp, matrix: np.ndarray, sums: np.ndarray) -> None:
        largest = 128 * np.abs(matrix.astype(np.int64)).sum(1) + np.abs(sums.astype(np.int64))
        if matrix.shape[1] > MAX_DEPTH or largest.max(initial=0) >= MAX_SUM:
            raise refuse(f"{op.name} may have sums beyond 2^30")

    def _product(self, op: NetworkOp) -> None:
        left, right = _int8(op.inputs[0], op.name), _int8(op.inputs[1], op.name)
        if getattr(op.options, "adjX", False) or len(left.shape) < 2 or len(right.shape) < 2:
            raise refuse(f"{op.name} transposes its left side")
        by_rows = bool(getattr(op.options, "adjY", False))
        depth, (outputs, other) = left.shape[-1], right.shape[-2:] if by_rows else right.shape[:-3:-1]
        batches = math.prod(right.shape[:-2])
        rows = left.size // depth
        if other != depth or op.output.size != rows * outputs or rows % batches:
            raise refuse(
                f"{op.name} of {list(left.shape)} and {list(right.shape)} gives {list(op.output.shape)}"
            )
        if batches > 1 and math.prod(left.shape[:-2]) != batches:
            raise refuse(f"{op.name} repeats {list(left.shape)} over {list(right.shape)}")
        if depth > MAX_DEPTH // 4:
            raise refuse(f"{op.name} sums {depth} products: {MAX_DEPTH // 4} are known to stay below 2^30")
        scaling = _requantised(left.scale * right.scale / op.output.scale, op.output.zero_point, op.name)
        self._new(op.output)
        part = rows // batches
        for batch in range(batches):
            sizes = depth * outputs
            self._step(
                op,
                NetworkStep(
                    "product_by_rows" if by_rows else "product_by_columns",
                    part,
                    {
                        "left": self._rows(left, depth, batch * part * depth),
                        "right": self._whole(right, batch * sizes, sizes),
                    },
                    self._rows(op.output, outputs, batch * part * outputs),
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

    # Element by element.

    def _operands(self, op: NetworkOp) -> tuple[int, int, list[tuple[int, int]]]:
        """Return rows, elements of a row, and of each operand how far rows and elements are apart."""
        shape = op.output.shape
        kept = [axis for axis, n in enumerate(shape) if n > 1]
        flags = []
        for tensor in (_int8(given, op.name) for given in op.inputs[:2]):
            own = (1,) * (len(shape) - len(tensor.shape)) + tensor.shape
            if len(own) != len(shape) or any(
                n not in (1, wanted) for n, wanted in zip(own, shape, strict=True)
            ):
                raise refuse(f"{op.name} spreads {list(tensor.shape)} over {list(shape)}")
            flags.append([own[axis] > 1 for axis in kept])
        cut = next((cut for cut in range(max(len(kept) - 1, 0), -1, -1) if _regular(flags, cut)), None)
        if cut is None:
            raise refuse(f"{op.name} spreads its operands over {list(shape)} irregularly")
        count = math.prod(shape[axis] for axis in kept[cut:])
        steps = []
        for flag in flags:
            inner = int(any(flag[cut:]))
            outer = (count if inner else 1) if any(flag[:cut]) else 0
            steps.append((outer, inner))
        return op.output.size // count, count, steps

    def _pair(
        self,
        op: NetworkOp,
        kernel: str,
        order: Sequence[int],
        offsets: Sequence[int],
        fields: dict[str, int],
        cost: int,
    ) -> None:
        rows, count, steps = self._operands(op)
        reads: dict[str, RowView] = {}
        numbers: dict[str, int] = {"count": count}
        for side, which in zip(("left", "right"), order, strict=True):
            tensor = _int8(op.inputs[which], op.name)
            outer, inner = steps[which]
            place = self._place(tensor)
            length = count if inner else 1
            reads[side] = RowView(place.value, place.offset, outer, length, whole=outer == 0 and rows > 1)
            numbers |= {f"{side}.next": inner, f"{side}.offset": offsets[which]}
        low, high = _bounds(op)
        self._new(op.output)
        self._step(
            op,
            NetworkStep(
                kernel,
                rows,
                reads,
                self._rows(op.output, count),
                {**numbers, **fields, "low": low, "high": high},
                cost=count * cost + 40,
            ),
        )

    def _scalar(self, op: NetworkOp) -> tuple[NetworkTensor, int, int] | None:
        """Return the operand that varies, the other's number, the first's side; None where both vary."""
        for side in (0, 1):
            other = op.inputs[1 - side]
            tensor = op.inputs[side]
            if other is not None and other.data is not None and other.size == 1 and tensor is not None:
                if tensor.data is None and tensor.size == op.output.size:
                    return tensor, int(other.data.reshape(-1)[0]), side
        return None

    def _multiply(self, op: NetworkOp) -> None:
        one, other = _int8(op.inputs[0], op.name), _int8(op.inputs[1], op.name)
        real = one.scale * other.scale / op.output.scale
        low, high = _bounds(op)
        if found := self._scalar(op):
            tensor, number, side = found
            factor = number - (other if side == 0 else one).zero_point
            multiplier, exponent = quantise_multiplier(real)

            def answer(q: int) -> int:
                return op.output.zero_point + multiply((q - tensor.zero_point) * factor, multiplier, exponent)

            self._lookup(op, tensor, answer, low, high)
            return
        fields = _requantised(real, op.output.zero_point, op.name)
        self._pair(op, "multiply", (0, 1), (-one.zero_point, -other.zero_point), fields, 20)

    def _add(self, op: NetworkOp) -> None:
        one, other = _int8(op.inputs[0], op.name), _int8(op.inputs[1], op.name)
        (first, second), out = _sum_multipliers(op, one.scale, other.scale)
        sign = -1 if op.name == "SUB" else 1
        low, high = _bounds(op)
        if found := self._scalar(op):
            tensor, number, side = found

            def answer(q: int) -> int:
                given = (q, number) if side == 0 else (number, q)
                a = _scaled(given[0] - one.zero_point, first)
                b = _scaled(given[1] - other.zero_point, second)
                return multiply(a + sign * b, *out) + op.output.zero_point

            self._lookup(op, tensor, answer, low, high)
            return
        # The operand of larger scale is exact: it is the kernel's left one.
        order = (0, 1) if one.scale >= other.scale else (1, 0)
        smaller = second if order == (0, 1) else first
        if smaller != (1 << 30, 0) and (smaller[1] >= 0 or smaller[0] == 0):
            raise refuse(f"{op.name} has operands of scales {one.scale:.3g} and {other.scale:.3g}")
        negative = {(0, 1): (1, sign), (1, 0): (sign, 1)}[order]
        fields = {
            "factor": negative[0] * (1 << 19),
            "right_multiplier": smaller[0],
            "right_shift": -smaller[1],
            "negate": min(negative[1], 0),
            **_requantised_pair(out, op.output.zero_point, op.name),
        }
        self._pair(op, "add", order, (-one.zero_point, -other.zero_point), fields, 35)

    def _lookup(
        self, op: NetworkOp, tensor: NetworkTensor, answer: Callable[[int], int], low: int, high: int
    ) -> None:
        table = np.array([min(max(answer(q), low), high) for q in range(-128, 128)], np.int8)
        self._table(op, tensor, table)

    def _table(self, op: NetworkOp, tensor: NetworkTensor, table: np.ndarray) -> None:
        if tensor.size != op.output.size:
            raise refuse(f"{op.name} goes from {list(tensor.shape)} to {list(op.output.shape)}")
        count = op.output.shape[-1] if op.output.shape else 1
        self._new(op.output)
        self._step(
            op,
            NetworkStep(
                "lookup",
                op.output.size // count,
                {"input": self._rows(tensor, count)},
                self._rows(op.output, count),
                {"count": count},
                {"table": table},
                cost=6 * count + 30,
            ),
        )

    def _tanh(self, op: NetworkOp) -> None:
        tensor = _int8(op.inputs[0], op.name)
        if op.output.scale != 1 / 128 or op.output.zero_point != 0:
            raise refuse("TANH has an output of another scale than 1/128")
        self._table(op, tensor, tanh_table(tensor.scale, tensor.zero_point))

    def _relu(self, op: NetworkOp) -> None:
        tensor = _int8(op.inputs[0], op.name)
        self._rescaled(op, tensor, max(-128, op.output.zero_point))

    def _quantise(self, op: NetworkOp) -> None:
        tensor = _int8(op.inputs[0], op.name)
        self._rescaled(op, tensor, -128)

    def _rescaled(self, op: NetworkOp, tensor: NetworkTensor, low: int) -> None:
        multiplier, exponent = quantise_multiplier(tensor.scale / op.output.scale)

        def answer(q: int) -> int:
            return op.output.zero_point + multiply(q - tensor.zero_point, multiplier, exponent)

        self._lookup(op, tensor, answer, low, 127)

    # RowView, and what only moves.

    def _softmax(self, op: NetworkOp) -> None:
        tensor = _int8(op.inputs[0], op.name)
        beta = float(getattr(op.options, "beta", 0.0))
        if op.output.scale != 1 / 256 or op.output.zero_point != -128 or tensor.size != op.output.size:
            raise refuse("SOFTMAX has an output of another scale than 1/256")
        count = tensor.shape[-1] if tensor.shape else 1
        if count > MAX_SOFTMAX or not 0 < beta <= 1:
            raise refuse(f"SOFTMAX of {count} elements with beta {beta:g}")
        if tensor.scale * beta * (1 << 26) < 1:
            raise refuse(f"SOFTMAX has an input of scale {tensor.scale:.3g}")
        self._new(op.output)
        self._step(
            op,
            NetworkStep(
                "softmax",
                tensor.size // count,
                {"input": self._rows(tensor, count)},
                self._rows(op.output, count),
                {"count": count},
                {"exponentials": softmax_exponentials(tensor.scale, beta)},
                cost=28 * count + 150,
            ),
        )

    def _reduce(self, op: NetworkOp) -> None:
        tensor = _int8(op.inputs[0], op.name)
        axes = _constant(op.inputs[1] if len(op.inputs) > 1 else None, op.name).reshape(-1)
        dims = len(tensor.shape)
        if any(not -dims <= int(axis) < dims for axis in axes):
            raise refuse(f"{op.name} over axes {axes.tolist()} of {list(tensor.shape)}")
        over = sorted({int(axis) % dims for axis in axes})
        mean = op.name == "MEAN"
        if not mean:
            self._same_scale(op, [tensor])
        if not over or over != list(range(over[0], over[-1] + 1)):
            raise refuse(f"{op.name} over the axes {over}")
        terms = math.prod(tensor.shape[over[0] : over[-1] + 1])
        count = math.prod(tensor.shape[over[-1] + 1 :])
        rows = math.prod(tensor.shape[: over[0]])
        if op.output.size != rows * count:
            raise refuse(f"{op.name} goes from {list(tensor.shape)} to {list(op.output.shape)}")
        if mean and terms == 1:
            self._rescaled(op, tensor, -128)
            return
        self._new(op.output)
        self._step(
            op,
            NetworkStep(
                "mean" if mean else "maximum",
                rows,
                {"input": self._rows(tensor, terms * count)},
                self._rows(op.output, count),
                {"terms": terms, "count": count, **(_mean(tensor, op.output, terms) if mean else {})},
                cost=count * (6 * terms + 12) + 30,
            ),
        )

    def _reshape(self, op: NetworkOp) -> None:
        tensor = _int8(op.inputs[0], op.name)
        if tensor.size != op.output.size:
            raise refuse(f"RESHAPE goes from {list(tensor.shape)} to {list(op.output.shape)}")
        self._same_scale(op, [tensor])
        self.places[op.output.index] = self._place(tensor)

    def _same_scale(self, op: NetworkOp, tensors: Sequence[NetworkTensor]) -> None:
        wanted = op.output.scale, op.output.zero_point
        if any((tensor.scale, tensor.zero_point) != wanted for tensor in tensors):
            raise refuse(f"{op.name} changes the scale")

    def _concatenation(self, op: NetworkOp) -> None:
        tensors = [_int8(tensor, op.name) for tensor in op.inputs]
        self._same_scale(op, tensors)
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
        place, width, at = self._new(op.output), shape[axis] * inner, 0
        for tensor in tensors:
            own = tensor.shape[axis] * inner
            output = RowView(place.value, at, width, own)
            self._copy(op, outer, self._rows(tensor, own), output, (1, own), (0, 1), (0, 1))
            at += own

    def _transpose(self, op: NetworkOp) -> None:
        tensor = _int8(op.inputs[0], op.name)
        order = _constant(op.inputs[1] if len(op.inputs) > 1 else None, op.name).reshape(-1).tolist()
        if sorted(order) != list(range(len(tensor.shape))):
            raise refuse(f"TRANSPOSE by {order} of {list(tensor.shape)}")
        self._moved(op, tensor, np.arange(tensor.size).reshape(tensor.shape).transpose(order))

    def _slice(self, op: NetworkOp) -> None:
        tensor = _int8(op.inputs[0], op.name)
        begin, end, stride = (_constant(part, op.name).reshape(-1).tolist() for part in op.inputs[1:4])
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
        self._moved(op, tensor, np.arange(tensor.size).reshape(tensor.shape)[tuple(cuts)])

    def _moved(self, op: NetworkOp, tensor: NetworkTensor, indices: np.ndarray) -> None:
        """Make a tensor of some elements of another: an alias where they lie side by side."""
        self._same_scale(op, [tensor])
        regular = _affine(indices)
        if regular is None or indices.size != op.output.size or len(regular[0]) > 3:
            raise refuse(f"{op.name} goes from {list(tensor.shape)} to {list(op.output.shape)} irregularly")
        sizes, distances, first = regular
        place = self._place(tensor)
        if np.array_equal(indices.reshape(-1), first + np.arange(indices.size)):
            self.places[op.output.index] = TensorPlace(place.value, place.offset + first)
            return
        sizes, distances = (1,) * (3 - len(sizes)) + sizes, (0,) * (3 - len(sizes)) + distances
        width = sizes[1] * sizes[2]
        source = RowView(place.value, place.offset + first, distances[0], tensor.size - first, whole=True)
        output = self._rows_of_new(op.output, width)
        self._copy(op, sizes[0], source, output, sizes[1:], distances[1:], (sizes[2], 1))

    def _rows_of_new(self, tensor: NetworkTensor, width: int) -> RowView:
        return RowView(self._new(tensor).value, 0, width, width)

    def _copy(
        self,
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
        self._step(op, NetworkStep("copy", rows, {"input": source}, output, fields, cost=cost))


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


def _regular(flags: Sequence[Sequence[bool]], cut: int) -> bool:
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
    if terms > MAX_DEPTH or not -6 <= shift <= 30 or multiplier == 0:
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
    return _requantised(multiplier * 2.0 ** (exponent - 31), zero_point, what)
