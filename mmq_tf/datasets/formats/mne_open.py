# SPDX-License-Identifier: Apache-2.0
"""Opening a file with MNE: its channels, annotations and files, before any sample is read."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmq_bridge.recordings.files import check_regular, read_bytes
from mmq_bridge.recordings.room import check_room, room_for

from mmq_tf.datasets.formats.files.edf import check_edf
from mmq_tf.datasets.formats.files.edf_signals import mne_errors, open_edf, read_edf_signals, read_in_parts
from mmq_tf.datasets.formats.mne_channels import MneChannel
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.breaks import is_boundary
from mmq_tf.mne_bridge.mne_logging import mne_through_the_log
from mmq_tf.utils.sizes.gzip import gzip_bytes
from mmq_tf.utils.sizes.hdf5 import hdf5_bytes
from mmq_tf.utils.sizes.mat5 import is_mat5, mat5_bytes

if TYPE_CHECKING:
    import mne
    from mne.io import BaseRaw

MAX_FILE_BYTES = 4 * 2**30
SAMPLE_BYTES = 4
MAX_HEADER_BYTES = 16 * 2**20
TYPED = (".fif", ".fif.gz", ".ds", ".con", ".sqd", ".mff")
"""Endings of formats that say each channel's type; of others MNE calls everything EEG."""

EEGLAB_SCALE = 1e-6
"""What MNE multiplies every number of a ``.set`` with."""

