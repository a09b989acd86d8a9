# SPDX-License-Identifier: Apache-2.0
"""From front-end version 3 on a token is present only when every rule could be judged."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.native import Bridge, extract_tokens
from mmq_bridge.core_binding.quality_flags import Reason, reason_names
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.reference.quality import quality
from mmq_bridge.reference.stream import reference_tokens

pytestmark = pytest.mark.slow

SOME = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PACKET = 10


def front_end_of(name: str, rate: float, version: int = 3, **settings: Any) -> FrontEnd:
    return FrontEnd.wearable({name: rate}, frontend_version=version, **settings)


def reasons_of_packets(front_end: FrontEnd, x: np.ndarray, lost: np.ndarray, as_nan: bool) -> np.ndarray:
    """Reasons of each token when packets [n] of ten samples are lost, as NaN or as nothing at all."""
    name = front_end.modality_names[0]
    rate, bridge, found = front_end.modalities[name].sampling_rate_hz, Bridge(front_end), []

    def drain() -> None:
        while bridge.pop_token() is not None:
            found.append(int(bridge.reason_bits(len(found))[0]))

    for k, gone in enumerate(lost):
        part = x[:, PACKET * k : PACKET * (k + 1)]
        if gone and not as_nan:
            continue
        bridge.push(name, np.full_like(part, np.nan) if gone else part, PACKET * k / rate)
        drain()
    bridge.advance(x.shape[1] / rate)
    drain()
    return np.array(found)


def packets(x: np.ndarray) -> int:
    return -(-x.shape[1] // PACKET)


def noise(tokens: int, rate: float, seed: int = 0) -> np.ndarray:
    size = (1, int(tokens * 5 * rate))
    return (100 * np.random.default_rng(seed).standard_normal(size)).astype(np.float32)


@pytest.mark.parametrize("every_s", [1, 2, 3, 4])
@pytest.mark.parametrize("as_nan", [True, False])
def test_noise_stays_absent_when_packets_are_lost(every_s: int, as_nan: bool) -> None:
    """Version 2 took it for a pulse in 101, 101, 68 and 51 of 101 tokens."""
    x = noise(101, 64.0)
    ends = (np.arange(packets(x)) + 1) * PACKET / 64.0
    lost = np.diff(np.floor(ends / every_s), prepend=0) > 0
    found = reasons_of_packets(front_end_of("ppg", 64.0), x, lost, as_nan)
    assert len(found) == 101
    assert (found != 0).sum() >= 100


@pytest.mark.parametrize("share", [0.05, 0.2])
@pytest.mark.parametrize("name", ["ppg", "ecg", "resp"])
def test_noise_stays_absent_at_any_loss(made: SimpleNamespace, name: str, share: float) -> None:
    x = noise(60, made.ALL[name], seed=1) * np.float32(0.01 if name == "ecg" else 1)
    lost = np.random.default_rng(2).random(packets(x)) < share
    found = reasons_of_packets(front_end_of(name, made.ALL[name]), x, lost, False)
    assert (found == 0).mean() <= (0.15 if name == "resp" else 0.01)  # resp: 0.07 without any loss


@pytest.mark.parametrize("name", ["ppg", "ecg", "resp"])
def test_a_clean_wave_stays_present_when_one_packet_in_twenty_is_lost(
    made: SimpleNamespace, name: str
) -> None:
    x = made.made_up(300, {name: made.ALL[name]}, seed=4)[name].samples
    lost = np.random.default_rng(5).random(packets(x)) < 0.05
    found = reasons_of_packets(front_end_of(name, made.ALL[name]), x, lost, False)
    assert (found[2:] == 0).mean() > 0.95


@SOME
@given(
    name=st.sampled_from(["ppg", "ecg", "resp"]),
    share=st.floats(0, 0.4),
    wave=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_core_and_definition_agree(
    made: SimpleNamespace, name: str, share: float, wave: bool, seed: int
) -> None:
    rate, rng = made.ALL[name], np.random.default_rng(seed)
    x = made.made_up(40, {name: rate}, seed=seed)[name].samples if wave else noise(8, rate, seed)
    lost = rng.random(packets(x)) < share
    front_end = front_end_of(name, rate)
    found = reasons_of_packets(front_end, x, lost, True)
    broken = x.copy()
    broken[:, np.repeat(lost, PACKET)[: x.shape[1]]] = np.nan
    twin = quality(front_end, {name: made.Plain(broken, rate)})
    certain = twin.certain[:, 0]
    np.testing.assert_array_equal(found[certain], twin.reasons[certain, 0])


@SOME
@given(
    name=st.sampled_from(["ppg", "resp"]),  # of ecg a packet takes less than the jitter may be
    share=st.floats(0, 0.4),
    wave=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_loss_may_come_as_nan_or_not_at_all(
    made: SimpleNamespace, name: str, share: float, wave: bool, seed: int
) -> None:
    rate, rng = made.ALL[name], np.random.default_rng(seed)
    x = made.made_up(40, {name: rate}, seed=seed)[name].samples if wave else noise(8, rate, seed)
    lost = rng.random(packets(x)) < share
    lost[0] = False  # what comes first sets the origin
    as_nan, as_nothing = (
        reasons_of_packets(front_end_of(name, rate), x, lost, form) for form in (True, False)
    )
    np.testing.assert_array_equal(as_nan, as_nothing)


def names_of(made: SimpleNamespace, front_end: FrontEnd, x: np.ndarray) -> list[tuple[str, ...]]:
    name = front_end.modality_names[0]
    signal = made.Plain(x, front_end.modalities[name].sampling_rate_hz)
    return [reason_names(int(bits)) for bits in extract_tokens(front_end, {name: signal}).reasons[:, 0]]


def test_at_the_start_and_after_a_long_gap_a_pulse_cannot_be_judged(made: SimpleNamespace) -> None:
    """Tokens of 2 s: a regularity takes 2.9 s of good samples."""
    x = made.made_up(20, {"ppg": 64.0}, seed=1)["ppg"].samples
    x[:, 64 * 8 : 64 * 11 - 16] = np.nan  # 2.75 s
    found = names_of(made, front_end_of("ppg", 64.0, token_s=2.0), x)
    assert [k for k, names in enumerate(found) if names == ("unjudged",)] == [0]
    assert [k for k, names in enumerate(found) if names == ("lost",)] == [4, 5]
    found = names_of(made, front_end_of("ppg", 64.0, 2, token_s=2.0), x)
    assert [names for names in found if names not in ((), ("lost",))] == []


def test_breath_takes_ten_seconds_after_a_restart_and_then_is_judged_again(made: SimpleNamespace) -> None:
    x = made.made_up(80, {"resp": 32.0}, seed=2)["resp"].samples
    x[:, 32 * 30 : 32 * 33] = 9.5e6  # at the rail
    found = names_of(made, front_end_of("resp", 32.0), x)
    assert found == [("unjudged",), *[()] * 5, ("saturated", "flat"), ("unjudged",), *[()] * 8]


def test_without_rules_nothing_is_unjudged(made: SimpleNamespace) -> None:
    rng = np.random.default_rng(3)
    for name, rate in made.ALL.items():
        front_end = made.any_shape(front_end_of(name, rate))
        x = made.made_up(60, {name: rate}, seed=3)[name].samples
        x[:, np.repeat(rng.random(packets(x)) < 0.1, PACKET)[: x.shape[1]]] = np.nan
        stream = extract_tokens(front_end, {name: made.Plain(x, rate)})
        assert not (stream.reasons & Reason.UNJUDGED).any(), name


def test_older_versions_never_say_unjudged(made: SimpleNamespace) -> None:
    rng = np.random.default_rng(6)
    for name, rate in made.ALL.items():
        x = made.made_up(60, {name: rate}, seed=6)[name].samples
        x[:, np.repeat(rng.random(packets(x)) < 0.2, PACKET)[: x.shape[1]]] = np.nan
        stream = extract_tokens(front_end_of(name, rate, 2), {name: made.Plain(x, rate)})
        assert not (stream.reasons & Reason.UNJUDGED).any(), name


def test_a_dead_sensor_is_flat_although_packets_are_lost() -> None:
    """A packet in three: no second of samples is whole."""
    x = np.full((1, 64 * 50), 7.0, np.float32)
    lost = np.arange(packets(x)) % 5 == 0
    for version, flat in ((2, False), (3, True)):
        found = reasons_of_packets(front_end_of("ppg", 64.0, version), x, lost, False)
        assert ((found[1:] & Reason.FLAT) != 0).all() == flat


def test_a_step_inside_a_loss_is_seen(made: SimpleNamespace) -> None:
    x = made.made_up(40, {"ecg": 250.0}, seed=7)["ecg"].samples
    lost = np.zeros(packets(x), bool)
    lost[400] = True  # 16.00 to 16.04 s
    x[:, 4005:] += 100.0
    for version, seen in ((2, False), (3, True)):
        found = reasons_of_packets(front_end_of("ecg", 250.0, version), x, lost, False)
        assert bool(found[3] & Reason.STEP) == seen
        assert not (found[:3] & Reason.STEP).any()


def test_what_is_no_number_does_not_pass(made: SimpleNamespace) -> None:
    """The fourth power of such an ecg is beyond float32."""
    x = (0.9e9 * np.sin(2 * np.pi * 10 * np.arange(250 * 80) / 250))[None].astype(np.float32)
    part = {"sampling_rate_hz": 250.0, "minimum": -1e9, "maximum": 1e9, "rail_low": -1e9, "rail_high": 1e9,
            "max_step_per_s": 0.0, "max_deviation": 0.0, "min_band_share": 0.0}  # fmt: skip
    for version, names in ((2, ()), (3, ("unjudged",))):
        front_end = FrontEnd.model_validate(
            {"frontend_version": version, "token_s": 20, "modalities": {"ecg": part}}
        )
        assert names_of(made, front_end, x)[1:] == [names] * 3


@pytest.mark.parametrize("name", ["eeg", "eog", "emg", "ecg", "ppg", "eda", "temp", "acc"])
def test_without_a_loss_the_versions_agree(made: SimpleNamespace, name: str) -> None:
    signals = made.made_up(60, {name: made.ALL[name]}, seed=9)
    older, newer = (extract_tokens(front_end_of(name, made.ALL[name], v), signals) for v in (2, 3))
    np.testing.assert_array_equal(older.reasons, newer.reasons)
    np.testing.assert_array_equal(older.features, newer.features)


@SOME
@given(
    name=st.sampled_from(["ppg", "ecg", "resp"]),
    share=st.floats(0.01, 0.15),
    longest=st.integers(1, 4),
    channels=st.integers(1, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_features_over_filled_losses_are_those_of_the_definition(
    made: SimpleNamespace, name: str, share: float, longest: int, channels: int, seed: int
) -> None:
    rate, rng = made.ALL[name], np.random.default_rng(seed)
    signals = made.made_up(40, {name: rate}, seed=seed, channels={name: channels})
    x = signals[name].samples
    starts = np.flatnonzero(rng.random(packets(x)) < share / longest)
    lost = (starts[:, None] + np.arange(longest)).ravel()
    lost = lost[(lost > 0) & (lost < packets(x) - 1)]
    front_end = FrontEnd.wearable({name: rate}, made.numbered({name: channels}), frontend_version=3)
    x[:, (PACKET * lost[:, None] + np.arange(PACKET)).ravel()] = np.nan
    gone = np.flatnonzero(np.diff(np.isnan(x[0]).astype(int), prepend=0, append=0))
    assume(len(gone) and (gone[1::2] - gone[::2]).max() <= 2 * rate)
    made.check(made.any_shape(front_end), signals, 0.3)


def test_the_definition_refuses_losses_that_are_not_filled(made: SimpleNamespace) -> None:
    for name, version, first, last in (
        ("ppg", 3, 0, 10),
        ("ppg", 3, 640, 800),
        ("ppg", 2, 640, 650),
        ("eda", 3, 8, 9),
    ):
        signals = made.made_up(30, {name: made.ALL[name]})
        signals[name].samples[:, first:last] = np.nan
        with pytest.raises(BridgeError, match=f"{name}: the reference needs"):
            reference_tokens(FrontEnd.wearable({name: made.ALL[name]}, frontend_version=version), signals)
