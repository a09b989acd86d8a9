# SPDX-License-Identifier: Apache-2.0
"""The GATT profile: its table, and messages as bytes and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mmq_bridge.errors import BridgeError

TABLE = Path(__file__).parent / "profile.json"


@dataclass(frozen=True)
class Field:
    """A number of a message: `bytes` of it, little-endian; with a `scale` value = number / scale."""

    name: str
    bytes: int
    about: str
    scale: int | None = None

    @property
    def most(self) -> int:
        """The greatest number."""
        return self.scale or (1 << 8 * self.bytes) - 1


@dataclass(frozen=True)
class Message:
    """A characteristic: the profile's version in one byte, then its fields."""

    name: str
    uuid: str
    about: str
    fields: tuple[Field, ...]

    @property
    def size(self) -> int:
        """Bytes, the version's among them; at most 20, so that they fit any link."""
        return 1 + sum(field.bytes for field in self.fields)


@dataclass(frozen=True)
class Profile:
    """The whole table."""

    version: int
    service: str
    messages: dict[str, Message]

    def encode(self, name: str, values: Mapping[str, float]) -> bytes:
        """Write a message.

        Parameters
        ----------
        name
            ``decision``, ``presence`` or ``state``.
        values
            Every field by name; those with a scale from 0 to 1, the others whole numbers.

        Raises
        ------
        BridgeError
            When a field is absent, unknown or out of range.
        """
        message, content = self.messages[name], bytearray([self.version])
        names = [field.name for field in message.fields]
        if set(values) != set(names):
            raise BridgeError(f"{name}: expected {', '.join(names)}, got {', '.join(values)}.")
        for field in message.fields:
            content += _number(name, field, values[field.name]).to_bytes(field.bytes, "little")
        return bytes(content)

    def decode(self, name: str, content: bytes) -> dict[str, float]:
        """Read a message; bytes after its fields are of a later profile and left alone.

        Raises
        ------
        BridgeError
            When it is too short, or of another version.
        """
        message = self.messages[name]
        if len(content) < message.size:
            raise BridgeError(f"{name}: expected {message.size} bytes, got {len(content)}.")
        if content[0] != self.version:
            raise BridgeError(f"{name}: expected version {self.version} of the profile, got {content[0]}.")
        found: dict[str, float] = {}
        at = 1
        for field in message.fields:
            number = int.from_bytes(content[at : at + field.bytes], "little")
            found[field.name] = number / field.scale if field.scale else number
            at += field.bytes
        return found


def _number(name: str, field: Field, value: float) -> int:
    number = value * field.scale if field.scale else value
    if not math.isfinite(number) or not 0 <= number <= field.most or (not field.scale and number % 1):
        wanted = "0 to 1" if field.scale else f"a whole number from 0 to {field.most}"
        raise BridgeError(f"{name}: {field.name} must be {wanted}, got {value}.")
    return math.floor(number + 0.5)


@lru_cache(maxsize=1)
def profile() -> Profile:
    """Return the profile of this version."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    messages = {
        name: Message(name, given["uuid"], given["about"], tuple(Field(**field) for field in given["fields"]))
        for name, given in table["messages"].items()
    }
    return Profile(table["version"], table["service"], messages)
