# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are written whole or not at all: under a temporary name beside, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that becomes `path` when the block ends well.

    The temporary name keeps the suffix, since some writers choose their format by it.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.stem}.part-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Yield a new, empty folder that takes the place of `path` and what was there when the block ends well.

    Raises
    ------
    OSError
        If the folder cannot be written; nothing is left behind, and what was there stays.
    """
    temporary = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    try:
        temporary.mkdir()
        yield temporary
        _replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace(new: Path, path: Path) -> None:
    """Rename `new` to `path`; what was there is moved aside first and put back if the rename fails."""
    if not os.path.lexists(path):
        os.rename(new, path)
        return
    if path.is_symlink() or not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    old = path.with_name(f".{path.name}.old-{secrets.token_hex(4)}")
    os.rename(path, old)
    try:
        os.rename(new, path)
    except OSError:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)
