# SPDX-License-Identifier: Apache-2.0
"""Changes of a bundle's models and of its network plan, by bytes, by words and by the model's own objects."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from mmq_bridge.decision.bundle_files import MODEL_FILES, NETWORK_FILE

from methods.mutant_base import TEXTS, Mutant

WORDS = (0, 1, 2, 4, 8, 255, 256, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) - 4)
NUMBERS = (0.0, -0.0, -1.0, 1e-45, 1e-30, 1e-7, 1e7, 1e30, 3.4e38, float("nan"), float("inf"), -float("inf"))
SIZES = (0, -1, 1, 2, 3, 7, 128, 4096, 65536, 1 << 20, (1 << 31) - 1, -(1 << 31))


def _one_model(draw: random.Random) -> str:
    return draw.choice(tuple(MODEL_FILES.values()))


def word_changed(draw: random.Random, content: bytes) -> bytes:
    """Change some words of four bytes."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = 4 * draw.randrange(len(changed) // 4)
        if draw.random() < 0.5:
            at %= 4096
        old = int.from_bytes(changed[at : at + 4], "little")
        near = (old + draw.choice((-64, -4, -1, 1, 4, 64, len(content)))) % (1 << 32)
        changed[at : at + 4] = draw.choice((near, *WORDS, draw.getrandbits(32))).to_bytes(4, "little")
    return bytes(changed)


