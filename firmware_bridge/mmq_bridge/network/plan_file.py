# SPDX-License-Identifier: Apache-2.0
"""``mmq_network.bin``: a planned network as bytes that core/src/network/plan.c reads."""

from __future__ import annotations

import struct

import numpy as np

from mmq_bridge.network.kernels import KERNELS, RowsAt, parameters
from mmq_bridge.network.schedule import Planned

MAGIC, VERSION, HEAD_WORDS, NONE = 0x4E514D4D, 1, 8, 0xFFFFFFFF


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
    """Return a network as a plan: little-endian words, then the data they point into."""
    data, words = _Data(), []
    for name, tensor in [*planned.inputs.items(), *planned.outputs.items()]:
        words += [data.add(name.encode("ascii") + b"\0"), planned.offset(tensor), tensor.size]
        words += [_float_word(tensor.scale), tensor.zero_point & 0xFFFFFFFF]
    for group in planned.groups:
        words += [len(group.steps), group.rows, group.strip, min(group.cost, 0xFFFFFFFF)]
        for step in group.steps:
            words.append(KERNELS[step.kernel].number)
            for value in parameters(planned, step).values():
                if isinstance(value, RowsAt):
                    known = NONE if value.constant is None else data.add(value.constant.tobytes())
                    words += [known, value.at, value.step]
                elif isinstance(value, np.ndarray):
                    words.append(
                        data.add(np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes())
                    )
                else:
                    words.append(value & 0xFFFFFFFF)
    inputs, outputs = len(planned.inputs), len(planned.outputs)
    counts = len(planned.groups), len(planned.steps), HEAD_WORDS + len(words)
    head = [MAGIC, VERSION, planned.arena_bytes, inputs, outputs, *counts]
    return struct.pack(f"<{len(head) + len(words)}I", *head, *words) + bytes(data.content)


def _float_word(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0]
