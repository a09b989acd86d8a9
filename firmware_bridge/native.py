"""ctypes over the C core: the very code that runs on the device also makes the training features."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from firmware_bridge.errors import BridgeError
from firmware_bridge.frontend import FrontEnd
from firmware_bridge.library import ENROLLING, LATE, NO_TOKEN, OK, library, library_path, raise_status
from firmware_bridge.tables import SpecTables

__all__ = ["Bridge", "SignalLike", "TokenStream", "extract_tokens", "library_path", "normalise_tokens"]

MAX_RECORDING_TOKENS = 10_000_000


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
    """Tokens of one recording: features float32 [n, F], presence bool [n, M]; absent slices hold zeros."""

    features: np.ndarray
    presence: np.ndarray


class Bridge:
    """One C bridge: push samples, pop tokens, read windows.

    Parameters
    ----------
    front_end : FrontEnd
        With `normalisation` tokens and windows are normalised, without they are raw.

    Raises
    ------
    BridgeError
        When the core is not built or refuses the front end.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end
        self._core = library()
        self._tables = SpecTables(front_end)
        self._spec = ctypes.byref(self._tables.spec)
        self.state_bytes = int(self._core.mmq_bridge_size(self._spec))
        if self.state_bytes == 0:
            raise BridgeError("front end: the C core refuses it: change the settings beyond its limits")
        self._memory = (ctypes.c_uint64 * (self.state_bytes // 8 + 1))()
        self._bridge = ctypes.c_void_p()
        status = self._core.mmq_bridge_init(
            self._memory, ctypes.sizeof(self._memory), self._spec, ctypes.byref(self._bridge)
        )
        if status != OK:
            raise_status(status, "front end")
        self._order = {name: i for i, name in enumerate(front_end.modality_names)}

    def push(self, modality: str, samples: np.ndarray, time_s: float) -> bool:
        """Hand over samples of one modality.

        Parameters
        ----------
        modality : str
            One of the front end's.
        samples : ndarray, shape (channels, frames)
            In the front end's unit; NaN marks a lost sample.
        time_s : float
            When the first frame was taken, seconds since the recording began.

        Returns
        -------
        bool
            False when some samples came too late and were dropped.

        Raises
        ------
        BridgeError
            On an unknown modality, a wrong shape or an impossible time.
        """
        if modality not in self._order:
            raise BridgeError(f"modality: expected one of {', '.join(self._order)}, got {modality!r}")
        try:
            array = np.ascontiguousarray(samples, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise BridgeError(f"{modality}: samples must be numbers [channels, frames]: {error}") from error
        channels = len(self.front_end.modalities[modality].channels)
        if array.ndim != 2 or array.shape[0] != channels:
            raise BridgeError(f"{modality}: expected samples [{channels}, frames], got shape {array.shape}")
        status = self._core.mmq_bridge_push(
            self._bridge, self._order[modality], array.ctypes.data, array.shape[1], float(time_s)
        )
        if status not in (OK, LATE):
            raise_status(status, modality)
        return status == OK

    def advance(self, time_s: float) -> None:
        """Say that it is `time_s` now and nothing older will come: closes the tokens that ended before."""
        status = self._core.mmq_bridge_advance(self._bridge, float(time_s))
        if status != OK:
            raise_status(status, "time_s")

    def pop_token(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Pop the oldest closed token: features float32 [F], presence bool [M]; None when there is none."""
        features = np.zeros(self.front_end.n_features, np.float32)
        presence = np.zeros(len(self._order), np.uint8)
        status = self._core.mmq_bridge_token(self._bridge, features.ctypes.data, presence.ctypes.data, None)
        return None if status == NO_TOKEN else (features, presence.astype(bool))

    def beats(self, modality: str) -> np.ndarray:
        """Return how many seconds before the newest sample each beat of the context was, oldest first.

        Raises
        ------
        BridgeError
            When the modality has no beats.
        """
        ages, count = np.zeros(400, np.float32), ctypes.c_uint32()
        status = self._core.mmq_bridge_beats(
            self._bridge, self._order.get(modality, 999), ages.ctypes.data, len(ages), ctypes.byref(count)
        )
        if status != OK:
            raise_status(status, modality)
        return ages[: count.value]

    @property
    def closed(self) -> int:
        """Tokens closed so far; token k covers ``[k, k + 1) * token_s``."""
        return int(self._core.mmq_bridge_closed(self._bridge))

    @property
    def ready(self) -> bool:
        """Whether `window` has T tokens, none of them in the enrolment."""
        return self._window(np.float32, self._core.mmq_bridge_window)[0] == OK

    @property
    def enrolling(self) -> bool:
        """Whether the normaliser is still learning this wearer."""
        return self._window(np.float32, self._core.mmq_bridge_window)[0] == ENROLLING

    def _window(self, dtype: type, read: ctypes._NamedFuncPointer) -> tuple[int, np.ndarray, np.ndarray]:
        features = np.zeros((self.front_end.tokens, self.front_end.n_features), dtype)
        presence = np.zeros((self.front_end.tokens, len(self._order)), dtype)
        return read(self._bridge, features.ctypes.data, presence.ctypes.data), features, presence

    def window(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the last T tokens: features float32 [T, F], presence float32 [T, M] (0 or 1).

        Raises
        ------
        BridgeError
            While the window is not full or the normaliser enrols.
        """
        status, features, presence = self._window(np.float32, self._core.mmq_bridge_window)
        if status != OK:
            raise_status(status, "window")
        return features, presence

    def window_i8(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the same window quantised: int8 [T, F] and int8 [T, M] (127 or -128).

        Raises
        ------
        BridgeError
            As `window`, or when the front end has no quantisation.
        """
        status, features, presence = self._window(np.int8, self._core.mmq_bridge_window_i8)
        if status != OK:
            raise_status(status, "window_i8")
        return features, presence


def extract_tokens(front_end: FrontEnd, signals: Mapping[str, SignalLike]) -> TokenStream:
    """Turn a recording into raw tokens (normalisation is ignored).

    Parameters
    ----------
    front_end : FrontEnd
        What to compute.
    signals : mapping of str to SignalLike
        By modality; one of the front end's that is missing here is absent throughout. Others are ignored.

    Returns
    -------
    TokenStream
        Whole tokens up to the end of the longest signal.

    Raises
    ------
    BridgeError
        When a signal's shape or rate is not the front end's, or the recording is impossibly long.
    """
    bridge = Bridge(front_end.with_normalisation(None))
    used = {name: signals[name] for name in front_end.modality_names if name in signals}
    for name, signal in used.items():
        _check_signal(front_end, name, signal)
    stop_s = max((s.start_s + s.samples.shape[1] / s.sampling_rate_hz for s in used.values()), default=0.0)
    n = int(max(stop_s, 0.0) / front_end.token_s + 1e-6)
    if n > MAX_RECORDING_TOKENS:
        raise BridgeError(
            f"recording: expected at most {MAX_RECORDING_TOKENS} tokens, got {n}: check start_s"
        )
    features = np.zeros((n, front_end.n_features), np.float32)
    presence = np.zeros((n, len(front_end.modalities)), bool)
    done = 0
    for k in range(n):
        for name, signal in used.items():
            _push_until(bridge, name, signal, k * front_end.token_s, (k + 1) * front_end.token_s)
        bridge.advance((k + 1) * front_end.token_s)
        while done < n and (token := bridge.pop_token()) is not None:
            features[done], presence[done] = token
            done += 1
    if done < n:  # the last token may wait out the grace
        bridge.advance(n * front_end.token_s + front_end.grace_s + 1e-3)
        while done < n and (token := bridge.pop_token()) is not None:
            features[done], presence[done] = token
            done += 1
    return TokenStream(features, presence)


def _push_until(bridge: Bridge, name: str, signal: SignalLike, from_s: float, to_s: float) -> None:
    rate, total = float(signal.sampling_rate_hz), signal.samples.shape[1]
    first, last = (min(max(math.ceil((t - signal.start_s) * rate - 0.03), 0), total) for t in (from_s, to_s))
    if last > first:
        bridge.push(name, signal.samples[:, first:last], signal.start_s + first / rate)


def _check_signal(front_end: FrontEnd, name: str, signal: SignalLike) -> None:
    modality = front_end.modalities[name]
    shape = np.shape(signal.samples)
    if len(shape) != 2 or shape[0] != len(modality.channels):
        raise BridgeError(f"{name}: expected samples [{len(modality.channels)}, n], got shape {shape}")
    if not math.isclose(signal.sampling_rate_hz, modality.sampling_rate_hz, rel_tol=1e-6):
        raise BridgeError(
            f"{name}: expected {modality.sampling_rate_hz:g} Hz as in the front end, got "
            f"{signal.sampling_rate_hz:g} Hz: use a front end with this rate"
        )
    if not math.isfinite(signal.start_s):
        raise BridgeError(f"{name}: start_s must be finite, got {signal.start_s}")


def normalise_tokens(front_end: FrontEnd, features: np.ndarray, presence: np.ndarray) -> np.ndarray:
    """Run the C normaliser over a whole stream of raw tokens, causally.

    Parameters
    ----------
    front_end : FrontEnd
        With `normalisation`.
    features : ndarray, shape (n, F)
        Raw tokens, NaN where a feature could not be measured.
    presence : ndarray, shape (n, M)

    Returns
    -------
    ndarray, shape (n, F)
        float32, always finite; absent tokens and those inside the enrolment are 0.

    Raises
    ------
    BridgeError
        When there is no normalisation or a shape is wrong.
    """
    if front_end.normalisation is None:
        raise BridgeError("front end: it has no normalisation: fill it with FrontEnd.with_normalisation")
    wanted = (len(features), front_end.n_features), (len(features), len(front_end.modalities))
    if np.shape(features) != wanted[0] or np.shape(presence) != wanted[1]:
        raise BridgeError(
            f"tokens: expected features {wanted[0]} and presence {wanted[1]}, got {np.shape(features)} "
            f"and {np.shape(presence)}"
        )
    values = np.array(features, dtype=np.float32, order="C")
    present = np.ascontiguousarray(presence, dtype=np.uint8)
    tables = SpecTables(front_end)
    scratch = np.zeros(3 * front_end.n_features, np.float32)
    status = library().mmq_normalise_stream(
        ctypes.byref(tables.spec), values.ctypes.data, present.ctypes.data, len(values), scratch.ctypes.data
    )
    if status != OK:
        raise_status(status, "normalise_tokens")
    return values