NEW_SEGMENT = re.compile(r"^Mk\d+=New Segment,[^,\n]*,(\d+),[^,\n]*,[^,\n]*,(\d{20})\s*$", re.MULTILINE)
BRAINVISION_PARTS = re.compile(r"^(?:DataFile|MarkerFile)\s*=\s*(\S.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Mark:
    """One annotation, in seconds from the first sample; `channels` is empty where it is of all."""

    start_s: float
    stop_s: float
    text: str
    channels: tuple[str, ...] = ()

    @property
    def is_bad(self) -> bool:
        """Whether this is time that must not be used, by MNE's convention."""
        return self.text.upper().startswith("BAD") and not self.is_boundary

    @property
    def is_boundary(self) -> bool:
        """Whether this is a break in the signal."""
        return is_boundary(self.text)


@dataclass(frozen=True)
class Opened:
    """A file before its samples are read.

    `read` gives float32 ``[places, n]`` of channels of one rate, in their own units; `files` are all that the
    recording lies in. `bads` are channels that were marked as bad as a whole. `pauses_s` says how long the
    pause before a break was, by its time, where the file tells that elsewhere than in `marks`.
    """

    channels: tuple[MneChannel, ...]
    marks: tuple[Mark, ...]
    files: tuple[Path, ...]
    read: Callable[[Sequence[int]], np.ndarray]
    bads: tuple[str, ...] = ()
    pauses_s: Mapping[float, float] = field(default_factory=dict)


def open_with_mne(path: Path, *, repair: bool = False) -> Opened:
    """Open a file, or a folder where the format is one; `repair` as `check_edf` has it.

    Raises
    ------
    MMQError
        If there is nothing, it is too large, MNE cannot read it, or it refers to files in another folder.
    """
    if not path.exists():
        raise MMQError(f"{path}: expected a recording that MNE reads; found nothing.")
    check_regular(path)
    if path.is_file() and path.stat().st_size > MAX_FILE_BYTES:
        raise MMQError(f"{path}: expected at most {MAX_FILE_BYTES / 2**30:g} GiB.")
    is_edf = path.suffix.lower() in (".edf", ".bdf")
    return _open_edf(path, repair=repair) if is_edf else _open_other(path)


def _open_edf(path: Path, *, repair: bool) -> Opened:
    header = check_edf(path, MAX_FILE_BYTES, repair=repair)
    places = [i for i, signal in enumerate(header.signals) if not signal.is_annotations]
    raw = open_edf(path, header)
    channels = tuple(
        MneChannel(name, "eeg", header.signals[i].unit, header.signals[i].sampling_rate_hz)
        for i, name in zip(places, raw.ch_names, strict=True)
    )
    return Opened(
        channels,
        _marks(raw.annotations if header.continuous else _edf_annotations(path), 0.0),
        (path,),
        lambda rows: read_edf_signals(path, header, [places[row] for row in rows]),
    )


def _edf_annotations(path: Path) -> mne.Annotations:
    """Those of a discontinuous file: a raw object of MNE drops what lies after the time it counts itself."""
    import mne

    with mne_errors(path):
        return mne.read_annotations(path)


def _open_other(path: Path) -> Opened:
    import mne

    named = _brainvision_parts(path) if path.suffix.lower() in (".vhdr", ".ahdr") else []
    _check_beside(path, named)
    if path.suffix.lower() == ".set":
        _check_matlab(path)
    if path.suffix.lower() == ".gz":
        check_room(path, gzip_bytes(path, room_for(path)))
    with mne_through_the_log(str(path)), mne_errors(path):
        raw = mne.io.read_raw(path, preload=False)
        # a raw object cuts what was cut out of an EEGLAB file off where the file ends
        annotations = mne.read_annotations(path) if path.suffix.lower() == ".set" else raw.annotations
    files = [path, *named, *(Path(name) for name in raw.filenames if name is not None)]
    _check_beside(path, files)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    files = list(dict.fromkeys(file.resolve() for file in files))

    def read(rows: Sequence[int]) -> np.ndarray:
        check_room(path, SAMPLE_BYTES * len(rows) * raw.n_times, files)  # a FIF file may say what it skips
        return read_in_parts(path, raw, rows, np.ones((len(rows), 1)))

    return Opened(
        tuple(_channel(path, raw, i) for i in range(len(raw.ch_names))),
        _marks(annotations, raw.first_time),
        tuple(files),
        read,
        tuple(raw.info["bads"]),
        _segment_pauses(named, float(raw.info["sfreq"])),
    )


def _check_matlab(path: Path) -> None:
    """Check what an EEGLAB file, a Matlab file of version 5 or 7.3, holds, and that something reads it."""
    with mne_errors(path):
        is_old = is_mat5(path)
        need = mat5_bytes(path, room_for(path)) if is_old else hdf5_bytes(path)
    check_room(path, need)
    if not is_old and importlib.util.find_spec("pymatreader") is None:
        raise MMQError(
            f"{path}: is a Matlab 7.3 file, which MNE reads only with pymatreader: run"
            " `pip install pymatreader`, or save the file in EEGLAB as version 6 or 7."
        )


def _segment_pauses(files: Sequence[Path], rate_hz: float) -> dict[float, float]:
    """Seconds between BrainVision's segments, by the time at which each begins in the file.

    A segment's marker holds its place (from 1) and the date at which it began, to a microsecond.
    """
    found: list[tuple[float, float]] = []
    for file in files if rate_hz > 0 else ():
        if file.suffix.lower() in (".vmrk", ".amrk") and file.is_file():
            text = read_bytes(file, MAX_HEADER_BYTES).decode("latin-1")
            for place, stamp in NEW_SEGMENT.findall(text):
                try:
                    date = datetime.strptime(stamp, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
                except ValueError:  # all zeros: the date was not kept
                    continue
                found.append(((int(place) - 1) / rate_hz, date.timestamp()))
    found.sort()
    pauses = {}
    for (before_s, began), (at_s, begins) in zip(found, found[1:], strict=False):
        pauses[at_s] = begins - began - (at_s - before_s)
    return pauses


def _brainvision_parts(path: Path) -> list[Path]:
    text = read_bytes(path, MAX_HEADER_BYTES).decode("latin-1")
    return [path.parent / name.replace("$b", path.stem) for name in BRAINVISION_PARTS.findall(text)]


def _check_beside(path: Path, files: Sequence[Path]) -> None:
    """Check that a file does not make us read others elsewhere on the machine."""
    home = path.resolve().parent
    for file in files:
        if not file.resolve().is_relative_to(path.resolve() if path.is_dir() else home):
            raise MMQError(f"{path}: expected all its parts in {home}; it refers to {file}.")


def _channel(path: Path, raw: BaseRaw, i: int) -> MneChannel:
    from mne.io.constants import FIFF

    name = raw.ch_names[i]
    mne_type = raw.get_channel_types([i])[0]
    codes = {"V": FIFF.FIFF_UNIT_V, "S": FIFF.FIFF_UNIT_S, "C": FIFF.FIFF_UNIT_CEL, "K": FIFF.FIFF_UNIT_K}
    unit = next((unit for unit, code in codes.items() if raw.info["chs"][i]["unit"] == code), "")
    if path.suffix.lower() == ".set" and unit != "V":  # EEGLAB says no unit; MNE takes all for uV
        return MneChannel(name, mne_type, "", float(raw.info["sfreq"]), _is_placed(raw, i), EEGLAB_SCALE)
    # BrainVision: MNE scales by the header's unit, but keeps it nowhere else where that is not V.
    written = getattr(raw, "_orig_units", {}).get(name, "")
    if written in ("C", "\u00b5S", "S") and unit in ("", "V"):
        unit = written[-1]
    is_told = path.name.lower().endswith(TYPED) or _is_placed(raw, i)
    written = EEGLAB_SCALE if path.suffix.lower() == ".set" else 1.0
    return MneChannel(name, mne_type, unit, float(raw.info["sfreq"]), is_told, written)


def _is_placed(raw: BaseRaw, i: int) -> bool:
    """Whether the file says where on the head a channel's electrode was."""
    at = np.asarray(raw.info["chs"][i]["loc"][:3], float)
    return bool(np.isfinite(at).all() and at.any())


def _marks(annotations: mne.Annotations, first_s: float) -> tuple[Mark, ...]:
    onsets = np.asarray(annotations.onset, float) - first_s
    return tuple(
        Mark(float(onset), float(onset + duration), str(text).strip(), tuple(channels))
        for onset, duration, text, channels in zip(
            onsets, annotations.duration, annotations.description, annotations.ch_names, strict=True
        )
    )
