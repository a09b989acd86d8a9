# SPDX-License-Identifier: Apache-2.0
"""Time: jitter, gaps, overlap, going back, far ahead, silence, a counter that wraps around."""

from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import Bridge, CounterClock, extract_tokens
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation


def eda_front_end(**settings: float) -> FrontEnd:
    return FrontEnd.wearable({"eda": 4}, None, tokens=3, **settings)


def popped(bridge: Bridge) -> tuple[np.ndarray, np.ndarray]:
    tokens = []
    while (token := bridge.pop_token()) is not None:
        tokens.append(token)
    return np.array([t[0] for t in tokens]), np.array([t[1] for t in tokens])


def test_filters_restart_cleanly_after_a_loss(made: SimpleNamespace) -> None:
    """What follows a long loss equals a recording that begins there."""
    signals = made.made_up(60, {"eeg": 128.0})
    whole = signals["eeg"].samples.copy()
    signals["eeg"].samples[:, 128 * 20 : 128 * 30] = np.nan
    broken = extract_tokens(FrontEnd.wearable({"eeg": 128}), signals)
    after = {"eeg": made.Plain(whole[:, 128 * 30 :], 128.0)}
    fresh = extract_tokens(FrontEnd.wearable({"eeg": 128}), after)
    np.testing.assert_array_equal(broken.features[6:], fresh.features)
    assert broken.presence[:, 0].tolist() == [True] * 4 + [False] * 2 + [True] * 6


def test_a_gap_in_time_equals_nan_samples(made: SimpleNamespace) -> None:
    front_end = FrontEnd.wearable({"ppg": 64})
    samples = made.made_up(60, {"ppg": 64.0})["ppg"].samples
    gap, nan = Bridge(front_end), Bridge(front_end)
    holed = samples.copy()
    holed[:, 64 * 21 : 64 * 28] = np.nan
    nan.push("ppg", holed, 0.0)
    gap.push("ppg", samples[:, : 64 * 21], 0.0)
    gap.push("ppg", samples[:, 64 * 28 :], 28.0)
    for _ in range(12):
        one, other = gap.pop_token(), nan.pop_token()
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_repeated_and_backward_samples_are_dropped(made: SimpleNamespace) -> None:
    front_end = eda_front_end()
    samples = made.made_up(60, {"eda": 4.0})["eda"].samples
    plain, doubled = Bridge(front_end), Bridge(front_end)
    assert plain.push("eda", samples, 0.0)
    assert doubled.push("eda", samples[:, :120], 0.0)
    assert not doubled.push("eda", samples[:, 40:80], 10.0)
    assert not doubled.push("eda", samples[:, 100:180], 25.0)
    assert not doubled.push("eda", samples[:, 3:9], -1e6)
    assert doubled.push("eda", samples[:, 180:], 45.0)
    np.testing.assert_array_equal(plain.window()[0], doubled.window()[0])


def test_a_silent_sensor_is_waited_for_only_through_the_grace(made: SimpleNamespace) -> None:
    front_end = FrontEnd.wearable({"eda": 4, "temp": 4}, grace_s=2.0)
    signals = made.made_up(20, {"eda": 4.0, "temp": 4.0})
    bridge = Bridge(front_end)
    bridge.push("eda", signals["eda"].samples[:, :24], 0.0)  # to 6 s
    assert bridge.pop_token() is None
    bridge.push("eda", signals["eda"].samples[:, 24:29], 6.0)  # to 7.25 s
    token = bridge.pop_token()
    assert token is not None
    assert token[1].tolist() == [True, False]
    assert not bridge.push("temp", signals["temp"].samples[:, :40], 0.0)  # 5 s of it too late
    bridge.push("eda", signals["eda"].samples[:, 29:40], 7.25)
    token = bridge.pop_token()
    assert token is not None
    assert token[1].tolist() == [True, True]


def test_advance_closes_tokens_when_every_sensor_is_silent() -> None:
    bridge = Bridge(eda_front_end())
    bridge.advance(17.1)
    assert bridge.closed == 3
    assert bridge.ready
    assert not bridge.window()[1].any()


