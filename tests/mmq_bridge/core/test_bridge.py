# SPDX-License-Identifier: Apache-2.0
"""The bridge's behaviour: tokens, windows, normalising, errors."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.library import NO_TOKEN, OK, library
from mmq_bridge.core_binding.native import Bridge, extract_tokens, normalise_tokens
from mmq_bridge.core_binding.spec_struct import SpecTables
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation, Quantisation
from mmq_bridge.reference.stream import normalise

NULL, TOO_SMALL, BAD_MODALITY, BAD_TIME = 1, 3, 4, 5


def eda_front_end(**settings: float) -> FrontEnd:
    return FrontEnd.wearable({"eda": 4}, None, tokens=3, **settings)


def statistics(front_end: FrontEnd, mode: str = "population", **settings: float) -> FrontEnd:
    rng = np.random.default_rng(0)
    count = front_end.n_features
    mean, std = tuple(rng.standard_normal(count)), tuple(rng.uniform(0.5, 2, count))
    return front_end.with_normalisation(Normalisation(mode=mode, mean=mean, std=std, **settings))  # type: ignore


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
    assert core.mmq_bridge_lead_off(None, 0, 1) == NULL
    assert core.mmq_bridge_lead_off(bridge, 2, 1) == BAD_MODALITY
    assert core.mmq_bridge_reasons(None, 0, samples) == NULL
    assert core.mmq_bridge_reasons(bridge, 0, None) == NULL
    assert core.mmq_bridge_reasons(bridge, 0, samples) == NO_TOKEN
    assert core.mmq_spatial(None, samples, 1, samples) == NULL
    assert core.mmq_clock_s(None, 5) == 0
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
        ("prefilter_sections", 99), ("outputs", 2), ("outputs", 0), ("max_step", float("nan")),
        ("max_bad_share", -1.0),
        ("hold_frames", 1 << 30), ("psd_scale", float("nan")), ("baseline_alpha", 2.0),
    ],
)  # fmt: skip
def test_a_modality_that_contradicts_itself_is_refused(field: str, value: float) -> None:
    tables = SpecTables(FrontEnd.wearable({"eeg": 128}))
    setattr(tables.spec.modalities[0], field, value)
    assert library().mmq_bridge_size(ctypes.byref(tables.spec)) == 0
