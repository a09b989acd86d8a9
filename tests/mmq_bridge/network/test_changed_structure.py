# SPDX-License-Identifier: Apache-2.0
"""Models of changed structure are refused in one sentence, or give TFLite Micro's numbers: nothing else.

``MMQ_FUZZ_MODELS=100000 pytest tests/mmq_bridge/network/test_changed_structure.py`` changes more of them.
"""

import multiprocessing
import os
import struct
import time
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network
from mmq_bridge.targets.networks import random_network

COUNT = int(os.environ.get("MMQ_FUZZ_MODELS", "400"))
KNOWN = (
    "ADD",
    "SUB",
    "MUL",
    "TANH",
    "SOFTMAX",
    "MEAN",
    "RESHAPE",
    "FULLY_CONNECTED",
    "BATCH_MATMUL",
    "CONV_2D",
)


def a_tensor(model: Any, rng: np.random.Generator) -> Any:
    return rng.choice(model.subgraphs[0].tensors)


def an_operation(model: Any, rng: np.random.Generator) -> Any:
    return rng.choice(model.subgraphs[0].operators)


def another_size(model: Any, rng: np.random.Generator) -> None:
    tensor = a_tensor(model, rng)
    shape = [int(size) for size in (tensor.shape if tensor.shape is not None else [])]
    if shape and rng.random() < 0.7:
        shape[int(rng.integers(len(shape)))] = int(rng.choice([-1, 0, 1, 2, 3, 4, 5, 1 << 20]))
    else:
        shape = [shape[::-1], shape[1:], [*shape, 1]][int(rng.integers(3))]
    tensor.shape = shape


def another_type(model: Any, rng: np.random.Generator) -> None:
    a_tensor(model, rng).type = int(rng.integers(0, 19))


def another_scale(model: Any, rng: np.random.Generator) -> None:
    tensor = a_tensor(model, rng)
    if tensor.quantization is None or rng.random() < 0.1:
        tensor.quantization = None
        return
    old = 0.02 if tensor.quantization.scale is None else float(tensor.quantization.scale[0])
    new = rng.choice([0.0, -0.1, 1e-30, 1e30, np.nan, np.inf, old * 1.5, old / 3, 1 / 256, 1 / 128])
    tensor.quantization.scale = [float(new)] * int(rng.choice([1, 1, 1, 2]))
    tensor.quantization.zeroPoint = [int(rng.choice([-129, -128, -5, 0, 7, 127, 1 << 40]))]


def other_tensors(model: Any, rng: np.random.Generator) -> None:
    operation, tensors = an_operation(model, rng), len(model.subgraphs[0].tensors)
    ends = operation.inputs if rng.random() < 0.8 else operation.outputs
    if not len(ends):
        return
    ends = [int(index) for index in ends]
    ends[int(rng.integers(len(ends)))] = int(
        rng.choice([-1, 0, int(rng.integers(tensors)), tensors, 1 << 30])
    )
    ends = ends if rng.random() < 0.8 else [ends[:-1], ends[::-1], ends * 2][int(rng.integers(3))]
    operation.inputs = ends


def another_operation(model: Any, rng: np.random.Generator) -> None:
    code = rng.choice(model.operatorCodes)
    code.builtinCode = getattr(schema.BuiltinOperator, str(rng.choice(KNOWN)))
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)


def other_options(model: Any, rng: np.random.Generator) -> None:
    options = an_operation(model, rng).builtinOptions
    names = [name for name, value in vars(options or object).items() if isinstance(value, bool | int | float)]
    if names:
        name = str(rng.choice(names))
        kind = type(getattr(options, name))
        setattr(options, name, kind(rng.choice([0, 1, 2, 3, 5])))


def other_order(model: Any, rng: np.random.Generator) -> None:
    operators = list(model.subgraphs[0].operators)
    at = int(rng.integers(len(operators)))
    changed = [
        operators[:at] + operators[at + 1 :],
        operators[at:] + operators[:at],
        [*operators, operators[at]],
    ]
    model.subgraphs[0].operators = changed[int(rng.integers(3))]


