# SPDX-License-Identifier: Apache-2.0
"""Packets are lost, swapped and stamped as the link says, and no sample is made up."""

import numpy as np
from methods.lossy_link import BURST, LINKS, PACKET, Link, deliver, lost_packets, packets


def sent(n: int = 2000) -> list:
    samples = np.arange(n * PACKET, dtype=np.float32)[None]
    return packets(samples, 64.0, 0.0, np.zeros(n * PACKET, bool))


def firsts(blocks: list) -> list[int]:
    return [int(block.samples[0, 0]) // PACKET for block in blocks]


def test_without_loss_everything_arrives_in_order_and_on_time() -> None:
    blocks = sent()
    arrived = deliver(blocks, LINKS[0], np.random.default_rng(0))
    assert firsts(arrived) == list(range(2000))
    assert [block.time_s for block in arrived] == [k * PACKET / 64.0 for k in range(2000)]


def test_shares_and_bursts() -> None:
    for bursts, length in ((False, 1 / 0.9), (True, BURST)):
        lost = lost_packets(Link("", 0.1, bursts), 200_000, np.random.default_rng(1))
        starts = (np.diff(lost.astype(int), prepend=0) > 0).sum()
        assert abs(lost.mean() - 0.1) < 0.005
        assert abs(lost.sum() / starts - length) < 0.1 * length


def test_swapped_packets_keep_their_stamps() -> None:
    arrived = deliver(sent(), Link("", swapped=0.02), np.random.default_rng(2))
    order = firsts(arrived)
    assert sorted(order) == list(range(2000))
    assert 10 < sum(a > b for a, b in zip(order, order[1:], strict=False)) < 80
    assert all(block.time_s == k * PACKET / 64.0 for k, block in zip(order, arrived, strict=True))


def test_jitter_stays_within_its_bound() -> None:
    arrived = deliver(sent(), Link("", jitter_s=0.02), np.random.default_rng(3))
    shift = np.array([block.time_s for block in arrived]) - np.arange(2000) * PACKET / 64.0
    assert np.abs(shift).max() <= 0.02
    assert np.abs(shift).mean() > 0.008


def test_packets_of_nan_never_arrive_and_lead_off_is_said() -> None:
    samples = np.zeros((2, 30), np.float32)
    samples[:, 10:20] = np.nan
    off = np.zeros(30, bool)
    off[20:] = True
    arrived = deliver(packets(samples, 10.0, 5.0, off), LINKS[0], np.random.default_rng(4))
    assert [(block.time_s, block.lead_off) for block in arrived] == [(5.0, 0), (7.0, 3)]
