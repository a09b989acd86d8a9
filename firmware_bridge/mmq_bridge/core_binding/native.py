# SPDX-License-Identifier: Apache-2.0
"""ctypes over the C core: the very code that runs on the device also makes the training features."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.input_validation import number_array, plain_number, sample_rows, whole_number
from mmq_bridge.core_binding.library import OK, CClock, library, library_path, raise_status
from mmq_bridge.core_binding.spec_struct import SpecTables
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd

__all__ = [
    "Bridge",
    "CounterClock",
    "SignalLike",
    "TokenStream",
    "apply_spatial",
    "extract_tokens",
    "library_path",
    "normalise_tokens",
]

MAX_RECORDING_TOKENS = 10_000_000
MAX_TICKS = 2**64


class SignalLike(Protocol):
    """What `extract_tokens` needs of a signal: samples [channels, n] (NaN = lost), rate in Hz, start in s."""

    @property
    def samples(self) -> np.ndarray: ...  # noqa: D102
    @property
    def sampling_rate_hz(self) -> float: ...  # noqa: D102
    @property
    def start_s(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class TokenStream:
    """Tokens of one recording: features float32 [n, F], presence bool [n, M]; absent slices hold zeros.

    `reasons`, uint16 [n, M], says in `Reason` bits why a modality is absent; 0 where it is present.
    """

    features: np.ndarray
    presence: np.ndarray
    reasons: np.ndarray


def whole_tokens(stop_s: float, token_s: float) -> int:
    """Return how many whole tokens end by `stop_s` (both in s).

    Examples
    --------
    >>> whole_tokens(60.0, 5.0), whole_tokens(59.9, 5.0)
    (12, 11)
    """
    return int(max(stop_s, 0.0) / token_s + 1e-6)


def extract_tokens(
    front_end: FrontEnd, signals: Mapping[str, SignalLike], stop_s: float | None = None
) -> TokenStream:
    """Turn a recording into raw tokens (normalisation is ignored).

    Parameters
    ----------
    front_end : FrontEnd
        What to compute.
    signals : mapping of str to SignalLike
        By modality; one of the front end's that is missing here is absent throughout. Others are ignored.
    stop_s : float, optional
        Where the recording ends, if not with the longest of these signals.

    Returns
    -------
    TokenStream
        Whole tokens up to the end.

    Raises
    ------
    BridgeError
        When a signal's shape or rate is not the front end's, or the recording is impossibly long.
    """
    bridge = Bridge(front_end.with_normalisation(None))
    used = {name: signals[name] for name in front_end.modality_names if name in signals}
    for name, signal in used.items():
        _check_signal(front_end, name, signal)
    ends = [float(s.start_s + s.samples.shape[1] / s.sampling_rate_hz) for s in used.values()]
    n = whole_tokens(max(ends, default=0.0) if stop_s is None else stop_s, front_end.token_s)
    if n > MAX_RECORDING_TOKENS:
        raise BridgeError(
            f"recording: expected at most {MAX_RECORDING_TOKENS} tokens, got {n}: check start_s"
        )
    tokens = _empty(front_end, n)
    done = 0
    for k in range(n):
        for name, signal in used.items():
            _push_until(bridge, name, signal, k * front_end.token_s, (k + 1) * front_end.token_s)
        bridge.advance((k + 1) * front_end.token_s)
        done = _pop_all(bridge, tokens, done)
    if done < n:  # the last token may wait out the grace
        bridge.advance(n * front_end.token_s + front_end.grace_s + 1e-3)
        _pop_all(bridge, tokens, done)
    return tokens


def _empty(front_end: FrontEnd, n: int) -> TokenStream:
    modalities = len(front_end.modalities)
    return TokenStream(
        np.zeros((n, front_end.measured_layout.n_features), np.float32),
        np.zeros((n, modalities), bool),
        np.zeros((n, modalities), np.uint16),
    )


def _pop_all(bridge: Bridge, tokens: TokenStream, done: int) -> int:
    while done < min(bridge.closed, len(tokens.features)) and (token := bridge.pop_token()) is not None:
        tokens.features[done], tokens.presence[done] = token
        tokens.reasons[done] = bridge.reason_bits(done)
        done += 1
    return done


def _push_until(bridge: Bridge, name: str, signal: SignalLike, from_s: float, to_s: float) -> None:
    rate, total = float(signal.sampling_rate_hz), signal.samples.shape[1]
    first, last = (min(max(math.ceil((t - signal.start_s) * rate - 0.03), 0), total) for t in (from_s, to_s))
    if last > first:
        bridge.push(name, signal.samples[:, first:last], signal.start_s + first / rate)


def _check_signal(front_end: FrontEnd, name: str, signal: SignalLike) -> None:
    modality = front_end.modalities[name]
    shape = np.shape(signal.samples) if isinstance(signal.samples, np.ndarray) else type(signal.samples)
    if not isinstance(shape, tuple) or len(shape) != 2 or shape[0] != len(modality.channels):
        raise BridgeError(f"{name}: expected samples [{len(modality.channels)}, n], got shape {shape}")
    rate = plain_number(f"{name} sampling_rate_hz", signal.sampling_rate_hz)
    if not math.isclose(rate, modality.sampling_rate_hz, rel_tol=1e-6):
        raise BridgeError(
            f"{name}: expected {modality.sampling_rate_hz:g} Hz as in the front end, got "
            f"{rate:g} Hz: use a front end with this rate"
        )
    if not math.isfinite(plain_number(f"{name} start_s", signal.start_s)):
        raise BridgeError(f"{name}: start_s must be finite, got {signal.start_s}")


def normalise_tokens(front_end: FrontEnd, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Run the C normaliser over a whole stream of raw tokens, causally.

    Parameters
    ----------
    front_end : FrontEnd
        With `normalisation`.
    features : ndarray, shape (n, F of the measured layout)
        Raw tokens, NaN where a feature could not be measured.
    presence : ndarray, shape (n, M)

    Returns
    -------
    ndarray, shape (n, F)
        float32, always finite; absent tokens and those inside the enrolment are 0. Wider than `features`
        where there are look-backs.

    Raises
    ------
    BridgeError
        When there is no normalisation or a shape is wrong.
    """
    if front_end.normalisation is None:
        raise BridgeError("front end: it has no normalisation: fill it with FrontEnd.with_normalisation")
    given = number_array("features", features, "[n, F]"), number_array("presence", presence, "[n, M]")
    count = len(given[0]) if given[0].ndim else 0
    measured, layout = front_end.measured_layout, front_end.feature_layout
    wanted = (count, measured.n_features), (count, len(front_end.modalities))
    if given[0].shape != wanted[0] or given[1].shape != wanted[1]:
        raise BridgeError(
            f"tokens: expected features {wanted[0]} and presence {wanted[1]}, got {given[0].shape} "
            f"and {given[1].shape}"
        )
    values = np.zeros((count, layout.n_features), np.float32)
    with np.errstate(over="ignore"):
        values[:, measured.places_in(layout)] = given[0]
    present = np.ascontiguousarray(given[1] != 0, dtype=np.uint8)
    tables = SpecTables(front_end)
    scratch = np.zeros((13 if front_end.look_back_tokens else 3) * layout.n_features, np.float32)
    status = library().mmq_normalise_stream(
        ctypes.byref(tables.spec), values.ctypes.data, present.ctypes.data, len(values), scratch.ctypes.data
    )
    if status != OK:
        raise_status(status, "normalise_tokens")
    return values


