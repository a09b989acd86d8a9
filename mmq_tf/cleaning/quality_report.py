# SPDX-License-Identifier: Apache-2.0
"""What cleaning did: alpha kept, and how far the device is from MNE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmq_tf.cleaning.spatial import SpatialFit

if TYPE_CHECKING:
    from mne.io import BaseRaw

ALPHA_HZ = (8.0, 14.0)
"""The alpha band of the front end (`mmq_bridge.front_end.modalities.EEG_BANDS`)."""


def alpha_power_db(samples_uv: np.ndarray, rate_hz: float) -> float:
    """Mean power density between 8 and 14 Hz over channels, in dB against 1 uV^2/Hz (Welch, 4 s, Hann).

    Parameters
    ----------
    samples_uv : ndarray, shape (channels, n)
        In uV.
    rate_hz : float

    Examples
    --------
    >>> times = np.arange(12_800) / 128
    >>> sine = np.sin(2 * np.pi * 10 * times)[None]
    >>> round(alpha_power_db(10 * sine, 128.0) - alpha_power_db(sine, 128.0), 6)
    20.0
    """
    from scipy.signal import welch

    frequencies, power = welch(samples_uv, rate_hz, nperseg=min(round(4 * rate_hz), samples_uv.shape[1]))
    band = (frequencies >= ALPHA_HZ[0]) & (frequencies < ALPHA_HZ[1])
    return float(10 * np.log10(power[:, band].mean()))


@dataclass(frozen=True)
class CoreAgainstMNE:
    """The matrix on the device against MNE's own steps, on one recording.

    Attributes
    ----------
    max_abs_error_uv : float
        Largest difference of any sample of any output, in uV.
    max_relative_error : float
        The same, each output's differences divided by the standard deviation of MNE's.
    """

    max_abs_error_uv: float
    max_relative_error: float


def compare_with_mne(
    fit: SpatialFit, raw: BaseRaw, execute: Callable[[np.ndarray], np.ndarray] | None = None
) -> CoreAgainstMNE:
    """Send one recording through the matrix and through MNE.

    Both get the same samples: float32, each channel without its mean, as the front end takes the mean off
    before the matrix.

    Parameters
    ----------
    fit : SpatialFit
    raw : mne.io.BaseRaw
        As `mmq_tf.cleaning.to_raw` gives it, with the channels the fit was made on.
    execute : callable, optional
        float32 ``[inputs, n]`` to float32 ``[outputs, n]``; by default the C core's `mmq_spatial`.
    """
    samples = centred_uv(raw)
    by_core = (execute or fit.execute)(samples)
    by_mne = fit.by_mne(raw, samples)
    error = np.abs(by_core.astype(np.float64) - by_mne)
    return CoreAgainstMNE(float(error.max()), float((error.max(axis=1) / by_mne.std(axis=1)).max()))


def centred_uv(raw: BaseRaw) -> np.ndarray:
    """Return all samples in uV without each channel's mean, float32 ``[channels, n]``."""
    samples = np.asarray(raw.get_data()) * 1e6
    return np.ascontiguousarray(samples - samples.mean(axis=1, keepdims=True), dtype=np.float32)