def length_changed(draw: random.Random, content: bytes) -> bytes:
    """Change a word that is small and so may be the length of a vector or a string, or an offset."""
    changed = bytearray(content)
    for _ in range(200):
        at = 4 * draw.randrange(len(changed) // 4)
        old = int.from_bytes(changed[at : at + 4], "little")
        if 0 < old < 5000:
            new = draw.choice((old + 1, old - 1, old * 2, old * 1000, *WORDS)) % (1 << 32)
            changed[at : at + 4] = new.to_bytes(4, "little")
            break
    return bytes(changed)


def of_model(change: Callable[[random.Random, bytes], bytes]) -> Callable[..., Mutant]:
    """Return what changes one of the models."""

    def made(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
        name = _one_model(draw)
        return Mutant("", {name: change(draw, whole[name])})

    return made


def of_plan(change: Callable[[random.Random, bytes], bytes]) -> Callable[..., Mutant]:
    """Return what changes the network plan."""
    return lambda draw, whole: Mutant("", {NETWORK_FILE: change(draw, whole[NETWORK_FILE])})


def repacked(draw: random.Random, content: bytes) -> bytes:
    """Change the model's own objects and pack them again: a whole flatbuffer that means something else."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if model.subgraphs and model.signatureDefs:  # a change before may have left none
            draw.choice(OBJECTS)(draw, model)
    builder = Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _change_shape(draw: random.Random, model: Any) -> None:
    import numpy as np

    tensor = draw.choice(model.subgraphs[0].tensors)
    shape = [] if tensor.shape is None else [int(size) for size in tensor.shape]
    what = draw.randrange(5)
    if what == 0 or not shape:
        shape.append(draw.choice(SIZES))
    elif what == 1:
        shape.pop(draw.randrange(len(shape)))
    elif what == 2:
        shape.reverse()
    elif what == 3:
        shape = shape * draw.choice((2, 5))
    else:
        shape[draw.randrange(len(shape))] = draw.choice(SIZES)
    tensor.shape = np.array(shape, np.int64).astype(np.int32)
    if draw.random() < 0.2:
        tensor.shapeSignature = np.array([-1] * len(shape), np.int32)


def _change_scale(draw: random.Random, model: Any) -> None:
    import numpy as np

    tensors = [t for t in model.subgraphs[0].tensors if t.quantization is not None]
    quantisation = draw.choice(tensors).quantization
    what = draw.randrange(5)
    if what == 0 and quantisation.scale is not None:
        quantisation.scale = np.array(quantisation.scale) * np.float32(draw.choice((1e-9, 0.01, 2, 1e3, 1e9)))
    elif what == 1:
        quantisation.zeroPoint = np.array(
            [draw.choice((-129, 128, 1000, -(2**40), 2**62, 7, -128))], np.int64
        )
    elif what == 2:
        quantisation.quantizedDimension = draw.choice(SIZES)
    elif what == 3:
        count = draw.choice((0, 2, 3, 1000))
        quantisation.scale = np.full(count, 0.1, np.float32)
        quantisation.zeroPoint = np.zeros(count, np.int64)
    else:
        quantisation.scale = np.array([draw.choice(NUMBERS)], np.float32)


def _change_type(draw: random.Random, model: Any) -> None:
    draw.choice(model.subgraphs[0].tensors).type = draw.choice((0, 2, 9, 4, 5, 7, 13, 14, 17, 99, -1))


def _change_buffer(draw: random.Random, model: Any) -> None:
    import numpy as np

    if draw.random() < 0.5:
        tensor = draw.choice(model.subgraphs[0].tensors)
        tensor.buffer = draw.choice((0, len(model.buffers) - 1, len(model.buffers), 2**31, 2**32 - 1))
        return
    buffer = draw.choice(model.buffers)
    data = np.zeros(0, np.uint8) if buffer.data is None else np.array(buffer.data, np.uint8)
    what = draw.randrange(4)
    if what == 0:
        buffer.data = data[: len(data) // 2]
    elif what == 1:
        buffer.data = np.concatenate([data, data, np.zeros(4, np.uint8)])
    elif what == 2:
        buffer.data = np.frombuffer(draw.randbytes(len(data)), np.uint8)
    else:
        buffer.data, buffer.offset, buffer.size = None, draw.choice((1, 8, 2**40)), draw.choice((1, 2**40))


def _change_code(draw: random.Random, model: Any) -> None:
    code = draw.choice(model.operatorCodes)
    what = draw.randrange(4)
    if what == 0:
        code.builtinCode = draw.choice((*range(210), 2**31 - 1, -1))
        code.deprecatedBuiltinCode = max(-128, min(127, code.builtinCode))
    elif what == 1:
        code.version = draw.choice((0, -1, 1, 2, 50, 2**31 - 1))
    elif what == 2:
        code.customCode = b"FlexAdd"
    else:
        draw.shuffle(model.operatorCodes)


def _change_operator(draw: random.Random, model: Any) -> None:
    import numpy as np

    graph = model.subgraphs[0]
    operator = draw.choice(graph.operators)
    indices = [
        -1,
        0,
        len(graph.tensors) - 1,
        len(graph.tensors),
        2**31 - 1,
        -2,
        draw.randrange(len(graph.tensors)),
    ]
    what = draw.randrange(7)
    if what == 0:
        given = np.array(operator.inputs, np.int32)
        given[draw.randrange(len(given))] = draw.choice(indices)
        operator.inputs = given
    elif what == 1:
        operator.outputs = np.array([draw.choice(indices)] * draw.choice((0, 1, 1, 2)), np.int32)
    elif what == 2:
        operator.inputs = np.array(list(operator.inputs) * draw.choice((0, 2, 50)), np.int32)
    elif what == 3:
        operator.opcodeIndex = draw.choice((*range(len(model.operatorCodes)), 2**31))
    elif what == 4:
        draw.shuffle(graph.operators)
    elif what == 5:
        graph.operators.append(operator)
    else:
        operator.customOptions = np.frombuffer(draw.randbytes(16), np.uint8)


def _change_options(draw: random.Random, model: Any) -> None:
    operators = [one for one in model.subgraphs[0].operators if one.builtinOptions is not None]
    operator = draw.choice(operators)
    if draw.random() < 0.2:
        operator.builtinOptionsType, operator.builtinOptions = 0, None
        return
    name = draw.choice(tuple(vars(operator.builtinOptions)))
    value = getattr(operator.builtinOptions, name)
    if isinstance(value, bool):
        setattr(operator.builtinOptions, name, not value)
    elif isinstance(value, float):
        setattr(operator.builtinOptions, name, draw.choice(NUMBERS))
    elif isinstance(value, int):
        setattr(operator.builtinOptions, name, draw.choice((-128, -1, 0, 1, 2, 3, 4, 5, 127)))


def _change_constant(draw: random.Random, model: Any) -> None:
    """Change axes, sizes, beginnings and ends: constants of int32."""
    import numpy as np

    tensors = [
        t for t in model.subgraphs[0].tensors if t.type == 2 and model.buffers[t.buffer].data is not None
    ]
    buffer = model.buffers[draw.choice(tensors).buffer]
    data = np.array(buffer.data, np.uint8)[: len(buffer.data) // 4 * 4].view(np.int32).copy()
    if len(data):
        data[draw.randrange(len(data))] = draw.choice(SIZES)
        buffer.data = data.view(np.uint8)


def _change_graph(draw: random.Random, model: Any) -> None:
    import numpy as np

    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    what = draw.randrange(8)
    if what == 0:
        model.subgraphs.append(graph)
    elif what == 1:
        graph.inputs = np.array(list(graph.inputs)[::-1] * draw.choice((0, 1, 2)), np.int32)
    elif what == 2:
        graph.outputs = np.array([draw.choice((-1, 0, 10**6))], np.int32)
    elif what == 3:
        draw.choice([*signature.inputs, *signature.outputs]).name = draw.choice(TEXTS[:-1]).encode(
            "utf-8", "replace"
        )
    elif what == 4:
        draw.choice([*signature.inputs, *signature.outputs]).tensorIndex = draw.choice((0, 1, 5, 2**32 - 1))
    elif what == 5:
        model.version = draw.choice((0, 2, 4, 2**32 - 1))
    elif what == 6:
        model.signatureDefs = draw.choice(([], [signature, signature]))
    else:
        draw.choice(graph.tensors).isVariable = True


OBJECTS = (
    _change_shape,
    _change_shape,
    _change_scale,
    _change_scale,
    _change_type,
    _change_buffer,
    _change_code,
    _change_operator,
    _change_operator,
    _change_options,
    _change_constant,
    _change_graph,
)


def scales(draw: random.Random, content: bytes) -> bytes:
    """Change a scale and nothing else of a model."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    _change_scale(draw, model)
    builder = Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def models_swapped(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    """Put models in the place of others."""
    names = list(MODEL_FILES.values())
    draw.shuffle(names)
    return Mutant("", {names[0]: whole[names[1]], names[1]: draw.choice((whole[names[0]], whole[names[2]]))})