@pytest.mark.parametrize("time_s", [86_000.0, 3.9e9])
def test_a_long_silence_is_quick_and_absent(made: SimpleNamespace, time_s: float) -> None:
    bridge = Bridge(FrontEnd.wearable(made.WRIST))
    for name, signal in made.made_up(20, made.WRIST).items():
        bridge.push(name, signal.samples[:, : int(5 * signal.sampling_rate_hz)], 0.0)
    bridge.advance(time_s)
    x = made.made_up(100, {"eda": 4.0})["eda"].samples
    assert bridge.push("eda", x, time_s)
    assert bridge.closed >= int(time_s / 5)
    features, presence = bridge.window()
    assert np.isfinite(features[-1][presence[-1].repeat([10, 6, 3, 7]) > 0]).all()
    assert presence[-1].tolist() == [0, 1, 0, 0]
    number = bridge.closed - 1
    assert bridge.reasons(number) == {"ppg": ("lost",), "eda": (), "temp": ("lost",), "acc": ("lost",)}


@pytest.mark.parametrize("time_s", [864_001.0 + 60, 1e6, 3.9e9])
def test_a_time_over_ten_days_ahead_is_refused_and_changes_nothing(
    made: SimpleNamespace, time_s: float
) -> None:
    front_end = eda_front_end()
    samples = made.made_up(60, {"eda": 4.0})["eda"].samples
    plain, misled = Bridge(front_end), Bridge(front_end)
    for bridge in (plain, misled):
        bridge.push("eda", samples[:, :120], 0.0)
    with pytest.raises(BridgeError, match="over ten days ahead"):
        misled.push("eda", samples[:, 120:], time_s)
    assert misled.closed == plain.closed
    for bridge in (plain, misled):
        assert bridge.push("eda", samples[:, 120:], 30.0)
    np.testing.assert_array_equal(popped(plain)[0], popped(misled)[0])


@pytest.mark.parametrize(("time_s", "closed"), [(86_000.0, 17_206), (700_000.0, 140_006)])
def test_a_day_or_a_week_off_the_wrist_is_a_gap(made: SimpleNamespace, time_s: float, closed: int) -> None:
    bridge = Bridge(eda_front_end())
    samples = made.made_up(60, {"eda": 4.0})["eda"].samples
    bridge.push("eda", samples[:, :120], 0.0)
    assert bridge.push("eda", samples[:, 120:], time_s)
    assert bridge.closed == closed
    assert bridge.window()[1].all()


def seconds_of(made: SimpleNamespace) -> list[tuple[str, int, np.ndarray]]:
    """40 s of a wrist, second by second."""
    signals = made.made_up(40, made.WRIST)
    return [
        (name, k, signal.samples[:, int(k * rate) : int((k + 1) * rate)])
        for k in range(40)
        for name, signal in signals.items()
        for rate in [int(signal.sampling_rate_hz)]
    ]


