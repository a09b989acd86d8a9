# SPDX-License-Identifier: Apache-2.0
"""Streams that deliver when they like give the decisions of a replay; what is lost is only missing."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.replay import Drop, steps

SECONDS = 150.0


@pytest.fixture(scope="module")
def replayed(tiny_bundle):
    """Decisions of a replay of some signals."""

    def decisions(signals, *drops):
        device, found = Device.from_bundle(tiny_bundle), []
        for now_s, chunks in steps(signals, 1.0, drops):
            for chunk in chunks:
                found += device.push(*chunk)
            found += device.advance(now_s - device.front_end.grace_s)
        return found

    return decisions


def test_decisions_are_those_of_a_replay(live, tiny_bundle, replayed):
    signals = live.signals(SECONDS)
    session, decisions = live.run(tiny_bundle, live.Script(live.arrivals(signals), set(signals)), 160)
    expected = replayed(signals)
    assert decisions[: len(expected)] == expected
    assert session.origin_s == 1000.0
    assert session.counts()["ppg"] == (64 * SECONDS, 0)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.9]))
def test_chunks_of_any_length_in_any_order_change_nothing(live, tiny_bundle, replayed, seed, worst_s):
    signals, rng = live.signals(90.0), np.random.default_rng(seed)
    events = []
    for name, signal in signals.items():
        delayed = [
            (when + rng.uniform(0, worst_s), arrival)
            for when, arrival in live.arrivals({name: signal}, chunk_s=float(rng.uniform(0.1, 0.9)))
        ]
        latest = np.maximum.accumulate([when for when, _ in delayed])  # a stream keeps its own order
        events += [(float(when), arrival) for when, (_, arrival) in zip(latest, delayed, strict=True)]
    events.sort(key=lambda event: event[0])
    _, decisions = live.run(tiny_bundle, live.Script(events, set(signals)), 96, look_s=0.1)
    expected = replayed(signals)
    assert [d.time_s for d in decisions] == [5.0 * (k + 1) for k in range(len(decisions))]
    assert decisions[: len(expected)] == expected


def test_a_silent_sensor_is_missing_and_joins_in_again(live, tiny_bundle, replayed):
    signals = live.signals(SECONDS)
    events = [
        (when, arrival)
        for when, arrival in live.arrivals(signals)
        if not (arrival.modality == "ppg" and 1070 <= arrival.stamps_s[0] < 1100)
    ]
    gap_s = [e.stamps_s[0] - 1000 for _, e in events if e.modality == "ppg" and e.stamps_s[0] > 1099][0]
    last_s = [e.stamps_s[-1] - 1000 for _, e in events if e.modality == "ppg" and e.stamps_s[0] < 1071][-1]
    _, decisions = live.run(tiny_bundle, live.Script(events, set(signals)), 160)
    expected = replayed(signals, Drop("ppg", last_s + 0.001, gap_s))
    assert decisions[: len(expected)] == expected
    shares = {d.time_s: d.sensors["ppg"] for d in decisions}
    assert shares[95.0] == 0.0
    assert shares[150.0] == 1.0


def test_a_lost_stream_delays_nobody(live, tiny_bundle):
    signals = live.signals(100.0)
    script = live.Script(
        live.arrivals({k: v for k, v in signals.items() if k != "eda"}), set(signals) - {"eda"}
    )
    _, decisions = live.run(tiny_bundle, script, 90.0)
    assert len(decisions) >= 17
    assert decisions[-1].absent == {"eda": ("lost",)}


def test_time_goes_on_when_all_are_silent(live, tiny_bundle):
    signals = live.signals(80.0)
    script = live.Script(live.arrivals(signals), set(signals))
    _, decisions = live.run(tiny_bundle, script, 300.0)
    times = [d.time_s for d in decisions]
    assert times == [5.0 * (k + 1) for k in range(len(times))]
    assert 290 <= times[-1] <= 300
    assert decisions[-1].reason == "too little present (0% of 20% needed)"


def test_after_an_hour_of_silence_no_decision_is_missed(live, tiny_bundle):
    """A laptop that slept: its own clock stood still, the devices' did not."""
    signals = live.signals(160.0)
    events = [
        (when, arrival._replace(stamps_s=arrival.stamps_s + (3600 if when > 80 else 0)))
        for when, arrival in live.arrivals(signals)
    ]
    _, decisions = live.run(tiny_bundle, live.Script(events, set(signals)), 162.0)
    assert [d.time_s for d in decisions] == [5.0 * (k + 1) for k in range(len(decisions))]
    assert len(decisions) in (751, 752)
    assert decisions[-1].sensors["ppg"] == 1.0


