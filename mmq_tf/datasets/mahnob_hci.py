# SPDX-License-Identifier: Apache-2.0
"""MAHNOB-HCI (Soleymani et al., IEEE Trans. Affective Computing 3(1), 2012): film clips, felt emotion, BDF.

One BDF file of 256 Hz a clip; the clip begins and ends with a pulse on the Status channel, 30 s after the
file's start and 30 s before its end. `mmq_tf.datasets.mahnob_sessions` says which files those are.

Sources beside the paper: sensors, places and units as bob.db.hci_tagging (Idiap) lists them after the
database's manual; two pulses (code 268), the first at 30.000 s, as other readers measured on 1054 files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmq_tf.datasets.base import Dataset, Published, check_known
from mmq_tf.datasets.formats.concatenate import Piece, join_pieces
from mmq_tf.datasets.formats.conductance import conductance_us
from mmq_tf.datasets.formats.files.edf import check_edf
from mmq_tf.datasets.formats.files.edf_signals import read_edf_signals
from mmq_tf.datasets.mahnob_sessions import (
    NEEDED,
    MahnobSession,
    find_sessions,
    read_ratings,
    read_stimulus,
    usable_sessions,
)
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial

logger = logging.getLogger(__name__)

EEG = tuple(
    "Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz"
    " Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2".split()
)
"""BioSemi's cap of 32, in its order."""

LEFT_ABDOMEN, RIGHT_CLAVICLE = "EXG3", "EXG1"
"""Their difference is the ECG: Einthoven's lead II with its electrodes moved to the trunk. It lies along the
heart's axis, so its R waves are upright and the tallest of what the three electrodes offer."""

CHANNELS = (*EEG, LEFT_ABDOMEN, RIGHT_CLAVICLE, "GSR1", "Resp", "Temp", "Status")
CLASSES = ("low", "high")
MIDPOINT = 5.0
MAX_BDF_BYTES = 256 * 2**20
TRIGGER_BITS = 0xFFFF
RATE_HZ = 256.0


