# SPDX-License-Identifier: Apache-2.0
"""Empatica E4 exports as `mmq_bridge` reads them, with the digest that caches go by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmq_bridge.recordings.e4 import read_e4, sensor_files

from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.recording import Recording


def load_e4(path: Path | str) -> Recording:
    """Read an E4 export as `mmq_bridge.recordings.e4.read_e4` does, with its digest.

    Raises
    ------
    MMQError
        As there.
    """
    recording = read_e4(Path(path))
    return replace(recording, digest=source_digest("e4 1", sensor_files(Path(path))))
