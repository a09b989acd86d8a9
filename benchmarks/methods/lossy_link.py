# SPDX-License-Identifier: Apache-2.0
"""What a radio does to packets: loses them, singly or in bursts, swaps them, and stamps them with jitter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from methods.faults import Block

PACKET = 10
"""Samples in a packet."""
BURST = 5
"""Packets a burst takes on average."""


@dataclass(frozen=True)
class Link:
    """How packets arrive.

    Attributes
    ----------
    name : str
    lost : float
        Share of the packets that never arrive, 0 to 1.
    bursts : bool
        Lost ones come in runs of `BURST` on average (Gilbert's model), else each by itself.
    swapped : float
        Share of the packets that arrive after the one behind them.
    jitter_s : float
        Time stamps are off by up to so much, evenly to both sides.
    """

    name: str
    lost: float = 0.0
    bursts: bool = False
    swapped: float = 0.0
    jitter_s: float = 0.0


SHARES = (0.01, 0.02, 0.05, 0.1, 0.2)
LINKS = (
    Link("no loss"),
    *(Link(f"{share:.0%} lost singly", share) for share in SHARES),
    *(Link(f"{share:.0%} lost in bursts", share, bursts=True) for share in SHARES),
    Link("2% out of order", swapped=0.02),
    Link("jitter 20 ms", jitter_s=0.02),
    Link("jitter 50 ms", jitter_s=0.05),
)
"""What the benchmark tries."""


def lost_packets(link: Link, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw which of `n` packets are lost, bool [n].

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> singly, bursts = (lost_packets(Link("", 0.1, bursts=b), 100_000, rng) for b in (False, True))
    >>> [round(float(x.mean()), 2) for x in (singly, bursts)]
    [0.1, 0.1]
    >>> [round(float(x.sum() / (np.diff(x.astype(int)) > 0).sum()), 1) for x in (singly, bursts)]
    [1.1, 5.0]
    """
    if not link.bursts:
        return rng.random(n) < link.lost
    stay, start = 1 - 1 / BURST, link.lost / (BURST * (1 - link.lost))
    draws, out, lost = rng.random(n), np.zeros(n, bool), False
    for k in range(n):
        lost = bool(draws[k] < (stay if lost else start))
        out[k] = lost
    return out


def arriving(n: int, link: Link, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Return which of `n` packets arrive, in the order they do, each with how far its stamp strays in s."""
    lost = lost_packets(link, n, rng)
    shift = rng.uniform(-link.jitter_s, link.jitter_s, n)
    swaps = np.flatnonzero(rng.random(max(0, n - 1)) < link.swapped)
    order = np.arange(n)
    for k in swaps:
        order[[k, k + 1]] = order[[k + 1, k]]
    return [(int(k), float(shift[k])) for k in order if not lost[k]]


def deliver(blocks: list[Block], link: Link, rng: np.random.Generator) -> list[Block]:
    """Return the packets that arrive, in the order and with the stamps they arrive with.

    Packets of NaN alone never arrive: the sensor had nothing to send.
    """
    return [
        replace(blocks[k], time_s=blocks[k].time_s + stray_s)
        for k, stray_s in arriving(len(blocks), link, rng)
        if np.isfinite(blocks[k].samples).any()
    ]


def packets(samples: np.ndarray, rate_hz: float, start_s: float, lead_off: np.ndarray) -> list[Block]:
    """Cut samples [channels, n] into packets; `lead_off` bool [n] says when the leads are off."""
    bits = (1 << len(samples)) - 1
    edges = range(0, samples.shape[1], PACKET)
    return [
        Block(samples[:, k : k + PACKET], start_s + k / rate_hz, bits if lead_off[k] else 0) for k in edges
    ]
