# SPDX-License-Identifier: Apache-2.0
"""Models of one operation, TFLite Micro beside the core, and the shipped model."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from mmq_bridge.bundle.micro_tensors import MicroTensors
from mmq_bridge.core_binding.network import Network
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.plan_file import plan_file

SHIPPED = Path(__file__).parents[3] / "mmq_tf" / "pretrained" / "wrist-stress" / "model_int8.tflite"


def tensor(shape: Sequence[int], scale: float | None = None, zero_point: int = 0, data: Any = None) -> tuple:
    """What a tensor is made of: int8, or int32 where the data are."""
    return tuple(shape), scale, zero_point, None if data is None else np.asarray(data)


def one_operation(name: str, tensors: Sequence[tuple], given: Sequence[int], options: Any = None) -> bytes:
    """A .tflite of one operation: tensor 0 is its output, the others its inputs, `given` those of the model.

    An input that is None is left out.
    """
    model, graph, op = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
    model.version, model.operatorCodes, model.buffers = 3, [code], [schema.BufferT()]
    graph.tensors, op.inputs = [], []
    for number, content in enumerate(tensors):
        if content is None:
            op.inputs.append(-1)
            continue
        graph.tensors.append(_tensor(model, f"t{number}", *content))
        if number:
            op.inputs.append(len(graph.tensors) - 1)
    op.opcodeIndex, op.outputs = 0, [0]
    if options is not None:
        op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        op.builtinOptions = options
    graph.operators, graph.inputs, graph.outputs = [op], list(given), [0]
    model.subgraphs, model.signatureDefs = [graph], [_signature(given)]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(model: Any, name: str, shape: tuple, scale: float | None, zero_point: int, data: Any) -> Any:
    made: Any = schema.TensorT()
    buffer: Any = schema.BufferT()
    whole = data is not None and data.dtype == np.int32
    made.shape, made.name = list(shape), name.encode()
    made.type = schema.TensorType.INT32 if whole else schema.TensorType.INT8
    if data is not None:
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
    model.buffers.append(buffer)
    made.buffer = len(model.buffers) - 1
    if scale is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = [float(np.float32(scale))], [zero_point]
    return made


def _signature(given: Sequence[int]) -> Any:
    signature: Any = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs = [_entry(f"in{index}", index) for index in given]
    signature.outputs = [_entry("out", 0)]
    return signature


def _entry(name: str, index: int) -> Any:
    entry: Any = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def check_same(content: bytes, windows: Sequence[dict[str, np.ndarray]]) -> int:
    """Assert that every tensor of a model is what TFLite Micro makes of it; return how many numbers."""
    micro = MicroTensors(content)
    whole, fast = plan_network(content, fused=False), plan_network(content)
    kept, network = Network(plan_file(whole)), Network(plan_file(fast))
    count = 0
    for window in windows:
        wanted = micro.run(window)
        kept.run(window)
        outputs = network.run(window)
        for index, place in whole.places.items():
            if place.value.data is None and index in wanted:
                at = whole.at[place.value] + place.offset
                np.testing.assert_array_equal(
                    kept.arena[at : at + wanted[index].size], wanted[index], f"tensor {index}"
                )
                count += wanted[index].size
        for name, tensor in whole.graph.outputs.items():
            np.testing.assert_array_equal(outputs[name], wanted[tensor.index], name)
    return count


@pytest.fixture(scope="session")
def nets() -> SimpleNamespace:
    """The helpers above, since test modules cannot import each other."""
    return SimpleNamespace(
        tensor=tensor,
        one_operation=one_operation,
        check_same=check_same,
        schema=schema,
        shipped=SHIPPED.read_bytes(),
        shipped_plan=SHIPPED.with_name("mmq_network.bin").read_bytes(),
    )


@pytest.fixture(scope="session")
def small_models(nets) -> list[bytes]:
    """A model of each kind of operation."""
    schema, make, rng = nets.schema, nets.tensor, np.random.default_rng(0)
    axis, order = (
        make([1], None, 0, np.array([1], np.int32)),
        make([3], None, 0, np.array([0, 2, 1], np.int32)),
    )
    weights = make([3, 5], 0.01, 0, rng.integers(-127, 128, (3, 5)).astype(np.int8))
    bias = make([3], np.float32(0.02) * np.float32(0.01), 0, np.arange(3, dtype=np.int32))
    soft = schema.SoftmaxOptionsT()
    soft.beta = 1.0
    one, two = make([1, 4, 5], 0.02, 3), make([1, 4, 5], 0.03, -2)
    return [
        nets.one_operation("ADD", [make([1, 4, 5], 0.05), one, two], [1, 2], schema.AddOptionsT()),
        nets.one_operation("MUL", [make([1, 4, 5], 0.05), one, two], [1, 2], schema.MulOptionsT()),
        nets.one_operation(
            "FULLY_CONNECTED",
            [make([1, 4, 3], 0.01), one, weights, bias], [1], schema.FullyConnectedOptionsT(),
        ),
        nets.one_operation(
            "BATCH_MATMUL",
            [make([1, 4, 6], 0.02), one, make([1, 5, 6], 0.03)], [1, 2], schema.BatchMatMulOptionsT(),
        ),
        nets.one_operation("SOFTMAX", [make([1, 4, 5], 1 / 256, -128), one], [1], soft),
        nets.one_operation("MEAN", [make([1, 5], 0.02, 3), one, axis], [1], schema.ReducerOptionsT()),
        nets.one_operation("TRANSPOSE", [make([1, 5, 4], 0.02, 3), one, order], [1]),
        nets.one_operation("TANH", [make([1, 4, 5], 1 / 128), one], [1]),
    ]  # fmt: skip
