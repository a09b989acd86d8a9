# SPDX-License-Identifier: Apache-2.0
"""Golden vectors from real recordings, read where they lie: nothing of them is kept but hashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.targets.simulated import PlainSignal

Loaded = tuple[FrontEnd, dict[str, PlainSignal]]
WRIST_S, EEG_S, COUNTS_S = 180.0, 20.0, 60.0
MATRIX_STEP = 2.0**-12
"""The spatial matrix is rounded: the last bits of a least-squares fit depend on the machine."""


@dataclass(frozen=True)
class Recorded:
    """One real recording: its folder under ``MMQ_DATA`` and what reads it."""

    folder: str
    load: Callable[[Path], Loaded]


def _front_end(parts: Mapping[str, Mapping[str, Any]], **settings: Any) -> FrontEnd:
    """Return what the recordings were first replayed with: its hashes stay."""
    return FrontEnd.model_validate({"frontend_version": 2, "modalities": parts, **settings})


def _wrist(folder: Path) -> Loaded:
    """Stress-Predict S02: an Empatica E4's CSV files (row 1 start, row 2 rate), its first 180 s."""
    files = {"ppg": ("BVP", 1.0), "eda": ("EDA", 1.0), "temp": ("TEMP", 1.0), "acc": ("ACC", 1 / 64)}
    tables = {
        name: np.loadtxt(folder / "Raw_data/S02" / f"{file}.csv", delimiter=",", ndmin=2)
        for name, (file, _) in files.items()
    }
    begin = min(table[0, 0] for table in tables.values())
    signals, parts = {}, {}
    for name, table in tables.items():
        rate, start_s = float(table[1, 0]), float(table[0, 0] - begin)
        samples = table[2 : 2 + int((WRIST_S - start_s) * rate)].T * files[name][1]
        signals[name] = PlainSignal(np.ascontiguousarray(samples, np.float32), rate, start_s)
        parts[name] = {"sampling_rate_hz": rate}
    return _front_end(parts), signals


def _eegmat(folder: Path) -> Loaded:
    """Eegmat subject 00 at rest: 19 EEG channels and ECG at 500 Hz, 20 s."""
    import mne

    raw = mne.io.read_raw_edf(folder / "Subject00_1.edf", verbose="error")
    names = [name for name in raw.ch_names if name.startswith("EEG") and "A2-A1" not in name]
    rate = float(raw.info["sfreq"])
    volts = np.asarray(raw.get_data(stop=int(EEG_S * rate)))
    eeg = volts[[raw.ch_names.index(name) for name in names]] * 1e6
    ecg = volts[["ECG" in name for name in raw.ch_names]] * 1e3
    parts: dict[str, Any] = {
        "eeg": {"sampling_rate_hz": rate, "channels": tuple(n.removeprefix("EEG ") for n in names)},
        "ecg": {"sampling_rate_hz": rate},
    }
    signals = {
        "eeg": PlainSignal(eeg.astype(np.float32), rate),
        "ecg": PlainSignal(ecg.astype(np.float32), rate),
    }
    return _front_end(parts, token_s=2.0, tokens=5), signals


def _eeglab(folder: Path) -> Loaded:
    """EEGLAB's sample: 30 EEG channels less what EOG predicts of them (least squares), and 2 EOG, 20 s."""
    import mne

    raw = mne.io.read_raw_eeglab(folder / "eeglab_data.set", verbose="error")
    rate = float(raw.info["sfreq"])
    data = np.asarray(raw.get_data(stop=int(EEG_S * rate))) * 1e6
    is_eog = np.array([name.startswith("EOG") for name in raw.ch_names])
    eog, eeg = data[is_eog], data[~is_eog]
    centred = eog - eog.mean(axis=1, keepdims=True)
    weights = np.linalg.lstsq(centred.T, (eeg - eeg.mean(axis=1, keepdims=True)).T, rcond=None)[0].T
    matrix = np.zeros((len(eeg), len(data)))
    matrix[:, ~is_eog] = np.eye(len(eeg))
    matrix[:, is_eog] = -np.round(weights / MATRIX_STEP) * MATRIX_STEP
    outputs = tuple(name for name, eye in zip(raw.ch_names, is_eog, strict=True) if not eye)
    parts: dict[str, Any] = {
        "eeg": {
            "sampling_rate_hz": rate,
            "channels": tuple(raw.ch_names),
            "notch_hz": 50,
            "spatial": {"method": "eog_regression", "outputs": outputs, "matrix": matrix.tolist()},
        },
        "eog": {"sampling_rate_hz": rate, "channels": tuple(n for n in raw.ch_names if n.startswith("EOG"))},
    }
    signals = {
        "eeg": PlainSignal(data.astype(np.float32), rate),
        "eog": PlainSignal(eog.astype(np.float32), rate),
    }
    return _front_end(parts, token_s=2.0, tokens=5), signals


def _counts(folder: Path) -> Loaded:
    """PhysioKit's sample at rest: EDA, respiration and two PPGs in counts of a 12-bit converter, 60 s."""
    rate, path = 250.0, sorted(folder.glob("*baseline*.csv"))[0]
    table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(0, 1, 2, 3), max_rows=int(COUNTS_S * rate)).T
    counts = {
        "sampling_rate_hz": rate,
        "unit": "counts",
        "minimum": -1.0,
        "maximum": 4097.0,
        "rail_low": 0.0,
        "rail_high": 4095.0,
    }
    parts: dict[str, Any] = {
        "ppg": {**counts, "channels": ("finger", "ear")},
        "resp": counts,
        "eda": {**counts, "decimate": 50},
    }
    rows = {"ppg": table[2:4], "resp": table[1:2], "eda": table[0:1]}
    signals = {name: PlainSignal(row.astype(np.float32), rate) for name, row in rows.items()}
    return _front_end(parts, tokens=6), signals


RECORDED = {
    "stress_predict": Recorded("stress_predict", _wrist),
    "eegmat": Recorded("eegmat", _eegmat),
    "eeglab": Recorded("eeglab_sample", _eeglab),
    "physiokit": Recorded("physiokit_sample", _counts),
}
"""By the vector's name."""
