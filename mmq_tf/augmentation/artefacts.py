# SPDX-License-Identifier: Apache-2.0
"""Artefacts added to raw signals before the front end, with the exact times they cover.

They teach the interference queries (training adds them and asks which tokens were corrupted) and make
protocol E (artefacts in place of gaps, presence still 1). The strength of every kind is a signal-to-noise
ratio: the AC power of the clean stretch over the mean power of what was added to it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmq_tf.augmentation.artefact_shapes import SHAPES, overdrive
from mmq_tf.errors import MMQError
from mmq_tf.recording import Signal

ARTEFACTS_VERSION = 1
"""Changes with anything here that changes a sample: part of the key of corrupted tokens."""

_ELECTRODE = (
    "baseline_wander",
    "saturation",
    "electrode_pop",
    "emg_burst",
    "motion_burst",
    "broadband_noise",
)
KINDS: dict[str, tuple[str, ...]] = {
    "eeg": _ELECTRODE,
    "eog": _ELECTRODE,
    "emg": ("baseline_wander", "saturation", "electrode_pop", "motion_burst", "broadband_noise"),
    "ecg": _ELECTRODE,
    "ppg": ("baseline_wander", "saturation", "motion_burst", "broadband_noise"),
    "eda": ("contact_loss", "level_step", "electrode_pop", "motion_burst", "broadband_noise"),
    "resp": ("baseline_wander", "saturation", "motion_burst", "broadband_noise"),
    "temp": ("baseline_wander", "level_step", "broadband_noise"),
    "acc": ("saturation", "motion_burst", "broadband_noise"),
}
"""What can go wrong with each modality: no electrode pops on an optical sensor, no EMG on a thermometer."""

POWER_FLOOR = {"eda": 0.02, "temp": 0.02, "acc": 0.01}
"""Standard deviation (uS, degC, g) below which a stretch counts as still: one step of an E4's thermometer and
the noise of its other sensors at rest. Slow signals hardly move within a token, and noise relative to nothing
would be nothing."""

MEAN_TOKENS = 2.5
"""Mean length of an artefact in tokens."""


def corrupt(
    signal: Signal, *, kind: str, snr_db: float, start_s: float, stop_s: float, rng: np.random.Generator
) -> Signal:
    """Add one artefact to one stretch of a signal.

    Parameters
    ----------
    signal : Signal
        Left as it is.
    kind : str
        One of `KINDS` of its modality.
    snr_db : float
        ``10 log10(P_clean / P_added)`` per channel over the stretch: P_clean is its variance (at least the
        modality's `POWER_FLOOR` squared), P_added the mean square of what is added. EDA is kept from falling
        below 0 and a contact cannot be lost by more than all, so there less may be added.
    start_s, stop_s : float
        The stretch ``[start_s, stop_s)`` in seconds of the recording.
    rng : numpy.random.Generator
        Source of all randomness.

    Returns
    -------
    Signal
        Bit-identical outside the stretch; lost samples (NaN) stay lost.

    Raises
    ------
    MMQError
        If the kind does not fit the modality, or a number is not finite or not in order.
    """
    _check(signal.modality, kind, snr_db, start_s, stop_s)
    samples = signal.samples.copy()
    _corrupt_stretch(samples, signal, kind, snr_db, (start_s, stop_s), rng)
    return replace(signal, samples=samples)


def corrupt_signal(
    signal: Signal,
    *,
    share: float = 0.3,
    snr_db: tuple[float, float] = (0.0, 10.0),
    rng: np.random.Generator,
    token_s: float,
) -> tuple[Signal, list[tuple[float, float]]]:
    """Corrupt about `share` of a signal's tokens.

    Parameters
    ----------
    signal : Signal
        Left as it is.
    share : float
        Expected share of tokens inside an artefact, in [0, 1).
    snr_db : tuple of float
        Each artefact draws its SNR uniformly from this range.
    rng : numpy.random.Generator
        Source of all randomness.
    token_s : float
        Artefacts start and stop on multiples of this.

    Returns
    -------
    Signal
        With the artefacts added.
    list of (start_s, stop_s)
        Their exact times in order.

    Raises
    ------
    MMQError
        If a number is out of range.
    """
    low, high = snr_db
    if not (0 <= share < 1 and np.isfinite([low, high, token_s]).all() and low <= high and token_s > 0):
        raise MMQError(
            "corrupt_signal: expected 0 <= share < 1, snr_db=(low, high) in order and token_s above 0;"
            f" got share={share!r}, snr_db={snr_db!r}, token_s={token_s!r}."
        )
    times = draw_intervals(signal.start_s, signal.stop_s, share, token_s, rng)
    samples = signal.samples.copy()
    for interval in times:
        kind, snr = str(rng.choice(KINDS[signal.modality])), float(rng.uniform(low, high))
        _corrupt_stretch(samples, signal, kind, snr, interval, rng)
    return replace(signal, samples=samples), times


def draw_intervals(
    start_s: float, stop_s: float, share: float, token_s: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Draw intervals that cover about `share` of the tokens between two times.

    Corrupted and clean runs alternate; their lengths in tokens are geometric with means `MEAN_TOKENS` and
    ``MEAN_TOKENS * (1 - share) / share`` (a clean run may be empty: two artefacts in a row).

    Returns
    -------
    list of (start_s, stop_s)
        In order, on multiples of `token_s`, except that the last ends with the signal.
    """
    first, last = int(np.floor(start_s / token_s)), int(np.ceil(stop_s / token_s - 1e-9))
    if share <= 0 or last <= first:
        return []
    clean_mean = MEAN_TOKENS * (1 - share) / share
    runs = int((last - first) / (MEAN_TOKENS + clean_mean) * 2 + 20)
    dirty = rng.geometric(1 / MEAN_TOKENS, runs)
    clean = rng.geometric(1 / (1 + clean_mean), runs) - 1
    clean[0] *= rng.random() > share  # the signal may begin inside an artefact
    stops = first + np.cumsum(dirty + clean)
    return [
        (float(max(stop - length, 0) * token_s), float(min(stop * token_s, stop_s)))
        for stop, length in zip(stops, dirty, strict=True)
        if stop - length < last and (stop - length) * token_s < stop_s
    ]


def _check(modality: str, kind: str, snr_db: float, start_s: float, stop_s: float) -> None:
    if kind not in KINDS[modality]:
        raise MMQError(
            f"corrupt: kind for {modality} must be one of {', '.join(KINDS[modality])}; got {kind!r}."
        )
    if not np.isfinite(snr_db):
        raise MMQError(f"corrupt: snr_db must be a finite number; got {snr_db!r}.")
    if not (np.isfinite(start_s) and np.isfinite(stop_s) and start_s < stop_s):
        raise MMQError(f"corrupt: expected finite start_s < stop_s; got {start_s!r} and {stop_s!r}.")


def _corrupt_stretch(
    samples: np.ndarray,
    signal: Signal,
    kind: str,
    snr_db: float,
    interval: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Corrupt `samples` in place between two times."""
    edges = np.ceil((np.array(interval) - signal.start_s) * signal.sampling_rate_hz - 1e-6).astype(int)
    start, stop = np.clip(edges, 0, samples.shape[1])
    if stop <= start:
        return
    clean = samples[:, start:stop].astype(np.float64)
    finite = np.isfinite(clean)
    count = np.maximum(finite.sum(1, keepdims=True), 1)
    filled = np.where(finite, clean, 0.0)
    mean = filled.sum(1, keepdims=True) / count
    centred = np.where(finite, clean - mean, 0.0)
    floor = POWER_FLOOR.get(signal.modality, 0.0) ** 2
    target = np.maximum(_power(centred, count), floor) / 10 ** (snr_db / 10)
    if kind == "saturation":
        added = overdrive(centred, finite, count, target) - centred
    elif kind == "contact_loss":
        added = -filled * np.minimum(1.0, np.sqrt(target / _power(filled, count)))
    else:
        added = SHAPES[kind](clean.shape[0], clean.shape[1], signal.sampling_rate_hz, rng) * finite
        added *= np.sqrt(target / _power(added, count))
    dirty = clean + added
    if signal.modality == "eda":
        dirty = np.maximum(dirty, np.minimum(clean, 0.0))  # no conductance below nothing; NaN stays NaN
    samples[:, start:stop] = dirty


def _power(values: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Mean square per channel, never 0."""
    return np.maximum((values**2).sum(1, keepdims=True) / count, 1e-30)
