# SPDX-License-Identifier: Apache-2.0
"""Packets with a counter: cut anyhow, swapped, lost, twice, over the counter's end, from a new start."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WINDOW = 32
VERSIONS = pytest.mark.parametrize("version", [2, 3])


def front_end_of(rates: dict[str, float], version: int = 3, tokens: int = 12) -> FrontEnd:
    return FrontEnd.wearable(rates, frontend_version=version, tokens=tokens)


def popped(bridge: Bridge) -> np.ndarray:
    rows, number = [], max(0, bridge.closed - bridge.front_end.tokens - 4)
    while (token := bridge.pop_token()) is not None:
        rows.append(np.concatenate([token[0].view(np.uint32), token[1], bridge.reason_bits(number)]))
        number += 1
    return np.array(rows)


def packets(samples: np.ndarray, cuts: list[int]) -> list[tuple[int, np.ndarray]]:
    out, first, k = [], 0, 0
    while first < samples.shape[1]:
        frames = cuts[k % len(cuts)]
        out.append((first, samples[:, first : first + frames]))
        first, k = first + frames, k + 1
    return out


def lost_as_nan(samples: np.ndarray, lost: list[tuple[int, np.ndarray]]) -> np.ndarray:
    holed = samples.copy()
    for first, part in lost:
        holed[:, first : first + part.shape[1]] = np.nan
    return holed


@FEW
@given(
    version=st.sampled_from([1, 2, 3]),
    name=st.sampled_from(["ppg", "eda", "acc"]),
    cuts=st.lists(st.integers(1, 16), min_size=1, max_size=5),
    start=st.one_of(st.integers(0, 2**32 - 1), st.just(2**32 - 100)),
    seed=st.integers(0, 2**32 - 1),
)
def test_neither_cuts_nor_swaps_nor_copies_change_a_bit(
    made: SimpleNamespace, version: int, name: str, cuts: list[int], start: int, seed: int
) -> None:
    """Neighbours change places, packets come twice or never: as if NaN had been measured for these."""
    rate, rng = made.ALL[name], np.random.default_rng(seed)
    front_end = front_end_of({name: rate}, version)
    samples = made.made_up(41, {name: rate}, seed=5)[name].samples
    sent, lost, came, k = packets(samples, cuts), [], [], 1
    last = len(sent) - 40 // min(cuts) - 2  # what is lost at the end is never known to be
    while k < len(sent):
        what = rng.random()
        if what < 0.05 and k < last:
            lost.append(sent[k])
        elif what < 0.2 and k + 1 < last:
            came += [sent[k + 1], sent[k]]
            k += 1
        else:
            came += [sent[k]] * (2 if what < 0.25 else 1)
        k += 1
    plain, counted = Bridge(front_end), Bridge(front_end)
    plain.push_counted(name, lost_as_nan(samples, lost), 7)
    for first, part in [sent[0], *came]:
        counted.push_counted(name, part, start + first)
    assert plain.closed == counted.closed == 8
    np.testing.assert_array_equal(popped(counted), popped(plain))


@VERSIONS
def test_counted_samples_are_placed_as_those_with_exact_times(made: SimpleNamespace, version: int) -> None:
    front_end, signals = front_end_of(made.WRIST, version), made.made_up(40, made.WRIST)
    timed, counted = Bridge(front_end), Bridge(front_end)
    for k in range(40):
        for name, signal in signals.items():
            rate = int(signal.sampling_rate_hz)
            part = signal.samples[:, k * rate : (k + 1) * rate]
            assert timed.push(name, part, float(k))
            assert counted.push_counted(name, part, 1000 * rate + k * rate)
    assert counted.closed == 8
    np.testing.assert_array_equal(popped(counted), popped(timed))


@VERSIONS
def test_single_packets_out_of_order_in_one_of_fifty_change_nothing(
    made: SimpleNamespace, version: int
) -> None:
    """All sensors of a wrist, packets of a quarter of a second."""
    front_end, signals = front_end_of(made.WRIST, version), made.made_up(60, made.WRIST)
    bridges = Bridge(front_end), Bridge(front_end)
    for swapped, bridge in enumerate(bridges):
        events = []
        for name, signal in signals.items():
            step = int(signal.sampling_rate_hz / 4)
            for i, (first, part) in enumerate(packets(signal.samples, [step])):
                later = 0.3 if swapped and i % 50 == 9 else 0.0
                events.append(((i + later * 4.5) / 4, name, first, part))
        for _, name, first, part in sorted(events, key=lambda event: event[0]):
            assert bridge.push_counted(name, part, first)
    assert bridges[0].closed == 12
    np.testing.assert_array_equal(popped(bridges[1]), popped(bridges[0]))


def test_a_frame_is_given_up_when_one_came_that_is_a_window_further_on() -> None:
    front_end = front_end_of({"temp": 4})
    samples = np.linspace(33, 34, 400)[None]
    for late, used in ((WINDOW - 1, True), (WINDOW, False)):
        bridge, plain = Bridge(front_end), Bridge(front_end)
        bridge.push_counted("temp", samples[:, :10], 0)
        for k in range(11, 11 + late):
            assert bridge.push_counted("temp", samples[:, k : k + 1], k)
        assert bridge.push_counted("temp", samples[:, 10:11], 10) == used
        bridge.push_counted("temp", samples[:, 11 + late :], 11 + late)
        holed = samples.copy()
        holed[:, 10] = samples[:, 10] if used else np.nan
        plain.push_counted("temp", holed, 0)
        np.testing.assert_array_equal(popped(bridge), popped(plain))


def test_what_is_held_is_used_before_its_token_closes(made: SimpleNamespace) -> None:
    """EDA lost a packet: until the window is full eight seconds pass, the others wait for two."""
    front_end = front_end_of({"eda": 4, "temp": 4}, tokens=30)
    signals = made.made_up(60, {"eda": 4.0, "temp": 4.0})
    bridge, plain = Bridge(front_end), Bridge(front_end)
    holed = lost_as_nan(signals["eda"].samples, [(40, signals["eda"].samples[:, 40:42])])
    for k in range(120):
        here = slice(2 * k, 2 * k + 2)
        plain.push("temp", signals["temp"].samples[:, here], k / 2)
        plain.push("eda", holed[:, here], k / 2)
        assert bridge.push_counted("temp", signals["temp"].samples[:, here], 2 * k)
        if k != 20:
            assert bridge.push_counted("eda", signals["eda"].samples[:, here], 2 * k)
    np.testing.assert_array_equal(popped(bridge), popped(plain)[: bridge.closed])
    assert bridge.closed >= 11


def test_advance_uses_what_is_held(made: SimpleNamespace) -> None:
    samples = made.made_up(20, {"eda": 4.0})["eda"].samples
    bridge, plain = Bridge(front_end_of({"eda": 4})), Bridge(front_end_of({"eda": 4}))
    bridge.push_counted("eda", samples[:, :30], 0)
    bridge.push_counted("eda", samples[:, 31:40], 31)
    assert bridge.closed == 1
    bridge.advance(10.0)
    plain.push("eda", lost_as_nan(samples[:, :40], [(30, samples[:, 30:31])]), 0.0)
    assert bridge.closed == plain.closed == 2
    np.testing.assert_array_equal(popped(bridge), popped(plain))


def test_a_sensor_that_joins_after_an_hour_begins_now(made: SimpleNamespace) -> None:
    front_end, signals = front_end_of({"eda": 4, "temp": 4}), made.made_up(60, {"eda": 4.0, "temp": 4.0})
    bridge = Bridge(front_end)
    bridge.push_counted("temp", signals["temp"].samples[:, :8], 77)
    for k in range(3600):
        bridge.push_counted("temp", np.full((1, 4), 33.0), 85 + 4 * k)
    for k in range(60):
        bridge.push_counted("temp", signals["temp"].samples[:, 4 * k : 4 * k + 4], 85 + 14_400 + 4 * k)
        assert bridge.push_counted("eda", signals["eda"].samples[:, 4 * k : 4 * k + 4], 9_999 + 4 * k)
    assert bridge.closed == (3602 + 60) // 5
    assert all(bridge.reasons(number)["eda"] == () for number in range(bridge.closed - 8, bridge.closed))


@pytest.mark.parametrize("again", [0, 5, 2**31, 2**32 - 1])
def test_a_counter_that_begins_anew_goes_on_now(made: SimpleNamespace, again: int) -> None:
    front_end, samples = front_end_of({"eda": 4, "temp": 4}, tokens=60), made.made_up(60, {"eda": 4.0})
    bridge = Bridge(front_end)
    for k in range(300):
        bridge.push_counted("temp", np.full((1, 4), 33.0) + 0.01 * np.arange(4), 4 * k)
        if k < 100:
            bridge.push_counted("eda", samples["eda"].samples[:, :4] + 0.01 * k, 1_000_000 + 4 * k)
        elif k >= 150:
            bridge.push_counted("eda", samples["eda"].samples[:, 4:8] + 0.01 * k, again + 4 * (k - 150))
    presence = [not bridge.reasons(number)["eda"] for number in range(bridge.closed)]
    assert bridge.closed == 60
    assert presence == [True] * 20 + [False] * 10 + [True] * 30


def test_a_pause_keeps_its_length(made: SimpleNamespace) -> None:
    """An hour out of reach, the counter ran on."""
    samples = made.made_up(20, {"eda": 4.0})["eda"].samples
    bridge = Bridge(front_end_of({"eda": 4}))
    bridge.push_counted("eda", samples, 0)
    bridge.push_counted("eda", samples, 80 + 4 * 3600)
    bridge.advance(3640.0)
    assert bridge.closed == 728
    assert bridge.window()[1][-4:].all()


@VERSIONS
def test_a_modality_may_change_between_time_and_counter(made: SimpleNamespace, version: int) -> None:
    samples = made.made_up(60, {"eda": 4.0})["eda"].samples
    mixed, plain = Bridge(front_end_of({"eda": 4}, version)), Bridge(front_end_of({"eda": 4}, version))
    mixed.push("eda", samples[:, :43], 1_700_000_000.0)
    mixed.push_counted("eda", samples[:, 43:90], 5)
    mixed.push_counted("eda", samples[:, 91:100], 53)
    mixed.push("eda", samples[:, 100:], 1_700_000_025.0)
    plain.push("eda", lost_as_nan(samples, [(90, samples[:, :1])]), 0.0)
    np.testing.assert_array_equal(popped(mixed), popped(plain))


def test_the_first_time_after_counted_packets_is_now(made: SimpleNamespace) -> None:
    front_end, signals = front_end_of({"eda": 4, "temp": 4}), made.made_up(60, {"eda": 4.0, "temp": 4.0})
    bridge = Bridge(front_end)
    for k in range(60):
        assert bridge.push_counted("eda", signals["eda"].samples[:, 4 * k : 4 * k + 4], 4 * k)
        assert bridge.push("temp", signals["temp"].samples[:, 4 * k : 4 * k + 4], 1_700_000_000.0 + k)
    assert bridge.closed == 12
    assert all(row[-4:-2].all() for row in popped(bridge)[1:])


def test_whoever_is_late_is_told(made: SimpleNamespace) -> None:
    bridge, samples = Bridge(front_end_of({"eda": 4})), made.made_up(20, {"eda": 4.0})["eda"].samples
    assert bridge.push_counted("eda", samples, 50)
    assert not bridge.push_counted("eda", samples[:, 70:], 120)
    assert not bridge.push_counted("eda", samples[:, :5], 50)
    assert bridge.push_counted("eda", samples[:, :0], 0)
    assert bridge.closed == 4


@pytest.mark.parametrize("first", [None, 1.5, "3", 2**63])
def test_a_counter_that_is_none_is_named(first: object) -> None:
    with pytest.raises(BridgeError, match="first_index"):
        Bridge(front_end_of({"eda": 4})).push_counted("eda", np.zeros((1, 4)), first)  # type: ignore[arg-type]


def test_the_state_of_a_wrist_stays_under_14_kb(made: SimpleNamespace) -> None:
    assert Bridge(front_end_of(made.WRIST)).state_bytes < 14 * 1024


@pytest.mark.parametrize("cut", [1, 7, 64, 200])
def test_what_is_held_counts_however_long_another_sensor_s_push_is(made: SimpleNamespace, cut: int) -> None:
    """A packet of EDA is missing, those behind it are held, then PPG comes for a minute, at once or cut."""
    rates = {"ppg": 64.0, "eda": 4.0}
    front_end = front_end_of(rates)
    signals = made.made_up(80, rates, seed=6)
    ppg, eda = signals["ppg"].samples, signals["eda"].samples

    def run(frames: int) -> Bridge:
        bridge = Bridge(front_end)
        bridge.push("ppg", ppg[:, :640], 0.0)
        bridge.push_counted("eda", eda[:, :40], 0)
        bridge.push_counted("eda", eda[:, 42:62], 42)  # frames 40 and 41 may still come
        for first in range(640, 64 * 70, frames):
            bridge.push("ppg", ppg[:, first : min(first + frames, 64 * 70)], first / 64)
        return bridge

    whole, pieces = run(64 * 60), run(cut)
    assert whole.closed == pieces.closed
    np.testing.assert_array_equal(popped(whole), popped(pieces))


@pytest.mark.parametrize("jump", ["counted", "timed", "advance"])
def test_what_is_held_counts_when_another_sensor_or_the_clock_jumps(made: SimpleNamespace, jump: str) -> None:
    """As above; then PPG goes on 30 s later, by its counter or its time, or time just passes."""
    rates = {"ppg": 64.0, "eda": 4.0}
    signals = made.made_up(60, rates, seed=6)
    ppg, eda = signals["ppg"].samples, signals["eda"].samples
    bridge = Bridge(front_end_of(rates))
    bridge.push_counted("ppg", ppg[:, :640], 0)
    bridge.push_counted("eda", eda[:, :40], 0)  # begins now, at 10 s
    bridge.push_counted("eda", eda[:, 42:62], 42)  # frames 40 and 41 may still come
    if jump == "counted":
        bridge.push_counted("ppg", ppg[:, 2560:2640], 2560)
    elif jump == "timed":
        bridge.push("ppg", ppg[:, 2560:2640], 40.0)
    else:
        bridge.advance(40.0)
    seen = []
    while (token := bridge.pop_token()) is not None:
        seen.append(bool(token[1][1]))
    assert seen[:7] == [False, False, True, True, True, False, False]
