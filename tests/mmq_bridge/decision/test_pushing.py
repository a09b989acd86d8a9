# SPDX-License-Identifier: Apache-2.0
"""Pushing by hand: samples of another rate, of any length, sensor by sensor."""

import warnings

import numpy as np
import pytest
from mmq_bridge.bundle.golden import GoldenSignal
from mmq_bridge.decision.arrivals import Arrivals
from mmq_bridge.decision.device import Device
from mmq_bridge.errors import BridgeError, BridgeWarning

OVERLAP = pytest.mark.filterwarnings("ignore:eda")


def eda(device, rate_hz, seconds, chunk_s=1.0):
    """Push a constant as EDA of some rate, in chunks."""
    said = []
    for k in range(int(seconds / chunk_s)):
        samples = np.full((1, max(1, round(rate_hz * chunk_s))), 2.0, np.float32)
        said += device.push("eda", samples, k * chunk_s)
    return said


@OVERLAP
def test_eda_of_64_hz_is_refused_where_4_is_meant(tiny_bundle):
    with pytest.raises(
        BridgeError, match=r"^eda: 320 samples came in 5 s by their times, 64 per second, .* rate is 4 Hz"
    ):
        eda(Device.from_bundle(tiny_bundle), 64, 6)


@OVERLAP
@pytest.mark.parametrize(("rate_hz", "chunk_s"), [(8, 1.0), (2, 1.0), (1, 1.0), (64, 1 / 64), (2, 0.5)])
def test_other_rates_are_refused_in_chunks_of_any_length(tiny_bundle, rate_hz, chunk_s):
    with pytest.raises(BridgeError, match="the model's rate is 4 Hz"):
        eda(Device.from_bundle(tiny_bundle), rate_hz, 18, chunk_s)


@OVERLAP
@pytest.mark.parametrize("rate_hz", [3.0, 4.0, 5.0])
def test_a_rate_that_is_a_little_off_is_not_refused(tiny_bundle, rate_hz):
    eda(Device.from_bundle(tiny_bundle), rate_hz, 30)


def test_lost_packets_and_a_duty_cycle_are_no_other_rate():
    arrivals = Arrivals("ppg", 64.0, 5.0)
    rng = np.random.default_rng(0)
    for k in np.flatnonzero(rng.random(2000) < 0.3):
        arrivals.add(k * 10 / 64, 10)
    for k in range(20):  # a second of every minute
        arrivals.add(1000.0 + 60.0 * k, 64)


@pytest.mark.parametrize("lost", [0.2, 0.5])
def test_hours_of_lost_packets_are_no_other_rate(lost):
    arrivals = Arrivals("acc", 32.0, 5.0)
    for k in np.flatnonzero(np.random.default_rng(1).random(200_000) >= lost):
        arrivals.add(k * 10 / 32, 10)


def test_repeated_packets_are_no_other_rate():
    arrivals = Arrivals("ppg", 64.0, 5.0)
    for k in range(100):
        for _ in range(2):
            arrivals.add(k * 10 / 64, 10)


