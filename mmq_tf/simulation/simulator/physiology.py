# SPDX-License-Identifier: Apache-2.0
"""Models of single body signals, from a person's slow states to samples.

Each function is vectorised, takes time in seconds and states on that time, and returns float64. The sources
of the numbers stand beside them; SIMULATED signals only resemble measured ones.
"""

from __future__ import annotations

import numpy as np

from mmq_tf.augmentation.artefact_shapes import band_noise, bursts

# Angle (rad), height, width (rad) of P, Q, R, S, T: the angles and widths of ECGSYN (McSharry et al., IEEE
# TBME 50(3), 2003, table I), heights set so that R is 1.
ECG_WAVES = (
    (-np.pi / 3, 0.12, 0.25),
    (-np.pi / 12, -0.10, 0.1),
    (0.0, 1.00, 0.1),
    (np.pi / 12, -0.20, 0.1),
    (np.pi / 2, 0.25, 0.4),
)
# Share of the beat, height, width: the systolic wave and its reflection, shaped by eye after the pulses that
# Elgendi (Curr Cardiol Rev 8, 2012) describes.
PPG_WAVES = ((0.22, 1.0, 0.085), (0.46, 0.38, 0.10))
# Bateman response (Benedek and Kaernbach, J Neurosci Methods 190, 2010), constants of a typical SCR's size.
SCR_RISE_S, SCR_DECAY_S = 0.75, 2.5
EEG_BANDS_HZ = {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (14.0, 30.0)}


