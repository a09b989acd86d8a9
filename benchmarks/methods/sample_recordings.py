# SPDX-License-Identifier: Apache-2.0
"""Two small public recordings that are no data sets of their own, read for benchmarks and tests.

EEGLAB's sample (30 EEG and 2 EOG channels, 128 Hz, uncleaned: real blinks) and PhysioKit's (EDA, respiration,
finger and ear PPG as raw counts of a 12-bit converter).
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import mne
import numpy as np
from mmq_bridge.recordings.files import existing_folder, read_bytes

from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal

PHYSIOKIT_CONDITIONS = {"baseline": "P12_baseline_*.csv", "task": "P12_C_Hard_*.csv"}
PHYSIOKIT_COLUMNS = {"eda": ("EDA",), "resp": ("Resp",), "ppg": ("PPG Finger", "PPG Ear")}
PHYSIOKIT_TIME = "arduino_ts"
PHYSIOKIT_FULL_SCALE = 4095.0
_MAX_BYTES = 64 * 2**20


def read_eeglab_sample(folder: Path | str) -> Recording:
    """Read EEGLAB's sample recording.

    Parameters
    ----------
    folder : path
        Holds ``eeglab_data.set`` and ``eeglab_data.fdt``.

    Returns
    -------
    Recording
        ``eeg`` 30 channels and ``eog`` 2, both in uV at 128 Hz.

    Raises
    ------
    MMQError
        If a file is absent or broken.
    """
    path = existing_folder(folder, "EEGLAB's sample") / "eeglab_data.set"
    digest = hashlib.sha256(read_bytes(path, _MAX_BYTES) + read_bytes(path.with_suffix(".fdt"), _MAX_BYTES))
    try:
        raw = mne.io.read_raw_eeglab(path, preload=True, verbose="ERROR")
    except Exception as error:  # MNE raises whatever its readers meet
        raise MMQError(f"{path}: MNE cannot read this EEGLAB file ({str(error)[:200]}).") from error
    samples = np.asarray(raw.get_data(), np.float64) * 1e6
    rate = float(raw.info["sfreq"])
    is_eog = np.array(["EOG" in name for name in raw.ch_names])
    signals = {
        kind: Signal(kind, np.ascontiguousarray(samples[rows], np.float32), rate, "uV", names)
        for kind, rows in (("eeg", ~is_eog), ("eog", is_eog))
        if (names := tuple(np.array(raw.ch_names)[rows].tolist()))
    }
    return Recording("eeglab", "1", signals, source="eeglab_sample", digest=digest.hexdigest())


def read_physiokit_sample(folder: Path | str, condition: str = "baseline") -> Recording:
    """Read one condition of PhysioKit's sample recording, in raw counts.

    The file has no nominal rate; the mean rate of its own time stamps (whole ms, steps of 3 to 8) is taken
    and the samples are laid on an even grid.

    Parameters
    ----------
    folder : path
    condition : str
        A key of `PHYSIOKIT_CONDITIONS`.

    Returns
    -------
    Recording
        ``ppg`` (finger, ear), ``eda`` and ``resp``, unit ``counts`` (0 to 4095), about 259 Hz.

    Raises
    ------
    MMQError
        If the condition is unknown, or its file is absent or broken.
    """
    if condition not in PHYSIOKIT_CONDITIONS:
        raise MMQError(
            f"read_physiokit_sample: condition must be one of {', '.join(PHYSIOKIT_CONDITIONS)};"
            f" got {condition!r}."
        )
    found = sorted(existing_folder(folder, "PhysioKit's sample").glob(PHYSIOKIT_CONDITIONS[condition]))
    if not found:
        raise MMQError(f"{folder}: expected a file {PHYSIOKIT_CONDITIONS[condition]}; found none.")
    data = read_bytes(found[0], _MAX_BYTES)
    columns, stamps_ms = _columns(found[0], data)
    rate = float(np.float32(1e3 * (len(stamps_ms) - 1) / (stamps_ms[-1] - stamps_ms[0])))
    signals = {
        kind: Signal(
            kind,
            np.stack([columns[name] for name in names]).astype(np.float32),
            rate,
            "counts",
            tuple(name.split()[-1].lower() for name in names),
        )
        for kind, names in PHYSIOKIT_COLUMNS.items()
    }
    digest = hashlib.sha256(data).hexdigest()
    return Recording("P12", condition, signals, source="physiokit_sample", digest=digest)


def _columns(path: Path, data: bytes) -> tuple[dict[str, np.ndarray], np.ndarray]:
    wanted = [*(name for names in PHYSIOKIT_COLUMNS.values() for name in names), PHYSIOKIT_TIME]
    try:
        rows = list(csv.DictReader(data.decode("utf-8").splitlines()))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in wanted}
    except (KeyError, ValueError, TypeError) as error:
        raise MMQError(
            f"{path}: expected numbers in the columns {', '.join(wanted)}; got {error}."
        ) from error
    stamps = columns.pop(PHYSIOKIT_TIME)
    if len(stamps) < 2 or not np.all(np.diff(stamps) > 0):
        raise MMQError(f"{path}: expected increasing times in {PHYSIOKIT_TIME}.")
    return columns, stamps
