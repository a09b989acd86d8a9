# SPDX-License-Identifier: Apache-2.0
"""EEG during mental arithmetic (PhysioNet eegmat 1.0.0; Zyma et al., Data 2019, 4(1):14), EDF through MNE.

Two files a subject: ``_1`` at rest (about 180 s), ``_2`` during serial subtraction (about 60 s). They become
one recording, rest, then `PAUSE_S` of lost samples, then the task: how long the true pause was is not known.
Rest always comes first, so time is a confound. The EEG was band-passed to 0.5-45 Hz, notched at 50 Hz and
cleaned by ICA before it was published.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np

from mmq_tf.datasets.base import Dataset, Published
from mmq_tf.datasets.formats.files.edf import check_edf
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial

logger = logging.getLogger(__name__)

CLASSES = ("rest", "arithmetic")
PAUSE_S = 5.0
LEFT_OUT = "A2-A1"  # between the ears: not a scalp channel
MAX_FILE_BYTES = 256 * 2**20


def list_subjects(folder: Path) -> list[str]:
    """Subjects with both files, as ``Subject00``; one that has only one of them is named in a warning."""
    parts = _parts(folder)
    for name in sorted(name for name, count in parts.items() if count < 2):
        logger.warning("%s: %s is left out, one of its two files is missing", folder, name)
    return [name for name, count in parts.items() if count == 2]


def _parts(folder: Path) -> Counter[str]:
    """Count the files there are by subject."""
    return Counter(path.name[:-6] for path in folder.glob("Subject*_[12].edf"))


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the subject's two files, rest first."""
    paths = [folder / f"{subject}_{part}.edf" for part in (1, 2)]
    known = sorted(name for name, count in _parts(folder).items() if count == 2)
    if subject not in known:
        missing = next((path for path in paths if not path.is_file()), paths[0])
        raise MMQError(
            f"{missing}: not found; the subjects with both files are {', '.join(known) or 'none'}."
        )
    return paths


def load_subject(folder: Path, subject: str) -> Recording:
    """Read one subject's rest and task.

    Parameters
    ----------
    folder : Path
        Holds ``Subject00_1.edf``, ``Subject00_2.edf``, ...
    subject : str
        ``"Subject00"`` ... ``"Subject35"``.

    Returns
    -------
    Recording
        eeg: 19 channels in uV, ecg: one in mV, both at the files' own 500 Hz; trials of the task ``load``.

    Raises
    ------
    MMQError
        If a file is missing, cut short or not EDF, or the two files differ in channels or rate.
    """
    paths = source_files(folder, subject)
    parts = []
    for path in paths:
        check_edf(path, MAX_FILE_BYTES)
        parts.append(_read(path))
    rest, task = parts
    if rest[:2] != task[:2]:
        raise MMQError(f"{paths[1]}: expected the channels and the rate of {paths[0].name}; they differ.")
    return _join(subject, rest, task)


def _read(path: Path) -> tuple[tuple[str, ...], float, np.ndarray]:
    """Channel names, rate in Hz and samples ``[channels, n]`` in volts of one EDF file."""
    import mne

    try:
        raw = mne.io.read_raw_edf(path, preload=True, verbose="ERROR")
        samples = np.asarray(raw.get_data())
    except (OSError, ValueError, RuntimeError, AssertionError, IndexError, KeyError, UnicodeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MMQError(f"{path}: MNE cannot read this EDF file ({reason[:200]}).") from error
    names = tuple(name.split()[-1] for name in raw.ch_names)
    if "ECG" not in names or len(names) < 3:
        raise MMQError(
            f"{path}: expected EEG channels and one named 'ECG ECG'; got {', '.join(raw.ch_names)}."
        )
    ecg = names.index("ECG")
    # The 20 subjects we hold say mV, as the values are. A header that says uV for the same values is wrong.
    if getattr(raw, "_orig_units", {}).get(raw.ch_names[ecg]) == "µV":
        logger.warning("%s: the header says the ECG is in uV; its values are taken as mV", path)
        samples[ecg] *= 1e3
    return names, float(raw.info["sfreq"]), samples


def _join(
    subject: str,
    rest: tuple[tuple[str, ...], float, np.ndarray],
    task: tuple[tuple[str, ...], float, np.ndarray],
) -> Recording:
    names, rate, _ = rest
    pause = np.full((len(names), round(PAUSE_S * rate)), np.nan)
    samples = np.concatenate([rest[2], pause, task[2]], axis=1)
    eeg = [index for index, name in enumerate(names) if name not in ("ECG", LEFT_OUT)]
    ecg = [names.index("ECG")]
    signals = {
        "eeg": Signal("eeg", _as_float32(samples[eeg], 1e6), rate, "uV", tuple(names[i] for i in eeg)),
        "ecg": Signal("ecg", _as_float32(samples[ecg], 1e3), rate, "mV", ("ecg",)),
    }
    rest_s, total_s = rest[2].shape[1] / rate, samples.shape[1] / rate
    trials = (
        Trial(0.0, rest_s, {"load": CLASSES[0]}),
        Trial(rest_s + pause.shape[1] / rate, total_s, {"load": CLASSES[1]}),
    )
    return Recording(subject, "1", signals, trials, source="eegmat")


def _as_float32(samples: np.ndarray, scale: float) -> np.ndarray:
    return np.ascontiguousarray(samples * scale, dtype=np.float32)


EEGMAT = Dataset(
    name="eegmat",
    title="EEG During Mental Arithmetic Tasks 1.0.0",
    licence="ODC-By 1.0",
    attribution=(
        "Zyma et al., Electroencephalograms during Mental Arithmetic Task Performance, Data 2019, 4(1):14;"
        " Goldberger et al., PhysioBank, PhysioToolkit, and PhysioNet, Circulation 2000"
    ),
    obtain="https://physionet.org/content/eegmat/1.0.0/; or: mmq-tf datasets get eegmat",
    tasks={"load": CLASSES},
    label_kind="condition (mental arithmetic or rest); not a self-report",
    modalities=("eeg", "ecg"),
    list_subjects=list_subjects,
    source_files=source_files,
    load_subject=load_subject,
    published=Published(
        subjects=tuple(f"Subject{number:02d}" for number in range(36)),
        signals={"eeg": (19, 500.0), "ecg": (1, 500.0)},
        trials=(2, 2),
    ),
    notes=(
        "Rest always precedes the task: time is a confound.",
        f"Rest and task are two files, joined with {PAUSE_S:g} s of lost samples; the true pause is unknown.",
        "The EEG was filtered to 0.5-45 Hz and ICA-cleaned by its publishers: no test of artefact removal.",
        "A2-A1 is left out.",
    ),
)
