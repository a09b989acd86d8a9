# SPDX-License-Identifier: Apache-2.0
"""What a wearer taught as a file, and the commands' option `--state` for it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from mmq_bridge.atomic_files import replaced_file
from mmq_bridge.errors import BridgeError, BridgeWarning
from mmq_bridge.recordings.files import read_bytes

MAX_BYTES = 1 << 20
"""More than any state has."""
SAVED_EVERY_S = 60.0
"""A session that ends without a word, as by a power cut, loses no more of its signals than these."""


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
            with temporary.open("wb") as stream:
                stream.write(state)
                stream.flush()
                os.fsync(stream.fileno())
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


class KeptState:
    """A device's state that is written while its session goes on.

    Parameters
    ----------
    device : object
        With ``save_state``.
    path : Path, optional
        None: nothing is written.
    """

    def __init__(self, device: _HasState, path: Path | None) -> None:
        self._device, self._path = device, path
        self._saved_s = 0.0
        self._warned = False

    def reached(self, time_s: float) -> None:
        """Save when `SAVED_EVERY_S` of signals have passed since the last time.

        Parameters
        ----------
        time_s : float
            How far the session has come, in s.

        Warns
        -----
        BridgeWarning
            Once, when it cannot be written: the session goes on.
        """
        if self._path is None or time_s < self._saved_s + SAVED_EVERY_S:
            return
        self._saved_s = time_s
        try:
            self._device.save_state(self._path)
        except BridgeError as error:
            if not self._warned:
                warnings.warn(f"{error} The session goes on.", BridgeWarning, stacklevel=2)
            self._warned = True


@contextmanager
def kept_state(device: _HasState, path: Path | None) -> Iterator[KeptState]:
    """Load a device's state from a file where it is there, and save it when the block ends, however it does.

    It is also written at the start, so that a place that cannot be written is found before a session is worn;
    and whenever the block says how far it has come.

    Yields
    ------
    KeptState
        To be told of it.

    Raises
    ------
    BridgeError
        When the file is there but is not a state of this front end; it is left as it is. When it cannot be
        written.
    """
    kept = KeptState(device, path)
    if path is None:
        yield kept
        return
    if os.path.lexists(path):
        device.load_state(path)
    device.save_state(path)
    try:
        yield kept
    finally:
        device.save_state(path)