def test_a_burst_of_samples_with_the_time_they_came_is_no_other_rate():
    arrivals = Arrivals("ppg", 64.0, 5.0)
    for k in range(1000):
        arrivals.add(k // 10 * 10 / 64 + 0.001 * (k % 10), 1)


def single_samples(rate_hz):
    arrivals = Arrivals("ppg", 64.0, 5.0)
    for k in range(1000):
        arrivals.add(k / rate_hz, 1)


@pytest.mark.parametrize("times", [10.0, 1 / 10])
def test_the_rate_of_single_samples_is_found(times):
    with pytest.raises(BridgeError, match="ppg: .* samples came"):
        single_samples(64 * times)


def test_one_push_of_any_length_gives_the_decisions_of_many(tiny_bundle, tiny):
    whole, pieces = Device.from_bundle(tiny_bundle), Device.from_bundle(tiny_bundle)
    samples = tiny.signals(900.0)["ppg"].samples
    said = whole.push("ppg", samples, 0.0)
    wanted = [d for k in range(900) for d in pieces.push("ppg", samples[:, 64 * k : 64 * k + 64], float(k))]
    assert said == wanted
    assert len(said) == 179  # the last token waits for the other sensors
    assert said[-1].sensors["ppg"] == 1.0
    assert said[-1].sensors["eda"] == 0.0


def test_a_day_in_one_push_works(tiny_bundle):
    device = Device.from_bundle(tiny_bundle)
    said = device.push("eda", np.full((1, 4 * 86_460), 2.0, np.float32), 0.0)
    assert said[-1].time_s == 86_455.0


def test_after_a_long_silence_the_window_holds_nothing_old(tiny_bundle, tiny):
    device = Device.from_bundle(tiny_bundle)
    for name, signal in tiny.signals(2.0).items():
        device.push(name, signal.samples, signal.start_s)
    said = device.advance(40_000.0)
    assert said[-1].time_s == 40_000.0
    assert said[-1].sensors == {"ppg": 0.0, "eda": 0.0, "temp": 0.0, "acc": 0.0}
    assert len({decision.time_s for decision in said}) == len(said)


def in_pieces(device, signals, names, seconds=60.0):
    """Push sensor by sensor in long pieces."""
    said, stop_s = [], max(signal.samples.shape[1] / signal.sampling_rate_hz for signal in signals.values())
    for first_s in np.arange(0.0, stop_s, seconds):
        for name in names:
            signal = signals[name]
            first, last = (int(t * signal.sampling_rate_hz) for t in (first_s, first_s + seconds))
            said += device.push(name, signal.samples[:, first:last], signal.start_s + first_s)
    return said


def test_a_sensor_that_lags_is_named_once(tiny_bundle, tiny):
    device, signals = Device.from_bundle(tiny_bundle), tiny.signals(540.0)
    with pytest.warns(BridgeWarning) as caught:
        in_pieces(device, signals, ("eda", "temp"), 180.0)
    assert [str(one.message) for one in caught] == [
        "temp lags: samples of 0 s came when 180 s had been reached (180 s late, or twice), so they are not "
        "used. Push all sensors in turn, none more than 2 s ahead of another; a whole recording goes to "
        "Device.decide."
    ]
    assert caught[0].filename == __file__


def cut(signal, seconds):
    return GoldenSignal(
        signal.samples[:, : int(seconds * signal.sampling_rate_hz)], signal.sampling_rate_hz, signal.start_s
    )


@pytest.mark.parametrize("seconds", [3.0, 10.0, 60.0, 110.0])
@pytest.mark.parametrize("names", [("ppg", "eda", "temp", "acc"), ("acc", "temp", "eda", "ppg")])
def test_sensor_by_sensor_in_long_pieces_gives_the_decisions_of_all_in_turn(
    tiny_bundle, tiny, seconds, names
):
    device, signals = Device.from_bundle(tiny_bundle), tiny.signals(300.0)
    said = in_pieces(device, signals, names, seconds) + device.advance(299.0)
    assert said == device.decide(signals)
    assert said[-1].probabilities
    assert device.late_pushes == dict.fromkeys(signals, 0)


@pytest.mark.parametrize("seed", range(4))
def test_long_pieces_of_any_length_in_any_turns_give_the_same(tiny_bundle, tiny, seed):
    device, signals, rng = Device.from_bundle(tiny_bundle), tiny.signals(400.0), np.random.default_rng(seed)
    ends, said = dict.fromkeys(signals, 0), []
    while open_ := [name for name, end in ends.items() if end < 400]:
        slowest = min(ends.values())
        name = rng.choice([name for name in open_ if ends[name] < slowest + 50])
        first, ends[name] = ends[name], min(400, ends[name] + int(rng.integers(3, 60)))
        rate = int(signals[name].sampling_rate_hz)
        said += device.push(
            name, signals[name].samples[:, first * rate : ends[name] * rate], signals[name].start_s + first
        )
    assert said + device.advance(399.0) == device.decide(signals)


def test_a_sensor_that_never_comes_is_waited_for_two_minutes(tiny_bundle, tiny):
    device, signals = Device.from_bundle(tiny_bundle), tiny.signals(300.0)
    del signals["temp"]
    said = in_pieces(device, {name: cut(signal, 120.0) for name, signal in signals.items()}, signals)
    assert said == []
    said = device.push("ppg", signals["ppg"].samples[:, 120 * 64 : 180 * 64], 120.25)
    assert [said[0].time_s, said[-1].time_s] == [5.0, 115.0]
    for name in ("eda", "acc"):
        rate = int(signals[name].sampling_rate_hz)
        said += device.push(name, signals[name].samples[:, 120 * rate : 180 * rate], 120.0)
    said += device.advance(179.0)
    assert said == device.decide({name: cut(signal, 180.0) for name, signal in signals.items()})
    assert not any(device.late_pushes.values())


def test_after_a_day_off_long_pieces_go_on(tiny_bundle, tiny):
    device, signals = Device.from_bundle(tiny_bundle), tiny.signals(180.0)
    in_pieces(device, signals, signals)
    for name, signal in signals.items():
        said = device.push(name, signal.samples[:, : int(60 * signal.sampling_rate_hz)], 86_400.0)
    assert device.late_pushes == dict.fromkeys(signals, 0)
    assert said[-1].sensors == dict.fromkeys(signals, 1.0)


def test_a_piece_with_an_impossible_time_leaves_the_turns_as_they_were(tiny_bundle, tiny):
    device, signals = Device.from_bundle(tiny_bundle), tiny.signals(120.0)
    said = in_pieces(device, signals, signals)
    with pytest.raises(BridgeError, match="time"):
        device.push("ppg", signals["ppg"].samples, 1e9)
    for name, signal in signals.items():
        said += device.push(name, signal.samples[:, : int(60 * signal.sampling_rate_hz)], 120.25)
    assert len(said + device.advance(180.0)) == 36
    assert device.late_pushes == dict.fromkeys(signals, 0)


def test_wrong_shapes_are_sentences(tiny_bundle):
    device = Device.from_bundle(tiny_bundle)
    for samples in (np.zeros((1, 10)), np.zeros(10), np.zeros((10, 3)), np.zeros((1, 3, 2))):
        with pytest.raises(BridgeError, match=r"^acc: expected samples \[3, frames\], got shape"):
            device.push("acc", samples, 0.0)
    with pytest.raises(BridgeError, match="time_s: expected a number"):
        device.push("eda", np.zeros((1, 4)), "now")  # type: ignore[arg-type]
    assert device.push("eda", np.zeros((1, 0)), 0.0) == []


def test_counted_packets_in_any_order_give_the_decisions_of_times(tiny_bundle, tiny):
    timed, counted = Device.from_bundle(tiny_bundle), Device.from_bundle(tiny_bundle)
    signals, said, wanted = tiny.signals(150.0), [], []
    for k in range(150):
        for name, signal in signals.items():
            rate = int(signal.sampling_rate_hz)
            part = signal.samples[:, k * rate : (k + 1) * rate]
            wanted += timed.push(name, part, float(k))
            half, start = min(16, rate // 2), 2**32 - 1000
            for first, last in ((half, 2 * half), (0, half), (2 * half, rate)) if k else ((0, rate),):
                said += counted.push_counted(name, part[:, first:last], start + k * rate + first)
    assert said == wanted
    assert len(said) == 30
    assert said[-1].probabilities
    assert counted.push_counted("ecg", np.zeros((1, 4)), 0) == []
    with pytest.raises(BridgeError, match="first_index"):
        counted.push_counted("eda", np.zeros((1, 4)), 1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate_hz", [50.0, 60.0, 63.5])
def test_a_rate_that_is_off_is_said_once(tiny_bundle, rate_hz):
    device = Device.from_bundle(tiny_bundle)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(100):
            device.push("ppg", np.full((1, 32), float(k)), k * 32 / rate_hz)
    wanted = (
        f"ppg: its samples come at {rate_hz:g} Hz by their times, the model expects 64 Hz; resample them, "
    )
    assert [str(one.message) for one in caught] == ([f"{wanted}or correct the times."] * (rate_hz < 62))
