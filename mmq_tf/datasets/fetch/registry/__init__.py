# SPDX-License-Identifier: Apache-2.0
"""Pinned digests of published files; ``python -m mmq_tf.datasets.fetch.registry FOLDER`` writes them.

One ``NAME.txt`` a data set; a row is a SHA-256, a path inside the published folder and, where only the head
of a file could be pinned, the number of lines the digest is of, with LF line ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mmq_bridge.recordings.files import read_bytes

from mmq_tf.datasets.formats.digests import file_digest

MAX_HEAD_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Pin:
    """The digest a published file must have: of the whole file, or of its first `lines` lines."""

    sha256: str
    lines: int | None = None

    def matches(self, path: Path) -> bool:
        """Whether the file at `path` is the pinned one.

        Raises
        ------
        MMQError
            If it cannot be read.
        """
        found = file_digest(path) if self.lines is None else head_digest(path, self.lines)
        return found == self.sha256


def pins_of(dataset: str) -> Mapping[str, Pin]:
    """Return the pinned files of a data set by their path in its folder; none where nothing is pinned."""
    file = resources.files(__name__) / f"{dataset}.txt"
    if not file.is_file():
        return {}
    rows = [line.split() for line in file.read_text("utf-8").splitlines() if not line.startswith("#")]
    return {path: Pin(sha256, *map(int, lines)) for sha256, path, *lines in rows}


def head_digest(path: Path, lines: int) -> str:
    """Hex SHA-256 of a text file's first `lines` lines, as if each ended in LF.

    Raises
    ------
    MMQError
        If the file is larger than 64 MiB or cannot be read.
    """
    head = read_bytes(path, MAX_HEAD_BYTES).replace(b"\r\n", b"\n").split(b"\n", lines)[:lines]
    return hashlib.sha256(b"".join(line + b"\n" for line in head)).hexdigest()
