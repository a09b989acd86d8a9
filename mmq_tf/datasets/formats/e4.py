# SPDX-License-Identifier: Apache-2.0
"""Empatica E4 exports as `mmq_bridge` reads them, with the digest that caches go by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmq_bridge.recordings.e4 import read_e4, sensor_files

from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.recording import Recording


def load_e4(path: Path | str) -> Recording:
    """Read an E4 export as a recording without trials.

    Parameters
    ----------
    path : path
        The folder that holds ``BVP.csv``, ``EDA.csv``, ``TEMP.csv``, ``ACC.csv``, or a zip archive
        that holds them (at its top or in one folder); a file that is not there is a sensor that is
        not there.

    Returns
    -------
    Recording
        Subject is the folder's name, or the archive's without ``.zip``; t = 0 is the earliest start row.

    Raises
    ------
    MMQError
        If no sensor file is there or one is broken, naming file and row, or the archive is not safe.
    """
    recording = read_e4(Path(path))
    return replace(recording, digest=source_digest("e4 1", sensor_files(Path(path))))
