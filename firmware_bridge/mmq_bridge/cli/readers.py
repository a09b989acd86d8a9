# SPDX-License-Identifier: Apache-2.0
"""Which function reads a recording: one that another package registered, or that of plain folders."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from mmq_bridge.cli.host import WornRecording

GROUP = "mmq_bridge.readers"
"""Entry points of functions from a path to a recording; mmq-tf registers one that reads all it knows."""


def open_recording(path: Path) -> WornRecording:
    """Read the recording at a path.

    Raises
    ------
    UserError
        When there is none, or it is not understood.
    """
    for found in entry_points(group=GROUP):
        return found.load()(path)
    from mmq_bridge.sources.recording_folder import read_recording

    return read_recording(path)
