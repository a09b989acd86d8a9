# SPDX-License-Identifier: Apache-2.0
"""How commands name a recording: a path, ``DIR:SUBJECT``, or ``DATASET:SUBJECT`` with ``--data``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmq_tf.errors import MMQError

if TYPE_CHECKING:
    from mmq_tf.recording import Recording

data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of the data set, for DATASET:SUBJECT."
)
repair_option = click.option(
    "--repair", is_flag=True, help="Read what is whole of a cut EDF, BDF or XDF file."
)


def open_named(recording: Path | str, data: Path | None = None, repair: bool = False) -> Recording:
    """Read a recording as it is named on the command line.

    Parameters
    ----------
    recording : path or str
        What `mmq_tf.datasets.open_recording` takes, or ``DATASET:SUBJECT``.
    data : Path, optional
        Where that data set lies.
    repair : bool
        Read what is whole of a file that was cut short, and say in a warning what is lost.

    Raises
    ------
    MMQError
        If there is none, it is broken, or an option is missing or of no use.
    """
    from mmq_tf.datasets import open_dataset
    from mmq_tf.datasets.manifest.schema import FILE_NAME
    from mmq_tf.datasets.open_recording import open_recording

    text = str(recording)
    name, colon, subject = text.partition(":")
    folder = text.rpartition(":")[0]
    if Path(text).exists() or not colon or (Path(folder) / FILE_NAME).is_file():
        return open_recording(text, repair=repair)
    if data is None and Path(folder).is_dir():
        raise MMQError(f"{folder}: has no {FILE_NAME}, which says what its recordings are.")
    if data is None:
        raise MMQError(f"{text}: name the folder of the data set {name!r} with --data.")
    if repair:
        raise MMQError("--repair is for files and for folders with an mmq-tf.toml, not for DATASET:SUBJECT.")
    return open_dataset(name, data).load(data, subject)
