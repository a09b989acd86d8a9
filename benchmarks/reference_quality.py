# SPDX-License-Identifier: Apache-2.0
"""Which tokens of a recording are good, by something else than the core's own rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy

from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal

signal: Any = scipy.signal  # SciPy's annotations name every array library there is
WHOLE = 0.95
"""Share of a token the watch's beats must cover."""


def watch_kept_beats(folder: Path, recording: Recording, token_s: float) -> np.ndarray:
    """Tell in which tokens an Empatica E4's own detector kept beats nearly throughout.

    Parameters
    ----------
    folder : path
        With ``IBI.csv`` (row 1: Unix start; then offset and interval in s, one kept beat a row) and
        ``BVP.csv``, whose start row places it in the recording.
    recording : Recording
    token_s : float

    Returns
    -------
    ndarray of bool, shape (tokens,)

    Raises
    ------
    MMQError
        If a file is broken.
    """
    try:
        start = float((folder / "IBI.csv").read_text(encoding="utf-8").split(",", 1)[0])
        beats = np.loadtxt(folder / "IBI.csv", delimiter=",", skiprows=1, ndmin=2)
        with (folder / "BVP.csv").open(encoding="utf-8") as file:
            bvp_start = float(file.readline())
    except (OSError, ValueError) as error:
        raise MMQError(f"{folder}: IBI.csv or BVP.csv cannot be read ({error}).") from error
    offset_s = start - bvp_start + recording.signals["ppg"].start_s
    n, fine = int(recording.duration_s / token_s), 100
    kept = np.zeros(n * fine)
    for time_s, interval_s in beats:
        edges = np.array([time_s - interval_s, time_s]) + offset_s
        first, last = np.clip((edges * fine / token_s).astype(int), 0, len(kept))
        kept[first:last] = 1.0
    return kept.reshape(n, fine).mean(axis=1) > WHOLE


def clean_ecg_tokens(ecg: Signal, token_s: float) -> np.ndarray:
    """Tell in which tokens every beat looks like the recording's median beat, at a plausible rate.

    R waves are peaks of the energy in 5-18 Hz. A token is good when each of its beats (0.2 s before to 0.3 s
    after, 0.5-40 Hz, zero-phase) correlates over 0.66 with the median beat, on average over 0.85, no interval
    around exceeds 1.5 s or 1.6 times the shortest, and the rate lies in 40 to 180 per minute.
    After Orphanidou et al. 2015 (IEEE J-BHI 19(3):832), with a stricter mean.

    Returns
    -------
    ndarray of bool, shape (tokens,)
    """
    x, rate = ecg.samples[0].astype(np.float64), ecg.sampling_rate_hz
    good = np.zeros(int(len(x) / (rate * token_s)), bool)
    edges = np.flatnonzero(np.diff(np.isfinite(x).astype(int), prepend=0, append=0))
    for first, last in edges.reshape(-1, 2):
        if last - first < 10 * rate:
            continue
        places, likeness = _beats(x[first:last], rate)
        places = places + first
        for k in range(int(np.ceil(first / (rate * token_s))), int(last / (rate * token_s))):
            good[k] = _is_clean(places, likeness, k * token_s * rate, token_s * rate, rate)
    return good


def _beats(x: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """R waves (samples) and each beat's correlation with the median beat."""
    shape = signal.sosfiltfilt(signal.butter(2, [0.5, 40.0], "bandpass", fs=rate, output="sos"), x)
    sharp = signal.sosfiltfilt(signal.butter(2, [5.0, 18.0], "bandpass", fs=rate, output="sos"), x)
    energy = np.convolve(sharp**2, np.ones(int(0.1 * rate)) / int(0.1 * rate), "same")
    around = np.convolve(energy, np.ones(int(3 * rate)) / int(3 * rate), "same")
    peaks, _ = signal.find_peaks(energy, distance=int(0.35 * rate), height=1.2 * around)
    near, before, after = int(0.08 * rate), int(0.2 * rate), int(0.3 * rate)
    peaks = peaks[(peaks >= before + near) & (peaks < len(x) - after - near)]
    places = np.array([p - near + np.argmax(np.abs(sharp[p - near : p + near])) for p in peaks], int)
    if not len(places):
        return places, np.zeros(0)
    beats = np.stack([shape[p - before : p + after] for p in places])
    median = np.median(beats, axis=0)
    return places, np.array([np.corrcoef(beat, median)[0, 1] for beat in beats])


def _is_clean(places: np.ndarray, likeness: np.ndarray, start: float, length: float, rate: float) -> bool:
    inside = (places >= start) & (places < start + length)
    near = places[(places >= start - 1.5 * rate) & (places < start + length + 1.5 * rate)]
    if not inside.any() or len(near) < 3:
        return False
    intervals = np.diff(near) / rate
    regular = intervals.max() < 1.5 and intervals.max() < 1.6 * intervals.min()
    alike = likeness[inside].min() > 0.66 and likeness[inside].mean() > 0.85
    return bool(regular and alike and 40 <= 60 / intervals.mean() <= 180)
