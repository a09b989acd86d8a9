# SPDX-License-Identifier: Apache-2.0
"""An int8 .tflite as tensors with their numbers and operations in order."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmq_bridge.decision.runtime import check_flatbuffer, litert_schema
from mmq_bridge.errors import BridgeError
from mmq_bridge.tflite.check import check_order

MAX_BYTES = 1 << 24
"""Of one tensor: an arena, weights and offsets of 32 bits hold it with room to spare."""
_TYPES = {"INT8": np.dtype("int8"), "INT32": np.dtype("<i4")}


@dataclass(frozen=True, eq=False)
class NetworkTensor:
    """One tensor; `data` is what a constant holds, None for what is computed.

    Attributes
    ----------
    index : int
        In the file.
    shape : tuple of int
    scale : float
        A float32, exactly; 0 where it has none.
    zero_point : int
    scales : int
        How many there are: more than one for weights with a scale per channel.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    scales: int
    data: np.ndarray | None = field(repr=False)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class NetworkOp:
    """One operation of the file: its name, its tensors (None where one is left out), its options."""

    name: str
    inputs: tuple[NetworkTensor | None, ...]
    output: NetworkTensor
    options: Any


@dataclass(frozen=True, eq=False)
class NetworkGraph:
    """Operations in order; inputs and outputs by the signature's names, in order."""

    ops: tuple[NetworkOp, ...]
    inputs: dict[str, NetworkTensor]
    outputs: dict[str, NetworkTensor]


def refuse(what: str) -> BridgeError:
    """Return the error that names what the generator does not know."""
    return BridgeError(f"network: {what}; deploy the .tflite with TFLite Micro instead.")


def read_network(content: bytes) -> NetworkGraph:
    """Read a .tflite model with one subgraph and one signature.

    Raises
    ------
    BridgeError
        If the content is not such a model, or LiteRT, whose reader this is, is not installed.
    """
    check_flatbuffer(content, "network")
    try:
        return _read(litert_schema().ModelT.InitFromPackedBuf(bytearray(content), 0))
    except (
        struct.error,
        IndexError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        OverflowError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BridgeError(f"network: the .tflite is damaged ({reason}); export again.") from error


def _read(model: Any) -> NetworkGraph:
    (graph,) = model.subgraphs
    (signature,) = model.signatureDefs
    tensors = [_tensor(index, tensor, model.buffers) for index, tensor in enumerate(graph.tensors)]
    names = _names("BuiltinOperator")
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]

    def named(entries: Any, order: Any) -> dict[str, NetworkTensor]:
        by_index = {int(entry.tensorIndex): entry.name.decode("ascii") for entry in entries}
        if len(set(by_index.values())) != len(order) or not len(order):
            raise ValueError("the signature does not name every input and output once")
        if not all(name and name.isprintable() for name in by_index.values()):
            raise ValueError("an input or output has a name that cannot be printed")
        return {by_index[int(index)]: tensors[int(index)] for index in order}

    ops = []
    for op in graph.operators:
        (output,) = op.outputs
        inputs = tuple(None if int(i) < 0 else tensors[int(i)] for i in op.inputs)
        if int(output) < 0:
            raise ValueError("an operation has no output")
        ops.append(NetworkOp(names[codes[op.opcodeIndex]], inputs, tensors[int(output)], op.builtinOptions))
    found = NetworkGraph(
        tuple(ops), named(signature.inputs, graph.inputs), named(signature.outputs, graph.outputs)
    )
    check_order(found)
    return found


def _names(enumeration: str) -> dict[int, str]:
    members = vars(getattr(litert_schema(), enumeration))
    return {value: name for name, value in members.items() if isinstance(value, int)}


def _tensor(index: int, tensor: Any, buffers: Any) -> NetworkTensor:
    quantisation = tensor.quantization
    scales = () if quantisation is None or quantisation.scale is None else tuple(quantisation.scale)
    zeros = () if quantisation is None or quantisation.zeroPoint is None else tuple(quantisation.zeroPoint)
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    dtype = _names("TensorType")[tensor.type]
    if min(shape, default=1) < 1 or math.prod(shape) > MAX_BYTES:
        raise ValueError(f"tensor {index} has the shape {list(shape)}")
    if tensor.shapeSignature is not None and any(int(size) < 0 for size in tensor.shapeSignature):
        raise ValueError(f"tensor {index} has a dynamic shape")
    scale = float(scales[0]) if scales else 0.0
    zero_point = int(zeros[0]) if zeros else 0
    if not math.isfinite(scale) or scale < 0 or not -128 <= zero_point <= 127:
        raise ValueError(f"tensor {index} has scale {scale} and zero point {zero_point}")
    data = _data(index, dtype, shape, buffers[tensor.buffer])
    name = (tensor.name or b"").decode("utf-8", "replace")
    return NetworkTensor(index, name, dtype, shape, scale, zero_point, len(scales), data)


def _data(index: int, dtype: str, shape: tuple[int, ...], buffer: Any) -> np.ndarray | None:
    if buffer.data is None or len(buffer.data) == 0:
        return None
    if dtype not in _TYPES:
        raise ValueError(f"constant tensor {index} is of type {dtype}")
    content = bytes(bytearray(buffer.data))
    if len(content) != math.prod(shape) * _TYPES[dtype].itemsize:
        raise ValueError(f"constant tensor {index} has {len(content)} bytes")
    return np.frombuffer(content, _TYPES[dtype]).reshape(shape)