def apply_spatial(front_end: FrontEnd, modality: str, samples: np.ndarray) -> np.ndarray:
    """Apply a modality's spatial matrix with the core's own code, bit for bit as on the device.

    Parameters
    ----------
    front_end : FrontEnd
    modality : str
        One of the front end's; without a matrix the samples come back as they are.
    samples : ndarray, shape (channels, frames)

    Returns
    -------
    ndarray, shape (outputs, frames)
        float32, in the unit of `samples`.

    Raises
    ------
    BridgeError
        When the front end has no such modality or the shape is wrong.
    """
    names = front_end.modality_names
    if modality not in names:
        raise BridgeError(f"modality: expected one of {', '.join(names)}, got {modality!r}")
    array = sample_rows(modality, samples, len(front_end.modalities[modality].channels))
    if front_end.modalities[modality].spatial is None:
        return array.copy()
    tables = SpecTables(front_end)
    spec = tables.spec.modalities[names.index(modality)]
    out = np.zeros((spec.outputs, array.shape[1]), np.float32)
    status = library().mmq_spatial(ctypes.byref(spec), array.ctypes.data, array.shape[1], out.ctypes.data)
    if status != OK:
        raise_status(status, modality)
    return out


class CounterClock:
    """Seconds from a sensor's 32-bit tick counter that wraps around (`mmq_clock_s`).

    Parameters
    ----------
    ticks_per_s : float

    Raises
    ------
    BridgeError
        When the rate is not above 0.

    Examples
    --------
    ::

        clock = CounterClock(32768.0)
        bridge.push("ppg", samples, clock.seconds(ticks))
    """

    def __init__(self, ticks_per_s: float) -> None:
        rate = plain_number("ticks_per_s", ticks_per_s)
        if not (math.isfinite(rate) and rate > 0):
            raise BridgeError(f"ticks_per_s: expected a number above 0, got {rate}")
        self._clock = CClock(ticks_per_s=rate)

    def seconds(self, ticks: int) -> float:
        """Return the seconds since the first call; steps of up to 2^31 ticks count as forwards."""
        count = whole_number("ticks", ticks, -MAX_TICKS, MAX_TICKS)
        return float(library().mmq_clock_s(ctypes.byref(self._clock), count & 0xFFFFFFFF))
