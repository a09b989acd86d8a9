# SPDX-License-Identifier: Apache-2.0
"""Blinks: where they are, and how much of them each channel has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmq_tf.mne_bridge.mne_logging import mne_through_the_log

if TYPE_CHECKING:
    from mne.io import BaseRaw

AROUND_BLINK_S = 0.5


def find_blinks(raw: BaseRaw, channel: str | None = None) -> np.ndarray:
    """Find blinks with `mne.preprocessing.find_eog_events`.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    channel : str, optional
        Where to look; by default the EOG channels.

    Returns
    -------
    ndarray, shape (blinks, 3)
        MNE events; the first column counts samples from `raw.first_samp`.
    """
    import mne

    with mne_through_the_log("blinks"):
        return mne.preprocessing.find_eog_events(raw, ch_name=channel)


def blink_amplitude_uv(samples_uv: np.ndarray, rate_hz: float, peaks: np.ndarray) -> np.ndarray:
    """Peak-to-peak amplitude of the average blink, channel by channel.

    The average over blinks of the samples within +-0.5 s, then its maximum minus its minimum.

    Parameters
    ----------
    samples_uv : ndarray, shape (channels, n)
        In uV.
    rate_hz : float
    peaks : ndarray of int, shape (blinks,)
        Sample of each blink's peak; those nearer than 0.5 s to either end are left out.

    Returns
    -------
    ndarray, shape (channels,)
        In uV; NaN where no blink is left.

    Examples
    --------
    >>> bump = 100 * np.hanning(21)[None]
    >>> recording = np.concatenate([np.zeros((1, 90)), bump, np.zeros((1, 90))], axis=1)
    >>> blink_amplitude_uv(recording, 100.0, np.array([100])).round(6).tolist()
    [100.0]
    """
    half = round(AROUND_BLINK_S * rate_hz)
    inside = [peak for peak in peaks if half <= peak < samples_uv.shape[1] - half]
    if not inside:
        return np.full(len(samples_uv), np.nan)
    average = np.mean([samples_uv[:, peak - half : peak + half + 1] for peak in inside], axis=0)
    return np.ptp(average, axis=1)
