# SPDX-License-Identifier: Apache-2.0
"""A recording played as a device: one Lab Streaming Layer stream a sensor."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mmq_bridge.decision.replay import Drop, check_replay, steps
from mmq_bridge.sources.lsl_library import load_lsl
from mmq_bridge.sources.lsl_link import SIMULATED

CHUNK_S = 0.05
"""Seconds of real time a push covers, about what Bluetooth does."""

LINGER_S = 0.5
"""Real time in which the last samples still leave before an outlet goes."""

RETURN_S = 2.0
"""Real time that an outlet is back before its samples are, so that listeners find it."""

LISTENED_S = 0.25
MAX_WAIT_S = 10.0


class NamedSignal(Protocol):
    """A signal with what a stream says of itself: see `mmq_bridge.core_binding.native.SignalLike`."""

    @property
    def samples(self) -> np.ndarray: ...  # noqa: D102
    @property
    def sampling_rate_hz(self) -> float: ...  # noqa: D102
    @property
    def start_s(self) -> float: ...  # noqa: D102
    @property
    def unit(self) -> str: ...  # noqa: D102
    @property
    def channels(self) -> tuple[str, ...]: ...  # noqa: D102


class Player:
    """Plays signals at `speed` times real time; time stamps run at the recording's own pace.

    Parameters
    ----------
    signals : mapping of str to NamedSignal
        By modality.
    name : str
        Of the device; streams are called after it and their modality.
    identity : str
        Begins the streams' source ids: the same for the same recording.
    simulated : bool
        What the streams say of themselves.
    speed : float
        Times real time.
    drops : sequence of Drop
        Sensors that are lost: their stream ends and returns, where that is long enough to be noticed.

    Attributes
    ----------
    gaps : list of Drop
        What was not sent because of `drops`; a sensor returns later than asked while nobody listens to it.

    Raises
    ------
    BridgeError
        When pylsl is not there, or a drop or signal is bad.
    """

    def __init__(
        self,
        signals: Mapping[str, NamedSignal],
        name: str,
        identity: str,
        simulated: bool = False,
        speed: float = 1.0,
        drops: Sequence[Drop] = (),
    ) -> None:
        self._lsl = load_lsl()
        check_replay(signals, CHUNK_S * speed, drops)
        self.signals, self.name, self.identity, self.simulated = dict(signals), name, identity, simulated
        self.speed, self.drops = speed, drops
        self.gaps = [drop for drop in drops if not self._away(drop)[0] < self._away(drop)[1] < math.inf]
        self._outlets: dict[str, Any] = {}
        self._returning: dict[str, _Return] = {}
        for modality in signals:
            self._outlets[modality] = self._outlet(modality)

    def wait_for_listener(self, stop: threading.Event) -> None:
        """Wait until somebody listens, and a little longer for those who listen to the other sensors."""
        while not stop.is_set() and not any(o.have_consumers() for o in self._outlets.values()):
            stop.wait(CHUNK_S)
        until = time.monotonic() + RETURN_S
        while not stop.is_set() and time.monotonic() < until:
            if all(outlet.have_consumers() for outlet in self._outlets.values()):
                return
            stop.wait(CHUNK_S)

    def play(self) -> Iterator[float]:
        """Send the recording; yields how many of its seconds have passed, a few times a second."""
        began, start_s = time.monotonic(), self._lsl.local_clock()
        for now_s, chunks in steps(self.signals, CHUNK_S * self.speed, self.drops):
            time.sleep(max(0.0, began + now_s / self.speed - time.monotonic()))
            self._lose_and_return(now_s)
            for modality, samples, time_s in chunks:
                if self._may_send(modality, time_s):
                    last_s = time_s + (samples.shape[1] - 1) / self.signals[modality].sampling_rate_hz
                    self._outlets[modality].push_chunk(np.ascontiguousarray(samples.T), start_s + last_s)
            yield now_s
        time.sleep(LINGER_S)

    def close(self) -> None:
        """End all streams."""
        self._outlets.clear()

    def _outlet(self, modality: str) -> Any:
        lsl, signal = self._lsl, self.signals[modality]
        info = lsl.StreamInfo(
            f"{self.name} {modality}",
            modality.upper(),
            len(signal.channels),
            signal.sampling_rate_hz,
            "float32",
            f"{self.identity}-{modality}",
        )
        info.set_channel_labels(list(signal.channels))
        info.set_channel_units(signal.unit)
        info.set_channel_types(modality.upper())
        info.desc().append_child_value(SIMULATED, "true" if self.simulated else "false")
        return lsl.StreamOutlet(info)

    def _lose_and_return(self, now_s: float) -> None:
        for drop in self.drops:
            gone_s, back_s = self._away(drop)
            if gone_s <= now_s < back_s:
                outlet = self._outlets.pop(drop.modality, None)
                if outlet is not None:
                    self._returning[drop.modality] = _Return(drop, outlet.have_consumers())
            elif drop.modality not in self._outlets and now_s >= back_s:
                self._outlets[drop.modality] = self._outlet(drop.modality)

    def _away(self, drop: Drop) -> tuple[float, float]:
        """From when to when the outlet of a drop is gone, in s of the recording."""
        return drop.start_s + LINGER_S * self.speed, drop.stop_s - RETURN_S * self.speed

    def _may_send(self, modality: str, time_s: float) -> bool:
        """Whether a sensor is there, and if it was away, whether its listener is back too."""
        returning = self._returning.get(modality)
        if returning is None:
            return True
        if modality not in self._outlets or not returning.is_heard(self._outlets[modality]):
            return False
        del self._returning[modality]
        self.gaps.append(Drop(modality, returning.drop.start_s, time_s))
        return True


class _Return:
    """A sensor that is away, or back without its listener."""

    def __init__(self, drop: Drop, had_listener: bool) -> None:
        self.drop, self._had_listener = drop, had_listener
        self._heard_s = self._since_s = 0.0

    def is_heard(self, outlet: Any) -> bool:
        """Whether a listener has been back for a moment, or was waited for long enough."""
        now_s = time.monotonic()
        self._since_s = self._since_s or now_s
        if not outlet.have_consumers():
            self._heard_s = 0.0
            return not self._had_listener or now_s - self._since_s > MAX_WAIT_S
        self._heard_s = self._heard_s or now_s
        return now_s - self._heard_s >= LISTENED_S
