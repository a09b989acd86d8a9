# SPDX-License-Identifier: Apache-2.0
"""`Bridge`: one instance of the C core, fed and read through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

import numpy as np

from mmq_bridge.core_binding.input_validation import plain_number, sample_rows, whole_number
from mmq_bridge.core_binding.library import ENROLLING, LATE, NO_TOKEN, NOT_READY, OK, library, raise_status
from mmq_bridge.core_binding.quality_flags import reason_names
from mmq_bridge.core_binding.spec_struct import SpecTables
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd

MAX_TOKEN = 2**63 - 1


class Enrolment(NamedTuple):
    """How far an enrolment was at the end of a token.

    Attributes
    ----------
    measured : tuple of int
        Present tokens of each modality so far; before version 3, for all of them, how many passed.
    left : int
        Tokens it still lacks.
    end : int or None
        The first token after it; None where that cannot be known yet.
    """

    measured: tuple[int, ...]
    left: int
    end: int | None


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
        self.saved_bytes = int(self._core.mmq_state_size(self._spec))
        self._memory = (ctypes.c_uint64 * (self.state_bytes // 8 + 1))()
        self._bridge = ctypes.c_void_p()
        status = self._core.mmq_bridge_init(
            self._memory, ctypes.sizeof(self._memory), self._spec, ctypes.byref(self._bridge)
        )
        if status != OK:
            raise_status(status, "front end")
        self._order = {name: i for i, name in enumerate(front_end.modality_names)}
        self._n_features = front_end.n_features  # counted once: listing the names takes longer than a window

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
        index = self._index(modality)
        array = sample_rows(modality, samples, len(self.front_end.modalities[modality].channels))
        status = self._core.mmq_bridge_push(
            self._open(), index, array.ctypes.data, array.shape[1], plain_number("time_s", time_s)
        )
        if status not in (OK, LATE):
            raise_status(status, modality)
        return status == OK

    def push_counted(self, modality: str, samples: np.ndarray, first_index: int) -> bool:
        """Hand over a packet of samples that carries a counter instead of a time.

        Parameters
        ----------
        modality : str
            One of the front end's.
        samples : ndarray, shape (channels, frames)
            As in `push`.
        first_index : int
            Counter of the first frame; only its last 32 bits count.

        Returns
        -------
        bool
            False when some samples came twice or too late.

        Raises
        ------
        BridgeError
            On an unknown modality, a wrong shape or a counter that is no whole number.
        """
        index = self._index(modality)
        array = sample_rows(modality, samples, len(self.front_end.modalities[modality].channels))
        first = whole_number("first_index", first_index, -MAX_TOKEN, MAX_TOKEN) & 0xFFFFFFFF
        status = self._core.mmq_bridge_push_counted(
            self._open(), index, array.ctypes.data, array.shape[1], first
        )
        if status not in (OK, LATE):
            raise_status(status, modality)
        return status == OK

    def rate(self, modality: str) -> float | None:
        """Return the rate in Hz at which samples come by the times of their pushes, None if not known yet.

        Raises
        ------
        BridgeError
            On an unknown modality.
        """
        rate_hz = ctypes.c_float()
        status = self._core.mmq_bridge_rate(self._open(), self._index(modality), ctypes.byref(rate_hz))
        if status not in (OK, NOT_READY):
            raise_status(status, modality)
        return float(rate_hz.value) if status == OK else None

    def lead_off(self, modality: str, channels: Iterable[str] | int) -> None:
        """Say which leads the front-end chip reports as off, for the samples pushed from now on.

        Parameters
        ----------
        modality : str
            One of the front end's.
        channels : iterable of str, or int
            Names of the channels that are off, or the chip's bits (bit c is channel c); none clears all.

        Raises
        ------
        BridgeError
            On an unknown modality or channel.
        """
        index = self._index(modality)
        off = _lead_off_bits(modality, self.front_end.modalities[modality].channels, channels)
        status = self._core.mmq_bridge_lead_off(self._open(), index, off)
        if status != OK:
            raise_status(status, modality)

    def _index(self, modality: str) -> int:
        if not isinstance(modality, str) or modality not in self._order:
            raise BridgeError(f"modality: expected one of {', '.join(self._order)}, got {modality!r:.60}")
        return self._order[modality]

    def _open(self) -> ctypes.c_void_p:
        if not self._bridge:
            raise BridgeError("bridge: it was closed: make another one")
        return self._bridge

    @property
    def handle(self) -> ctypes.c_void_p:
        """The core's own `mmq_bridge_t`, for others that call it.

        Raises
        ------
        BridgeError
            When the bridge was closed.
        """
        return self._open()

    def close(self) -> None:
        """Give the state's memory back now; nothing but closing again works afterwards."""
        self._bridge, self._memory = ctypes.c_void_p(), None

    def __reduce__(self) -> NoReturn:
        raise BridgeError("bridge: it cannot be copied or stored: make another one and push again")

    def reason_bits(self, number: int) -> np.ndarray:
        """Return why the modalities of closed token `number` are absent: uint16 [M] of `Reason`, 0 = present.

        Raises
        ------
        BridgeError
            When the token is not closed yet, or over T + 4 tokens old.
        """
        bits = np.zeros(len(self._order), np.uint16)
        known = whole_number("number of the token", number, 0, MAX_TOKEN)
        status = self._core.mmq_bridge_reasons(self._open(), known, bits.ctypes.data)
        if status != OK:
            raise_status(status, f"token {number}")
        return bits

    def reasons(self, number: int) -> dict[str, tuple[str, ...]]:
        """Return the same in words by modality, like ``{"ppg": ("flat",), "eda": ()}``.

        Raises
        ------
        BridgeError
            As `reason_bits`.
        """
        bits = self.reason_bits(number).tolist()
        return {name: reason_names(value) for name, value in zip(self._order, bits, strict=True)}

    def advance(self, time_s: float) -> None:
        """Say that it is `time_s` now and nothing older will come: closes the tokens that ended before."""
        status = self._core.mmq_bridge_advance(self._open(), plain_number("time_s", time_s))
        if status != OK:
            raise_status(status, "time_s")

    def pop_token(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Pop the oldest closed token: features float32 [F], presence bool [M]; None when there is none."""
        features = np.zeros(self._n_features, np.float32)
        presence = np.zeros(len(self._order), np.uint8)
        status = self._core.mmq_bridge_token(self._open(), features.ctypes.data, presence.ctypes.data, None)
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
            self._open(), self._index(modality), ages.ctypes.data, len(ages), ctypes.byref(count)
        )
        if status != OK:
            raise_status(status, modality)
        return ages[: count.value]

    @property
    def closed(self) -> int:
        """Tokens closed so far; token k covers ``[k, k + 1) * token_s``."""
        return int(self._core.mmq_bridge_closed(self._open()))

    @property
    def enrolment_left(self) -> int:
        """Tokens the enrolment still lasts; 0 when it is over or the normaliser has none."""
        return int(self._core.mmq_bridge_enrolment_left(self._open()))

    def enrolment(self, number: int) -> Enrolment:
        """Return how far the enrolment was at the end of closed token `number`.

        Raises
        ------
        BridgeError
            When the token is not closed yet, or over T + 4 tokens old.
        """
        measured, left = np.zeros(len(self._order), np.uint32), ctypes.c_uint32()
        end = ctypes.c_int64()
        known = whole_number("number of the token", number, 0, MAX_TOKEN)
        status = self._core.mmq_bridge_enrolment(
            self._open(), known, measured.ctypes.data, ctypes.byref(left), ctypes.byref(end)
        )
        if status != OK:
            raise_status(status, f"token {number}")
        return Enrolment(
            tuple(measured.tolist()), int(left.value), int(end.value) if end.value >= 0 else None
        )

    def save(self) -> bytes:
        """Return what the wearer taught, for `load` with the same front end: the same bytes everywhere."""
        content = (ctypes.c_uint8 * self.saved_bytes)()
        status = self._core.mmq_state_save(self._open(), content, len(content))
        if status != OK:
            raise_status(status, "state")
        return bytes(content)

    def load(self, content: bytes, where: str = "state") -> None:
        """Take over what `save` returned, before the first sample; `where` begins the error's sentence.

        Enrolment goes on where it stopped; the clock, contexts and the window begin anew.

        Raises
        ------
        BridgeError
            When the bytes are cut short, changed, of another front end or of a newer core, or samples were
            pushed already; nothing is changed.
        """
        if not isinstance(content, bytes):
            raise BridgeError(f"{where}: expected the bytes that were saved, got {type(content).__name__}")
        status = self._core.mmq_state_load(self._open(), content, len(content))
        if status != OK:
            raise_status(status, where)

    @property
    def ready(self) -> bool:
        """Whether `window` has T tokens, none of them in the enrolment."""
        return self._window(np.float32, self._core.mmq_bridge_window)[0] == OK

    @property
    def enrolling(self) -> bool:
        """Whether the normaliser is still learning this wearer."""
        return self._window(np.float32, self._core.mmq_bridge_window)[0] == ENROLLING

    def _window(self, dtype: type, read: ctypes._NamedFuncPointer) -> tuple[int, np.ndarray, np.ndarray]:
        features = np.zeros((self.front_end.tokens, self._n_features), dtype)
        presence = np.zeros((self.front_end.tokens, len(self._order)), dtype)
        return read(self._open(), features.ctypes.data, presence.ctypes.data), features, presence

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

    def window_at(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the window that ends with closed token `number`, one of the last five, as `window` does.

        Raises
        ------
        BridgeError
            When there is none, or it is no longer kept.
        """
        return self._window_at(number, np.float32, self._core.mmq_bridge_window_at)

    def window_i8_at(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the same window quantised, as `window_i8` does.

        Raises
        ------
        BridgeError
            As `window_at`, or when the front end has no quantisation.
        """
        return self._window_at(number, np.int8, self._core.mmq_bridge_window_i8_at)

    def _window_at(
        self, number: int, dtype: type, read: ctypes._NamedFuncPointer
    ) -> tuple[np.ndarray, np.ndarray]:
        known = whole_number("number of the token", number, 0, MAX_TOKEN)
        features = np.zeros((self.front_end.tokens, self._n_features), dtype)
        presence = np.zeros((self.front_end.tokens, len(self._order)), dtype)
        status = read(self._open(), known, features.ctypes.data, presence.ctypes.data)
        if status != OK:
            raise_status(status, f"window of token {number}")
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


def _lead_off_bits(modality: str, names: tuple[str, ...], channels: Iterable[str] | int) -> int:
    """Return bit c for each channel c that is off."""
    if hasattr(channels, "__index__"):
        return whole_number(f"{modality} lead-off bits", channels, 0, (1 << len(names)) - 1)
    if isinstance(channels, (str, bytes)) or not isinstance(channels, Iterable):
        raise BridgeError(f"{modality}: expected names of channels that are off, got {channels!r:.60}")
    off = 0
    for name in channels:
        if name not in names:
            raise BridgeError(f"{modality}: expected channels of {', '.join(names)}, got {name!r:.60}")
        off |= 1 << names.index(name)
    return off
