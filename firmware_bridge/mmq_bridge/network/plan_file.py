# SPDX-License-Identifier: Apache-2.0
"""``mmq_network.bin``: a planned network as bytes that core/src/network/plan.c reads."""

from __future__ import annotations

import struct

import numpy as np

from mmq_bridge.network.kernels import KERNELS, SIGNED, RowsAt, parameters
from mmq_bridge.network.schedule import Planned

MAGIC, VERSION, HEAD_WORDS = 0x4E514D4D, 2, 8


class _Data:
    """The bytes behind the words; what is the same lies there once."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._known: dict[bytes, int] = {}

    def add(self, content: bytes) -> int:
        if content not in self._known:
            self.content += b"\0" * (-len(self.content) % 4)
            self._known[content] = len(self.content)
            self.content += content
        return self._known[content]


def plan_file(planned: Planned) -> bytes:
    """Return a network as a plan: a head, numbers of seven bits a byte, then the data they point into."""
    data, numbers = _Data(), bytearray()
    for name, tensor in [*planned.inputs.items(), *planned.outputs.items()]:
        where = data.add(name.encode("ascii") + b"\0"), planned.offset(tensor), tensor.size
        numbers += _coded(*where, _float_word(tensor.scale), _folded(tensor.zero_point))
    for group in planned.groups:
        numbers += _coded(len(group.steps), group.rows, group.strip, min(group.cost, 0xFFFFFFFF))
        for step in group.steps:
            numbers += _coded(KERNELS[step.kernel].number)
            for name, value in parameters(planned, step).items():
                if isinstance(value, RowsAt):
                    at = value.at if value.constant is None else data.add(value.constant.tobytes())
                    numbers += _coded(value.kind, at, value.width)
                elif isinstance(value, np.ndarray):
                    numbers += _coded(data.add(value.astype(value.dtype.newbyteorder("<")).tobytes()))
                else:
                    numbers += _coded(_number(name, value))
    numbers += b"\0" * (-len(numbers) % 4)
    counts = len(planned.inputs), len(planned.outputs), len(planned.groups), len(planned.steps)
    head = [MAGIC, VERSION, planned.arena_bytes, *counts, HEAD_WORDS + len(numbers) // 4]
    return struct.pack(f"<{HEAD_WORDS}I", *head) + bytes(numbers) + bytes(data.content)


def _number(name: str, value: int) -> int:
    """Return a field as a number that is small where the field is what it mostly is."""
    bounds = {"scaling.low": value + 128, "scaling.high": 127 - value}
    return bounds.get(name, _folded(value) if name in SIGNED else value)


def _coded(*values: int) -> bytes:
    """Write numbers of 32 bits, seven to a byte, the lowest first; a highest bit says that more follow."""
    coded = bytearray()
    for value in values:
        while value > 127:
            coded.append(value & 127 | 128)
            value >>= 7
        coded.append(value)
    return bytes(coded)


def _folded(value: int) -> int:
    """Return 0, 1, 2, 3 ... of 0, -1, 1, -2 ..."""
    return -2 * value - 1 if value < 0 else 2 * value


def _float_word(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0]
