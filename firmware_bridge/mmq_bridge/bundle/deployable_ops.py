# SPDX-License-Identifier: Apache-2.0
"""The operations that a deployed model may hold."""

from __future__ import annotations

from collections import Counter

from mmq_bridge.bundle.flatbuffer import OpFacts, read_graph
from mmq_bridge.errors import BridgeError

ALLOWED_OPS = frozenset(
    {
        "ADD",
        "BATCH_MATMUL",
        "CONCATENATION",
        "FULLY_CONNECTED",
        "MEAN",
        "MUL",
        "REDUCE_MAX",
        "RELU",
        "RESHAPE",
        "SOFTMAX",
        "STRIDED_SLICE",
        "SUB",
        "TANH",
        "TRANSPOSE",
    }
)
"""Operations whose int8 kernels agree in LiteRT and TFLite Micro. RELU6 is right only when fused: not one."""

_BORDER_OPS = frozenset({"QUANTIZE", "DEQUANTIZE"})


def check_ops(content: bytes) -> None:
    """Raise `BridgeError` where a model holds an operation that is not right on every runtime.

    QUANTIZE and DEQUANTIZE are allowed at the model's float inputs and outputs only: elsewhere they are the
    shore of a float island. From int8 to int8 a QUANTIZE only changes the scale, as ensembles need.
    """
    graph = read_graph(content)
    float_io = any(tensor.dtype == "float32" for tensor in (*graph.inputs.values(), *graph.outputs.values()))
    borders = len(graph.inputs) + len(graph.outputs)
    counts = Counter(op.name for op in graph.ops if not _changes_scale(op))
    wrong = sorted(set(counts) - ALLOWED_OPS - (_BORDER_OPS if float_io else frozenset()))
    if wrong or sum(counts[name] for name in _BORDER_OPS) > borders:
        wrong = wrong or sorted(_BORDER_OPS & set(counts))
        raise BridgeError(
            f"model: operations {', '.join(wrong)} are not exact in int8 on every runtime; write the layer "
            f"with {', '.join(sorted(ALLOWED_OPS))}."
        )


def _changes_scale(op: OpFacts) -> bool:
    """Whether an operation gives int8 numbers another scale, and nothing else."""
    tensors = (*op.inputs, *op.outputs)
    return op.name == "QUANTIZE" and all(tensor is not None and tensor.dtype == "int8" for tensor in tensors)