def list_subjects(folder: Path) -> list[str]:
    """Subjects with at least one usable session, as ``P1``; what is left out, and why, is logged."""
    sessions, others = find_sessions(folder)
    for reason, count in sorted(others.items()):
        logger.info("%s: %d sessions are left out: %s", folder, count, reason)
    people = sorted({session.subject for session in sessions})
    return [f"P{number}" for number in people if usable_sessions(sessions, number)]


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the description and the BDF file of each usable session, in the order of presentation."""
    return [path for session in _sessions_of(folder, subject) for path in (session.xml, session.bdf)]


def load_subject(folder: Path, subject: str) -> Recording:
    """Read all emotional clips of one person.

    Parameters
    ----------
    folder : Path
        Holds ``Sessions/``.
    subject : str
        ``"P1"`` ... ``"P30"``.

    Returns
    -------
    Recording
        eeg 32 channels in uV, ecg in mV, eda in uS, resp in a.u., temp in degC, all at the files' own rate
        (256 Hz). Sessions lie apart with lost samples between them; each keeps the neutral 30 s before and
        after its clip, which is the trial.

    Raises
    ------
    MMQError
        If a file is broken, a channel or one of the two pulses is missing, or a rating is not from 1 to 9.
    """
    pieces, clips = [], []
    for session in _sessions_of(folder, subject):
        signals, start_s, stop_s = read_clip(session.bdf)
        pieces.append(Piece(signals, zero_s=start_s))
        clips.append((start_s, stop_s, read_ratings(session), read_stimulus(session)))
    signals, offsets = join_pieces(pieces)
    trials = tuple(
        Trial(offset + start_s, offset + stop_s, labels_of(ratings), ratings, stimulus)
        for offset, (start_s, stop_s, ratings, stimulus) in zip(offsets, clips, strict=True)
    )
    return Recording(subject, "1", signals, trials, source="mahnob_hci")


def labels_of(ratings: Mapping[str, float]) -> dict[str, str]:
    """Class of each task: high is above the middle of the scale.

    Examples
    --------
    >>> labels_of({"valence": 5, "arousal": 6, "control": 9})
    {'valence': 'low', 'arousal': 'high'}
    """
    return {task: CLASSES[ratings[task] > MIDPOINT] for task in NEEDED}


def read_clip(path: Path) -> tuple[dict[str, Signal], float, float]:
    """Read one session's signals, and when its clip begins and ends.

    Returns
    -------
    signals : dict of str to Signal
    start_s, stop_s : float
        Seconds from the file's start.

    Raises
    ------
    MMQError
        As `load_subject`.
    """
    header = check_edf(path, MAX_BDF_BYTES)
    places = {signal.label: index for index, signal in enumerate(header.signals)}
    missing = [name for name in CHANNELS if name not in places]
    if missing:
        raise MMQError(f"{path}: expected the channels {', '.join(CHANNELS)}; {missing[0]} is missing.")
    data = read_edf_signals(path, header, [places[name] for name in CHANNELS])
    rows = dict(zip(CHANNELS, data, strict=True))
    rate = header.signals[places["Status"]].sampling_rate_hz
    start, stop = clip_between_pulses(path, rows["Status"])
    ecg = (rows[LEFT_ABDOMEN] - rows[RIGHT_CLAVICLE]) * np.float32(1e-3)
    eda = conductance_us(path, rows["GSR1"], header.signals[places["GSR1"]].unit)
    kinds = {
        "eeg": (data[: len(EEG)], "uV", EEG),
        "ecg": (ecg[None], "mV", (f"{LEFT_ABDOMEN}-{RIGHT_CLAVICLE}",)),
        "eda": (eda[None], "uS", ("GSR1",)),
        "resp": (rows["Resp"][None], "a.u.", ("Resp",)),
        "temp": (rows["Temp"][None], "degC", ("Temp",)),
    }
    signals = {
        kind: Signal(kind, np.ascontiguousarray(samples), rate, unit, names)
        for kind, (samples, unit, names) in kinds.items()
    }
    return signals, start / rate, stop / rate


def clip_between_pulses(path: Path, status: np.ndarray) -> tuple[int, int]:
    """First sample of the clip and first after it: where the two pulses of the Status channel begin.

    Parameters
    ----------
    path : Path
        Named in errors.
    status : numpy.ndarray
        ``[n]``, words of 24 bits of which the lower 16 are the trigger's.

    Raises
    ------
    MMQError
        If there are not exactly two.
    """
    pressed = (status.astype(np.int32) & TRIGGER_BITS) != 0
    begins = np.flatnonzero(pressed & ~np.concatenate([[False], pressed[:-1]]))
    if len(begins) != 2:
        raise MMQError(
            f"{path}: expected two pulses on the Status channel, where the clip begins and where it ends;"
            f" found {len(begins)}."
        )
    return int(begins[0]), int(begins[1])


def _sessions_of(folder: Path, subject: str) -> list[MahnobSession]:
    match = re.fullmatch(r"P([1-9]\d*)", subject)
    mine = usable_sessions(find_sessions(folder)[0], int(match[1])) if match else []
    if not mine:
        check_known(folder, subject, list_subjects(folder))
    return mine


MAHNOB_HCI = Dataset(
    name="mahnob_hci",
    title="MAHNOB-HCI Tagging Database, emotion elicitation",
    licence="MAHNOB end-user licence agreement: academic research only, no redistribution",
    attribution=(
        "Soleymani, Lichtenauer, Pun and Pantic, A Multimodal Database for Affect Recognition and Implicit"
        " Tagging, IEEE Trans. Affective Computing 3(1), 2012"
    ),
    obtain=(
        "https://mahnob-db.eu/hci-tagging/: sign the licence agreement, then download the sessions of the"
        " emotion experiment (session.xml and the BDF file of each are enough)"
    ),
    tasks=dict.fromkeys(NEEDED, CLASSES),
    label_kind="self-report after each film clip (felt valence and arousal; high is above 5 of 9)",
    modalities=("eeg", "ecg", "eda", "resp", "temp"),
    list_subjects=list_subjects,
    source_files=source_files,
    load_subject=load_subject,
    # No range of ratings here: the emotion's number has none, and the loader refuses what is not 1 to 9.
    published=Published(
        subjects=tuple(f"P{number}" for number in range(1, 31) if number not in (12, 15)),
        signals={"eeg": (32, RATE_HZ)} | dict.fromkeys(("ecg", "eda", "resp", "temp"), (1, RATE_HZ)),
        trials=(14, 20),
    ),
    stimulus_locked=True,
    notes=(
        "Authors use 24 to 28 of the 30 people. Here: everyone with a clip that has a BDF file and a"
        " self-report. Readers of the licensed files found 28 (not P12, P15), of whom P3 has 17 clips, P9 14"
        " and P16 16; it could not be verified with the licensed files here.",
        "Only emotional clips are trials. The neutral 30 s before and after each stay in the signals.",
        "Sessions are joined in the order of presentation, each clip on a whole minute, with lost samples"
        " between; the true pauses are not in these files.",
        "EEG is as BioSemi records it, against CMS and with electrode offsets: see mmq-tf clean.",
        "The ECG is EXG3 - EXG1, left abdomen minus right clavicle.",
        "The respiration belt's uV have no meaning of their own and are called a.u.",
        "People saw the clips in different orders: the same second of a stimulus is one of the same clip.",
    ),
)
