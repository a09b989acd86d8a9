# SPDX-License-Identifier: Apache-2.0
"""Files and folders that a reader expects: checked before anything of them is read."""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.errors import BridgeError


def existing_folder(folder: Path | str, what: str) -> Path:
    """Return `folder` as a path.

    Raises
    ------
    BridgeError
        If there is no folder; the message says that `what` was looked for there.
    """
    path = Path(folder)
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise BridgeError(f"{path}: expected the folder of {what}; found {found}.")
    return path


def check_regular(path: Path) -> None:
    """Check that a path which is there is a file or a folder: reading a pipe or a device may never end.

    Raises
    ------
    BridgeError
        If it is neither.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise BridgeError(f"{path}: expected a file; found a pipe, a socket or a device.")


def read_bytes(path: Path, limit: int) -> bytes:
    """Content of a file of at most `limit` bytes; its size is looked at before anything is read.

    Raises
    ------
    BridgeError
        If the file is larger or cannot be read.
    """
    check_regular(path)
    try:
        size = path.stat().st_size
        if size > limit:
            raise BridgeError(
                f"{path}: expected at most {limit / 2**20:g} MiB; it has {size / 2**20:.0f} MiB."
            )
        return path.read_bytes()
    except OSError as error:
        raise BridgeError(f"{path}: cannot be read ({error.strerror or error}).") from error
