# SPDX-License-Identifier: Apache-2.0
"""The shapes of artefacts: what each kind adds, before it is scaled to a signal-to-noise ratio.

The kinds and their bands follow the MIT-BIH Noise Stress Test Database (Moody et al., Computers in Cardiology
1984: baseline wander, muscle, electrode motion) and Sweeney et al., IEEE T-ITB 16(3), 2012 for wearables.
Every function takes channels, samples, rate in Hz and a generator and returns float64 ``[channels, n]``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Shape = Callable[[int, int, float, np.random.Generator], np.ndarray]


def overdrive(centred: np.ndarray, finite: np.ndarray, count: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Amplify until an amplifier's rails clip, so that the error has the wanted power.

    The rails lie at twice the larger of the signal's and the error's root mean square, and at least at the
    signal's peak: with gain 1 there is no error, with an endless gain at least ``2 max(a, e) - a >= e``, and
    it grows between, so bisection finds the gain.

    Parameters
    ----------
    centred : numpy.ndarray
        ``[channels, n]`` without mean, 0 where lost.
    finite : numpy.ndarray
        bool ``[channels, n]``, False where lost.
    count, target : numpy.ndarray
        ``[channels, 1]`` samples that are there, and the wanted mean square of the error.

    Returns
    -------
    numpy.ndarray
        ``[channels, n]`` the overdriven signal.
    """
    power = (centred**2).sum(1, keepdims=True) / count
    rail = np.maximum(2 * np.sqrt(np.maximum(power, target)), np.abs(centred).max(1, keepdims=True))
    low, high = np.zeros_like(power), np.full_like(power, 60.0)  # log gain
    for _ in range(50):
        middle = (low + high) / 2
        error = np.clip(centred * np.exp(middle), -rail, rail) - centred
        weak = ((error * finite) ** 2).sum(1, keepdims=True) / count < target
        low, high = np.where(weak, middle, low), np.where(weak, high, middle)
    return np.clip(centred * np.exp(high), -rail, rail)


def band_noise(
    channels: int, n: int, rate: float, band: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Draw white noise between two frequencies; where the stretch resolves none of them, a straight slope."""
    frequency = np.fft.rfftfreq(n, 1 / rate)
    keep = (frequency >= band[0]) & (frequency <= band[1]) & (frequency > 0)
    if not keep.any():
        return np.linspace(-1.0, 1.0, n) * rng.choice([-1.0, 1.0], (channels, 1))
    spectrum = np.zeros((channels, frequency.size), complex)
    spectrum[:, keep] = rng.normal(size=(channels, keep.sum())) + 1j * rng.normal(size=(channels, keep.sum()))
    return np.fft.irfft(spectrum, n)


def bursts(n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Draw an envelope of raised-cosine bursts of 0.3 to 2 s, about one per second and at least one."""
    time = np.arange(n) / rate
    count = 1 + rng.poisson(n / rate)
    centre = rng.uniform(0, n / rate, (count, 1))
    half = rng.uniform(0.15, 1.0, (count, 1)) + 1 / rate
    inside = np.abs(time - centre) / half
    return np.where(inside < 1, 0.5 + 0.5 * np.cos(np.pi * inside), 0.0).max(0)


def baseline_wander(channels: int, n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Breathing and sweat under an electrode, below 0.5 Hz (AHA recommendation, Kligfield et al. 2007)."""
    return band_noise(channels, n, rate, (0.05, 0.5), rng)


def electrode_pop(channels: int, n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Sudden steps that decay with 0.1 to 1 s, about one in two seconds, each on some of the channels."""
    time = np.arange(n) / rate
    added = np.zeros((channels, n))
    for _ in range(1 + rng.poisson(0.5 * n / rate)):
        since = time - rng.uniform(0, 0.9 * n / rate)
        gain = rng.normal(size=(channels, 1)) * (rng.random((channels, 1)) < 0.5)
        gain[rng.integers(channels)] = rng.choice([-1.0, 1.0])
        added += gain * np.where(since >= 0, np.exp(-np.maximum(since, 0) / rng.uniform(0.1, 1.0)), 0.0)
    quiet = ~added.any(1)
    added[quiet] = rng.uniform(0.05, 0.2, (quiet.sum(), 1)) * added[~quiet].sum(0)
    return added


def emg_burst(channels: int, n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Muscle: 20 to 150 Hz in bursts (surface EMG's band, De Luca et al., J Biomech 43, 2010)."""
    return band_noise(channels, n, rate, (20.0, min(150.0, 0.48 * rate)), rng) * (0.05 + bursts(n, rate, rng))


def motion_burst(channels: int, n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Movement: 0.5 to 8 Hz in bursts, mostly common to the channels (Sweeney et al. 2012)."""
    band = (min(0.5, 0.1 * rate), min(8.0, 0.48 * rate))
    common = band_noise(1, n, rate, band, rng) * rng.uniform(0.3, 1.0, (channels, 1))
    own = band_noise(channels, n, rate, band, rng) * 0.3
    return (common + own) * (0.05 + bursts(n, rate, rng))


def level_step(channels: int, n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Shift the sensor on the skin: another level from the first sample to the last."""
    return np.ones((channels, n)) * rng.choice([-1.0, 1.0], (channels, 1))


def broadband_noise(channels: int, n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """White noise up to half the rate."""
    return rng.normal(size=(channels, n))


SHAPES: dict[str, Shape] = {
    "baseline_wander": baseline_wander,
    "electrode_pop": electrode_pop,
    "emg_burst": emg_burst,
    "motion_burst": motion_burst,
    "level_step": level_step,
    "broadband_noise": broadband_noise,
}
