# SPDX-License-Identifier: Apache-2.0
"""Read a .tflite file's graph without running it."""

import dataclasses
import functools
import math
import struct
from collections import Counter
from typing import Any

from mmq_bridge.decision.runtime import litert_schema
from mmq_bridge.errors import BridgeError

_PRODUCTS = frozenset({"FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"})


@dataclasses.dataclass(frozen=True)
class TensorFacts:
    """One tensor: its name, type, shape and, where it is quantised, scales and zero points."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class OpFacts:
    """One operation: its name, its input and output tensors (None where one is left out), its options."""

    name: str
    inputs: tuple[TensorFacts | None, ...]
    outputs: tuple[TensorFacts | None, ...]
    options: Any


@dataclasses.dataclass(frozen=True)
class GraphFacts:
    """A model's operations in order, and its inputs and outputs by the signature's names, in order."""

    ops: tuple[OpFacts, ...]
    inputs: dict[str, TensorFacts]
    outputs: dict[str, TensorFacts]


def read_graph(content: bytes) -> GraphFacts:
    """Read the graph of a .tflite model with one subgraph.

    Raises
    ------
    BridgeError
        If the content is not such a model, or LiteRT is not installed.
    """
    if len(content) < 8 or content[4:8] != b"TFL3":
        raise BridgeError(
            f"model: expected a TFLite flatbuffer (identifier TFL3), got {len(content)} bytes of something "
            f"else; give the content of a .tflite file."
        )
    schema = litert_schema()
    try:
        return _read(schema.ModelT.InitFromPackedBuf(content))
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise BridgeError(f"model: the flatbuffer is damaged ({error}); copy or convert it again.") from error


def _read(model) -> GraphFacts:
    (graph,) = model.subgraphs
    tensors = [_tensor(tensor) for tensor in graph.tensors]
    names = _names("BuiltinOperator")
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]

    def pick(indices):
        return tuple(None if index < 0 else tensors[index] for index in indices)

    ops = tuple(
        OpFacts(names[codes[op.opcodeIndex]], pick(op.inputs), pick(op.outputs), op.builtinOptions)
        for op in graph.operators
    )
    (signature,) = model.signatureDefs
    inputs = {entry.tensorIndex: entry.name.decode() for entry in signature.inputs}
    outputs = {entry.tensorIndex: entry.name.decode() for entry in signature.outputs}
    return GraphFacts(
        ops,
        {inputs[index]: tensors[index] for index in graph.inputs},
        {outputs[index]: tensors[index] for index in graph.outputs},
    )


@functools.cache
def _names(enumeration: str) -> dict[int, str]:
    """Return the names of an enumeration of the schema by their numbers."""
    members = vars(getattr(litert_schema(), enumeration))
    return {value: name for name, value in members.items() if isinstance(value, int)}


def _tensor(tensor) -> TensorFacts:
    quantisation = tensor.quantization
    scales = () if quantisation is None or quantisation.scale is None else tuple(quantisation.scale)
    zeros = () if quantisation is None or quantisation.zeroPoint is None else tuple(quantisation.zeroPoint)
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    return TensorFacts(
        (tensor.name or b"").decode(),
        _names("TensorType")[tensor.type].lower(),
        shape,
        tuple(float(scale) for scale in scales),
        tuple(int(zero) for zero in zeros),
    )


def list_ops(content: bytes) -> Counter:
    """Return how often each operation occurs in a .tflite model."""
    return Counter(op.name for op in read_graph(content).ops)


def count_macs(content: bytes) -> int:
    """Return the multiply-accumulates of one inference: dense layers, batch products and convolutions.

    Padding counts as if it were multiplied. Pooling, activations and additions are none.
    """
    return sum(_macs(op) for op in read_graph(content).ops if op.name in _PRODUCTS)


def _macs(op: OpFacts) -> int:
    left, right, result = op.inputs[0], op.inputs[1], op.outputs[0]
    if left is None or right is None or result is None:
        raise BridgeError(f"model: a {op.name} lacks its input or output; convert it again.")
    if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        # Kernels are [outputs, height, width, inputs] and, a channel each, [1, height, width, outputs].
        kernel = right.shape[1:] if op.name == "CONV_2D" else right.shape[1:-1]
        return math.prod(result.shape) * math.prod(kernel)
    transposed = op.name == "BATCH_MATMUL" and op.options is not None and op.options.adjX
    return math.prod(result.shape) * left.shape[-2 if transposed else -1]
