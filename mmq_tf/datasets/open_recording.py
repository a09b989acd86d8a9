# SPDX-License-Identifier: Apache-2.0
"""One recording from whatever a path is: our folder, an E4 or EmbracePlus export, XDF, a file MNE reads."""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.recordings.files import check_regular
from mmq_bridge.recordings.folder import JSON_NAME

from mmq_tf.datasets.formats.detect import form_of, read_as
from mmq_tf.datasets.formats.e4 import load_e4
from mmq_tf.datasets.manifest.dataset import manifest_dataset
from mmq_tf.datasets.manifest.schema import FILE_NAME, TABLES
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording

UNDERSTOOD = (
    f"a folder with {JSON_NAME}, an Empatica E4 export (folder or .zip), an EmbracePlus export (.avro"
    f" files), .xdf, a file MNE reads (.edf, .bdf, .vhdr, .set, .fif, ...), or a folder with {FILE_NAME} and"
    " one recording"
)


def open_recording(path: Path | str, *, repair: bool = False) -> Recording:
    """Read the one recording that a path is.

    Parameters
    ----------
    path : path
        A file or a folder; see `UNDERSTOOD`. ``DIR:SUBJECT`` is one of the recordings that a folder's
        ``mmq-tf.toml`` describes.
    repair : bool
        Read what is whole of an EDF, BDF or XDF file that was cut short, and say in a warning what is lost.

    Returns
    -------
    Recording
        With the trials its file tells of.

    Raises
    ------
    MMQError
        If there is nothing, what is there is not understood, holds several recordings, or is broken.
    """
    path = Path(path)
    folder, colon, subject = str(path).rpartition(":")
    if colon and not path.exists() and (Path(folder) / FILE_NAME).is_file():
        return manifest_dataset(Path(folder), repair=repair).load(folder, subject)
    if not path.exists():
        raise MMQError(f"{path}: there is nothing; expected {UNDERSTOOD}.")
    check_regular(path)
    if (path / FILE_NAME).is_file():
        return _described(path, repair)
    form = form_of(path)
    if form in TABLES:
        raise MMQError(
            f"{path}: a table does not say its sensors and rates; describe it: mmq-tf datasets new"
            f" {path.parent}"
        )
    if form is None:
        inner = sorted(one.name for one in path.iterdir() if form_of(one)) if path.is_dir() else []
        if inner:
            names = ", ".join(inner[:10]) + (", ..." if len(inner) > 10 else "")
            raise MMQError(
                f"{path}: expected one recording; it holds {len(inner)}: {names}. Name one of them."
            )
        raise MMQError(f"{path}: is not a recording; expected {UNDERSTOOD}.")
    return load_e4(path) if form == "e4" else read_as(form, path, repair=repair)[0]


def _described(folder: Path, repair: bool) -> Recording:
    dataset = manifest_dataset(folder, repair=repair)
    names = dataset.subjects(folder)
    if len(names) > 1:
        raise MMQError(
            f"{folder}: expected one recording; its {FILE_NAME} describes {len(names)}:"
            f" {', '.join(names[:10])}. Name one: {folder}:{names[0]}"
        )
    return dataset.load(folder, names[0])