def wandering(n: int, step_s: float, tau_s: float, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Draw an Ornstein-Uhlenbeck process: standard deviation `sd`, memory `tau_s`, one value each `step_s`.

    Returns
    -------
    numpy.ndarray
        ``[n]``, stationary from its first value on.
    """
    keep = np.exp(-step_s / tau_s)
    noise = rng.normal(size=n) * sd * np.sqrt(1 - keep**2)
    noise[0] = rng.normal() * sd
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -keep], noise))


def lagged(target: np.ndarray, step_s: float, rise_s: float, fall_s: float) -> np.ndarray:
    """Follow `target` with one time constant upwards and another downwards, starting on it."""
    value = np.empty_like(target)
    level = float(target[0])
    for index, goal in enumerate(target):
        level += (goal - level) * (1 - np.exp(-step_s / (rise_s if goal > level else fall_s)))
        value[index] = level
    return value


def phase(rate_per_s: np.ndarray, step_s: float, start: float) -> np.ndarray:
    """Integrate a rate: whole numbers are the beats (or breaths)."""
    return start + np.cumsum(rate_per_s) * step_s


def crossings(time_s: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """Return the times at which a rising phase passes whole numbers, in seconds."""
    whole = np.arange(np.ceil(cycles[0]), np.floor(cycles[-1]) + 1)
    return np.interp(whole, cycles, time_s)


def ecg(cycles: np.ndarray) -> np.ndarray:
    """Sum of Gaussians over the beat's angle, in units of the R wave (ECGSYN, McSharry et al. 2003)."""
    angle = 2 * np.pi * (cycles + 0.5 - np.floor(cycles + 0.5) - 0.5)
    at, height, width = (np.array(column)[:, None] for column in zip(*ECG_WAVES, strict=True))
    return (height * np.exp(-((angle - at) ** 2) / (2 * width**2))).sum(0)


def pulse(cycles: np.ndarray) -> np.ndarray:
    """Optical pulse wave over the beat: two Gaussians, wrapped, without its mean."""
    share = cycles - np.floor(cycles)
    wave = np.zeros_like(share)
    for at, height, width in PPG_WAVES:
        away = np.minimum(np.abs(share - at), 1 - np.abs(share - at))
        wave += height * np.exp(-(away**2) / (2 * width**2))
    return wave - sum(height * width * np.sqrt(2 * np.pi) for _, height, width in PPG_WAVES)


def events(rate_per_s: np.ndarray, step_s: float, rng: np.random.Generator) -> np.ndarray:
    """Draw bool ``[n]``, the steps in which an event of a Poisson process with this rate falls."""
    return rng.random(rate_per_s.size) < rate_per_s * step_s


def skin_conductance_responses(
    happens: np.ndarray, amplitude: np.ndarray, sampling_rate_hz: float
) -> np.ndarray:
    """Convolve events with a Bateman response whose peak is 1, in the unit of `amplitude`."""
    time = np.arange(0, 30.0, 1 / sampling_rate_hz)
    response = np.exp(-time / SCR_DECAY_S) - np.exp(-time / SCR_RISE_S)
    from scipy.signal import fftconvolve

    return fftconvolve(happens * amplitude, response / response.max())[: happens.size]


def blinks(at_s: np.ndarray, height: np.ndarray, n: int, sampling_rate_hz: float) -> np.ndarray:
    """Draw blinks: the lid closes in 0.1 s and opens in 0.2 s (Caffier et al., Eur J Appl Physiol 89, 2003).

    Parameters
    ----------
    at_s, height : numpy.ndarray
        ``[blinks]`` when each begins, and its peak.
    """
    happens = np.zeros(n)
    np.add.at(happens, np.minimum((at_s * sampling_rate_hz).astype(int), n - 1), height)
    closing = np.sin(np.pi / 2 * np.arange(0, 1, 1 / (0.1 * sampling_rate_hz))) ** 2
    opening = np.cos(np.pi / 2 * np.arange(0, 1, 1 / (0.2 * sampling_rate_hz))) ** 2
    from scipy.signal import fftconvolve

    return fftconvolve(happens, np.concatenate([closing, opening]))[:n]


def gaze(
    clock_s: np.ndarray, sampling_rate_hz: float, spread_deg: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw fixations of about 1 s and saccades of 40 ms, in uV (20 uV a degree, Malmivuo & Plonsey 1995)."""
    fixations = np.cumsum(rng.exponential(1.0, int(clock_s[-1] * 1.5) + 50))
    where = 20.0 * rng.normal(0, spread_deg, fixations.size + 1)
    length = max(1, round(0.04 * sampling_rate_hz))
    from scipy.ndimage import uniform_filter1d

    return uniform_filter1d(where[np.searchsorted(fixations, clock_s)], length)


def movement(
    happens: np.ndarray, strength: np.ndarray, sampling_rate_hz: float, rng: np.random.Generator
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Draw bursts of movement, 0.5 to 6 Hz, of 2 to 8 s, on three axes.

    Parameters
    ----------
    happens : numpy.ndarray
        bool ``[n]``, the samples at which a burst begins.
    strength : numpy.ndarray
        ``[n]`` standard deviation of a burst that begins there, in g.

    Returns
    -------
    samples : numpy.ndarray
        ``[3, n]`` in g.
    intervals : list of (start_s, stop_s)
        Exact times of the bursts.
    """
    samples = np.zeros((3, happens.size))
    intervals = []
    for start in np.flatnonzero(happens).tolist():
        stop = min(start + int(rng.uniform(2.0, 8.0) * sampling_rate_hz), happens.size)
        if stop - start < 8:
            continue
        wave = band_noise(3, stop - start, sampling_rate_hz, (0.5, 6.0), rng)
        wave *= bursts(stop - start, sampling_rate_hz, rng)
        wave *= strength[start] / max(float(wave.std()), 1e-9)
        samples[:, start:stop] += wave * rng.uniform(0.3, 1.0, (3, 1))
        intervals.append((float(start / sampling_rate_hz), float(stop / sampling_rate_hz)))
    return samples, intervals


def eeg(
    gains: dict[str, np.ndarray], channels: int, sampling_rate_hz: float, rng: np.random.Generator
) -> np.ndarray:
    """Sum a 1/f background and bands whose amplitude follows `gains`, in uV.

    Parameters
    ----------
    gains : dict of str to numpy.ndarray
        Amplitude ``[n]`` in uV of each of `EEG_BANDS_HZ`.
    """
    n = next(iter(gains.values())).size
    frequency = np.fft.rfftfreq(n, 1 / sampling_rate_hz)
    shape = np.where(frequency < 0.5, 0.0, 1 / np.maximum(frequency, 0.5))
    background = np.fft.irfft(np.fft.rfft(rng.normal(size=(channels, n))) * shape, n)
    samples = 6.0 * background / background.std(1, keepdims=True)
    for name, gain in gains.items():
        # what neighbouring electrodes share through the head, and what is theirs
        wave = band_noise(channels, n, sampling_rate_hz, EEG_BANDS_HZ[name], rng)
        shared = band_noise(1, n, sampling_rate_hz, EEG_BANDS_HZ[name], rng)
        samples += gain * (0.8 * wave / wave.std(1, keepdims=True) + 0.6 * shared / shared.std())
    return samples
