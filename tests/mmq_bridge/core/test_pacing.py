# SPDX-License-Identifier: Apache-2.0
"""Version 3: the rate places samples, their times only say what is missing; the true rate is found."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.native import Bridge, extract_tokens
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd

pytestmark = pytest.mark.slow

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JITTER_S = 0.0495
"""On either side: two times differ by at most the bound of 0.1 s."""


def version_3(rates: dict[str, float], tokens: int = 12) -> FrontEnd:
    return FrontEnd.wearable(rates, frontend_version=3, tokens=tokens)


def popped(bridge: Bridge) -> list[np.ndarray]:
    rows, number = [], max(0, bridge.closed - bridge.front_end.tokens - 4)
    while (token := bridge.pop_token()) is not None:
        rows.append(np.concatenate([token[0].view(np.uint32), token[1], bridge.reason_bits(number)]))
        number += 1
    return rows


def pushed(front_end: FrontEnd, signals: dict, cuts: list[int], seed: int | None) -> Bridge:
    """Push in turn, in packets of so many ms; with a seed each time strays by up to JITTER_S."""
    bridge, rng = Bridge(front_end), np.random.default_rng(seed)
    events = []
    for name, signal in signals.items():
        rate, first, k = signal.sampling_rate_hz, 0, 0
        while first < signal.samples.shape[1]:
            frames = max(1, int(cuts[k % len(cuts)] * rate / 1000))
            events.append((first / rate, name, signal.samples[:, first : first + frames]))
            first, k = first + frames, k + 1
    for time_s, name, samples in sorted(events, key=lambda event: event[0]):
        stray_s = 0.0 if seed is None else rng.uniform(-JITTER_S, JITTER_S)
        assert bridge.push(name, samples, time_s + stray_s)
    return bridge


@pytest.fixture(scope="module")
def wrist(made: SimpleNamespace) -> dict:
    signals = made.made_up(41, made.WRIST, seed=3)
    signals["ppg"].samples[:, 900:1100] = np.nan
    signals["acc"].samples[:, 200:205] = 100.0
    return signals


@FEW
@given(cuts=st.lists(st.integers(1, 900), min_size=1, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_neither_cuts_nor_jitter_change_a_bit(
    made: SimpleNamespace, wrist: dict, cuts: list[int], seed: int
) -> None:
    front_end = version_3(made.WRIST)
    wanted = popped(pushed(front_end, wrist, [1000], None))
    assert len(wanted) == 8
    np.testing.assert_array_equal(popped(pushed(front_end, wrist, cuts, seed)), wanted)


@pytest.mark.parametrize("rate", [127.77, 33.3, 4.1])
def test_single_frames_of_an_uneven_rate_are_placed_as_all_at_once(rate: float) -> None:
    front_end = version_3({"temp": rate, "eda": 4})
    samples = 33 + np.random.default_rng(0).normal(0, 0.01, (1, int(400 * rate)))
    whole, single = Bridge(front_end), Bridge(front_end)
    whole.push("temp", samples, 0.0)
    for k in range(samples.shape[1]):
        single.push("temp", samples[:, k : k + 1], k / rate)
    assert whole.closed == single.closed
    np.testing.assert_array_equal(popped(whole), popped(single))


@pytest.mark.parametrize("name", ["ppg", "eda", "acc", "eeg", "ecg", "resp"])
def test_a_recording_gives_the_features_of_version_2(made: SimpleNamespace, name: str) -> None:
    """Without losses the rate places each sample where its time does."""
    signals, rates = made.made_up(40, {name: made.ALL[name]}), {name: made.ALL[name]}
    old, new = (extract_tokens(FrontEnd.wearable(rates, frontend_version=v), signals) for v in (2, 3))
    present = new.presence[:, 0]
    assert present.any()
    np.testing.assert_array_equal(new.features[present], old.features[present])


def test_a_gap_equals_nan_samples(made: SimpleNamespace) -> None:
    front_end = version_3({"ppg": 64})
    samples = made.made_up(60, {"ppg": 64.0})["ppg"].samples
    gap, nan = Bridge(front_end), Bridge(front_end)
    holed = samples.copy()
    holed[:, 64 * 21 : 64 * 28] = np.nan
    nan.push("ppg", holed, 0.0)
    gap.push("ppg", samples[:, : 64 * 21], 0.0)
    gap.push("ppg", samples[:, 64 * 28 :], 28.0)
    np.testing.assert_array_equal(popped(gap), popped(nan))


def test_repeated_and_backward_samples_are_dropped(made: SimpleNamespace) -> None:
    front_end = version_3({"ppg": 64})
    samples = made.made_up(60, {"ppg": 64.0})["ppg"].samples
    plain, doubled = Bridge(front_end), Bridge(front_end)
    assert plain.push("ppg", samples, 0.0)
    assert doubled.push("ppg", samples[:, :1400], 0.0)
    assert not doubled.push("ppg", samples[:, 1000:1200], 1000 / 64)
    assert not doubled.push("ppg", samples[:, 700:1900], 700 / 64)
    assert not doubled.push("ppg", samples[:, 3:9], -1e6)
    for k in range(1800, 2500):  # the end of what repeats comes in single frames
        assert doubled.push("ppg", samples[:, k : k + 1], k / 64) == (k >= 1900)
    assert doubled.push("ppg", samples[:, 2500:], 2500 / 64)
    np.testing.assert_array_equal(popped(doubled), popped(plain))


@pytest.mark.parametrize("name", ["ppg", "acc"])
@pytest.mark.parametrize("off", [-0.015, -0.004, 0.004, 0.015])
def test_a_clock_that_drifts_costs_single_frames(made: SimpleNamespace, name: str, off: float) -> None:
    """Rates off by under 2 %: every token stays, and the bridge keeps step with the clock."""
    rate = made.ALL[name]
    samples = made.made_up(200, {name: rate})[name].samples
    bridge, step = Bridge(version_3({name: rate})), int(rate / 4)
    for first in range(0, samples.shape[1], step):
        bridge.push(name, samples[:, first : first + step], first / rate / (1 + off))
    last = int((samples.shape[1] / rate / (1 + off) - 0.2) / 5)
    assert bridge.closed == last
    found = bridge.rate(name)
    assert found == pytest.approx(rate * (1 + off), rel=2e-3)
    assert all(bridge.reasons(number) == {name: ()} for number in range(last - 10, last))


def test_what_comes_late_to_a_closed_token_is_said_and_the_next_one_is_whole(made: SimpleNamespace) -> None:
    front_end = version_3({"eda": 4, "temp": 4})
    signals = made.made_up(40, {"eda": 4.0, "temp": 4.0})
    bridge = Bridge(front_end)
    bridge.push("eda", signals["eda"].samples[:, :32], 0.0)  # to 8 s: token 0 closes without temp
    assert not bridge.push("temp", signals["temp"].samples[:, :12], 0.0)
    assert not bridge.push("temp", signals["temp"].samples[:, 12:32], 3.0)
    for k in range(8, 40):
        for name, signal in signals.items():
            assert bridge.push(name, signal.samples[:, 4 * k : 4 * k + 4], float(k))
    presence = [row[-4:-2].tolist() for row in popped(bridge)]
    assert presence == [[1, 0]] + [[1, 1]] * 7


@pytest.mark.parametrize("true_hz", [50.0, 40.0, 60.0, 62.0, 66.0, 80.0, 25.0, 128.0])
@pytest.mark.parametrize("frames", [1, 10, 64])
def test_a_wrong_rate_is_found_and_its_tokens_are_absent(
    made: SimpleNamespace, true_hz: float, frames: int
) -> None:
    samples = made.made_up(200, {"ppg": true_hz})["ppg"].samples
    new, old = Bridge(version_3({"ppg": 64})), Bridge(FrontEnd.wearable({"ppg": 64}, frontend_version=2))
    for bridge in (new, old):
        for first in range(0, samples.shape[1], frames):
            bridge.push("ppg", samples[:, first : first + frames], first / true_hz)
        assert bridge.rate("ppg") == pytest.approx(true_hz, rel=5e-3)
    last = new.closed - 1
    assert "rate" in new.reasons(last)["ppg"]
    assert "rate" not in old.reasons(last)["ppg"]


@pytest.mark.parametrize(
    ("loss", "jitter_s"), [(0.0, 0.05), (0.1, 0.0), (0.2, 0.0), (0.1, 0.02), (0.1, 0.05)]
)
@pytest.mark.parametrize(("rate", "frames"), [(64.0, 10), (64.0, 1), (250.0, 10), (250.0, 25), (32.0, 8)])
def test_losses_and_jitter_are_no_wrong_rate(loss: float, jitter_s: float, rate: float, frames: int) -> None:
    bridge, rng = Bridge(version_3({"temp": rate}, tokens=100)), np.random.default_rng(int(rate) + frames)
    samples = 33 + rng.normal(0, 0.01, (1, int(300 * rate)))
    for first in range(0, samples.shape[1], frames):
        if rng.random() >= loss:
            stray_s = rng.uniform(-jitter_s, jitter_s)
            bridge.push("temp", samples[:, first : first + frames], first / rate + stray_s)
    assert bridge.closed >= 58
    for number in range(bridge.closed):
        assert "rate" not in bridge.reasons(number)["temp"], number


def test_a_sensor_that_is_on_for_ten_seconds_a_minute_has_no_wrong_rate() -> None:
    bridge = Bridge(version_3({"temp": 4}, tokens=300))
    for minute in range(20):
        bridge.push("temp", np.full((1, 40), 33.0), 60.0 * minute)
    for number in range(bridge.closed):
        assert "rate" not in bridge.reasons(number)["temp"]


def test_the_rate_is_not_known_at_once() -> None:
    bridge = Bridge(version_3({"temp": 4}))
    assert bridge.rate("temp") is None
    for second in range(20):
        bridge.push("temp", np.full((1, 4), 33.0), float(second))
    assert bridge.rate("temp") is None
    with pytest.raises(BridgeError, match="modality"):
        bridge.rate("ecg")
