# SPDX-License-Identifier: Apache-2.0
"""Which format a file or folder has, how it is read, and which files belong to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mmq_bridge.recordings.e4 import make_recording, read_session, sensor_files
from mmq_bridge.recordings.folder import recording_files
from mmq_bridge.recordings.plain import plain_form

from mmq_tf.datasets.formats.folder import load_recording
from mmq_tf.datasets.formats.markers import WantedTrials
from mmq_tf.datasets.formats.mne_channels import IGNORE
from mmq_tf.recording import Recording

MNE_ENDINGS = (
    ".edf", ".bdf", ".gdf", ".vhdr", ".set", ".fif", ".fif.gz", ".cnt", ".egi", ".mff", ".nxe", ".mef",
    ".lay", ".con", ".sqd", ".ds", ".snirf",
)  # fmt: skip
"""Endings of files that MNE is asked to read."""

TABLE_ENDINGS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".npz": "npz"}


def form_of(path: Path) -> str | None:
    """Format of a file or folder by its name and what lies in it, as a manifest calls it; None if unknown.

    Examples
    --------
    >>> form_of(Path("cap.bdf")), form_of(Path("table.csv")), form_of(Path("notes.docx"))
    ('mne', 'csv', None)
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        return None
    name = path.name.lower()
    if name.endswith(MNE_ENDINGS):
        return "mne"
    if path.is_dir():
        return plain_form(path) or ("embraceplus" if any(path.glob("*.avro")) else None)
    if name.endswith((".xdf", ".xdfz", ".xdf.gz")):
        return "xdf"
    return plain_form(path) or {".avro": "embraceplus", **TABLE_ENDINGS}.get(path.suffix.lower())


def read_as(
    form: str,
    path: Path,
    modalities: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    markers: str | None = None,
    trials: WantedTrials = "shown",
    counts: Callable[[str], bool] = bool,
    repair: bool = False,
) -> tuple[Recording, float | None]:
    """Read a whole recording of a known format.

    Parameters
    ----------
    form : str
        ``mne``, ``xdf``, ``e4``, ``embraceplus`` or ``recording``.
    path : Path
        Its file or folder.
    modalities, units, markers : optional
        What a file of mne or xdf does not say; see `mmq_tf.datasets.manifest.schema.FilesPart`.
    trials, counts : optional
        What is done about trials that are not clear in such a file, and which annotations of mne can be some;
        see `mmq_tf.datasets.formats.mne_files.load_mne`.
    repair : bool
        Read what is whole of a file of EDF, BDF or xdf that was cut short.

    Returns
    -------
    recording : Recording
    start_unix_s : float or None
        When it began, where the format is sure of that.

    Raises
    ------
    MMQError
        If it is broken.
    """
    if form == "recording":
        return load_recording(path), None
    if form == "e4":
        session = read_session(path)
        return make_recording(session, path.stem, (), "e4"), session.start_unix_s
    if form == "embraceplus":
        from mmq_tf.datasets.formats.embraceplus import load_embraceplus

        return load_embraceplus(path), None
    if form == "xdf":
        from mmq_tf.datasets.formats.xdf import load_xdf

        chosen = {
            name: None if modality == IGNORE else modality for name, modality in (modalities or {}).items()
        }
        return load_xdf(path, chosen, markers, trials=trials, repair=repair), None
    from mmq_tf.datasets.formats.mne_files import load_mne

    recording = load_mne(path, types=modalities, units=units, trials=trials, counts=counts, repair=repair)
    return recording, None


def files_of(form: str, path: Path) -> list[Path]:
    """List every file that a whole recording is made of; MNE tells which lie beside one that it reads.

    Raises
    ------
    MMQError
        If MNE cannot open it.
    """
    if form == "recording":
        return recording_files(path)
    if form == "e4":
        return sensor_files(path)
    if form == "embraceplus" and path.is_dir():
        return sorted(path.glob("*.avro"))
    if form != "mne" or path.suffix.lower() in (".edf", ".bdf"):
        return [path]
    from mmq_tf.datasets.formats.mne_open import open_with_mne

    return list(open_with_mne(path).files)
