# SPDX-License-Identifier: Apache-2.0
"""DEAP, preprocessed (Koelstra et al. 2012): 32 people, 40 music videos of a minute, 40 channels.

``data_preprocessed_python/s01.dat`` are pickles that Python 2 wrote, ``data_preprocessed_matlab/s01.mat``
hold the same: ``data`` [40 videos, 40 channels, 8064 samples] at 128 Hz, three seconds before each video and
sixty of it, and ``labels`` [40 videos, 4 ratings]. The videos stand in the order of their number
(Experiment_id), not in that of presentation; with ``participant_ratings.csv`` they are put back into the
latter, since a device that adapts to its wearer knows the past only.

The publisher calls the GSR channel a resistance in Ohm. Negative values have been reported there, which no
resistance can have: an offset was taken away, and how much is left is not known. What surely remains is the
change since the three seconds before the video; `_conductance` makes of it what the front end expects.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.room import check_room, room_for

from mmq_tf.datasets import deap_protocol as protocol
from mmq_tf.datasets.base import Dataset, Published, check_known
from mmq_tf.datasets.formats.concatenate import Piece, join_pieces
from mmq_tf.datasets.formats.files.pickles import load_pickle
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal
from mmq_tf.utils.sizes.mat5 import is_mat5, mat5_bytes

logger = logging.getLogger(__name__)

PYTHON, MATLAB = ("data_preprocessed_python", ".dat"), ("data_preprocessed_matlab", ".mat")
RATE_HZ = 128.0
BASELINE_S = 3.0
SHAPES = {
    "data": (protocol.VIDEOS, 40, round((BASELINE_S + protocol.VIDEO_S) * RATE_HZ)),
    "labels": (protocol.VIDEOS, len(protocol.SCALES)),
}
MAX_FILE_BYTES = 256 * 2**20  # a published file has 98 MiB

CHANNELS: dict[str, tuple[slice, str, tuple[str, ...]]] = {
    "eeg": (slice(0, 32), "uV", protocol.EEG_CHANNELS),
    "eog": (slice(32, 34), "uV", protocol.EOG_CHANNELS),
    "emg": (slice(34, 36), "uV", protocol.EMG_CHANNELS),
    "eda": (slice(36, 37), "a.u.", ("GSR",)),
    "resp": (slice(37, 38), "a.u.", ("respiration belt",)),
    "ppg": (slice(38, 39), "a.u.", ("plethysmograph",)),
    "temp": (slice(39, 40), "degC", ("temperature",)),
}
"""Rows of `data`, unit and channel names by modality."""

NOMINAL_US, NOMINAL_OHM = 2.0, 500e3
"""A usual skin: what `_conductance` starts each trial from."""


def list_subjects(folder: Path) -> list[str]:
    """Subjects with a ``.dat`` or a ``.mat`` file."""
    return list(_files(folder))


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the subject's file, and the table of ratings where there is one."""
    files = _files(folder)
    check_known(folder, subject, list(files))
    ratings = protocol.ratings_file(folder)
    return [files[subject], *([ratings] if ratings else [])]


def load_subject(folder: Path, subject: str) -> Recording:
    """Read one subject.

    Parameters
    ----------
    folder : Path
        DEAP's folder, or the one with the data files.
    subject : str
        ``"s01"`` ... ``"s32"``.

    Returns
    -------
    Recording
        All at 128 Hz; a trial a video, with the 3 s before it in the signals, and lost samples between. In
        the order of presentation where ``participant_ratings.csv`` is there, else in that of the files.

    Raises
    ------
    MMQError
        If a file is broken, cut short or of other shapes, holds a lost sample or a rating outside 1 to 9, or
        the table of ratings has others.
    """
    path, *tables = source_files(folder, subject)
    arrays = _read_pickle(path) if path.suffix == PYTHON[1] else _read_matlab(path)
    data, ratings = (_checked(path, name, arrays.pop(name)) for name in SHAPES)
    protocol.check_ratings(path, ratings, (f"video {index + 1}" for index in range(len(ratings))))
    order = _order(path, tables[0] if tables else None, subject, ratings)
    signals, offsets_s = join_pieces([_piece(data[index]) for index in order])
    trials = []
    for index, offset_s in zip(order, offsets_s, strict=True):
        trials.append(protocol.trial_of(index + 1, ratings[index], offset_s + BASELINE_S))
    return Recording(subject, "1", signals, tuple(trials), source="deap")


def _files(folder: Path) -> dict[str, Path]:
    """Every subject's file; the pickle where both kinds are there."""
    return protocol.files_by_subject(folder, *MATLAB) | protocol.files_by_subject(folder, *PYTHON)


def _read_pickle(path: Path) -> dict[str, object]:
    content = load_pickle(path, MAX_FILE_BYTES)
    if not isinstance(content, dict) or not SHAPES.keys() <= content.keys():
        got = ", ".join(map(repr, content)) if isinstance(content, dict) else type(content).__name__
        raise MMQError(f"{path}: expected a dictionary of {' and '.join(SHAPES)}; got {got[:100] or 'none'}.")
    return {name: content[name] for name in SHAPES}


