# SPDX-License-Identifier: Apache-2.0
"""What every target must say: the hashes of the library that Python loads, and those committed before."""

from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from mmq_bridge.core_binding.decision import Abstention, Decider, Display, Rules, TaskRules
from mmq_bridge.core_binding.library import NO_TOKEN, NOT_READY, OK, UNHELPFUL, library, raise_status
from mmq_bridge.core_binding.personal_head import PersonalHead
from mmq_bridge.core_binding.spec_struct import SpecTables
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.head_tables import HeadTables
from mmq_bridge.targets.script import ADVANCE, COUNTED, LEAD_OFF, Operation
from mmq_bridge.targets.vectors import DeployedLike

COMMITTED = Path(__file__).parent / "hashes.json"
FNV_START, FNV_PRIME, MASK = 14695981039346656037, 1099511628211, 2**64 - 1


@dataclass(frozen=True)
class Hashes:
    """What a replay gives: counts, and FNV-1a hashes (64 bit, hexadecimal) of all bits.

    Attributes
    ----------
    tokens, windows : int
    raw : str
        Features of every token before normalisation.
    features : str
        Features of every token as the model sees them.
    presence : str
        Every call's status, every token's number, presence and reasons.
    int8 : str
        Every quantised window.
    saved : str
        What was learnt, as it is saved at the end; features of every token of a run that has loaded it;
        what is saved at the end of that.
    head : str
        What a personal head learns from every window, marked two and two, and adds to its logit; what is
        saved at the end, twice.
    decisions : str
        Every decision, and what a display shows of it: of the vector's own network, or of a made-up model
        and corrected by that head.
    """

    tokens: int
    windows: int
    raw: str
    features: str
    presence: str
    int8: str
    saved: str
    head: str
    decisions: str


def fnv(data: bytes, state: int = FNV_START) -> int:
    """FNV-1a, 64 bit (Fowler, Noll, Vo).

    Examples
    --------
    >>> f"{fnv(b''):016x} {fnv(b'foobar'):016x}"
    'cbf29ce484222325 85944171f73967e8'
    """
    for byte in data:
        state = (state ^ byte) * FNV_PRIME & MASK
    return state


RULES = Rules(
    [TaskRules(2, 1.7, 0.6, 0.05, -5), TaskRules(3, 0.8, 0.4, 0.03, 7)], every_tokens=2, min_present_share=0.3
)
"""Of the model that `replay.c` makes up."""


def made_up_logits(window: np.ndarray) -> np.ndarray:
    """Return the logits that `replay.c`'s model says of a window, int8 [5], from all its int8 numbers."""
    place, values = np.arange(window.size), window.astype(np.int64)
    sums = [int((values * ((5 * place + 3 * k) % 7 - 3)).sum()) for k in range(RULES.outputs)]
    return np.array([total % 255 - 127 for total in sums], np.int8)


