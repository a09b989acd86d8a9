# SPDX-License-Identifier: Apache-2.0
"""Inject sensor faults into recordings, run the C core over them, and judge what became of presence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.settings import ModalityFrontEnd

from methods.faults import Block, Fault
from mmq_tf.errors import MMQError
from mmq_tf.recording import Signal

BLOCK_S = 1.0
"""Samples are handed over in blocks of this length, as a radio would."""


@dataclass(frozen=True)
class Outcome:
    """Tokens of one modality: reasons uint16 [n] (why absent, in bits), features float32 [n, f]."""

    reasons: np.ndarray
    features: np.ndarray

    @property
    def absent(self) -> np.ndarray:
        """Bool [n]."""
        return np.asarray(self.reasons, bool)


def inject(
    signal: Signal,
    fault: Fault,
    stretches: Sequence[tuple[float, float]],
    settings: ModalityFrontEnd,
    rng: np.random.Generator,
    channel: int | None = None,
) -> list[Block]:
    """Break a signal in some stretches and cut it into the blocks a driver would hand over.

    Parameters
    ----------
    signal : Signal
        Left as it is.
    fault : Fault
    stretches : sequence of (start_s, stop_s)
        In order, apart from one another.
    settings : ModalityFrontEnd
        Of the signal's modality: the rails and the range are its.
    rng : numpy.random.Generator
    channel : int, optional
        Break only this one (sample faults).

    Returns
    -------
    list of Block
        In the order they are handed over.

    Raises
    ------
    MMQError
        When the fault does not fit the modality, or is one of the delivery for one channel alone.
    """
    if signal.modality not in fault.rules or (channel is not None and fault.samples is None):
        raise MMQError(f"inject: the fault {fault.name!r} does not fit {signal.modality}.")
    samples, broken = signal.samples.copy(), np.zeros(signal.samples.shape[1], bool)
    rows = slice(None) if channel is None else slice(channel, channel + 1)
    for start_s, stop_s in stretches:
        first, last = _frames(signal, start_s, stop_s)
        broken[first:last] = True
        if fault.samples is not None:
            clean = samples[rows, first:last].astype(np.float64)
            samples[rows, first:last] = fault.samples(clean, signal.sampling_rate_hz, settings, rng)
    blocks: list[Block] = []
    for first, last in _block_edges(signal, np.flatnonzero(np.diff(broken)) + 1):
        block = [Block(samples[:, first:last], signal.start_s + first / signal.sampling_rate_hz)]
        blocks += fault.delivery(block, settings, rng) if fault.delivery and broken[first] else block
    return blocks


def _frames(signal: Signal, start_s: float, stop_s: float) -> tuple[int, int]:
    """First and one past the last frame of a stretch."""
    edges = (np.array([start_s, stop_s]) - signal.start_s) * signal.sampling_rate_hz
    first, last = np.clip(np.ceil(edges - 1e-6).astype(int), 0, signal.samples.shape[1])
    return int(first), int(last)


def _block_edges(signal: Signal, cuts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Blocks of `BLOCK_S`, cut also where a stretch begins or ends."""
    step, total = max(1, round(BLOCK_S * signal.sampling_rate_hz)), signal.samples.shape[1]
    edges = sorted({*range(0, total, step), *cuts.tolist(), total})
    return zip(edges[:-1], edges[1:], strict=True)


def run_blocks(front_end: FrontEnd, modality: str, blocks: Sequence[Block], stop_s: float) -> Outcome:
    """Give blocks to the C core while time passes, as other sensors would make it pass.

    Parameters
    ----------
    front_end : FrontEnd
        With this one modality; `normalisation` is ignored.
    modality : str
    blocks : sequence of Block
        In the order they are handed over.
    stop_s : float
        When the recording ends: whole tokens up to there are judged.

    Returns
    -------
    Outcome
    """
    bridge = Bridge(front_end.with_normalisation(None))
    wanted, flags = int(stop_s / front_end.token_s + 1e-6), 0
    features, reasons = [], []

    def pass_time(until_s: float) -> None:
        while bridge.closed < min(int(until_s / front_end.token_s + 1e-6), wanted):
            bridge.advance((bridge.closed + 1) * front_end.token_s)
            drain()

    def drain() -> None:
        while len(features) < min(bridge.closed, wanted) and (token := bridge.pop_token()) is not None:
            reasons.append(bridge.reason_bits(len(features))[0])
            features.append(token[0])

    for block in blocks:
        pass_time(block.time_s - front_end.grace_s)
        if block.lead_off != flags:
            flags = block.lead_off
            bridge.lead_off(modality, flags)
        bridge.push(modality, block.samples, block.time_s)
        drain()
    pass_time(stop_s)
    return Outcome(np.array(reasons, np.uint16), np.array(features, np.float32))


def draw_stretches(
    present: np.ndarray, token_s: float, rng: np.random.Generator, *, tokens: int = 3, apart: int = 4
) -> list[tuple[float, float]]:
    """Draw stretches at any moment of a token where the sensor is present all around.

    Parameters
    ----------
    present : ndarray, shape (n,)
        Of the untouched recording.
    token_s : float
    rng : numpy.random.Generator
    tokens : int
        Length of a stretch.
    apart : int
        Tokens between one stretch and the next, at least.

    Returns
    -------
    list of (start_s, stop_s)
        The token before the stretch, all it touches and the two after it are present without the fault.
    """
    found, k = [], 1
    while k + tokens + 3 <= len(present):
        if present[k - 1 : k + tokens + 3].all():
            start = (k + float(rng.uniform(0.05, 0.95))) * token_s
            found.append((start, start + tokens * token_s))
            k += tokens + 1 + apart
        else:
            k += 1
    return found


@dataclass(frozen=True)
class Verdict:
    """How a fault fared, one entry a stretch.

    Attributes
    ----------
    detected, returned : ndarray of float
        1 when absent within one token of its start, present within two tokens of its end; NaN where the
        recording ends before.
    held : ndarray of float
        Share of the tokens wholly inside that are absent; NaN without any.
    reasons : ndarray of uint16
        Of the first two tokens.
    """

    detected: np.ndarray
    returned: np.ndarray
    held: np.ndarray
    reasons: np.ndarray


def judge(
    absent: np.ndarray,
    reasons: np.ndarray,
    stretches: Sequence[tuple[float, float]],
    token_s: float,
    fault: Fault,
) -> Verdict:
    """Hold absence against the stretches in which a fault was injected.

    Detected: the token in which the fault begins, or the one after it, is absent. Returned: one of the two
    tokens after the last one the fault touches is present.

    Parameters
    ----------
    absent, reasons : ndarray, shape (n,)
    stretches : sequence of (start_s, stop_s)
    token_s : float
    fault : Fault

    Returns
    -------
    Verdict
    """
    detected, returned, held, why = [], [], [], []
    for start_s, stop_s in stretches:
        first = int(start_s / token_s)
        last = first if fault.at_once else math.ceil(stop_s / token_s - 1e-9) - 1
        inside = absent[first + 1 : last]
        after = absent[last + 1 : last + 3]
        detected.append(float(absent[first : first + 2].any()))
        returned.append(float(not after.all()) if len(after) else math.nan)
        held.append(float(inside.mean()) if len(inside) else math.nan)
        why.append(np.bitwise_or.reduce(reasons[first : first + 2]))
    return Verdict(np.array(detected), np.array(returned), np.array(held), np.array(why, np.uint16))
