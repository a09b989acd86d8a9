"""The bridge's behaviour: tokens, presence, time, windows, errors."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_bridge.errors import BridgeError
from firmware_bridge.frontend import FrontEnd, Normalisation, Quantisation
from firmware_bridge.library import OK, library
from firmware_bridge.native import Bridge, extract_tokens, normalise_tokens
from firmware_bridge.reference_stream import normalise
from firmware_bridge.tables import SpecTables

NULL, BAD_SPEC, TOO_SMALL, BAD_MODALITY, BAD_TIME = 1, 2, 3, 4, 5


def eda_front_end(**settings: float) -> FrontEnd:
    return FrontEnd.wearable({"eda": 4}, None, tokens=3, **settings)


def statistics(front_end: FrontEnd, mode: str = "population", **settings: float) -> FrontEnd:
    rng = np.random.default_rng(0)
    count = front_end.n_features
    mean, std = tuple(rng.standard_normal(count)), tuple(rng.uniform(0.5, 2, count))
    return front_end.with_normalisation(Normalisation(mode=mode, mean=mean, std=std, **settings))  # type: ignore


def presence_of(made: SimpleNamespace, name: str, rate: float, change, seconds: float = 40) -> np.ndarray:  # noqa: ANN001
    signals = made.made_up(seconds, {name: rate})
    change(signals[name].samples)
    return extract_tokens(FrontEnd.wearable({name: rate}), signals).presence[:, 0]


def test_tokens_cover_the_recording(made: SimpleNamespace) -> None:
    stream = extract_tokens(FrontEnd.wearable(made.WRIST), made.made_up(62.4, made.WRIST))
    assert stream.features.shape == (12, 26)
    assert stream.features.dtype == np.float32
    assert stream.presence.all()


def test_a_missing_or_late_sensor_is_absent(made: SimpleNamespace) -> None:
    front_end = FrontEnd.wearable(made.WRIST)
    signals = made.made_up(60, made.WRIST)
    del signals["acc"]
    signals["eda"].start_s = 12.0
    signals["temp"].samples = signals["temp"].samples[:, : 4 * 30]
    stream = extract_tokens(front_end, signals)
    assert stream.presence.shape == (14, 4)  # eda now ends at 72 s
    assert not stream.presence[:, 3].any()
    assert stream.presence[:, 1].tolist() == [False] * 2 + [False] + [True] * 11
    assert stream.presence[:, 2].tolist() == [True] * 6 + [False] * 8
    for m, part in enumerate(front_end.feature_slices.values()):
        assert not stream.features[~stream.presence[:, m], part].any()


@pytest.mark.parametrize(
    ("name", "rate"), [("ppg", 64), ("eda", 4), ("temp", 4), ("acc", 32), ("ecg", 250), ("eeg", 128)]
)
def test_nan_and_out_of_range_make_a_token_absent(made: SimpleNamespace, name: str, rate: int) -> None:
    for value in (np.nan, np.inf, -1e30):

        def spoil(x: np.ndarray, value: float = value) -> None:
            x[0, 10 * rate : 12 * rate] = value  # 40 % of token 2
            x[-1, 20 * rate : 20 * rate + rate // 2] = value  # 10 % of token 4: tolerated

        assert presence_of(made, name, rate, spoil).tolist() == [
            True,
            True,
            False,
            True,
            True,
            True,
            True,
            True,
        ]


def test_flat_and_saturated_tokens_are_absent(made: SimpleNamespace) -> None:
    def flat(x: np.ndarray) -> None:
        x[0, 64 * 11 : 64 * 13] = 3.0

    def saturated(x: np.ndarray) -> None:
        x[1, 32 * 10 : 32 * 12] = 15.95

    assert presence_of(made, "ppg", 64, flat).tolist() == [True, True, False] + [True] * 5
    assert presence_of(made, "acc", 32, saturated).tolist() == [True, True, False] + [True] * 5


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


@pytest.mark.parametrize("time_s", [1e6, 3.9e9])
def test_a_jump_far_ahead_is_quick_and_absent(made: SimpleNamespace, time_s: float) -> None:
    bridge = Bridge(statistics(FrontEnd.wearable(made.WRIST), "running"))
    for name, signal in made.made_up(20, made.WRIST).items():
        bridge.push(name, signal.samples[:, : int(5 * signal.sampling_rate_hz)], 0.0)
    bridge.push("eda", np.ones((1, 400), np.float32), time_s)
    assert bridge.closed >= int(time_s / 5)
    features, presence = bridge.window()
    assert np.isfinite(features).all()
    assert presence[-1].tolist() == [0, 1, 0, 0]


def test_window_readiness_and_enrolment(made: SimpleNamespace) -> None:
    bridge = Bridge(statistics(eda_front_end(), "enrolment", enrolment_s=20))
    samples = made.made_up(60, {"eda": 4.0})["eda"].samples
    with pytest.raises(BridgeError, match="enrol"):
        bridge.window()
    for k in range(7):
        assert not bridge.ready
        bridge.push("eda", samples[:, 20 * k : 20 * k + 20], 5.0 * k)
    assert bridge.ready
    assert bridge.closed == 7
    features, presence = bridge.window()
    assert features.shape == (3, 6)
    assert presence.all()


def test_quantised_window_rounds_half_away_from_zero(made: SimpleNamespace) -> None:
    front_end = statistics(eda_front_end()).with_quantisation(Quantisation(scale=0.05, zero_point=4))
    bridge = Bridge(front_end)
    bridge.push("eda", made.made_up(15, {"eda": 4.0})["eda"].samples, 0.0)
    features, presence = bridge.window()
    small, small_presence = bridge.window_i8()
    scaled = features / np.float32(0.05)
    wanted = np.clip(np.trunc(scaled + np.copysign(np.float32(0.5), scaled)) + 4, -128, 127)
    np.testing.assert_array_equal(small, wanted.astype(np.int8))
    np.testing.assert_array_equal(small_presence, np.where(presence > 0, 127, -128))
    with pytest.raises(BridgeError, match="quantisation"):
        Bridge(eda_front_end()).window_i8()


@pytest.mark.parametrize("mode", ["population", "enrolment", "running"])
def test_normaliser_is_its_formula_and_the_bridge_agrees(made: SimpleNamespace, mode: str) -> None:
    bare = FrontEnd.wearable(made.WRIST)
    front_end = statistics(bare, mode, enrolment_s=30, prior_tokens=5)
    signals = made.made_up(100, made.WRIST)
    signals["eda"].samples[:, 160:240] = np.nan
    raw = extract_tokens(front_end, signals)
    assert np.isnan(raw.features).any()
    got = normalise_tokens(front_end, raw.features, raw.presence)
    modality_of = np.repeat(np.arange(4), [s.stop - s.start for s in bare.feature_slices.values()])
    usable = raw.presence[:, modality_of] & np.isfinite(raw.features)
    assert front_end.normalisation is not None
    wanted = normalise(front_end.normalisation, raw.features.astype(np.float64), usable, 6)
    np.testing.assert_allclose(got, wanted, atol=2e-3)
    assert np.abs(got).max() <= 5
    if mode == "enrolment":
        assert not got[:6].any()
        assert got[6:].any()
    rows, presence = made.tokens_in_chunks(front_end, signals, [1.0])
    np.testing.assert_array_equal(rows, got[: len(rows)])
    np.testing.assert_array_equal(presence, raw.presence[: len(rows)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hr", np.ones((1, 4)), 0.0), "expected one of eda"),
        (("eda", np.ones((2, 4)), 0.0), r"samples \[1, frames\]"),
        (("eda", np.ones(4), 0.0), r"samples \[1, frames\]"),
        (("eda", [["a"]], 0.0), "numbers"),
        (("eda", np.ones((1, 4)), float("nan")), "time"),
        (("eda", np.ones((1, 4)), 1e300), "time"),
    ],
)
def test_bad_pushes_say_what_was_expected(arguments: tuple, message: str) -> None:
    with pytest.raises(BridgeError, match=message):
        Bridge(eda_front_end()).push(*arguments)


def test_bad_signals_are_refused(made: SimpleNamespace) -> None:
    front_end = eda_front_end()
    for signal, message in (
        (made.Plain(np.ones((2, 40), np.float32), 4.0), "samples"),
        (made.Plain(np.ones((1, 40), np.float32), 8.0), "4 Hz"),
        (made.Plain(np.ones((1, 40), np.float32), 4.0, float("inf")), "start_s"),
        (made.Plain(np.ones((1, 40), np.float32), 4.0, 1e12), "tokens"),
    ):
        with pytest.raises(BridgeError, match=message):
            extract_tokens(front_end, {"eda": signal})
    assert extract_tokens(front_end, {}).features.shape == (0, 6)
    with pytest.raises(BridgeError, match="normalisation"):
        normalise_tokens(front_end, np.zeros((2, 6)), np.ones((2, 1)))
    with pytest.raises(BridgeError, match="presence"):
        normalise_tokens(statistics(front_end), np.zeros((2, 6)), np.ones((2, 2)))


def test_the_c_functions_refuse_null_and_small_memory() -> None:
    core, tables = library(), SpecTables(statistics(FrontEnd.wearable({"ppg": 64, "eeg": 128})))
    spec, bridge = ctypes.byref(tables.spec), ctypes.c_void_p()
    size = core.mmq_bridge_size(spec)
    memory = (ctypes.c_char * (size + 8))()
    assert core.mmq_bridge_size(None) == 0
    assert core.mmq_bridge_init(None, size, spec, ctypes.byref(bridge)) == NULL
    assert core.mmq_bridge_init(memory, size, None, ctypes.byref(bridge)) == NULL
    assert core.mmq_bridge_init(memory, size - 1, spec, ctypes.byref(bridge)) == TOO_SMALL
    assert bridge.value is None
    odd = ctypes.c_void_p(ctypes.addressof(memory) + 1)
    assert core.mmq_bridge_init(odd, size, spec, ctypes.byref(bridge)) == OK
    samples = np.zeros(4, np.float32).ctypes.data
    assert core.mmq_bridge_push(None, 0, samples, 4, 0.0) == NULL
    assert core.mmq_bridge_push(bridge, 0, None, 4, 0.0) == NULL
    assert core.mmq_bridge_push(bridge, 2, samples, 4, 0.0) == BAD_MODALITY
    assert core.mmq_bridge_push(bridge, 0, samples, 4, float("inf")) == BAD_TIME
    assert core.mmq_bridge_push(bridge, 0, samples, 0, 0.0) == OK
    assert core.mmq_bridge_advance(None, 0.0) == NULL
    assert core.mmq_bridge_token(bridge, None, None, None) == NULL
    assert core.mmq_bridge_window(None, samples, samples) == NULL
    assert core.mmq_bridge_closed(None) == -1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 9), ("tokens", 0), ("tokens", 100_000), ("n_modalities", 0), ("n_modalities", 99),
        ("n_features", 7), ("token_s", float("nan")), ("grace_s", -1.0), ("normaliser", 7), ("clip", 0.0),
        ("zero_point", 900),
    ],
)  # fmt: skip
def test_a_spec_that_contradicts_itself_is_refused(field: str, value: float) -> None:
    front_end = statistics(eda_front_end()).with_quantisation(Quantisation(scale=0.1, zero_point=0))
    tables = SpecTables(front_end)
    setattr(tables.spec, field, value)
    assert library().mmq_bridge_size(ctypes.byref(tables.spec)) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", 17), ("channels", 0), ("channels", 65), ("fft_size", 100), ("fft_size", 1 << 20),
        ("bands", 9), ("decimate", 0), ("features", 3), ("rate_hz", float("nan")), ("minimum", -1e30),
        ("anti_alias_sections", 99),
        ("hold_frames", 1 << 30), ("psd_scale", float("nan")), ("baseline_alpha", 2.0),
    ],
)  # fmt: skip
def test_a_modality_that_contradicts_itself_is_refused(field: str, value: float) -> None:
    tables = SpecTables(FrontEnd.wearable({"eeg": 128}))
    setattr(tables.spec.modalities[0], field, value)
    assert library().mmq_bridge_size(ctypes.byref(tables.spec)) == 0