@pytest.mark.parametrize("drift", [-2e-4, 2e-4])
def test_clocks_that_drift_lose_no_sensor(live, tiny_bundle, replayed, drift):
    """200 ppm either way is a poor crystal; over four minutes it makes 0.05 s, three samples of the pulse."""
    signals = live.signals(240.0)
    bent = live.arrivals(signals, stamp=lambda name, t: t * (1 + (drift if name == "ppg" else 0.0)))
    _, decisions = live.run(tiny_bundle, live.Script(bent, set(signals)), 243.0)
    expected = replayed(signals)
    assert [d.time_s for d in decisions][: len(expected)] == [d.time_s for d in expected]
    assert all(d.sensors["ppg"] == 1.0 for d in decisions[20 : len(expected)])


def test_jittering_stamps_lose_no_sensor(live, tiny_bundle):
    signals, rng = live.signals(200.0), np.random.default_rng(1)
    bent = live.arrivals(signals, stamp=lambda name, t: t + rng.normal(0, 0.01, t.shape))
    _, decisions = live.run(tiny_bundle, live.Script(bent, set(signals)), 203.0)
    assert all(share == 1.0 for d in decisions[12:-1] for share in d.sensors.values())


def test_stamps_of_another_clock_cost_only_their_sensor(live, tiny_bundle, replayed):
    signals, says = live.signals(100.0), []
    bent = live.arrivals(signals, stamp=lambda name, t: t + (1.7e9 if name == "eda" else 0.0))
    script = live.Script(bent, set(signals))
    _, decisions = live.run(tiny_bundle, script, 106.0, says=says)
    assert script.rejected == ["eda"]
    assert says == [
        "eda: its time stamps are +1700000000 s from the session's clock; it counts as missing from now on."
    ]
    expected = replayed({name: signal for name, signal in signals.items() if name != "eda"})
    assert decisions[: len(expected)] == expected


def test_a_stream_that_is_behind_holds_nobody_up(live, tiny_bundle):
    signals = live.signals(100.0)
    bent = live.arrivals(signals, stamp=lambda name, t: t - (600.0 if name == "eda" else 0.0))
    late = [event for event in bent if event[1].modality != "eda" or event[0] > 20]
    says = []
    session, decisions = live.run(tiny_bundle, live.Script(late, set(signals)), 100.0, says=says)
    assert len(decisions) >= 18
    assert says == ["eda: its samples come 598 s too late and do not count."]
    came, late = session.counts()["eda"]
    assert came == late > 300
    assert decisions[-1].absent == {"eda": ("lost",)}


def test_a_stream_of_another_rate_than_it_says_is_refused(live, tiny_bundle):
    signals, says = live.signals(200.0), []
    bent = live.arrivals(signals, stamp=lambda name, t: t * (2.0 if name == "acc" else 1.0))
    script = live.Script(bent, set(signals))
    live.run(tiny_bundle, script, 100.0, says=says)
    assert says == ["acc: expected 32 Hz, its time stamps make 16 Hz; it counts as missing from now on."]
    assert script.rejected == ["acc"]


def test_stamps_that_are_no_numbers_are_lost_samples(live, tiny_bundle):
    signals = live.signals(100.0)
    events = live.arrivals(signals)
    for _, arrival in events[5::40]:
        arrival.stamps_s[:2] = np.nan, np.inf
    _, decisions = live.run(tiny_bundle, live.Script(events, set(signals)), 104.0)
    assert [d.time_s for d in decisions] == [5.0 * (k + 1) for k in range(len(decisions))]
    assert decisions[-2].sensors["ppg"] == 1.0


def test_nothing_is_kept_that_was_pushed(live, tiny_bundle):
    """Memory is flat: after many steps only what waits for the next one is held."""
    signals = live.signals(100.0)
    session, _ = live.run(tiny_bundle, live.Script(live.arrivals(signals), set(signals)), 99.0)
    held = [sum(part.shape[1] for _, part in lane._waiting) for lane in session._lanes.values()]
    assert max(held) == 0


def test_a_session_without_a_sample_ends_with_nothing(live, tiny_bundle):
    session, decisions = live.run(tiny_bundle, live.Script([], {"ppg"}), 10.0)
    assert decisions == []
    assert np.isnan(session.origin_s)
    assert all(dataclasses.astuple(d) for d in decisions)
