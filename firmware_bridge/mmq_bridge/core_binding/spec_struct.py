# SPDX-License-Identifier: Apache-2.0
"""A front end as the C core's `mmq_spec_t`: every number and table it reads."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from mmq_bridge.front_end import filter_design as filters
from mmq_bridge.front_end.feature_names import look_back_bits, modality_feature_names, output_names
from mmq_bridge.front_end.front_end import FrontEnd, ModalityFrontEnd
from mmq_bridge.front_end.modalities import BANK_MODALITIES, CORE_KINDS, WAVE_MODALITIES
from mmq_bridge.front_end.modality_constraints import MAX_CONTEXT

NORMALISERS = {None: 0, "population": 1, "enrolment": 2, "running": 3}
TABLE_FIELDS = ("prefilter", "bank", "fft_window", "twiddles", "band_bins", "spatial")
LOWEST_SKEWNESS = -float(np.finfo(np.float32).max)
"""Stands for minus infinity, which C99 cannot write: no skewness is lower."""
COPIED = (
    "minimum", "maximum", "rail_low", "rail_high", "max_saturated_share", "max_lost_share", "max_bad_share",
    "min_deviation", "max_deviation", "min_kurtosis", "min_band_share", "min_regularity",
)  # fmt: skip
"""Settings that the core takes as they are."""

_U32, _F32 = ctypes.c_uint32, ctypes.c_float
_FLOATS = ctypes.POINTER(ctypes.c_float)


class CModality(ctypes.Structure):
    """`mmq_modality_t`, field by field."""

    _fields_ = [
        *((name, _U32) for name in (
            "kind", "channels", "outputs", "features", "decimate", "bands", "prefilter_sections",
            "hold_frames", "flat_frames", "context", "fft_size", "spectrum_decimate", "spectrum_samples",
            "spectrum_low", "spectrum_high", "peak_window", "beat_window", "refractory", "lag_low",
            "lag_high", "look_back",
        )),
        *((name, _F32) for name in (
            "rate_hz", "baseline_alpha", "minimum", "maximum", "rail_low", "rail_high", "max_saturated_share",
            "max_lost_share", "max_bad_share", "max_step", "min_deviation", "max_deviation", "min_kurtosis",
            "min_band_share", "min_regularity", "min_skewness", "beat_offset", "psd_scale",
        )),
        *((name, _FLOATS) for name in ("prefilter", "bank", "fft_window", "twiddles")),
        ("band_bins", ctypes.POINTER(ctypes.c_uint16)),
        ("spatial", _FLOATS),
    ]  # fmt: skip


class CSpec(ctypes.Structure):
    """`mmq_spec_t`, field by field."""

    _fields_ = [
        *((name, _U32) for name in (
            "version", "tokens", "n_modalities", "n_features", "normaliser", "enrolment_tokens",
            "enrolment_least", "look_back_tokens", "quantised",
        )),
        ("zero_point", ctypes.c_int32),
        *((name, _F32) for name in ("scale", "token_s", "grace_s", "prior_tokens", "clip")),
        ("mean", _FLOATS),
        ("std", _FLOATS),
        ("modalities", ctypes.POINTER(CModality)),
    ]  # fmt: skip


def modality_values(
    name: str, modality: ModalityFrontEnd, token_s: float, look_backs: bool = False
) -> dict[str, Any]:
    """List the fields of one `mmq_modality_t`: numbers, and arrays for the tables.

    Parameters
    ----------
    name : str
        Modality.
    modality : ModalityFrontEnd
        Its settings.
    token_s : float
        Seconds a token covers.
    look_backs : bool
        Whether the front end has any.
    """
    values: dict[str, Any] = {
        "kind": CORE_KINDS[name],
        "channels": len(modality.channels),
        "outputs": len(output_names(name, modality)),
        "features": len(modality_feature_names(name, modality)),
        "decimate": modality.decimate,
        "bands": len(modality.bands),
        "hold_frames": filters.frames(modality.hold_s, modality.sampling_rate_hz),
        "flat_frames": filters.frames(modality.max_flat_s, modality.sampling_rate_hz),
        "context": min(MAX_CONTEXT, max(2, filters.frames(modality.context_s, modality.rate_hz))),
        "rate_hz": modality.sampling_rate_hz,
        "baseline_alpha": filters.baseline_alpha(modality),
        "look_back": look_back_bits(name, modality) if look_backs else 0,
        "max_step": modality.max_step_per_s / modality.sampling_rate_hz,
        "min_skewness": LOWEST_SKEWNESS if modality.min_skewness is None else modality.min_skewness,
        "psd_scale": 0.0,
        "beat_offset": 0.0,
    }
    values |= {key: getattr(modality, key) for key in COPIED}
    if name in WAVE_MODALITIES:
        values["prefilter"], values["bank"] = filters.filter_tables(name, modality)
        values["prefilter_sections"] = len(values["prefilter"])
    if modality.spatial is not None:
        values["spatial"] = np.array(modality.spatial.matrix, np.float32)
    if name in BANK_MODALITIES:
        values |= _segment_values(modality, token_s)
    elif name in ("ecg", "ppg"):
        values |= _beat_values(name, modality)
    return values


def _segment_values(modality: ModalityFrontEnd, token_s: float) -> dict[str, Any]:
    plan = filters.segment_plan(modality, token_s)
    return {
        "fft_size": plan.size,
        "fft_window": filters.hann(plan.size),
        "twiddles": filters.twiddles(plan.size),
        "band_bins": plan.bins,
        "psd_scale": plan.scale,
    }


def _beat_values(name: str, modality: ModalityFrontEnd) -> dict[str, Any]:
    plan = filters.beat_plan(name, modality)
    values: dict[str, Any] = {
        "peak_window": plan.peak_window,
        "beat_window": plan.beat_window,
        "refractory": plan.refractory,
        "beat_offset": plan.offset,
    }
    if name == "ppg":
        values |= {
            "fft_size": plan.fft_size,
            "fft_window": filters.hann(plan.spectrum_samples),
            "twiddles": filters.twiddles(plan.fft_size),
            "spectrum_decimate": plan.spectrum_decimate,
            "spectrum_samples": plan.spectrum_samples,
            "spectrum_low": plan.low_bin,
            "spectrum_high": plan.high_bin,
            "lag_low": plan.low_lag,
            "lag_high": plan.high_lag,
        }
    return values


def spec_values(front_end: FrontEnd) -> dict[str, Any]:
    """List the fields of `mmq_spec_t` but the modalities."""
    norm, quant = front_end.normalisation, front_end.quantisation
    return {
        "version": front_end.frontend_version,
        "tokens": front_end.tokens,
        "n_modalities": len(front_end.modalities),
        "n_features": front_end.n_features,
        "normaliser": NORMALISERS[norm.mode if norm else None],
        "enrolment_tokens": front_end.enrolment_tokens,
        "enrolment_least": front_end.enrolment_least,
        "look_back_tokens": front_end.look_back_tokens,
        "quantised": int(quant is not None),
        "zero_point": quant.zero_point if quant else 0,
        "scale": quant.scale if quant else 0.0,
        "token_s": front_end.token_s,
        "grace_s": front_end.grace_s,
        "prior_tokens": norm.prior_tokens if norm else 0.0,
        "clip": norm.clip if norm else 0.0,
        "mean": np.array(norm.mean, np.float32) if norm else None,
        "std": np.array(norm.std, np.float32) if norm else None,
    }


class SpecTables:
    """A filled `mmq_spec_t` and the arrays it points to, kept alive together.

    Raises
    ------
    BridgeError
        When the front end has extra features.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        front_end.check_deployable()
        self._alive: list[Any] = []
        modalities = (CModality * len(front_end.modalities))()
        for target, (name, modality) in zip(modalities, front_end.modalities.items(), strict=True):
            values = modality_values(name, modality, front_end.token_s, front_end.look_back_tokens > 0)
            self._fill(target, values)
        self.spec = CSpec()
        self._fill(self.spec, spec_values(front_end))
        self.spec.modalities = modalities
        self._alive.append(modalities)

    def _fill(self, target: ctypes.Structure, values: dict[str, Any]) -> None:
        types: dict[str, Any] = {field[0]: field[1] for field in target._fields_}
        for key, value in values.items():
            if value is None or (isinstance(value, np.ndarray) and value.size == 0):
                continue
            if isinstance(value, np.ndarray):
                array = np.ascontiguousarray(value)
                self._alive.append(array)
                value = array.ctypes.data_as(types[key])
            setattr(target, key, value)
