# SPDX-License-Identifier: Apache-2.0
"""`check_model`: whether a .tflite is one that export could have written; no other reaches a runtime."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from mmq_bridge.errors import BridgeError
from mmq_bridge.tflite.model_file import FileOp, FileTensor, ModelFile, read_model

MIN_BYTES = 256
MAX_BYTES = 64_000_000
MAX_OPS = 4096
MAX_RANK = 6
MAX_WORK = 1 << 29
"""Multiplications and elements of one run."""
MAX_TENSOR_BYTES = 1 << 27
"""All computed tensors of one run together."""
_SCALES = 1e-12, 1e12
_ACTIVATIONS = (0, 1, 3)  # none, ReLU, ReLU6
Shape = tuple[int, ...]


def check_model(content: bytes, where: str = "model") -> ModelFile:
    """Read a .tflite and compare all of it with what export writes.

    Structure, operators and their options, tensors, types, shapes, scales and sizes are checked: one graph
    with one signature, each operator with the shape that follows from its inputs, every constant as long as
    its shape says, float32 or int8 throughout.

    Returns
    -------
    ModelFile

    Raises
    ------
    BridgeError
        In one sentence that begins with `where`.
    """
    check_head(content, where)
    try:
        model = read_model(content)
        _check(model)
    except (struct.error, ValueError, OverflowError, ZeroDivisionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise BridgeError(f"{where}: not a .tflite that mmq-tf writes ({reason}); export again.") from error
    return model


def check_head(content: bytes, where: str) -> None:
    """Raise BridgeError, in one sentence that begins with `where`, unless size and identifier are right."""
    if not MIN_BYTES <= len(content) <= MAX_BYTES:
        raise BridgeError(
            f"{where}: expected {MIN_BYTES} to {MAX_BYTES} bytes of .tflite, got {len(content)}; export "
            "again."
        )
    if content[4:8] != b"TFL3":
        raise BridgeError(
            f"{where}: expected a .tflite (identifier TFL3), got {content[4:8]!r}; export again."
        )


def _check(model: ModelFile) -> None:
    if len(model.ops) > MAX_OPS:
        raise ValueError(f"it has {len(model.ops)} operators")
    check_order(model)
    for tensor in model.tensors:
        _check_numbers(tensor)
    computed = [*model.inputs.values(), *(op.output for op in model.ops)]
    if sum(4 * tensor.size for tensor in computed) > MAX_TENSOR_BYTES:
        raise ValueError("its tensors take more memory than any of ours")
    for op in model.ops:
        _check_op(op)
    if work(model) > MAX_WORK:
        raise ValueError("it computes more than any of ours")


def work(model: ModelFile) -> int:
    """Return the multiplications and elements of one run, roughly."""
    return sum(_work(op) for op in model.ops)


def _work(op: FileOp) -> int:
    first, size = op.inputs[0], op.output.size
    if first is None or op.name not in ("FULLY_CONNECTED", "BATCH_MATMUL"):
        return size + sum(tensor.size for tensor in op.inputs if tensor is not None)
    adjoint = op.name == "BATCH_MATMUL" and op.options["adjoint_x"]
    return size * first.shape[-2 if adjoint else -1]


def check_order(model: Any) -> None:
    """Raise ValueError where a tensor is read before it is written, or written twice.

    Parameters
    ----------
    model : ModelFile or NetworkGraph
        Operations in order, each with its inputs and output; inputs and outputs by name.
    """
    known = {tensor.index for tensor in model.inputs.values()}
    if any(tensor.data is not None for tensor in model.inputs.values()):
        raise ValueError("an input is a constant")
    for op in model.ops:
        for tensor in op.inputs:
            if tensor is not None and tensor.data is None and tensor.index not in known:
                raise ValueError(f"tensor {tensor.index} is read before it is computed")
        if op.output.index in known or op.output.data is not None:
            raise ValueError(f"tensor {op.output.index} is written twice")
        known.add(op.output.index)
    if any(tensor.index not in known for tensor in model.outputs.values()):
        raise ValueError("an output is never computed")


def _check_numbers(tensor: FileTensor) -> None:
    """Raise where scales and zero points are not those of such a tensor."""
    scales, zeros = tensor.scales, tensor.zero_points
    wrong = [scale for scale in scales if not _SCALES[0] <= scale <= _SCALES[1]]
    if wrong:
        raise ValueError(f"tensor {tensor.index} has the scale {wrong[0]}")
    low, high = (-128, 127) if tensor.dtype == "int8" else (0, 0)
    if any(not low <= zero <= high for zero in zeros) or len(zeros) not in (0, len(scales)):
        raise ValueError(f"tensor {tensor.index} has zero points that cannot be")
    if tensor.dtype == "float32" and scales:
        raise ValueError(f"tensor {tensor.index} is float32 and has a scale")
    if tensor.dtype == "int8" and not scales:
        raise ValueError(f"tensor {tensor.index} is int8 and has no scale")
    if len(scales) > 1:
        axis = tensor.channel_axis
        if tensor.data is None or not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != len(scales):
            raise ValueError(f"tensor {tensor.index} has {len(scales)} scales")


def _check_op(op: FileOp) -> None:
    shape = _SHAPES[op.name](op)
    if shape != op.output.shape:
        raise ValueError(f"a {op.name} makes {list(shape)}, not {list(op.output.shape)}")
    ranks = [len(tensor.shape) for tensor in (*op.inputs, op.output) if tensor is not None]
    if max(ranks) > MAX_RANK:
        raise ValueError(f"a {op.name} has {max(ranks)} dimensions")
    if op.options.get("activation", 0) not in _ACTIVATIONS:
        raise ValueError(f"a {op.name} has an activation that export does not write")
    data = _data(op)
    if op.name in _BORDERS:
        if (data[0].dtype, op.output.dtype) not in _BORDERS[op.name]:
            raise ValueError(f"a {op.name} turns {data[0].dtype} into {op.output.dtype}")
    elif len({tensor.dtype for tensor in (*data, op.output)}) > 1 or op.output.dtype == "int32":
        raise ValueError(f"a {op.name} has tensors of several types")
    if op.output.dtype == "int8":
        _check_scales(op, data)


_BORDERS = {
    "QUANTIZE": {("float32", "int8"), ("int8", "int8")},
    "DEQUANTIZE": {("int8", "float32")},
}


def _data(op: FileOp) -> list[FileTensor]:
    """Return the inputs that are numbers to compute with, not sizes, axes or a bias."""
    count = {"ADD": 2, "SUB": 2, "MUL": 2, "FULLY_CONNECTED": 2, "BATCH_MATMUL": 2}.get(op.name, 1)
    return _given(op, len(op.inputs) if op.name == "CONCATENATION" else count)


def _check_scales(op: FileOp, data: list[FileTensor]) -> None:
    """Raise where a runtime's fixed-point arithmetic has no number for the scales."""
    into = op.output.scales[0]
    if len(op.output.scales) != 1 or any(len(t.scales) > 1 for t in data[:1]):
        raise ValueError(f"a {op.name} has several scales")
    if op.name in ("ADD", "SUB"):
        ratio = 2 * max(tensor.scales[0] for tensor in data) / (into * (1 << 20))
        if not 1e-9 < ratio < 1:
            raise ValueError(f"a {op.name} has scales that cannot be added")
    elif op.name in ("MUL", "FULLY_CONNECTED", "BATCH_MATMUL"):
        ratios = [data[0].scales[0] * scale / into for scale in data[1].scales]
        if not all(2**-30 < ratio < 2**20 for ratio in ratios):
            raise ValueError(f"a {op.name} has scales that do not fit its output's")
        if len(op.inputs) == 3 and op.inputs[2] is not None:
            wanted = [data[0].scales[0] * scale for scale in data[1].scales]
            pairs = zip(op.inputs[2].scales, wanted, strict=True)
            if not all(math.isclose(scale, product, rel_tol=1e-3) for scale, product in pairs):
                raise ValueError(f"a {op.name} has a bias of another scale")
    elif op.name == "SOFTMAX" and not data[0].scales[0] * (1 << 26) > 1:
        raise ValueError("a SOFTMAX has too small a scale")
    elif data[0].scales and not 2**-20 < data[0].scales[0] / into < 2**20:
        raise ValueError(f"a {op.name} has scales that do not fit its output's")