class _Replay:
    """`replay.c` once more, over ctypes."""

    def __init__(
        self, front_end: FrontEnd, head: PersonalHead | None = None, deployed: DeployedLike | None = None
    ) -> None:
        self._core, self._tables, self._front_end = library(), SpecTables(front_end), front_end
        self._pointer = ctypes.c_void_p()
        spec = ctypes.byref(self._tables.spec)
        self._memory = (ctypes.c_uint64 * (int(self._core.mmq_bridge_size(spec)) // 8 + 1))()
        size = ctypes.sizeof(self._memory)
        status = self._core.mmq_bridge_init(self._memory, size, spec, ctypes.byref(self._pointer))
        if status != OK:
            raise_status(status, "front end")
        self.features, self.presence, self.int8 = bytearray(), bytearray(), bytearray()
        self._head, self.head, self.decisions = head, bytearray(), bytearray()
        self.tokens = self.windows = 0
        if head is not None:
            self._rules, self._network = RULES, None
            if deployed is not None:
                self._rules, self._network = deployed.rules, deployed.network
            self._decider = Decider(cast(Any, SimpleNamespace(handle=self._pointer)), self._rules)
            if deployed is None:
                self._decider.follow(head, 0)
            self._display = Display(self._rules, 20.0, 8)

    def save(self) -> bytes:
        content = ctypes.create_string_buffer(self._core.mmq_state_size(ctypes.byref(self._tables.spec)))
        status = self._core.mmq_state_save(self._pointer, content, len(content))
        if status != OK:
            raise_status(status, "state")
        return content.raw

    def load(self, content: bytes) -> None:
        status = self._core.mmq_state_load(self._pointer, content, len(content))
        if status != OK:
            raise_status(status, "state")

    def call(self, operation: Operation) -> None:
        core, index = self._core, operation.modality
        if operation.kind == LEAD_OFF:
            mask = ctypes.c_uint64(operation.lead_off or 0)
            status = core.mmq_bridge_lead_off(self._pointer, ctypes.c_uint32(index), mask)
        elif operation.kind == ADVANCE:
            status = core.mmq_bridge_advance(self._pointer, operation.time_s)
        else:
            samples = np.ascontiguousarray(operation.samples, np.float32)
            counted = operation.kind == COUNTED
            push = core.mmq_bridge_push_counted if counted else core.mmq_bridge_push
            place = operation.first_index if counted else operation.time_s
            status = push(self._pointer, index, samples.ctypes.data, samples.shape[1], place)
        self.presence.append(status)
        self._drain()

    def _drain(self) -> None:
        modalities = len(self._front_end.modalities)
        features = np.zeros(self._front_end.n_features, "<f4")
        presence, reasons = np.zeros(modalities, np.uint8), np.zeros(modalities, "<u2")
        number, before = ctypes.c_int64(), self.tokens
        while (
            self._core.mmq_bridge_token(
                self._pointer, features.ctypes.data, presence.ctypes.data, ctypes.byref(number)
            )
            == OK
        ):
            self.tokens += 1
            self.features += features.tobytes()
            self.presence += number.value.to_bytes(8, "little") + presence.tobytes()
            if (
                self._core.mmq_bridge_reasons(self._pointer, number, reasons.ctypes.data_as(ctypes.c_void_p))
                == OK
            ):
                self.presence += reasons.tobytes()
        if self.tokens > before:
            self._window()
            if self._head is not None:
                self._decide()

    def _window(self) -> None:
        tokens, front_end = self._front_end.tokens, self._front_end
        features = np.zeros((tokens, front_end.n_features), np.int8)
        presence = np.zeros((tokens, len(front_end.modalities)), np.int8)
        if self._core.mmq_bridge_window_i8(self._pointer, features.ctypes.data, presence.ctypes.data) == OK:
            if self._head is not None:
                self._mark(self._head)
            self.windows += 1
            self.int8 += features.tobytes() + presence.tobytes()

    def _decide(self) -> None:
        """Decide what is due, by the vector's network or by what `replay.c`'s made-up model says."""
        tokens, front_end = self._front_end.tokens, self._front_end
        features = np.zeros(tokens * front_end.n_features, np.int8)
        presence = np.zeros(tokens * len(front_end.modalities), np.int8)
        for said in iter(self._decider.due, None):
            if said.abstention == Abstention.DECIDED:
                status = self._core.mmq_bridge_window_i8_at(
                    self._pointer, said.number, features.ctypes.data, presence.ctypes.data
                )
                if status != OK:
                    raise_status(status, "window")
                self._decider.decide(said, self._logits(features, presence))
            shown = self._display.show(said)
            outputs = self._rules.outputs
            self.decisions += struct.pack("<qBIIB", said.number, said.abstention, said.tokens_left,
                                          said.not_enrolled, said.sure)  # fmt: skip
            self.decisions += struct.pack(f"<{1 + outputs}f", said.present_share, *said.probability[:outputs])
            self.decisions += bytes([OK, shown.abstention])
            self.decisions += struct.pack(f"<{outputs}f", *shown.probability[:outputs])
        self.decisions.append(NO_TOKEN)

    def _logits(self, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        if self._network is None:
            return made_up_logits(np.concatenate([features, presence]))
        return np.concatenate(list(self._network.run({"features": features, "presence": presence}).values()))

    def _mark(self, head: PersonalHead) -> None:
        """Mark this window, two and two of a class, eight of a stretch; the model's logit is made up."""
        tokens, front_end = self._front_end.tokens, self._front_end
        features = np.zeros((tokens, front_end.n_features), np.float32)
        presence = np.zeros((tokens, len(front_end.modalities)), np.float32)
        status = self._core.mmq_bridge_window(self._pointer, features.ctypes.data, presence.ctypes.data)
        if status != OK:
            raise_status(status, "window")
        logit = np.float32(0.75) * np.float32(self.windows % 9 - 4)
        u = head.summary(features, presence)
        if u is not None:
            head.mark(u, float(logit), self.windows >> 1 & 1, self.windows >> 3)
        learned = OK if head.adapt() else UNHELPFUL if head.unhelpful else NOT_READY
        self.head += bytes([NOT_READY if u is None else OK, learned])
        bias, weights = head.weights
        corrected = logit + np.float32(head.correction(u))
        self.head += np.float32(bias).tobytes() + weights.tobytes() + corrected.tobytes()


def replay(
    front_end: FrontEnd,
    operations: Iterable[Operation],
    head: HeadTables,
    deployed: DeployedLike | None = None,
) -> Hashes:
    """Replay a script through the library that Python loads.

    Parameters
    ----------
    front_end, operations, head, deployed
        Of the vector.

    Raises
    ------
    BridgeError
        When the core refuses the front end, or its own state.
    """
    mine = PersonalHead(head)
    raw, normal = _Replay(front_end.with_normalisation(None)), _Replay(front_end, mine, deployed)
    loaded = _Replay(front_end)
    operations = tuple(operations)
    for operation in operations:
        raw.call(operation)
        normal.call(operation)
    state = normal.save()
    loaded.load(state)
    for operation in operations:
        loaded.call(operation)
    parts = (
        raw.features, normal.features, normal.presence, normal.int8, state + loaded.features + loaded.save(),
        normal.head + _saved_twice(mine), normal.decisions,
    )  # fmt: skip
    return Hashes(normal.tokens, normal.windows, *(f"{fnv(bytes(part)):016x}" for part in parts))


def _saved_twice(head: PersonalHead) -> bytes:
    content = head.save()
    head.reset()
    head.load(content)
    return content + head.save()


def differences(wanted: Hashes, got: Hashes) -> list[str]:
    """Name the fields that differ."""
    return [f.name for f in fields(Hashes) if getattr(wanted, f.name) != getattr(got, f.name)]


def load_committed(path: Path = COMMITTED) -> dict[str, Hashes]:
    """Read the hashes that were committed, by vector; none where there is no file yet.

    Raises
    ------
    BridgeError
        When the file is broken.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: Hashes(**entry) for name, entry in content.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BridgeError(f"{path}: cannot be read ({error}): write it again with --accept") from error


def save_committed(hashes: dict[str, Hashes], path: Path = COMMITTED) -> None:
    """Write hashes by vector, keeping those of vectors that could not be made here."""
    merged = {**load_committed(path), **hashes}
    lines = [f"{json.dumps(name)}: {json.dumps(asdict(merged[name]))}" for name in sorted(merged)]
    path.write_text("{\n " + ",\n ".join(lines) + "\n}\n", encoding="utf-8")
