# SPDX-License-Identifier: Apache-2.0
"""A whole recording, or plain arrays, as the signals that a front end reads: checked, and resampled."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmq_bridge.core_binding.input_validation import MAX_FRAMES, number_array, plain_number
from mmq_bridge.core_binding.native import SignalLike
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.resampling import rate_ratio, resampled

SAME_RATE = 1e-6
"""Relative difference of two rates up to which they are the same."""

_FORMS = 'a recording, or a mapping like {"ppg": (samples, rate_hz)}'


@dataclass(frozen=True)
class WholeSignal:
    """One modality of a whole recording.

    Attributes
    ----------
    samples : numpy.ndarray
        ``[channels, n]``; NaN where lost.
    sampling_rate_hz : float
    start_s : float
        Time of the first sample, in seconds from the recording's start.
    """

    samples: np.ndarray
    sampling_rate_hz: float
    start_s: float = 0.0

    @property
    def stop_s(self) -> float:
        """When it ends, in seconds."""
        return self.start_s + self.samples.shape[1] / self.sampling_rate_hz


def whole_signals(front_end: FrontEnd, recording: Any) -> dict[str, SignalLike]:
    """Return the signals of a whole recording at the rates of a front end.

    Parameters
    ----------
    front_end : FrontEnd
    recording : object or mapping
        Something with ``signals``, by modality; or a mapping from modality to such a signal or to
        ``(samples, rate_hz)``, where samples are ``[n]`` or ``[channels, n]``, integers or floats, NaN where
        lost.

    Returns
    -------
    dict of str to SignalLike
        In the order of the front end. What it has no use for is left out, with a warning.

    Raises
    ------
    BridgeError
        When a rate is not known, samples are not numbers or have another number of channels than the front
        end, arrays last differently long, or the front end knows no modality of the recording.
    """
    given = getattr(recording, "signals", recording)
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise BridgeError(f"recording: expected {_FORMS}, got {type(recording).__name__}.")
    known = [name for name in front_end.modality_names if name in given]
    unknown = [name for name in given if name not in front_end.modalities]
    if not known:
        raise BridgeError(
            f"recording: expected any of {', '.join(front_end.modality_names)}, got "
            f"{', '.join(unknown) or 'nothing'}."
        )
    if unknown:
        _warn(f"ignored {', '.join(unknown)}: the model knows {', '.join(front_end.modality_names)}.")
    signals = {name: _signal(name, given[name], len(front_end.modalities[name].channels)) for name in known}
    _check_lengths({name: signals[name] for name in known if isinstance(given[name], (tuple, list))})
    rates = {name: front_end.modalities[name].sampling_rate_hz for name in known}
    return {name: _at_rate(name, signal, rates[name]) for name, signal in signals.items()}


def _signal(name: str, given: Any, channels: int) -> WholeSignal:
    """Return what was given for a modality as a checked signal."""
    if isinstance(given, (tuple, list)):
        if len(given) != 2:
            raise BridgeError(f"{name}: expected (samples, rate_hz), got {len(given)} things.")
        samples, rate, start = *given, 0.0
    elif all(hasattr(given, key) for key in ("samples", "sampling_rate_hz", "start_s")):
        samples, rate, start = given.samples, given.sampling_rate_hz, given.start_s
    else:
        raise BridgeError(
            f"{name}: expected (samples, rate_hz), got {type(given).__name__}; the rate cannot be guessed "
            "from samples."
        )
    array = number_array(name, samples, f"[{channels}, n]")
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[0] != channels or not array.shape[1]:
        shape = list(np.shape(samples))
        hint = "; transpose them" if array.ndim == 2 and array.shape[1] == channels else ""
        raise BridgeError(f"{name}: expected samples [{channels}, n], got shape {shape}{hint}.")
    if array.dtype.kind == "b":
        raise BridgeError(f"{name}: expected numbers [{channels}, n], got an array of bool.")
    return WholeSignal(array, _rate(name, rate), plain_number(f"{name}: start_s", start))


def _rate(name: str, rate: Any) -> float:
    number = math.nan if rate is None or isinstance(rate, bool) else plain_number(f"{name}: rate_hz", rate)
    if not (math.isfinite(number) and number > 0):
        raise BridgeError(f"{name}: expected its sampling rate in Hz, above 0, got {rate!r:.60}.")
    return number


def _check_lengths(signals: Mapping[str, WholeSignal]) -> None:
    """Refuse arrays that last differently long: most often a rate is wrong.

    One second is allowed, since the sensors of one device seldom stop at the same sample.
    """
    if len(signals) < 2:
        return
    ordered = sorted(signals, key=lambda name: signals[name].stop_s)
    short, long = ordered[0], ordered[-1]
    if signals[long].stop_s - signals[short].stop_s > 1.0:
        raise BridgeError(
            f"recording: {_length(short, signals[short])}, but {_length(long, signals[long])}; correct a "
            "rate, or fill the end of a sensor that stopped with NaN."
        )


def _length(name: str, signal: WholeSignal) -> str:
    return f"{name} lasts {signal.stop_s:g} s at {signal.sampling_rate_hz:g} Hz"


def _at_rate(name: str, signal: WholeSignal, rate_hz: float) -> WholeSignal:
    """Return a signal at the front end's rate, with a warning where that changes it."""
    if math.isclose(signal.sampling_rate_hz, rate_hz, rel_tol=SAME_RATE):
        return signal
    ratio = rate_ratio(signal.sampling_rate_hz, rate_hz)
    if signal.samples.shape[1] * ratio > MAX_FRAMES:
        raise BridgeError(
            f"{name}: {signal.samples.shape[1]} samples at {signal.sampling_rate_hz:g} Hz would be more than "
            f"{MAX_FRAMES} at the model's {rate_hz:g} Hz; check the rate."
        )
    _warn(f"{name}: resampled from {signal.sampling_rate_hz:g} Hz to the model's {rate_hz:g} Hz.")
    samples = signal.samples.astype(np.float64)
    samples[~np.isfinite(samples)] = np.nan
    try:
        made = resampled(samples, ratio)
    except ImportError as error:
        raise BridgeError(
            f"{name}: {signal.sampling_rate_hz:g} Hz is not the model's {rate_hz:g} Hz, and resampling needs "
            "SciPy: run `pip install scipy`."
        ) from error
    return WholeSignal(made.astype(np.float32), rate_hz, signal.start_s)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=2)
