# SPDX-License-Identifier: Apache-2.0
"""Recordings that need nothing but NumPy: which of the two formats a path has, and its recording."""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.e4 import holds_e4, read_e4
from mmq_bridge.recordings.folder import JSON_NAME, read_recording_folder
from mmq_bridge.recordings.recording import Recording


def plain_form(path: Path) -> str | None:
    """Format of a path by its name and what lies in it: ``recording``, ``e4`` or None.

    Examples
    --------
    >>> plain_form(Path("S2_E4_Data.zip")), plain_form(Path("cap.bdf"))
    ('e4', None)
    """
    if not path.is_dir():
        return "e4" if path.suffix.lower() == ".zip" else None
    if (path / JSON_NAME).is_file():
        return "recording"
    return "e4" if holds_e4(path) else None


def read_recording(path: Path) -> Recording:
    """Read a recording folder or an E4 export.

    Raises
    ------
    BridgeError
        When it is neither, or broken; mmq-tf reads many more formats.
    """
    form = plain_form(path)
    if form is None:
        raise BridgeError(
            f"{path}: expected a folder with {JSON_NAME} or an Empatica E4 export (folder or .zip); install"
            " mmq-tf to read other formats."
        )
    return read_e4(path) if form == "e4" else read_recording_folder(path)
