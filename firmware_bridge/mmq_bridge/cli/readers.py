# SPDX-License-Identifier: Apache-2.0
"""Which function reads a recording: one that another package registered, or that of plain folders."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmq_bridge.recordings.recording import Recording

GROUP = "mmq_bridge.readers"
"""Entry points of functions from a path to a recording; mmq-tf registers one that reads all it knows."""


def open_recording(path: Path) -> Recording:
    """Read the recording at a path.

    Raises
    ------
    MMQError
        When there is none, or it is not understood.
    """
    for found in entry_points(group=GROUP):
        return found.load()(path)
    from mmq_bridge.recordings.plain import read_recording

    return read_recording(path)
