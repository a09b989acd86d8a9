# SPDX-License-Identifier: Apache-2.0
"""The same EEG features by other libraries: differential entropy and log power density, by channel and band.

Every function takes windows float64 ``[windows, channels, samples]`` cut from one continuous recording
without gaps and returns float64 ``[windows, channels, bands]``, in the core's unit: nats.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

try:
    from mne_features.univariate import compute_energy_freq_bands, compute_pow_freq_bands
except ImportError as error:
    raise SystemExit("error: mne-features is not installed: pip install -e '.[bench]'") from error

fft: Any = scipy.fft  # SciPy's annotations name every array library there is
signal: Any = scipy.signal
HALF_LOG_2_PI_E = 0.5 * np.log(2 * np.pi * np.e)


@dataclass(frozen=True)
class Plan:
    """What is computed: rate (Hz), band edges (Hz) ``[bands, 2]``, running baseline's time constant (s)."""

    rate_hz: float
    bands_hz: np.ndarray
    baseline_s: float

    @property
    def sections(self) -> list[np.ndarray]:
        """4th-order Butterworth band passes, one a band, as the core's."""
        return [signal.butter(2, band, "bandpass", fs=self.rate_hz, output="sos") for band in self.bands_hz]

    @property
    def alpha(self) -> float:
        """Share of the difference the running baseline takes up a sample."""
        return float(-np.expm1(-1.0 / (self.baseline_s * self.rate_hz)))


class SciPyStream:
    """SciPy a window at a time, filters running on: what a device, or a live display, has to do.

    One `sosfilt` a band over all channels at once, one `rfft` of all channels; designs, Hann window and bin
    ranges are made beforehand.
    """

    def __init__(self, plan: Plan, channels: int, samples: int, dtype: type = np.float64) -> None:
        self._sections = [s.astype(dtype) for s in plan.sections]
        self._states = [np.zeros((len(s), channels, 2), dtype) for s in self._sections]
        self._blocker = np.array([1.0, -1.0], dtype), np.array([1.0, plan.alpha - 1.0], dtype)
        self._held: np.ndarray | None = None
        self._first: np.ndarray | None = None
        self._hann = signal.get_window("hann", samples).astype(dtype)
        self._scale = 2.0 / (plan.rate_hz * np.sum(self._hann.astype(np.float64) ** 2))
        self._bins = band_bins(plan, samples)

    def window(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Differential entropy and log power density of the next window ``[channels, samples]``."""
        if self._first is None or self._held is None:
            self._first, self._held = x[:, :1].copy(), np.zeros((len(x), 1), x.dtype)
        y, self._held = signal.lfilter(*self._blocker, x - self._first, axis=-1, zi=self._held)
        entropy = np.empty((len(x), len(self._sections)))
        for b, sections in enumerate(self._sections):
            filtered, self._states[b] = signal.sosfilt(sections, y, axis=-1, zi=self._states[b])
            entropy[:, b] = filtered.var(axis=-1)
        return HALF_LOG_2_PI_E + 0.5 * np.log(entropy), self._density(y)

    def _density(self, y: np.ndarray) -> np.ndarray:
        return log_density(y, self._hann, self._scale, self._bins)


def scipy_stream(plan: Plan, windows: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """Run `SciPyStream` over all windows; returns entropy and density ``[2, windows, channels, bands]``."""
    stream = SciPyStream(plan, windows.shape[1], windows.shape[2], dtype)
    return np.stack([stream.window(window) for window in windows], axis=1)


def scipy_batched(plan: Plan, windows: np.ndarray) -> np.ndarray:
    """SciPy over the whole recording at once: only offline, but each call does as much as it can.

    Returns
    -------
    ndarray, shape (2, windows, channels, bands)
    """
    n, channels, samples = windows.shape
    x = windows.transpose(1, 0, 2).reshape(channels, -1)
    y = signal.lfilter([1.0, -1.0], [1.0, plan.alpha - 1.0], x - x[:, :1], axis=-1)
    cut = (channels, n, samples)
    variance = [signal.sosfilt(s, y, axis=-1).reshape(cut).var(axis=-1) for s in plan.sections]
    entropy = HALF_LOG_2_PI_E + 0.5 * np.log(np.stack(variance, axis=-1))
    hann = signal.get_window("hann", samples)
    density = log_density(
        y.reshape(cut), hann, 2.0 / (plan.rate_hz * np.sum(hann**2)), band_bins(plan, samples)
    )
    return np.stack([entropy, density]).swapaxes(1, 2)


def log_density(y: np.ndarray, window: np.ndarray, scale: float, bins: list[slice]) -> np.ndarray:
    """Log of the mean power density of each band: one windowed segment, which is all that fits a window."""
    spectrum = fft.rfft(y * window, axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.log(scale * np.stack([power[..., place].mean(axis=-1) for place in bins], axis=-1))


def band_bins(plan: Plan, samples: int) -> list[slice]:
    """Bins whose frequency lies in ``[low, high)`` of each band."""
    frequency = np.arange(samples // 2) * plan.rate_hz / samples
    edges = np.searchsorted(frequency, plan.bands_hz - 1e-9)
    return [slice(int(low), int(high)) for low, high in edges]


def mne_features_power(plan: Plan, windows: np.ndarray) -> np.ndarray:
    """Sum a band's power, `mne_features.univariate.compute_pow_freq_bands`, as log power density.

    It takes a Hamming window where ours is Hann, removes each window's mean and counts a band's upper edge
    in; otherwise the same Welch density.
    """
    samples, bands = windows.shape[2], plan.bands_hz
    frequency = np.arange(samples // 2 + 1) * plan.rate_hz / samples
    counts = [int(np.sum((frequency >= low) & (frequency <= high))) for low, high in bands]
    power = [
        compute_pow_freq_bands(
            plan.rate_hz,
            window,
            bands,
            normalize=False,
            psd_params={"welch_n_fft": samples, "welch_n_per_seg": samples},
        )
        for window in windows
    ]
    return np.log(np.reshape(power, (*windows.shape[:2], len(bands))) / counts)


def mne_features_energy(plan: Plan, windows: np.ndarray) -> np.ndarray:
    """Energy of a band, `mne_features.univariate.compute_energy_freq_bands`, as differential entropy.

    Its filters are FIR, zero-phase and start anew in every window; otherwise the same logarithm of the
    variance of the band-passed signal.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its filters are longer than the window, and it says so each time
        energy = [
            compute_energy_freq_bands(plan.rate_hz, window, plan.bands_hz, deriv_filt=False)
            for window in windows
        ]
    variance = np.reshape(energy, (*windows.shape[:2], len(plan.bands_hz))) / windows.shape[2]
    return HALF_LOG_2_PI_E + 0.5 * np.log(variance)