def _given(op: FileOp, count: int, most: int | None = None) -> list[FileTensor]:
    """Return the first inputs, of which none may be left out."""
    found = [tensor for tensor in op.inputs[:count] if tensor is not None]
    if len(found) != count:
        raise ValueError(f"a {op.name} lacks an input")
    if most is not None and len(op.inputs) > most:
        raise ValueError(f"a {op.name} has {len(op.inputs)} inputs")
    return found


def _whole_numbers(tensor: FileTensor | None, what: str) -> Shape:
    """Return the int32 of a constant of sizes or axes."""
    if tensor is None or tensor.data is None or tensor.dtype != "int32" or len(tensor.shape) > 1:
        raise ValueError(f"{what} are no constant")
    return struct.unpack(f"<{tensor.size}i", tensor.data)


def _same(op: FileOp) -> Shape:
    (first,) = _given(op, 1, 1)
    beta = op.options.get("beta", 1.0)
    if not (math.isfinite(beta) and 1e-3 <= beta <= 1e3) or (op.name == "SOFTMAX" and not first.shape):
        raise ValueError(f"a {op.name} has beta = {beta}")
    return first.shape


def _broadcast(first: Shape, second: Shape) -> Shape:
    rank = max(len(first), len(second))
    pairs = zip((1,) * (rank - len(first)) + first, (1,) * (rank - len(second)) + second, strict=True)
    return tuple(_wider(one, other) for one, other in pairs)