@pytest.mark.parametrize(
    "origin_s",
    [61.0, 3600.0, 3600.37, 1_764_495_661.125, -1_000.0, -3.9e9, 3.9e9, 4_294_967.296 - 17.0, 4_294_967.0],
)
def test_whatever_the_clock_says_the_first_push_is_at_zero(made: SimpleNamespace, origin_s: float) -> None:
    """Up for an hour, Unix time, before 1970, milliseconds of 32 bits that wrap around: the same bits."""
    plain, other = Bridge(FrontEnd.wearable(made.WRIST)), Bridge(FrontEnd.wearable(made.WRIST))
    for name, k, samples in seconds_of(made):
        assert plain.push(name, samples, float(k))
        now_s = origin_s + k
        if abs(origin_s - 4_294_967.0) < 40:
            now_s %= 4_294_967.296
        assert other.push(name, samples, now_s)
    for bridge in (plain, other):
        assert bridge.closed == 8
    for one, two in zip(popped(plain), popped(other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_clock_of_an_hour_does_not_end_enrolment(made: SimpleNamespace) -> None:
    front_end = eda_front_end()
    count = front_end.n_features
    learns = front_end.with_normalisation(
        Normalisation(mode="enrolment", mean=(0.0,) * count, std=(1.0,) * count, enrolment_s=60)
    )
    for late in (False, True):
        bridge = Bridge(learns)
        if late:
            bridge.advance(3600.0)
        bridge.push("eda", made.made_up(30, {"eda": 4.0})["eda"].samples, 3600.0)
        assert bridge.closed == 6
        assert bridge.enrolling


@pytest.mark.parametrize("start_s", [-0.01, 0.0, 0.25, 7.3, 60.0])
def test_a_clock_that_starts_near_zero_counts_from_zero(start_s: float) -> None:
    bridge = Bridge(eda_front_end())
    bridge.push("eda", np.full((1, 400), 2.0), start_s)
    assert bridge.closed == int(start_s / 5) + 20


def test_wrapping_milliseconds_may_wrap_for_one_sensor_before_another(made: SimpleNamespace) -> None:
    front_end = FrontEnd.wearable({"eda": 4, "temp": 4}, tokens=3)
    signals, lap_s = made.made_up(80, {"eda": 4.0, "temp": 4.0}), 4_294_967.296
    bridge = Bridge(front_end)
    for k in range(78):
        for name, ahead in (("temp", 0), ("eda", 2)):
            samples = signals[name].samples[:, 4 * (k + ahead) : 4 * (k + ahead + 1)]
            assert bridge.push(name, samples, (lap_s - 40.0 + k + ahead) % lap_s)
    assert bridge.closed == 15
    assert bridge.window()[1].all()


def test_a_clock_set_back_is_late_and_no_wrap(made: SimpleNamespace) -> None:
    bridge, samples = Bridge(eda_front_end()), made.made_up(60, {"eda": 4.0})["eda"].samples
    assert bridge.push("eda", samples, 1_764_495_661.0)
    assert not bridge.push("eda", samples, 1_764_495_661.0 - 3600)
    assert not bridge.push("eda", samples, 5.0)
    assert bridge.closed == 12


@pytest.mark.parametrize("name", ["ppg", "acc", "eeg", "resp"])
def test_jitter_of_a_quarter_period_loses_nothing(made: SimpleNamespace, name: str) -> None:
    front_end, rate = FrontEnd.wearable({name: made.ALL[name]}), made.ALL[name]
    samples = made.made_up(41, {name: rate})[name].samples
    rng = np.random.default_rng(0)
    steady, jittery = Bridge(front_end), Bridge(front_end)
    step = int(rate / 4)
    for first in range(0, samples.shape[1], step):
        chunk = samples[:, first : first + step]
        late = rng.uniform(-0.24, 0.24) if first else 0.0
        assert steady.push(name, chunk, first / rate)
        assert jittery.push(name, chunk, (first + late) / rate)
    assert steady.closed == jittery.closed == 8
    exact, other = popped(steady), popped(jittery)
    first = made.unsettled(front_end, name)
    assert exact[1][first:].all()
    assert other[1][first:].all()
    # A token may begin one sample earlier or later: the features move a little, nothing is lost or restarted.
    np.testing.assert_allclose(exact[0], other[0], rtol=0.05, atol=0.35)


@pytest.mark.parametrize("name", ["ppg", "acc", "eeg", "resp"])
def test_jitter_of_a_whole_period_keeps_every_token(made: SimpleNamespace, name: str) -> None:
    """Packets a sample early or late: a sample is held or dropped now and then, no token is lost."""
    front_end, rate = FrontEnd.wearable({name: made.ALL[name]}), made.ALL[name]
    samples = made.made_up(41, {name: rate})[name].samples
    rng, bridge, step = np.random.default_rng(1), Bridge(front_end), int(rate / 2)
    for first in range(0, samples.shape[1], step):
        bridge.push(name, samples[:, first : first + step], max(0.0, (first + rng.uniform(-1, 1)) / rate))
    features, presence = popped(bridge)
    assert len(presence) == 8
    assert presence[made.unsettled(front_end, name) :].all()
    assert np.isfinite(features[4:]).mean() > 0.6


@pytest.mark.parametrize(
    ("periods", "present"), [(0.4, True), (1.4, True), (2.0, True), (60.0, True), (120.0, False)]
)
def test_gaps_from_half_a_period_to_two_seconds(made: SimpleNamespace, periods: float, present: bool) -> None:
    """64 Hz: a gap up to 25 % of the token (80 samples) is tolerated, a longer one is not."""
    front_end = FrontEnd.wearable({"ppg": 64.0})
    samples = made.made_up(40, {"ppg": 64.0})["ppg"].samples
    bridge = Bridge(front_end)
    bridge.push("ppg", samples[:, : 64 * 21], 0.0)
    bridge.push("ppg", samples[:, 64 * 21 :], 21.0 + periods / 64)
    _, presence = popped(bridge)
    assert presence[:, 0].tolist() == [True] * 4 + [present] + [True] * (len(presence) - 5)


def test_the_last_samples_again_and_more_equal_the_more_alone(made: SimpleNamespace) -> None:
    """Overlap, as after a reconnected link: what was given is dropped, the rest taken."""
    front_end = FrontEnd.wearable({"acc": 32.0})
    samples = made.made_up(40, {"acc": 32.0})["acc"].samples
    plain, doubled = Bridge(front_end), Bridge(front_end)
    plain.push("acc", samples, 0.0)
    doubled.push("acc", samples[:, :700], 0.0)
    assert not doubled.push("acc", samples[:, 500:900], 500 / 32)
    assert doubled.push("acc", samples[:, 900:], 900 / 32)
    np.testing.assert_array_equal(popped(plain)[0], popped(doubled)[0])


def test_a_sensor_starts_late_dies_and_comes_back(made: SimpleNamespace) -> None:
    """Absent within one token of dying, present within two of coming back, and the others do not notice."""
    front_end = FrontEnd.wearable({"ppg": 64.0, "acc": 32.0}, tokens=30)
    signals = made.made_up(120, {"ppg": 64.0, "acc": 32.0})
    bridge = Bridge(front_end)
    for second in range(120):
        bridge.push("acc", signals["acc"].samples[:, 32 * second : 32 * second + 32], float(second))
        if 17 <= second < 52 or second >= 83:
            bridge.push("ppg", signals["ppg"].samples[:, 64 * second : 64 * second + 64], float(second))
    bridge.advance(122.1)
    _, presence = popped(bridge)
    assert presence[:24, 1].all()
    ppg = presence[:24, 0].astype(int).tolist()
    # 17-20 s: 3 of 5 s; 50-52: 2 of 5; 83-85: 2 of 5: too little of these tokens
    assert ppg == [0] * 4 + [1] * 6 + [0] * 7 + [1] * 7


def test_a_counter_that_wraps_around_goes_on(made: SimpleNamespace) -> None:
    clock = CounterClock(32_768.0)
    start = 2**32 - 5 * 32_768
    seconds = [clock.seconds(start + 32_768 * k) for k in range(12)]
    assert seconds == [float(k) for k in range(12)]
    assert clock.seconds(start + 32_768 * 8) == 8.0  # back
    assert clock.seconds(start + 32_768 * 12) == 12.0
    bridge, plain = Bridge(eda_front_end()), Bridge(eda_front_end())
    samples = made.made_up(60, {"eda": 4.0})["eda"].samples
    clock = CounterClock(1000.0)
    for second in range(60):
        chunk = samples[:, 4 * second : 4 * second + 4]
        assert bridge.push("eda", chunk, clock.seconds(2**32 - 30_000 + 1000 * second))
        assert plain.push("eda", chunk, float(second))
    np.testing.assert_array_equal(popped(bridge)[0], popped(plain)[0])


def test_a_clock_counts_many_laps_without_losing_a_tick() -> None:
    clock, ticks = CounterClock(1e6), 0
    rng = np.random.default_rng(0)
    assert clock.seconds(0) == 0
    for step in rng.integers(1, 2**31, 200).tolist():
        ticks += step
        assert clock.seconds(ticks) == pytest.approx(ticks / 1e6, abs=1e-9, rel=1e-15)


@pytest.mark.parametrize("ticks_per_s", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_clock_is_refused(ticks_per_s: float) -> None:
    with pytest.raises(BridgeError, match="ticks_per_s"):
        CounterClock(ticks_per_s)


def test_an_hour_in_does_not_change_features(made: SimpleNamespace) -> None:
    """Time is kept finely enough: the same minute at 0 s and at 50000 s."""
    signals = made.made_up(40, {"ppg": 64.0, "eeg": 250.0})
    front_end = FrontEnd.wearable({"ppg": 64.0, "eeg": 250.0})
    early = extract_tokens(front_end, signals)
    bridge = Bridge(front_end)
    bridge.advance(50_000.0)
    for second in range(40):
        for name, signal in signals.items():
            step = int(signal.sampling_rate_hz)
            bridge.push(name, signal.samples[:, second * step : (second + 1) * step], 50_000.0 + second)
    features, presence = popped(bridge)
    np.testing.assert_array_equal(features[-8:], early.features)
    assert presence[-8:].all()
