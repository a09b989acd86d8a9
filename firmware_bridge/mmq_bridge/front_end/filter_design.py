# SPDX-License-Identifier: Apache-2.0
"""Design of the filters (by SciPy) and tables (by NumPy) of a front end; float32 coefficients come out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.filter_coefficients import FilterCoefficients
from mmq_bridge.front_end.modalities import WAVE_MODALITIES
from mmq_bridge.front_end.settings import ModalityFrontEnd
from mmq_bridge.validation import first_problem

SPECTRUM_RATE_HZ = 16.0
PULSE_LOW_HZ, PULSE_HIGH_HZ = 0.7, 3.5
NOTCH_QUALITY = 30.0
ANTI_ALIAS_SECTIONS = 4


def _scipy_signal() -> Any:
    try:
        from scipy import signal
    except ImportError as error:
        raise BridgeError(
            "front end: it carries no filter coefficients and SciPy, which designs them, is not installed: "
            "export the bundle again, or pip install scipy."
        ) from error
    return signal


def anti_alias(decimate: int) -> np.ndarray:
    """Low-pass before decimation: 8th-order Chebyshev I, 0.05 dB ripple, edge at 0.8 of the new Nyquist.

    Parameters
    ----------
    decimate : int
        Keep one of so many samples.

    Returns
    -------
    ndarray, shape (sections, 5)
        float32 ``b0 b1 b2 a1 a2`` (a0 = 1); no rows when `decimate` is 1. The same choice as
        `scipy.signal.decimate`.
    """
    if decimate == 1:
        return np.zeros((0, 5), np.float32)
    sections: Any = _scipy_signal().cheby1(2 * ANTI_ALIAS_SECTIONS, 0.05, 0.8 / decimate, output="sos")
    return np.ascontiguousarray(sections[:, [0, 1, 2, 4, 5]], dtype=np.float32)


def notch(notch_hz: float, rate_hz: float) -> np.ndarray:
    """One biquad that takes out the mains: `scipy.signal.iirnotch`, quality factor 30.

    Parameters
    ----------
    notch_hz : float
        Mains frequency; 0 for none.
    rate_hz : float

    Returns
    -------
    ndarray, shape (1, 5) or (0, 5)
        float32 ``b0 b1 b2 a1 a2``. At 50 Hz it is 3 dB down over 1.7 Hz: a band up to 45 Hz keeps its power.
    """
    if notch_hz == 0:
        return np.zeros((0, 5), np.float32)
    b, a = _scipy_signal().iirnotch(notch_hz, NOTCH_QUALITY, fs=rate_hz)
    return np.concatenate([b, a[1:]])[None].astype(np.float32)


def prefilter(name: str, modality: ModalityFrontEnd) -> np.ndarray:
    """Biquads before decimation: the notch, then the anti-alias filter (resp is averaged instead).

    Returns
    -------
    ndarray, shape (sections, 5)
        float32 ``b0 b1 b2 a1 a2``; no rows for a modality whose samples are not filtered.
    """
    if name not in WAVE_MODALITIES:
        return np.zeros((0, 5), np.float32)
    rows = notch(modality.notch_hz, modality.sampling_rate_hz)
    return rows if name == "resp" else np.concatenate([rows, anti_alias(modality.decimate)])


def band_pass(low_hz: float, high_hz: float, rate_hz: float) -> np.ndarray:
    """4th-order Butterworth band-pass in the bank's form, float32 ``g a1 a2 c1 c2``, shape (5,).

    Two sections, each with zeros at z = 1 and z = -1 and one pair of poles, that of the lower radius first:
    ``g * (1 - z^-2) / (1 + a1 z^-1 + a2 z^-2) * (1 - z^-2) / (1 + c1 z^-1 + c2 z^-2)``.
    Source: `scipy.signal.butter`; one multiplication instead of six for the zeros.

    Examples
    --------
    >>> band_pass(8.0, 14.0, 128.0).shape
    (5,)
    """
    design: Any = _scipy_signal().butter(2, [low_hz, high_hz], "bandpass", fs=rate_hz, output="zpk")
    _, poles, gain = design
    pairs = sorted((p for p in poles if p.imag > 0), key=abs)
    sections = [number for p in pairs for number in (-2 * p.real, abs(p) ** 2)]
    return np.array([gain, *sections], dtype=np.float32)


def bank(modality: ModalityFrontEnd) -> np.ndarray:
    """Return `band_pass` of every band at the decimated rate, float32, shape (bands, 5)."""
    rows = [band_pass(band.low_hz, band.high_hz, modality.rate_hz) for band in modality.bands]
    return np.stack(rows) if rows else np.zeros((0, 5), np.float32)


def prefilter_sections(name: str, modality: ModalityFrontEnd) -> int:
    """Rows of `prefilter`, without designing it."""
    if name not in WAVE_MODALITIES:
        return 0
    return bool(modality.notch_hz) + ANTI_ALIAS_SECTIONS * (name != "resp" and modality.decimate > 1)


def designed_for(name: str, modality: ModalityFrontEnd) -> str:
    """SHA-256 (hex) of the settings that the filters of a modality follow from."""
    bands = [[band.low_hz, band.high_hz] for band in modality.bands]
    settings = [name, modality.sampling_rate_hz, modality.decimate, modality.notch_hz, bands]
    return hashlib.sha256(json.dumps(settings).encode("ascii")).hexdigest()


def design_filters(name: str, modality: ModalityFrontEnd) -> FilterCoefficients:
    """Design the filters of one modality.

    Raises
    ------
    BridgeError
        When SciPy is not installed, or a filter is not stable in float32.
    """
    rows = prefilter(name, modality), bank(modality)
    try:
        return FilterCoefficients(
            designed_for=designed_for(name, modality),
            prefilter=tuple(map(tuple, rows[0].tolist())),
            bank=tuple(map(tuple, rows[1].tolist())),
        )
    except ValidationError as error:
        reason = first_problem(error).reason
        raise BridgeError(f"front end: {name}: {reason}: widen its bands or lower its rate.") from error


def filter_tables(name: str, modality: ModalityFrontEnd) -> tuple[np.ndarray, np.ndarray]:
    """Return `prefilter` and `bank` of a modality: those it carries, or else designed here.

    Raises
    ------
    BridgeError
        When it carries none and SciPy is not installed.
    """
    if modality.filters is None:
        return prefilter(name, modality), bank(modality)
    return modality.filters.tables()


def baseline_alpha(modality: ModalityFrontEnd) -> float:
    """Share of the difference the running baseline takes up each sample, ``1 - exp(-1 / (tau * rate))``."""
    if modality.baseline_s == 0:
        return 0.0
    return float(np.float32(-np.expm1(-1.0 / (modality.baseline_s * modality.sampling_rate_hz))))


def twiddles(size: int) -> np.ndarray:
    """Return cos and sin of ``2 pi k / size``, k below size / 2, float32, shape (size / 2, 2)."""
    angle = 2 * np.pi * np.arange(size // 2) / size
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def hann(size: int) -> np.ndarray:
    """Periodic Hann window, float32, with the arithmetic of `scipy.signal.get_window`."""
    angle = np.linspace(-np.pi, np.pi, size + 1)[:-1]
    return (0.5 + 0.5 * np.cos(angle)).astype(np.float32)


@dataclass(frozen=True)
class SegmentPlan:
    """Welch segments of a filter-bank modality: size, band bins [bands, 2] and density scale."""

    size: int
    bins: np.ndarray
    scale: float


def segment_plan(modality: ModalityFrontEnd, token_s: float) -> SegmentPlan:
    """Choose the largest power of two that fits a token, at most 256 and 1024 bytes of window.

    Density: ``2 / (rate * sum(w^2)) * |X_k|^2`` in unit^2/Hz; a band averages the bins whose frequency lies
    in ``[low, high)``, at least one bin.
    """
    rate = modality.rate_hz
    size = 8
    while size * 2 <= min(256, int(token_s * rate)):
        size *= 2
    frequency = np.arange(size // 2) * rate / size
    bins = np.zeros((len(modality.bands), 2), np.uint16)
    for row, band in zip(bins, modality.bands, strict=True):
        row[0] = min(int(np.searchsorted(frequency, band.low_hz - 1e-9)), size // 2 - 1)
        row[1] = max(int(np.searchsorted(frequency, band.high_hz - 1e-9)), row[0] + 1)
    window = hann(size).astype(np.float64)
    return SegmentPlan(size, bins, float(np.float32(2.0 / (rate * np.sum(window**2)))))


@dataclass(frozen=True)
class BeatPlan:
    """Windows of the beat detector and of the pulse spectrum, all in samples."""

    peak_window: int
    beat_window: int
    refractory: int
    offset: float
    spectrum_decimate: int
    spectrum_samples: int
    fft_size: int
    low_bin: int
    high_bin: int
    low_lag: int
    high_lag: int


def _odd(seconds: float, rate_hz: float) -> int:
    return max(3, 2 * int(round(seconds * rate_hz / 2 - 0.5)) + 1)


def beat_plan(name: str, modality: ModalityFrontEnd) -> BeatPlan:
    """Choose the moving averages of Elgendi et al. 2013 and the pulse spectrum.

    ECG: 97 and 611 ms, offset 8 % (PLoS ONE 8(9):e73557); PPG: 111 and 667 ms, offset 2 % (8(10):e76585).
    The spectrum covers the context at about 16 Hz; a pulse lies in 0.7 to 3.5 Hz (42 to 210 per minute),
    which are also the lags of the autocorrelation.
    """
    rate = modality.rate_hz
    short, long, offset = (0.097, 0.611, 0.08) if name == "ecg" else (0.111, 0.667, 0.02)
    decimate = max(1, int(rate // SPECTRUM_RATE_HZ))
    slow = rate / decimate
    samples = int(modality.context_s * slow)
    size = 64
    while size < samples and size < 1024:
        size *= 2
    samples = min(samples, size)
    low, high = int(round(PULSE_LOW_HZ * size / slow)), int(round(PULSE_HIGH_HZ * size / slow))
    high_lag = max(1, min(int(round(slow / PULSE_LOW_HZ)), samples // 3))
    return BeatPlan(
        _odd(short, rate), _odd(long, rate), int(round(0.3 * rate)), offset,
        decimate, samples, size, max(3, low), min(high, size // 2 - 3),
        max(1, min(int(round(slow / PULSE_HIGH_HZ)), high_lag)), high_lag,
    )  # fmt: skip


def frames(seconds: float, rate_hz: float) -> int:
    """Seconds as a whole number of frames."""
    return int(round(seconds * rate_hz))
