# SPDX-License-Identifier: Apache-2.0
"""DEAP as recorded (Koelstra et al. 2012): ``data_original/s01.bdf``, BioSemi at 512 Hz, through MNE.

One file per person, about an hour. Channels are found by the names in the header, because Twente (s01 to s22)
and Geneva (s23 to s32) wired the EEG in different orders; they come out in Geneva's. The eight EXG electrodes
are four pairs. GSR1 is a conductance in nS in Twente, a resistance in Ohm in Geneva. Trials begin where the
Status channel's lowest byte becomes 4, the start of a video; what people felt stands in
``participant_ratings.csv``. From s24 on the Status channel has no name and its higher bits are set (seen in
public code that reads these files, https://github.com/gzoumpourlis/DEAP_MNE_preprocessing).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmq_tf.datasets import deap_protocol as protocol
from mmq_tf.datasets.base import Dataset, Published, check_known
from mmq_tf.datasets.formats.files.edf import EdfSignal, check_edf
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial

if TYPE_CHECKING:
    from mne.io import BaseRaw

PLACE = ("data_original", ".bdf")
RATE_HZ = 512.0
MAX_FILE_BYTES = 2**30
VIDEO_STARTS = 4
CODE_BITS = 0xFF
CHUNK_S = 30

PAIRS = {
    "eog": (("EXG1", "EXG2"), ("EXG3", "EXG4")),
    "emg": (("EXG5", "EXG6"), ("EXG7", "EXG8")),
}
"""Electrodes whose difference is one channel, in the order of the channel names."""

SINGLES = {"eda": "GSR1", "resp": "Resp", "ppg": "Plet", "temp": "Temp"}
NAMES = {
    "eeg": protocol.EEG_CHANNELS,
    "eog": protocol.EOG_CHANNELS,
    "emg": protocol.EMG_CHANNELS,
    **{modality: (label,) for modality, label in SINGLES.items()},
}
UNITS = dict.fromkeys(("eeg", "eog", "emg"), "uV") | {
    "eda": "uS",
    "resp": "a.u.",
    "ppg": "a.u.",
    "temp": "degC",
}


def list_subjects(folder: Path) -> list[str]:
    """Subjects with a ``.bdf`` file."""
    return list(protocol.files_by_subject(folder, *PLACE))


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the subject's file and the table of everyone's ratings."""
    files = protocol.files_by_subject(folder, *PLACE)
    check_known(folder, subject, list(files))
    ratings = protocol.ratings_file(folder)
    if ratings is None:
        raise MMQError(
            f"{folder / protocol.RATINGS_FOLDER / protocol.RATINGS_NAME}: not found; it comes with DEAP, and"
            " the raw files have no labels of their own."
        )
    return [files[subject], ratings]


def load_subject(folder: Path, subject: str) -> Recording:
    """Read one subject.

    Parameters
    ----------
    folder : Path
        DEAP's folder, or the one with the ``.bdf`` files.
    subject : str
        ``"s01"`` ... ``"s32"``.

    Returns
    -------
    Recording
        The whole session at 512 Hz, a trial a video in the order of presentation. EEG as the amplifier gives
        it, without a reference.

    Raises
    ------
    MMQError
        If a file is missing, cut short or not BDF, lacks a channel, has another rate, or has not as many
        starts of videos as the table of ratings has rows.
    """
    path, table = source_files(folder, subject)
    presented = protocol.read_presented(table, subject)
    described = check_edf(path, MAX_FILE_BYTES).signals
    places = {signal.label.casefold(): index for index, signal in enumerate(described)}
    rows = [_place(path, places, label) for label in _wanted()]
    status = _status(path, described)
    wrong = next((described[i] for i in (*rows, status) if described[i].sampling_rate_hz != RATE_HZ), None)
    if wrong is not None:
        raise MMQError(
            f"{path}: {wrong.label or 'Status'} must have {RATE_HZ:g} Hz; got {wrong.sampling_rate_hz:g} Hz."
        )
    samples, codes = _read(path, described, rows, status)
    signals = _signals(samples, is_twente=int(subject[1:]) <= protocol.LAST_OF_TWENTE)
    trials = _trials(path, codes, presented)
    return Recording(subject, "1", signals, trials, source="deap_raw")


def _wanted() -> list[str]:
    pairs = [label for both in PAIRS.values() for pair in both for label in pair]
    return [*protocol.EEG_CHANNELS, *pairs, *SINGLES.values()]


def _place(path: Path, places: dict[str, int], label: str) -> int:
    if label.casefold() not in places:
        raise MMQError(f"{path}: expected a channel named {label}; got {', '.join(places)}.")
    return places[label.casefold()]


def _status(path: Path, described: tuple[EdfSignal, ...]) -> int:
    """Place of the Status channel: the one of that name, or the last one, if that has no name."""
    named = [index for index, signal in enumerate(described) if signal.label.casefold() == "status"]
    if named or not described[-1].label:
        return named[0] if named else len(described) - 1
    raise MMQError(
        f"{path}: expected a channel named Status, or a last one without a name; the last is"
        f" {described[-1].label!r}."
    )