def _wider(one: int, other: int) -> int:
    if one != other and 1 not in (one, other):
        raise ValueError(f"sizes {one} and {other} do not go together")
    return max(one, other)


def _pair(op: FileOp) -> Shape:
    first, second = _given(op, 2, 2)
    return _broadcast(first.shape, second.shape)


def _dense(op: FileOp) -> Shape:
    values, weights = _given(op, 2, 3)
    plain = not (op.options["weights_format"] or op.options["asymmetric"] or op.options["bias_type"])
    if not plain or weights.data is None or len(weights.shape) != 2 or not values.shape:
        raise ValueError("a FULLY_CONNECTED has other weights than export writes")
    outputs, depth = weights.shape
    bias = op.inputs[2] if len(op.inputs) == 3 else None
    if bias is not None:
        wanted = "int32" if op.output.dtype == "int8" else "float32"
        if bias.data is None or bias.size != outputs or bias.dtype != wanted or len(bias.shape) != 1:
            raise ValueError("a FULLY_CONNECTED has a bias that does not fit")
    if len(weights.scales) > 1 and (weights.channel_axis != 0 or len(weights.scales) != outputs):
        raise ValueError("a FULLY_CONNECTED has scales along its depth")
    if values.size % depth or (op.options["keep_dims"] and values.shape[-1] != depth):
        raise ValueError(f"a FULLY_CONNECTED of depth {depth} gets {list(values.shape)}")
    return (*values.shape[:-1], outputs) if op.options["keep_dims"] else (values.size // depth, outputs)


def _product(op: FileOp) -> Shape:
    left, right = (tensor.shape for tensor in _given(op, 2, 2))
    if min(len(left), len(right)) < 2 or op.options["asymmetric"]:
        raise ValueError("a BATCH_MATMUL has no matrices")
    if max(len(left), len(right)) > 5:
        raise ValueError("a BATCH_MATMUL has over 5 dimensions")
    rows, depth = left[-2:][::-1] if op.options["adjoint_x"] else left[-2:]
    same, columns = right[-2:][::-1] if op.options["adjoint_y"] else right[-2:]
    if depth != same:
        raise ValueError(f"a BATCH_MATMUL has depths {depth} and {same}")
    return (*_broadcast(left[:-2], right[:-2]), rows, columns)


def _concatenation(op: FileOp) -> Shape:
    shapes = [tensor.shape for tensor in _given(op, len(op.inputs))]
    axis, rank = op.options["axis"], len(shapes[0])
    if not -rank <= axis < rank or any(len(shape) != rank for shape in shapes) or op.options["activation"]:
        raise ValueError(f"a CONCATENATION along {axis} of {rank} dimensions")
    axis %= rank
    if any(_without(shape, axis) != _without(shapes[0], axis) for shape in shapes):
        raise ValueError("a CONCATENATION has sizes that do not go together")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _reduced(op: FileOp) -> Shape:
    values, wanted = _given(op, 2, 2)
    rank, axes = len(values.shape), _whole_numbers(wanted, f"the axes of a {op.name}")
    if not axes or any(not -rank <= axis < rank for axis in axes):
        raise ValueError(f"a {op.name} has axes {list(axes)[:9]}")
    gone = {axis % rank for axis in axes}
    if len(gone) != len(axes):
        raise ValueError(f"a {op.name} has an axis twice")
    if op.options["keep_dims"]:
        return tuple(1 if axis in gone else size for axis, size in enumerate(values.shape))
    return tuple(size for axis, size in enumerate(values.shape) if axis not in gone)


def _reshaped(op: FileOp) -> Shape:
    (values,) = _given(op, 1, 2)
    if len(op.inputs) == 2:
        wanted = _whole_numbers(op.inputs[1], "the sizes of a RESHAPE")
    else:
        wanted = op.options.get("shape") or ()
    known = math.prod(size for size in wanted if size != -1)
    if wanted.count(-1) > 1 or any(size < -1 or size == 0 for size in wanted) or values.size % known:
        raise ValueError(f"a RESHAPE of {list(values.shape)} to {list(wanted)[:9]}")
    shape = tuple(values.size // known if size == -1 else size for size in wanted)
    if math.prod(shape) != values.size:
        raise ValueError(f"a RESHAPE of {list(values.shape)} to {list(wanted)[:9]}")
    return shape


def _slice(op: FileOp) -> Shape:
    (values,) = _given(op, 1, 4)
    options, rank = op.options, len(values.shape)
    if options["ellipsis"] or options["new_axis"] or options["offset"] or len(op.inputs) != 4:
        raise ValueError("a STRIDED_SLICE that export does not write")
    parts = [_whole_numbers(tensor, "the ends of a STRIDED_SLICE") for tensor in op.inputs[1:]]
    if any(len(part) != rank for part in parts) or any(stride < 1 for stride in parts[2]):
        raise ValueError("a STRIDED_SLICE does not fit its input")
    shape = []
    for axis, (size, begin, end, stride) in enumerate(zip(values.shape, *parts, strict=True)):
        bit = 1 << axis
        if options["shrink_axis"] & bit:
            if not -size <= begin < size:
                raise ValueError("a STRIDED_SLICE takes what is not there")
            continue
        taken = slice(
            None if options["begin"] & bit else begin, None if options["end"] & bit else end, stride
        )
        shape.append(len(range(*taken.indices(size))))
    return tuple(shape)


def _transposed(op: FileOp) -> Shape:
    values, wanted = _given(op, 2, 2)
    order = _whole_numbers(wanted, "the axes of a TRANSPOSE")
    if sorted(order) != list(range(len(values.shape))):
        raise ValueError(f"a TRANSPOSE of {len(values.shape)} dimensions by {list(order)[:9]}")
    return tuple(values.shape[axis] for axis in order)


_SHAPES: dict[str, Callable[[FileOp], Shape]] = {
    **dict.fromkeys(("RELU", "TANH", "SOFTMAX", "QUANTIZE", "DEQUANTIZE"), _same),
    **dict.fromkeys(("ADD", "SUB", "MUL"), _pair),
    **dict.fromkeys(("MEAN", "REDUCE_MAX"), _reduced),
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _product,
    "CONCATENATION": _concatenation,
    "RESHAPE": _reshaped,
    "STRIDED_SLICE": _slice,
    "TRANSPOSE": _transposed,
}
