# SPDX-License-Identifier: Apache-2.0
"""MNE off-line, one matrix on the device: re-referencing, EOG regression, ICA, bad channels interpolated.

All of these are linear and act on one sample at a time, so whatever MNE fitted is one matrix in the end
(`mmq_bridge.front_end.settings.SpatialFilter`), which the C core applies to every sample. Fit it on the
recordings of training subjects, or on the wearer's own calibration, never on what is judged.

The order is fixed: reference, then regression or ICA on the good channels, then the bad ones interpolated
from the cleaned good ones.

Examples
--------
>>> from mmq_tf.cleaning import fit_spatial_filter
>>> fit = fit_spatial_filter(raw, method="ica", bads=("T8",))  # doctest: +SKIP
>>> front_end = fit.front_end(token_s=2.0)  # doctest: +SKIP
>>> front_end.save("frontend.json")  # doctest: +SKIP
"""

from __future__ import annotations

from mmq_tf.cleaning.blinks import blink_amplitude_uv, find_blinks
from mmq_tf.cleaning.files import read_eeg
from mmq_tf.cleaning.quality_report import alpha_power_db, compare_with_mne
from mmq_tf.cleaning.spatial import METHODS, SpatialFit, fit_spatial_filter
from mmq_tf.cleaning.step_matrices import Step, compose, probe
from mmq_tf.cleaning.steps import interpolate_bads, re_reference, regress_eog, remove_components
from mmq_tf.mne_bridge.eeg_raw import Fittable, append_eog, to_raw

__all__ = [
    "METHODS",
    "Fittable",
    "SpatialFit",
    "Step",
    "alpha_power_db",
    "append_eog",
    "blink_amplitude_uv",
    "compare_with_mne",
    "compose",
    "find_blinks",
    "fit_spatial_filter",
    "interpolate_bads",
    "probe",
    "re_reference",
    "read_eeg",
    "regress_eog",
    "remove_components",
    "to_raw",
]
