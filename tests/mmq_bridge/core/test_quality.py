# SPDX-License-Identifier: Apache-2.0
"""Each quality rule on its own: the fault it finds, its name, and that the tokens around it stay."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import Bridge, extract_tokens
from mmq_bridge.core_binding.quality_flags import reason_names
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.reference.quality import quality

Fault = Callable[[np.ndarray, slice], None]
FAULTY = 3  # the token a fault is put into
EVERY = ["eeg", "eog", "emg", "ecg", "ppg", "eda", "temp", "acc", "resp"]


def with_settings(name: str, rate: float, **settings: object) -> FrontEnd:
    return FrontEnd.model_validate({"modalities": {name: {"sampling_rate_hz": rate} | settings}})


def reasons_of(
    made: SimpleNamespace, name: str, fault: Fault, front_end: FrontEnd | None = None
) -> list[tuple[str, ...]]:
    """Reasons of each token of 40 s with a fault in the middle three seconds of token 3.

    That breathing cannot be judged in its first seconds is asserted and left out.
    """
    rate = made.ALL[name]
    signals = made.made_up(40, {name: rate}, seed=3)
    fault(signals[name].samples, slice(int((5 * FAULTY + 1) * rate), int((5 * FAULTY + 4) * rate)))
    front_end = front_end or FrontEnd.wearable({name: rate})
    stream, twin = extract_tokens(front_end, signals), quality(front_end, signals)
    assert twin.certain[:FAULTY].all()
    np.testing.assert_array_equal(stream.reasons[twin.certain], twin.reasons[twin.certain])
    np.testing.assert_array_equal(stream.presence, stream.reasons == 0)
    found = [reason_names(int(bits)) for bits in stream.reasons[:, 0]]
    first = made.unsettled(front_end, name)
    assert all(names == ("unjudged",) for names in found[:first])
    return [()] * first + found[first:]


def expect(found: list[tuple[str, ...]], *names: str, after: tuple[str, ...] = ()) -> None:
    assert found == [()] * FAULTY + [names, after] + [()] * (6 - FAULTY)


def put(value: float) -> Fault:
    def fault(x: np.ndarray, where: slice) -> None:
        x[0, where] = value

    return fault


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    ("value", "why"),
    [(np.nan, "lost"), (np.inf, "lost"), (-np.inf, "lost"), (1e30, "range"), (-1e30, "range")],
)
def test_lost_and_out_of_range(made: SimpleNamespace, name: str, value: float, why: str) -> None:
    found = reasons_of(made, name, put(value))
    expect(found, why, after=("unjudged",) if name == "resp" else ())  # 10 s since the filters started anew


@pytest.mark.parametrize("name", EVERY)
def test_a_loss_under_the_share_is_tolerated(made: SimpleNamespace, name: str) -> None:
    def short(x: np.ndarray, where: slice) -> None:
        x[-1, where.start : where.start + (where.stop - where.start) // 3] = np.nan  # a fifth of the token

    assert reasons_of(made, name, short) == [()] * 8


def test_lost_and_out_of_range_samples_are_both_named(made: SimpleNamespace) -> None:
    def fault(x: np.ndarray, where: slice) -> None:
        x[0, where] = np.nan
        x[0, where.start] = 1e6

    expect(reasons_of(made, "eda", fault), "lost", "range")


@pytest.mark.parametrize("name", ["eeg", "eog", "emg", "ecg", "ppg", "resp", "acc"])
@pytest.mark.parametrize("side", [-1, 1])
def test_saturated(made: SimpleNamespace, name: str, side: int) -> None:
    modality = FrontEnd.wearable({name: made.ALL[name]}).modalities[name]
    rail = modality.rail_high if side > 0 else modality.rail_low

    def fault(x: np.ndarray, where: slice) -> None:
        x[0, where] = rail

    found = reasons_of(made, name, fault)
    assert "saturated" in found[FAULTY]
    assert found[:FAULTY] == [()] * FAULTY


@pytest.mark.parametrize("name", ["eeg", "eog", "emg", "ecg", "ppg", "resp"])
def test_flat(made: SimpleNamespace, name: str) -> None:
    def fault(x: np.ndarray, where: slice) -> None:
        x[0, where] = x[0, where.start]

    found = reasons_of(made, name, fault)
    assert "flat" in found[FAULTY]
    assert found[:FAULTY] + found[FAULTY + 1 :] == [()] * 7


def test_repeated_values_of_a_coarse_converter_are_not_flat(made: SimpleNamespace) -> None:
    def coarse(x: np.ndarray, where: slice) -> None:
        x[:] = np.round(x, 2 if x.max() < 20 else 1)  # 0.01 uS, 0.1 degC

    assert reasons_of(made, "eda", coarse) == [()] * 8
    assert reasons_of(made, "temp", coarse) == [()] * 8


def test_a_frozen_skin_sensor_is_flat_at_last(made: SimpleNamespace) -> None:
    def frozen(x: np.ndarray, where: slice) -> None:
        x[0, where.start :] = 2.0

    found = reasons_of(made, "eda", frozen)
    assert found == [()] * 4 + [("flat",)] * 4  # 5 s after it froze at 16 s


@pytest.mark.parametrize(
    ("name", "size"), [("eeg", 300.0), ("eog", 500.0), ("ecg", 4.0), ("eda", 3.0), ("temp", 1.0)]
)
def test_a_step(made: SimpleNamespace, name: str, size: float) -> None:
    def pop(x: np.ndarray, where: slice) -> None:
        x[0, where.start] += size

    modality = FrontEnd.wearable({name: made.ALL[name]}).modalities[name]
    assert size > modality.max_step_per_s / modality.sampling_rate_hz
    found = reasons_of(made, name, pop)
    assert "step" in found[FAULTY]
    assert found[:FAULTY] == [()] * FAULTY
    off = with_settings(name, made.ALL[name], max_step_per_s=0)
    assert "step" not in reasons_of(made, name, pop, off)[FAULTY]


def test_a_change_over_a_loss_is_a_step_from_version_3_on(made: SimpleNamespace) -> None:
    def fault(x: np.ndarray, where: slice) -> None:
        x[0, where.start] = np.nan
        x[0, where.start + 1 :] += 5

    older = FrontEnd.wearable({"eda": 4}, frontend_version=2)
    assert reasons_of(made, "eda", fault, older) == [()] * 8
    expect(reasons_of(made, "eda", fault), "step")


@pytest.mark.parametrize("name", ["eeg", "eog", "emg", "ecg"])
def test_weak_and_strong(made: SimpleNamespace, name: str) -> None:
    modality = FrontEnd.wearable({name: made.ALL[name]}).modalities[name]

    def weak(x: np.ndarray, where: slice) -> None:
        x *= 0.3 * modality.min_deviation / x.std()

    def strong(x: np.ndarray, where: slice) -> None:
        x *= 3 * modality.max_deviation / x.std()

    assert all("weak" in names for names in reasons_of(made, name, weak))
    loud = with_settings(name, made.ALL[name], max_step_per_s=0)
    assert all(names == ("strong",) for names in reasons_of(made, name, strong, loud))


def test_mains_alone_is_no_ecg(made: SimpleNamespace) -> None:
    def mains(x: np.ndarray, where: slice) -> None:
        x[0] = 0.3 * np.sin(2 * np.pi * 50 * np.arange(x.shape[1]) / 250)

    found = reasons_of(made, "ecg", mains)
    assert found[0] == ("band",)  # the filter's first swing stands out
    assert all(names == ("kurtosis", "band") for names in found[1:])


@pytest.mark.parametrize("name", ["ppg", "resp"])
def test_noise_is_no_pulse_and_no_breath(made: SimpleNamespace, name: str) -> None:
    def noise(x: np.ndarray, where: slice) -> None:
        x[0] = np.random.default_rng(1).standard_normal(x.shape[1])

    found = reasons_of(made, name, noise)
    assert np.mean(["band" in names for names in found]) >= 0.75


def test_a_wave_that_never_repeats_is_irregular(made: SimpleNamespace) -> None:
    def drifting(x: np.ndarray, where: slice) -> None:
        x[0] = np.cumsum(np.random.default_rng(0).standard_normal(x.shape[1]))

    strict = with_settings("ppg", 64.0, min_regularity=0.6, min_band_share=0)
    assert sum("irregular" in names for names in reasons_of(made, "ppg", drifting, strict)) >= 5
    assert reasons_of(made, "ppg", lambda x, where: None, strict) == [()] * 8


def test_a_wave_skewed_to_the_wrong_side(made: SimpleNamespace) -> None:
    """Dips once in 1.2 s: what the causal pulse band leaves of them has a skewness of 0.8, of peaks -0.8."""

    def dips(x: np.ndarray, where: slice) -> None:
        since_beat = np.mod(np.arange(x.shape[1]) / 64, 1.2)
        x[0] = -50 * np.exp(-0.5 * ((since_beat - 0.4) / 0.08) ** 2)

    def peaks(x: np.ndarray, where: slice) -> None:
        dips(x, where)
        x *= -1

    strict = with_settings("ppg", 64.0, min_skewness=0.0)
    assert reasons_of(made, "ppg", dips, strict) == [()] * 8
    assert reasons_of(made, "ppg", peaks, strict) == [("skewed",)] * 8
    assert reasons_of(made, "ppg", peaks) == [()] * 8


def test_lead_off_is_lost_while_it_lasts(made: SimpleNamespace) -> None:
    front_end = FrontEnd.wearable({"ecg": 250.0}, {"ecg": ("I", "II")})
    samples = made.made_up(40, {"ecg": 250.0}, channels={"ecg": 2})["ecg"].samples
    bridge, off = Bridge(front_end), np.zeros(samples.shape, bool)
    off[1, 250 * 11 : 250 * 14] = True
    for first in range(0, 10_000, 250):
        bridge.lead_off("ecg", ("II",) if off[1, first] else ())
        bridge.push("ecg", samples[:, first : first + 250], first / 250)
    found = [bridge.reasons(k)["ecg"] for k in range(8)]
    assert found == [(), (), ("lead_off",)] + [()] * 5
    twin = quality(front_end, {"ecg": made.Plain(samples, 250.0)}, {"ecg": off})
    assert [reason_names(int(bits)) for bits in twin.reasons[:, 0]] == found


def test_lead_off_takes_names_or_the_chip_s_bits(made: SimpleNamespace) -> None:
    front_end = FrontEnd.wearable({"eeg": 250.0}, {"eeg": ("Fz", "Cz", "Pz")})
    samples = made.made_up(10, {"eeg": 250.0}, channels={"eeg": 3})["eeg"].samples
    rows = []
    for channels in (("Fz", "Pz"), 0b101):
        bridge = Bridge(front_end)
        bridge.lead_off("eeg", channels)
        bridge.push("eeg", samples, 0.0)
        assert bridge.reasons(1) == {"eeg": ("lead_off",)}
        rows.append(bridge.reason_bits(0))
    np.testing.assert_array_equal(*rows)
    for channels, message in ((("Oz",), "Fz, Cz, Pz"), (8, "0 to 7, got 8"), (-1, "got -1")):
        with pytest.raises(BridgeError, match=message):
            bridge.lead_off("eeg", channels)
    with pytest.raises(BridgeError, match="expected one of eeg"):
        bridge.lead_off("ecg", ())


def test_reasons_of_tokens_that_cannot_be_asked(made: SimpleNamespace) -> None:
    bridge = Bridge(FrontEnd.wearable({"eda": 4}, tokens=3))
    with pytest.raises(BridgeError, match="token 0"):
        bridge.reasons(0)
    bridge.push("eda", made.made_up(60, {"eda": 4.0})["eda"].samples, 0.0)
    assert bridge.closed == 12
    assert bridge.reasons(11) == {"eda": ()}
    assert bridge.reasons(5) == {"eda": ()}  # the last 3 + 4
    for number in (-1, 4, 12):
        with pytest.raises(BridgeError, match="token"):
            bridge.reasons(number)


def test_a_sensor_that_never_came_is_lost(made: SimpleNamespace) -> None:
    signals = made.made_up(20, {"eda": 4.0})
    stream = extract_tokens(FrontEnd.wearable({"eda": 4, "ppg": 64}), signals)
    assert [reason_names(int(bits)) for bits in stream.reasons[:, 1]] == [("lost",)] * 4
