# SPDX-License-Identifier: Apache-2.0
"""Faults of a whole session: what its sensors hand over, in the order and with the stamps it comes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from mmq_bridge.front_end.resampling import rate_ratio, resampled

from methods.lossy_link import PACKET, Link, arriving
from mmq_tf.recording import Signal

PACKET_S = 1.0
"""Packets hold `PACKET` samples, and never more than this, or slow sensors would come too late."""
MOMENT_S = 1800.0
"""Where a session is interrupted."""


@dataclass(frozen=True)
class Arrival:
    """A packet of one sensor as it arrives.

    Attributes
    ----------
    at_s : float
        When it arrives, on the recording's clock.
    modality : str
    samples : ndarray, shape (channels, frames)
    time_s : float
        Its stamp: the first sample's time on the driver's clock.
    index : int
        Its counter: the number of the first sample.
    """

    at_s: float
    modality: str
    samples: np.ndarray
    time_s: float
    index: int = 0


@dataclass(frozen=True)
class SessionFault:
    """What befalls a session.

    Attributes
    ----------
    name : str
        For the table.
    link : Link
        How the packets of every sensor arrive.
    noise : str, optional
        A modality that gives white noise of its own mean and deviation instead.
    every_s : float
        One packet of the `noise` modality is lost so often; 0: none.
    silent_s : float
        Nothing is measured before: NaN from every sensor.
    clock_s : float
        What the clock shows at the recording's second 0.
    rates_hz : mapping
        True rate by modality; the device is not told.
    pause_s : float
        From `MOMENT_S` on everything comes so much later, and nothing in between.
    reboot : {"", "state", "bare"}
        At `MOMENT_S` the device begins anew, with the state it saved then or with none; so does its
        clock.
    chunk_s : float
        Sensor by sensor in chunks so long, instead of packets; 0: packets.
    counted : bool
        Packets carry counters instead of times.
    """

    name: str
    link: Link = Link("no loss")
    noise: str | None = None
    every_s: float = 0.0
    silent_s: float = 0.0
    clock_s: float = 0.0
    rates_hz: Mapping[str, float] = field(default_factory=dict)
    pause_s: float = 0.0
    reboot: str = ""
    chunk_s: float = 0.0
    counted: bool = False


CLEAN = SessionFault("clean")
SESSION_FAULTS = (
    SessionFault("PPG is white noise", noise="ppg"),
    *(
        SessionFault(f"PPG is white noise, a packet lost every {every:g} s", noise="ppg", every_s=every)
        for every in (4.0, 3.0, 2.0)
    ),
    *(SessionFault(f"{share:.0%} of the packets lost", Link("", share)) for share in (0.01, 0.05, 0.1, 0.2)),
    SessionFault("nothing measured for 540 s", silent_s=540.0),
    SessionFault("clock starts at 3600 s", clock_s=3600.0),
    SessionFault("jitter 20 ms", Link("", jitter_s=0.02)),
    SessionFault("jitter 50 ms", Link("", jitter_s=0.05)),
    SessionFault("2% out of order", Link("", swapped=0.02)),
    SessionFault("2% out of order, counted", Link("", swapped=0.02), counted=True),
    SessionFault("10% lost, 2% out of order, counted", Link("", 0.1, swapped=0.02), counted=True),
    *(SessionFault(f"PPG really at {rate:g} Hz", rates_hz={"ppg": rate}) for rate in (50.0, 60.0, 63.5)),
    SessionFault("a day off the wrist", pause_s=86400.0),
    SessionFault("reboot, state saved", reboot="state"),
    SessionFault("reboot, no state", reboot="bare"),
    SessionFault("chunks of a minute, sensor by sensor", chunk_s=60.0),
)
"""All that the benchmark tries."""


def arrivals(signals: Mapping[str, Signal], fault: SessionFault, seed: int) -> Iterator[Arrival]:
    """Yield what arrives of a recording under a fault, in the order it arrives.

    Parameters
    ----------
    signals : mapping of str to Signal
        Without a fault, at the device's rates.
    fault : SessionFault
    seed : int
        Of noise, losses and jitter: the same for every fault, so that more of the same is the same and more.

    Yields
    ------
    Arrival
    """
    streams = []
    for number, (name, signal) in enumerate(signals.items()):
        rng = np.random.default_rng([seed, number])
        streams.append(_sensor(name, _broken(name, signal, fault, rng), fault, rng))
    for arrival in heapq.merge(*streams, key=lambda arrival: arrival.at_s):
        later_s = fault.pause_s if arrival.at_s >= MOMENT_S else 0.0
        yield replace(arrival, at_s=arrival.at_s + later_s, time_s=arrival.time_s + fault.clock_s + later_s)


def _broken(name: str, signal: Signal, fault: SessionFault, rng: np.random.Generator) -> Signal:
    """Return what the sensor measures under the fault."""
    samples, rate_hz = signal.samples.astype(np.float32), signal.sampling_rate_hz
    if name == fault.noise:
        samples = rng.normal(samples.mean(), samples.std(), samples.shape).astype(np.float32)
    true_hz = fault.rates_hz.get(name, rate_hz)
    if true_hz != rate_hz:
        samples = resampled(samples.astype(np.float64), rate_ratio(rate_hz, true_hz)).astype(np.float32)
    silent = max(0, int((fault.silent_s - signal.start_s) * true_hz))
    samples[:, :silent] = np.nan
    return replace(signal, samples=samples, sampling_rate_hz=true_hz)


def _sensor(name: str, signal: Signal, fault: SessionFault, rng: np.random.Generator) -> list[Arrival]:
    """Return what arrives of one sensor, in its order."""
    rate_hz = signal.sampling_rate_hz
    frames = int(fault.chunk_s * rate_hz) or max(1, min(PACKET, int(PACKET_S * rate_hz)))
    firsts = range(0, signal.samples.shape[1], frames)
    found, at_s = [], 0.0
    for k, stray_s in arriving(len(firsts), fault.link, rng):
        first, time_s = firsts[k], signal.start_s + firsts[k] / rate_hz
        if name == fault.noise and fault.every_s and _lost(time_s, frames / rate_hz, fault.every_s):
            continue
        samples = np.ascontiguousarray(signal.samples[:, first : first + frames])
        at_s = max(at_s, time_s + samples.shape[1] / rate_hz)
        found.append(Arrival(at_s, name, samples, time_s + stray_s, first))
    return found


def _lost(time_s: float, length_s: float, every_s: float) -> bool:
    """Whether a packet is the first of a period."""
    return time_s >= every_s and time_s % every_s < length_s - 1e-9
