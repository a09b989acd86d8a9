# SPDX-License-Identifier: Apache-2.0
"""What a recording is made from, as one digest; a file that has not changed is not read twice for it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmq_bridge.atomic_files import remove_litter_once
from mmq_bridge.cache import cache_folder
from mmq_bridge.recordings.files import check_regular

from mmq_tf.errors import MMQError
from mmq_tf.utils.atomic_files import write_text

SETTLED_S = 2.0
"""A file changed more recently than this may change again within one tick of the file system's clock, so its
digest is not kept."""


def source_digest(head: str, files: Iterable[Path]) -> str:
    """Hex SHA-256 of `head` and of the names and contents of `files`, in the given order.

    Raises
    ------
    MMQError
        If a file cannot be read.
    """
    digest = hashlib.sha256(os.fsencode(head) + b"\n")
    for path in files:
        digest.update(os.fsencode(f"{path.name} {file_digest(path)}\n"))
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's content, remembered while its size, inode and time of change stay the same.

    Raises
    ------
    MMQError
        If the file cannot be read.
    """
    check_regular(path)
    try:
        status = path.stat()
        stamp = [str(path.resolve()), status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
        memory = _memory_of(stamp[0])
        known = _read(memory)
        if known.get("stamp") == stamp:
            return known["sha256"]
        remove_litter_once(memory.parent)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if time.time() - max(status.st_mtime, status.st_ctime) > SETTLED_S:
        _remember(memory, {"stamp": stamp, "sha256": digest})
    return digest


def _memory_of(path: str) -> Path:
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return cache_folder() / "digests" / f"{name}.json"


def _read(memory: Path) -> dict[str, Any]:
    """Return what is remembered; nothing where that is damaged."""
    try:
        content = json.loads(memory.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("sha256"), str) else {}


def _remember(memory: Path, content: dict[str, Any]) -> None:
    try:
        write_text(memory, json.dumps(content))
    except MMQError:  # a cache that cannot be written costs time, not the work
        return
