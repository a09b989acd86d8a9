# SPDX-License-Identifier: Apache-2.0
"""From the operations of an int8 .tflite to steps of the kernels, with the numbers Micro prepares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mmq_bridge.errors import BridgeError
from mmq_bridge.network.graph import NetworkGraph, NetworkOp, refuse
from mmq_bridge.network.lower_elementwise import (
    lower_add,
    lower_multiply,
    lower_quantise,
    lower_reduction,
    lower_relu,
    lower_softmax,
    lower_tanh,
)
from mmq_bridge.network.lower_moves import lower_concatenation, lower_reshape, lower_slice, lower_transpose
from mmq_bridge.network.lower_products import lower_dense, lower_product
from mmq_bridge.network.lowering import Lowering, int8_of
from mmq_bridge.network.steps import Lowered

KNOWN: Mapping[str, Callable[[Lowering, NetworkOp], None]] = MappingProxyType(
    {
        "ADD": lower_add,
        "BATCH_MATMUL": lower_product,
        "CONCATENATION": lower_concatenation,
        "FULLY_CONNECTED": lower_dense,
        "MEAN": lower_reduction,
        "MUL": lower_multiply,
        "QUANTIZE": lower_quantise,
        "REDUCE_MAX": lower_reduction,
        "RELU": lower_relu,
        "RESHAPE": lower_reshape,
        "SOFTMAX": lower_softmax,
        "STRIDED_SLICE": lower_slice,
        "SUB": lower_add,
        "TANH": lower_tanh,
        "TRANSPOSE": lower_transpose,
    }
)
"""What lowers each operation."""

OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "ADD": "AddOptionsT",
        "BATCH_MATMUL": "BatchMatMulOptionsT",
        "CONCATENATION": "ConcatenationOptionsT",
        "FULLY_CONNECTED": "FullyConnectedOptionsT",
        "MEAN": "ReducerOptionsT",
        "MUL": "MulOptionsT",
        "REDUCE_MAX": "ReducerOptionsT",
        "SOFTMAX": "SoftmaxOptionsT",
        "STRIDED_SLICE": "StridedSliceOptionsT",
        "SUB": "SubOptionsT",
    }
)
"""The options of those that have any to read: TFLite Micro ignores another operation's."""


def lower(graph: NetworkGraph) -> Lowered:
    """Return the steps of a network.

    Raises
    ------
    BridgeError
        Naming the first thing whose bits the kernels would not give.
    """
    state = Lowering(graph)
    for op in graph.ops:
        if op.name not in KNOWN:
            raise refuse(f"the operation {op.name} is not known")
        int8_of(op.output, op.name)
        if op.options is not None and type(op.options).__name__ != OPTIONS.get(
            op.name, type(op.options).__name__
        ):
            raise refuse(f"{op.name} has the options of another operation")
        try:
            KNOWN[op.name](state, op)
        except BridgeError:
            raise
        except (IndexError, ValueError, TypeError, AttributeError, ArithmeticError, KeyError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
            raise refuse(f"{op.name} has inputs or options that do not fit ({reason})") from error
    if not state.steps:
        raise refuse("the model computes nothing")
    return Lowered(state.steps, state.places)