def _read_matlab(path: Path) -> dict[str, object]:
    from scipy.io import loadmat, whosmat

    if path.stat().st_size > MAX_FILE_BYTES:
        raise MMQError(f"{path}: expected at most {MAX_FILE_BYTES / 2**20:g} MiB.")
    try:
        if is_mat5(path):
            check_room(path, mat5_bytes(path, room_for(path)))
        held = {name: (shape, kind) for name, shape, kind in whosmat(path)}
        for name, shape in SHAPES.items():  # before anything is unpacked
            if held.get(name) not in ((shape, "double"), (shape, "single")):
                raise MMQError(
                    f"{path}: expected {name} {list(shape)} of floating point numbers; got"
                    f" {' '.join(map(str, held.get(name, ('none',))))}."
                )
        content = loadmat(path, variable_names=list(SHAPES))
    except MMQError:
        raise
    except Exception as error:  # a broken file can make its parser fail in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MMQError(
            f"{path}: cannot be read as a Matlab 5 file ({reason[:200]}); copy it again."
        ) from error
    return {name: content[name] for name in SHAPES}


def _checked(path: Path, name: str, array: object) -> np.ndarray:
    """Return an array of the published shape: the samples as float32, the ratings as they are."""
    is_float = isinstance(array, np.ndarray) and array.dtype.kind == "f"
    if not isinstance(array, np.ndarray) or not is_float or array.shape != SHAPES[name]:
        got = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
        raise MMQError(f"{path}: {name} must be a floating point array {list(SHAPES[name])}; got {got}.")
    if name == "labels":
        return array
    samples = np.ascontiguousarray(array, dtype=np.float32)
    finite = np.isfinite(samples).all(axis=2)
    if not finite.all():
        video, channel = np.argwhere(~finite)[0] + 1
        raise MMQError(
            f"{path}: video {video}, channel {channel}: every sample must be a finite number; got NaN or"
            " infinity."
        )
    return samples


def _order(path: Path, table: Path | None, subject: str, ratings: np.ndarray) -> list[int]:
    """Rows of the arrays in the order of presentation, where that is known."""
    if table is None:
        logger.warning(
            "%s: %s is not there, so the trials stay in the order of the videos, not of their presentation",
            path,
            protocol.RATINGS_NAME,
        )
        return list(range(len(ratings)))
    presented = protocol.read_presented(table, subject)
    order = presented.videos - 1
    if len(order) != len(ratings):
        raise MMQError(f"{table}: {subject} must have {len(ratings)} rows, as its file; got {len(order)}.")
    differs = np.argwhere(np.abs(ratings[order] - presented.ratings) > protocol.ROUNDED)
    if differs.size:
        row, scale = differs[0]
        raise MMQError(
            f"{table}: {subject}, video {order[row] + 1}: {protocol.SCALES[scale]} must be the"
            f" {ratings[order[row], scale]:g} of {path.name}; got {presented.ratings[row, scale]:g}: one of"
            " the two is not DEAP's."
        )
    return order.tolist()


def _piece(samples: np.ndarray) -> Piece:
    """Signals of one trial, from its array ``[channels, n]``."""
    rows = {modality: samples[where] for modality, (where, _, _) in CHANNELS.items()}
    rows["eda"] = _conductance(rows["eda"])
    signals = {
        modality: Signal(modality, rows[modality], RATE_HZ, unit, names)
        for modality, (_, unit, names) in CHANNELS.items()
    }
    return Piece(signals, zero_s=BASELINE_S)


def _conductance(resistance: np.ndarray) -> np.ndarray:
    """Skin conductance as if each trial began at `NOMINAL_US`, from the change of resistance since then.

    Parameters
    ----------
    resistance : numpy.ndarray
        ``[1, n]`` in Ohm, with any offset.

    Returns
    -------
    numpy.ndarray
        float32 ``[1, n]``: about uS where the skin had `NOMINAL_OHM`, so in arbitrary units. It rises with
        conductance and knows nothing of the level. An exponential, since it must stay above 0 on a dry
        skin, whose resistance changes by more than the nominal; the front end takes its logarithm.
    """
    before = resistance[:, : round(BASELINE_S * RATE_HZ)].mean(axis=1, keepdims=True, dtype=np.float64)
    return (NOMINAL_US * np.exp((before - resistance) / NOMINAL_OHM)).astype(np.float32)


DEAP = Dataset(
    name="deap",
    title="DEAP, preprocessed",
    licence=protocol.LICENCE,
    attribution=protocol.ATTRIBUTION,
    obtain=protocol.OBTAIN,
    tasks=protocol.TASKS,
    label_kind="self-report after each video, 1 to 9; high is above 5",
    modalities=tuple(CHANNELS),
    list_subjects=list_subjects,
    source_files=source_files,
    load_subject=load_subject,
    published=Published(
        protocol.SUBJECTS,
        {modality: (len(names), RATE_HZ) for modality, (_, _, names) in CHANNELS.items()},
        (protocol.VIDEOS, protocol.VIDEOS),
        (protocol.LOWEST, protocol.HIGHEST),
    ),
    stimulus_locked=True,
    notes=(
        "The loader was written from the publisher's description; it has not been run on the licensed files.",
        "The EEG was band-passed to 4-45 Hz, referenced to the common average and cleaned of EOG by its"
        " publishers: nothing lies under 4 Hz, and EOG must not be removed again.",
        "eda is the change of the GSR channel since the 3 s before each video, turned around so that it rises"
        " with conductance, from a nominal 2: it is published as Ohm, but negative values are reported, so no"
        " level can be known.",
        "temp may hold changes instead of degrees too: a front end must not refuse values near 0.",
        "Without participant_ratings.csv the trials are in the order of the videos, not of presentation.",
        "The three seconds before each video are in the signals, not in the trial.",
    ),
)
