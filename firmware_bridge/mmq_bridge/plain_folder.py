# SPDX-License-Identifier: Apache-2.0
"""Folders that others made: only files and folders of their own, no links to anywhere else."""

from __future__ import annotations

import os
from pathlib import Path

from mmq_bridge.errors import BridgeError, MMQError

MAX_ENTRIES = 100_000


def check_plain(
    folder: str | os.PathLike[str], error: type[MMQError] = BridgeError, most: int = MAX_ENTRIES
) -> None:
    """Raise unless everything in a folder, at every depth, is a regular file or a folder.

    A link would let a bundle or run name any file of this machine, and a pipe is never read to its end.

    Parameters
    ----------
    folder
        Not there, it has nothing that is wrong.
    error
        What is raised.
    most
        How many files and folders there may be.

    Raises
    ------
    MMQError
        As `error`; it names the first that is neither.
    """
    left, waiting = most, [Path(folder)]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as found:
                for entry in found:
                    left -= 1
                    if left < 0:
                        raise error(f"{folder}: expected at most {most} files; this is no folder of ours.")
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    elif not entry.is_file(follow_symlinks=False):
                        what = "a link" if entry.is_symlink() else "a pipe, a socket or a device"
                        raise error(f"{entry.path}: expected a regular file, found {what}; remove it.")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as failed:
            raise error(f"{here}: cannot be read ({failed.strerror}); check its rights.") from failed