def another_constant(model: Any, rng: np.random.Generator) -> None:
    buffer = rng.choice(model.buffers)
    if buffer.data is not None and len(buffer.data):
        data = np.array(buffer.data, np.uint8)
        data[rng.integers(len(data))] = rng.integers(256)
        buffer.data = data if rng.random() < 0.7 else data[: int(rng.integers(len(data)))]


def another_signature(model: Any, rng: np.random.Generator) -> None:
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    entries = signature.inputs if rng.random() < 0.5 else signature.outputs
    entry = rng.choice(entries)
    change = int(rng.integers(5))
    if change == 0:
        entry.name = [b"", b"\xff\xfe", entries[0].name][int(rng.integers(3))]
    elif change == 1:
        entry.tensorIndex = int(rng.integers(len(graph.tensors) + 2))
    elif change == 2:
        entries.pop()
    elif change == 3:
        graph.inputs = [int(index) for index in graph.inputs][:-1]
    else:
        model.subgraphs.append(graph)


CHANGES: tuple[Callable[[Any, np.random.Generator], None], ...] = (
    another_size, another_type, another_scale, other_tensors, another_operation,
    other_options, other_order, another_constant, another_signature,
)  # fmt: skip


def changed(content: bytes, rng: np.random.Generator) -> bytes | None:
    """A model with some changes of its structure; None where the format cannot say them."""
    model: Any = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    try:
        for _ in range(int(rng.integers(1, 4))):
            CHANGES[int(rng.integers(len(CHANGES)))](model, rng)
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), b"TFL3")
    except (TypeError, ValueError, AttributeError, struct.error, flatbuffers.builder.BuilderSizeError):
        return None
    return bytes(builder.Output())


def refusal(content: bytes) -> str:
    """What the generator says against a model; nothing where it takes it. Anything but a sentence escapes."""
    try:
        plan_network(content, fused=False)
    except BridgeError as error:
        return str(error)
    return ""


def compare(nets: Any, contents: list[bytes], differing: Any) -> None:
    """Tell which models, by number, are not TFLite Micro's, and how many it refuses."""
    rng, refused = np.random.default_rng(4), 0
    for number, content in enumerate(contents):
        inputs = plan_network(content, fused=False).inputs
        window = {name: rng.integers(-128, 128, t.shape).astype(np.int8) for name, t in inputs.items()}
        try:
            nets.check_same(content, [window])
        except BridgeError:
            refused += 1
        except AssertionError:
            differing.put(number)
    differing.put(f"{refused} refused")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scales of 1e-30 and the like
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork
def test_changed_structures_are_refused_in_a_sentence_or_the_same(nets, small_models):
    rng, models, taken = np.random.default_rng(3), [*small_models, random_network().content], []
    for number in range(COUNT):
        content = changed(models[number % len(models)], rng)
        said = "network: ." if content is None else refusal(content)
        if not said:
            taken.append(content)
        elif not (said.startswith("network: ") and said.endswith(".") and "\n" not in said):
            pytest.fail(f"model {number}: {said}")
    assert COUNT // 12 < len(taken) < COUNT // 3
    pytest.importorskip("tflite_micro")
    # In a process of its own: TFLite Micro may abort on a model that should have been refused.
    fork = multiprocessing.get_context("fork")
    said, found = fork.SimpleQueue(), []
    process = fork.Process(target=compare, args=(nets, taken, said))
    process.start()
    while not found or not isinstance(found[-1], str):
        assert process.is_alive() or not said.empty(), "TFLite Micro aborted"
        if said.empty():
            time.sleep(0.01)
        else:
            found.append(said.get())
    process.join()
    *differing, refused = found
    assert differing == []
    assert int(refused.split()[0]) < len(taken) // 10