def _read(
    path: Path, described: tuple[EdfSignal, ...], rows: list[int], status: int
) -> tuple[np.ndarray, np.ndarray]:
    """Read samples, float32 ``[rows, n]`` in the header's units, and the code at each, int ``[n]``."""
    import mne

    # MNE turns uV and mV into V and leaves every other unit as it is
    scale = np.array([{"uV": 1e6, "mV": 1e3}.get(described[row].unit, 1.0) for row in rows])[:, None]
    try:
        raw = mne.io.read_raw_bdf(path, preload=False, stim_channel=[status], verbose="ERROR")
        samples = np.empty((len(rows), raw.n_times), np.float32)
        codes = np.empty(raw.n_times, np.uint8)
        for start, stop in _chunks(raw):
            chunk = np.asarray(raw.get_data(picks=np.array([*rows, status]), start=start, stop=stop))
            samples[:, start:stop] = chunk[:-1] * scale
            codes[start:stop] = chunk[-1].astype(int) & CODE_BITS
    except Exception as error:  # a broken file can make its parser fail in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MMQError(f"{path}: MNE cannot read this BDF file ({reason[:200]}).") from error
    return samples, codes


def _chunks(raw: BaseRaw) -> list[tuple[int, int]]:
    step = int(CHUNK_S * RATE_HZ)
    return [(start, min(start + step, raw.n_times)) for start in range(0, raw.n_times, step)]


def _signals(samples: np.ndarray, *, is_twente: bool) -> dict[str, Signal]:
    """Signals from the rows of `_wanted`; electrodes that belong together are subtracted."""
    eeg, pairs, singles = np.split(samples, [len(protocol.EEG_CHANNELS), -len(SINGLES)])
    halves = np.split(pairs[0::2] - pairs[1::2], len(PAIRS))
    parts = {"eeg": eeg, **dict(zip(PAIRS, halves, strict=True))}
    parts |= {modality: singles[i : i + 1] for i, modality in enumerate(SINGLES)}
    parts["eda"] = _conductance_us(parts["eda"], is_twente=is_twente)
    return {
        modality: Signal(modality, parts[modality], RATE_HZ, UNITS[modality], names)
        for modality, names in NAMES.items()
    }


def _conductance_us(values: np.ndarray, *, is_twente: bool) -> np.ndarray:
    """Skin conductance in uS, from nS (Twente) or Ohm (Geneva); no resistance is lost."""
    if is_twente:
        return values / np.float32(1e3)
    return np.where(values > 0, 1e6 / np.maximum(values, 1e-3), np.nan).astype(np.float32)


def _trials(path: Path, codes: np.ndarray, presented: protocol.Presented) -> tuple[Trial, ...]:
    is_start = codes == VIDEO_STARTS
    starts_s = np.flatnonzero(is_start & ~np.r_[False, is_start[:-1]]) / RATE_HZ
    if len(starts_s) != len(presented.ratings):
        raise MMQError(
            f"{path}: expected {len(presented.ratings)} starts of videos (code {VIDEO_STARTS} of the Status"
            f" channel), as many as the ratings have trials; got {len(starts_s)}."
        )
    late = np.flatnonzero(np.r_[starts_s, codes.size / RATE_HZ][1:] < starts_s + protocol.VIDEO_S)
    if late.size:
        raise MMQError(
            f"{path}: trial {late[0] + 1} must last {protocol.VIDEO_S:g} s from {starts_s[late[0]]:g} s on;"
            " the next one, or the end of the file, comes before."
        )
    return tuple(
        protocol.trial_of(video, ratings, start_s)
        for video, ratings, start_s in zip(
            presented.videos.tolist(), presented.ratings, starts_s.tolist(), strict=True
        )
    )


DEAP_RAW = Dataset(
    name="deap_raw",
    title="DEAP, as recorded",
    licence=protocol.LICENCE,
    attribution=protocol.ATTRIBUTION,
    obtain=protocol.OBTAIN,
    tasks=protocol.TASKS,
    label_kind="self-report after each video, 1 to 9; high is above 5",
    modalities=tuple(NAMES),
    list_subjects=list_subjects,
    source_files=source_files,
    load_subject=load_subject,
    published=Published(
        protocol.SUBJECTS,
        {modality: (len(names), RATE_HZ) for modality, names in NAMES.items()},
        (protocol.VIDEOS, protocol.VIDEOS),
        (protocol.LOWEST, protocol.HIGHEST),
    ),
    stimulus_locked=True,
    notes=(
        "The loader was written from the publisher's description; it has not been run on the licensed files.",
        "The EEG has no reference yet, as BioSemi records it: a front end must subtract one.",
        "GSR1 is taken as nS in s01 to s22 and as Ohm in s23 to s32, as the publisher says; others report"
        " negative values in s01, s02, s03, s08, s14 and s15 and jumps in s26 and s31.",
        "A file in which not every video's start is marked is refused; others report fewer markers in s28.",
    ),
)
