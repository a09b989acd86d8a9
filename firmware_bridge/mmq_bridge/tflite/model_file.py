# SPDX-License-Identifier: Apache-2.0
"""A .tflite as plain values, read by `tables` alone: no interpreter and no library of one sees it before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmq_bridge.tflite.tables import FlatBuffer, FlatTable

OPERATORS = {
    0: "ADD",
    2: "CONCATENATION",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    18: "MUL",
    19: "RELU",
    22: "RESHAPE",
    25: "SOFTMAX",
    28: "TANH",
    39: "TRANSPOSE",
    40: "MEAN",
    41: "SUB",
    45: "STRIDED_SLICE",
    82: "REDUCE_MAX",
    114: "QUANTIZE",
    126: "BATCH_MATMUL",
}
"""Codes of the operators that export writes."""
TYPES = {0: ("float32", 4), 2: ("int32", 4), 9: ("int8", 1)}
"""Codes of their tensors' types: name and bytes of an element."""
_OPTIONS: dict[str, tuple[int, tuple[tuple[str, str, Any], ...]]] = {
    "FULLY_CONNECTED": (
        8,
        (
            ("activation", "b", 0),
            ("weights_format", "b", 0),
            ("keep_dims", "?", False),
            ("asymmetric", "?", False),
            ("bias_type", "b", 0),
        ),
    ),
    "SOFTMAX": (9, (("beta", "f", 0.0),)),
    "CONCATENATION": (10, (("axis", "i", 0), ("activation", "b", 0))),
    "ADD": (11, (("activation", "b", 0), ("pot_scale", "?", True))),
    "RESHAPE": (17, ()),
    "MUL": (21, (("activation", "b", 0),)),
    "TRANSPOSE": (26, ()),
    "MEAN": (27, (("keep_dims", "?", False),)),
    "REDUCE_MAX": (27, (("keep_dims", "?", False),)),
    "SUB": (28, (("activation", "b", 0), ("pot_scale", "?", True))),
    "STRIDED_SLICE": (
        32,
        tuple((name, "i", 0) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis"))
        + (("offset", "?", False),),
    ),
    "DEQUANTIZE": (38, ()),
    "QUANTIZE": (89, ()),
    "BATCH_MATMUL": (101, (("adjoint_x", "?", False), ("adjoint_y", "?", False), ("asymmetric", "?", False))),
}
"""Of each operator: the number of its table of options, and that table's fields in order."""
_MAY_LACK_OPTIONS = frozenset({"RESHAPE", "TRANSPOSE", "DEQUANTIZE", "QUANTIZE", "RELU", "TANH"})


@dataclass(frozen=True, eq=False)
class FileTensor:
    """One tensor; `data` is what a constant holds, None for what is computed."""

    index: int
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    channel_axis: int
    data: memoryview | None = field(repr=False)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class FileOp:
    """One operator: its name, tensors (None where one is left out) and options."""

    name: str
    inputs: tuple[FileTensor | None, ...]
    output: FileTensor
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ModelFile:
    """Operators in order; inputs and outputs by the signature's names, in the graph's order."""

    ops: tuple[FileOp, ...]
    inputs: dict[str, FileTensor]
    outputs: dict[str, FileTensor]
    tensors: tuple[FileTensor, ...]


def read_model(content: bytes) -> ModelFile:
    """Read the bytes of a .tflite.

    Raises
    ------
    ValueError
        Where an offset leads outside, or anything is there that export does not write.
    """
    if content[4:8] != b"TFL3":
        raise ValueError(f"its identifier is {content[4:8]!r}, not TFL3")
    model = FlatBuffer(content).root().only(8)
    if model.number(0, "I") != 3 or model.has(5):
        raise ValueError("it is of another version")
    (graph,) = _exactly_one(model.tables(2), "graph")
    (signature,) = _exactly_one(model.tables(7), "signature")
    buffers = [table.only(1).data(0) for table in model.tables(4)]
    for entry in model.tables(6):
        if entry.only(2).number(1, "I") >= len(buffers) or not entry.text(0).isprintable():
            raise ValueError("its notes lead outside")
    tensors = tuple(_tensor(i, table, buffers) for i, table in enumerate(graph.only(6).tables(0)))
    codes = [_operator(table) for table in model.tables(1)]
    ops = tuple(_op(table, codes, tensors) for table in graph.tables(3))
    if not ops or not tensors:
        raise ValueError("it has no operators")
    if signature.number(4, "I") != 0 or signature.only(5).has(3):
        raise ValueError("its signature is of another graph")
    inputs, outputs = (
        _named(signature.tables(side), graph.numbers(1 + side, "i") or (), tensors) for side in (0, 1)
    )
    return ModelFile(ops, inputs, outputs, tensors)


def _exactly_one(tables: list[FlatTable], what: str) -> list[FlatTable]:
    if len(tables) != 1:
        raise ValueError(f"it has {len(tables)} {what}s, not one")
    return tables


def _operator(table: FlatTable) -> str:
    old, new = table.only(4).number(0, "b"), table.number(3, "i")
    name = OPERATORS.get(max(old, new))
    if name is None or old not in (new, 127, 0) or table.has(1) or not 1 <= table.number(2, "i", 1) <= 100:
        raise ValueError(f"it has the operator {max(old, new)}, which export does not write")
    return name


def _tensor(index: int, table: FlatTable, buffers: list[memoryview | None]) -> FileTensor:
    kind = TYPES.get(table.only(9).number(1, "b"))
    if kind is None or table.number(5, "?", False) or table.has(6):
        raise ValueError(f"tensor {index} is of a kind that export does not write")
    shape = table.numbers(0, "i") or ()
    if len(shape) > 8 or min(shape, default=1) < 1 or math.prod(shape) > 1 << 24:
        raise ValueError(f"tensor {index} has the shape {list(shape)[:9]}")
    if (signature := table.numbers(7, "i")) is not None and signature not in ((), shape):
        raise ValueError(f"tensor {index} has a shape that is not known")
    if (buffer := table.number(2, "I")) >= len(buffers):
        raise ValueError(f"tensor {index} has no buffer {buffer}")
    data = buffers[buffer] or None
    if data is not None and len(data) != math.prod(shape) * kind[1]:
        raise ValueError(f"tensor {index} holds {len(data)} bytes")
    table.text(3)
    return FileTensor(index, kind[0], shape, *_quantisation(index, table.table(4)), data)


def _quantisation(index: int, table: FlatTable | None) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if table is None:
        return (), (), 0
    if table.only(7).number(4, "B") != 0 or table.has(5):
        raise ValueError(f"tensor {index} is quantised in a way that export does not know")
    for ranges in (0, 1):
        table.numbers(ranges, "f")
    scales, zeros = table.numbers(2, "f") or (), table.numbers(3, "q") or ()
    return scales, zeros, table.number(6, "i")


def _op(table: FlatTable, codes: list[str], tensors: tuple[FileTensor, ...]) -> FileOp:
    if (code := table.only(14).number(0, "I")) >= len(codes):
        raise ValueError(f"there is no operator {code}")
    name = codes[code]
    if table.numbers(5, "B") or table.numbers(7, "?") or table.numbers(8, "i"):
        raise ValueError(f"a {name} has more than export writes")
    if any(table.number(place, "Q") for place in (9, 10)) or table.number(11, "B") or table.has(12):
        raise ValueError(f"a {name} has more than export writes")
    inputs, outputs = table.numbers(1, "i") or (), table.numbers(2, "i") or ()
    if len(outputs) != 1 or not all(-1 <= i < len(tensors) for i in inputs) or not inputs:
        raise ValueError(f"a {name} has other tensors")
    if not 0 <= outputs[0] < len(tensors):
        raise ValueError(f"a {name} has no output")
    given = tuple(None if i < 0 else tensors[i] for i in inputs)
    return FileOp(name, given, tensors[outputs[0]], _options(name, table))


def _options(name: str, table: FlatTable) -> dict[str, Any]:
    kind, found = table.number(3, "B"), table.table(4)
    if kind == 0 and found is None and name in _MAY_LACK_OPTIONS:
        return {}
    wanted, fields = _OPTIONS.get(name, (0, ()))
    if kind != wanted or found is None:
        raise ValueError(f"a {name} has other options than export writes")
    if name == "RESHAPE":
        return {"shape": found.only(1).numbers(0, "i")}
    found.only(len(fields))
    return {field: found.number(place, code, value) for place, (field, code, value) in enumerate(fields)}


def _named(
    entries: list[FlatTable], order: tuple[int, ...], tensors: tuple[FileTensor, ...]
) -> dict[str, FileTensor]:
    names = {entry.only(2).number(1, "I"): entry.text(0) for entry in entries}
    ok = len(entries) == len(order) == len(names) == len(set(names.values())) and set(names) == set(order)
    if not ok or not order or not all(name and name.isprintable() for name in names.values()):
        raise ValueError("the signature does not name every input and output once")
    if any(not 0 <= index < len(tensors) for index in order):
        raise ValueError("an input or output is no tensor")
    return {names[index]: tensors[index] for index in order}
