# SPDX-License-Identifier: Apache-2.0
"""What arrives of a session under a fault, and what is counted about the decisions on it."""

import numpy as np
import pytest
from methods.replay_faults import CLEAN, MOMENT_S, SESSION_FAULTS, arrivals
from mmq_bridge.decision.decisions import Decision
from replay_under_faults import Replayed, measures

from mmq_tf.recording import Signal

FAULTS = {fault.name: fault for fault in SESSION_FAULTS}


def session(seconds: float = 2000.0) -> dict[str, Signal]:
    rng, found = np.random.default_rng(7), {}
    for name, rate, channels in (("ppg", 64.0, 1), ("temp", 4.0, 1), ("acc", 32.0, 3)):
        samples = rng.normal(3.0, 2.0, (channels, int(seconds * rate))).astype(np.float32)
        found[name] = Signal(name, samples, rate, "a.u.", tuple("xyz"[:channels]))
    return found


def of(name: str, came: list) -> list:
    return [arrival for arrival in came if arrival.modality == name]


def test_without_a_fault_every_sample_comes_once_in_time_and_in_order():
    signals = session()
    came = list(arrivals(signals, CLEAN, 0))
    assert [a.at_s for a in came] == sorted(a.at_s for a in came)
    for name, signal in signals.items():
        here = of(name, came)
        assert np.array_equal(np.concatenate([a.samples for a in here], axis=1), signal.samples)
        for a in here:
            assert a.time_s == a.index / signal.sampling_rate_hz
            assert a.at_s == pytest.approx(a.time_s + a.samples.shape[1] / signal.sampling_rate_hz)
    assert {a.samples.shape[1] for a in of("temp", came)} == {4}


def test_noise_has_the_signals_size_and_loses_a_packet_in_every_period():
    signals = session()
    came = of("ppg", list(arrivals(signals, FAULTS["PPG is white noise, a packet lost every 2 s"], 0)))
    samples = np.concatenate([a.samples for a in came], axis=1)
    assert np.isin(samples, signals["ppg"].samples).mean() < 0.01
    assert abs(samples.mean() - 3.0) < 0.05
    assert abs(samples.std() - 2.0) < 0.05
    assert len(of("ppg", list(arrivals(signals, CLEAN, 0)))) - len(came) == 999
    assert np.diff([a.time_s for a in came]).max() == pytest.approx(20 / 64)


def test_more_lost_packets_are_the_same_and_more():
    few, many = (
        {(a.modality, a.index) for a in arrivals(session(), FAULTS[f"{share}% of the packets lost"], 0)}
        for share in (1, 20)
    )
    assert many < few


def test_clock_pause_silence_and_rate():
    signals = session()
    later = list(arrivals(signals, FAULTS["clock starts at 3600 s"], 0))
    assert (later[0].time_s, later[0].index) == (3600.0, 0)
    paused = of("ppg", list(arrivals(signals, FAULTS["a day off the wrist"], 0)))
    steps = np.diff([a.time_s for a in paused])
    assert steps.max() == pytest.approx(86400.0 + 10 / 64)
    assert (steps > 1.0).sum() == 1
    silent = of("temp", list(arrivals(signals, FAULTS["nothing measured for 540 s"], 0)))
    assert all(np.isnan(a.samples).all() == (a.time_s < 540.0) for a in silent)
    slow = of("ppg", list(arrivals(signals, FAULTS["PPG really at 50 Hz"], 0)))
    assert slow[1].time_s == 0.2
    assert slow[-1].at_s == 2000.0


def test_a_reboot_and_chunks_leave_the_samples_alone():
    plain = list(arrivals(session(), CLEAN, 0))
    for name in ("reboot, state saved", "reboot, no state"):
        assert [a.time_s for a in arrivals(session(), FAULTS[name], 0)] == [a.time_s for a in plain]
    chunks = list(arrivals(session(), FAULTS["chunks of a minute, sensor by sensor"], 0))
    assert [a.modality for a in chunks[:3]] == ["ppg", "temp", "acc"]
    assert chunks[0].samples.shape == (1, 3840)
    assert 0 < MOMENT_S < 2000.0


def said(time_s: float, best: str | None, not_enrolled: tuple[str, ...] = (), absent: tuple[str, ...] = ()):
    probabilities = {"stress": {"rest": 0.4, "stress": 0.4} | {best: 0.6}} if best else {}
    return Decision(
        time_s, probabilities, {"ppg": 1.0, "eda": 1.0}, best is None,
        absent={name: ("flat",) for name in absent}, not_enrolled=not_enrolled,
    )  # fmt: skip


def replayed(*decisions: Decision, unknown: str = "") -> Replayed:
    by_time = {decision.time_s: decision for decision in decisions}
    return Replayed(by_time, dict.fromkeys(by_time, frozenset({unknown} - {""})), 10, 1)


def test_what_is_counted():
    clean = replayed(said(5.0, "rest"), said(10.0, "rest"), said(15.0, "stress"), said(20.0, None))
    found = replayed(said(5.0, "rest"), said(10.0, "stress"), said(15.0, None, absent=("ppg",)))
    values = measures(clean, found, set())
    assert values["decisions"] == 2
    assert values["decisions_changed"] == 0.5
    assert values["decisions_missing"] == pytest.approx(1 / 3)
    assert values["absent_tokens"] == pytest.approx(1 / 6)
    assert values["absent_ppg"] == pytest.approx(1 / 3)
    assert values["late_pushes"] == 0.1
    assert values["false_ok"] == 0.0


def test_a_false_ok_is_noise_in_use_or_an_unsaid_missing_enrolment():
    clean = replayed(said(5.0, "rest"))
    noise = replayed(said(5.0, "rest"), said(10.0, "rest", absent=("ppg",)))
    assert measures(clean, noise, {"ppg"})["false_ok"] == 0.5
    unsaid = replayed(said(5.0, "rest"), said(10.0, "rest", not_enrolled=("eda",)), unknown="eda")
    assert measures(clean, unsaid, set())["false_ok"] == 0.5
