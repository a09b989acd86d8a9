"""A front end as the C core's `mmq_spec_t`: every number and table it reads."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from firmware_bridge import filters
from firmware_bridge.frontend import FrontEnd, ModalityFrontEnd, modality_feature_names

KINDS = {"eeg": 0, "ecg": 1, "ppg": 2, "eda": 3, "temp": 4, "acc": 5}
NORMALISERS = {None: 0, "population": 1, "enrolment": 2, "running": 3}
TABLE_FIELDS = ("anti_alias", "bank", "fft_window", "twiddles", "band_bins")

_U32, _F32 = ctypes.c_uint32, ctypes.c_float
_FLOATS = ctypes.POINTER(ctypes.c_float)


class CModality(ctypes.Structure):
    """`mmq_modality_t`, field by field."""

    _fields_ = [
        *((name, _U32) for name in (
            "kind", "channels", "features", "decimate", "bands", "anti_alias_sections", "hold_frames",
            "flat_frames", "context", "fft_size", "spectrum_decimate", "spectrum_samples", "spectrum_low",
            "spectrum_high", "peak_window", "beat_window", "refractory",
        )),
        *((name, _F32) for name in (
            "rate_hz", "baseline_alpha", "minimum", "maximum", "rail_low", "rail_high", "max_saturated_share",
            "max_lost_share", "beat_offset", "psd_scale",
        )),
        *((name, _FLOATS) for name in ("anti_alias", "bank", "fft_window", "twiddles")),
        ("band_bins", ctypes.POINTER(ctypes.c_uint16)),
    ]  # fmt: skip


class CSpec(ctypes.Structure):
    """`mmq_spec_t`, field by field."""

    _fields_ = [
        *((name, _U32) for name in (
            "version", "tokens", "n_modalities", "n_features", "normaliser", "enrolment_tokens", "quantised",
        )),
        ("zero_point", ctypes.c_int32),
        *((name, _F32) for name in ("scale", "token_s", "grace_s", "prior_tokens", "clip")),
        ("mean", _FLOATS),
        ("std", _FLOATS),
        ("modalities", ctypes.POINTER(CModality)),
    ]  # fmt: skip


def modality_values(name: str, modality: ModalityFrontEnd, token_s: float) -> dict[str, Any]:
    """List the fields of one `mmq_modality_t`: numbers, and arrays for the tables.

    Parameters
    ----------
    name : str
        Modality.
    modality : ModalityFrontEnd
        Its settings.
    token_s : float
        Seconds a token covers.
    """
    values: dict[str, Any] = {
        "kind": KINDS[name],
        "channels": len(modality.channels),
        "features": len(modality_feature_names(name, modality)),
        "decimate": modality.decimate,
        "bands": len(modality.bands),
        "hold_frames": filters.frames(modality.hold_s, modality.sampling_rate_hz),
        "flat_frames": filters.frames(modality.max_flat_s, modality.sampling_rate_hz),
        "context": max(2, filters.frames(modality.context_s, modality.rate_hz)),
        "rate_hz": modality.sampling_rate_hz,
        "baseline_alpha": filters.baseline_alpha(modality),
        "psd_scale": 0.0,
        "beat_offset": 0.0,
    }
    for key in ("minimum", "maximum", "rail_low", "rail_high", "max_saturated_share", "max_lost_share"):
        values[key] = getattr(modality, key)
    if name in ("eeg", "ecg", "ppg"):
        values["anti_alias"] = filters.anti_alias(modality.decimate)
        values["anti_alias_sections"] = len(values["anti_alias"])
        values["bank"] = np.stack(
            [filters.band_pass(b.low_hz, b.high_hz, modality.rate_hz) for b in modality.bands]
        )
    if name == "eeg":
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
        "enrolment_tokens": int(np.ceil(norm.enrolment_s / front_end.token_s - 1e-9)) if norm else 0,
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
    """A filled `mmq_spec_t` and the arrays it points to, kept alive together."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._alive: list[Any] = []
        modalities = (CModality * len(front_end.modalities))()
        for target, (name, modality) in zip(modalities, front_end.modalities.items(), strict=True):
            self._fill(target, modality_values(name, modality, front_end.token_s))
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
