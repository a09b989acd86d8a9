# SPDX-License-Identifier: Apache-2.0
"""What a wearer taught as a file, and the commands' option `--state` for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from mmq_bridge.atomic_files import replaced_file
from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.files import read_bytes

MAX_BYTES = 1 << 20
"""More than any state has."""


class _HasState(Protocol):
    def save_state(self, path: str | os.PathLike[str]) -> None: ...

    def load_state(self, path: str | os.PathLike[str]) -> None: ...


def write_state(path: str | os.PathLike[str], state: bytes) -> None:
    """Write a state whole or not at all; only its owner may read it, for it tells of a body.

    Raises
    ------
    BridgeError
        When it cannot be written.
    """
    try:
        with replaced_file(Path(path)) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(state)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BridgeError(f"{path}: cannot be written ({reason}).") from error


def read_state(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a state's file.

    Raises
    ------
    BridgeError
        When there is no such file, or it cannot be read or is far too large.
    """
    if not os.path.isfile(path):
        raise BridgeError(f"{path}: expected the file of a saved state; there is none.")
    return read_bytes(Path(path), MAX_BYTES)


@contextmanager
def kept_state(device: _HasState, path: Path | None) -> Iterator[None]:
    """Load a device's state from a file where it is there, and save it when the block ends, however it does.

    It is also written at the start, so that a place that cannot be written is found before a session is worn.

    Raises
    ------
    BridgeError
        When the file is there but is not a state of this front end; it is left as it is. When it cannot be
        written.
    """
    if path is None:
        yield
        return
    if os.path.lexists(path):
        device.load_state(path)
    device.save_state(path)
    try:
        yield
    finally:
        device.save_state(path)
