# SPDX-License-Identifier: Apache-2.0
"""Specs that contradict themselves, overflow or come from the future, straight through ctypes."""

import ctypes
import json

import numpy as np
import pytest
from fuzz.front_ends import front_ends
from hypothesis import given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.library import OK, library, raise_status
from mmq_bridge.core_binding.spec_struct import CModality, SpecTables
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FRONTEND_VERSION, FrontEnd
from mmq_bridge.front_end.modalities import CORE_KINDS

BAD_SPEC, TOO_SMALL, NEWER_SPEC = 2, 3, 11
GUARD = 64
COUNTS = [0xFFFFFFFF, 0x80000000, 0x80000001, 0x7FFFFFFF, 0x10000000, 0x00100000, 0x00010001]
WAVES = {"eeg", "eog", "emg", "ecg", "ppg", "resp"}
WHERE = {
    "kind": set(CORE_KINDS),
    "channels": set(CORE_KINDS),
    "outputs": set(CORE_KINDS),
    "features": set(CORE_KINDS),
    "hold_frames": set(CORE_KINDS),
    "decimate": set(CORE_KINDS),
    "bands": WAVES,
    "prefilter_sections": WAVES,
    "context": {"ecg", "ppg", "resp", "eda", "temp"},
    "fft_size": {"eeg", "eog", "emg", "ppg"},
    "spectrum_samples": {"ppg"},
    "spectrum_low": {"ppg"},
    "spectrum_high": {"ppg"},
    "lag_low": {"ppg"},
    "lag_high": {"ppg"},
    "peak_window": {"ecg", "ppg"},
    "beat_window": {"ecg", "ppg"},
}
"""Counts that index or size something, by the kinds that use them."""
LIMITS = {
    "rate_hz": set(CORE_KINDS),
    **dict.fromkeys(("minimum", "maximum", "rail_low", "rail_high", "max_step"), set(CORE_KINDS)),
    **dict.fromkeys(("max_saturated_share", "max_lost_share", "max_bad_share"), set(CORE_KINDS)),
    **dict.fromkeys(("min_deviation", "max_deviation", "min_kurtosis", "min_band_share"), set(CORE_KINDS)),
    **dict.fromkeys(("min_regularity", "min_skewness"), set(CORE_KINDS)),
    "baseline_alpha": WAVES,
    "beat_offset": {"ecg", "ppg"},
    "psd_scale": {"eeg", "eog", "emg"},
}
"""Thresholds and other floats, by the kinds that read them."""
ALL = [(kind, field) for field, kinds in WHERE.items() for kind in sorted(kinds)]
FLOATS = [(kind, field) for field, kinds in LIMITS.items() for kind in sorted(kinds)]
TYPES = {field[0]: field[1] for field in CModality._fields_}
U32 = [name for name, kind in TYPES.items() if kind is ctypes.c_uint32]
F32 = [name for name, kind in TYPES.items() if kind is ctypes.c_float]


def only(kind):
    """A good spec of one kind, two channels where it may have them."""
    for front_end in front_ends().values():
        if kind in front_end.modalities and front_end.frontend_version > 1:
            part = front_end.modalities[kind].model_dump(mode="json")
            data = {"frontend_version": front_end.frontend_version, "modalities": {kind: part}}
            data |= {"token_s": 2, "tokens": 2, "grace_s": 1.0}
            return SpecTables(FrontEnd.from_json(json.dumps(data)))
    raise AssertionError(kind)


def answer(tables):
    """Return the size and what init says, which must agree; nothing may be written on a refusal."""
    core, spec = library(), ctypes.byref(tables.spec)
    size = core.mmq_bridge_size(spec)
    bridge = ctypes.c_void_p(1)
    small = (ctypes.c_ubyte * GUARD)(*[0xA5] * GUARD)
    status = core.mmq_bridge_init(small, GUARD, spec, ctypes.byref(bridge))
    assert bridge.value is None
    assert bytes(small) == b"\xa5" * GUARD
    assert (status == TOO_SMALL) == (size > 0)
    return size, status


@pytest.mark.parametrize("kind", CORE_KINDS)
def test_the_specs_these_tests_change_are_good(kind):
    size, _ = answer(only(kind))
    assert 500 < size < 200_000


@pytest.mark.parametrize(("kind", "field"), ALL)
def test_absurd_counts_are_refused(kind, field):
    tables = only(kind)
    before = getattr(tables.spec.modalities[0], field)
    for value in COUNTS:
        setattr(tables.spec.modalities[0], field, value)
        assert answer(tables) == (0, BAD_SPEC), f"{field} = {value}"
    setattr(tables.spec.modalities[0], field, before)
    assert answer(tables)[0] > 0


@pytest.mark.parametrize("kind", CORE_KINDS)
def test_counts_a_kind_does_not_use_do_not_change_its_memory(kind):
    tables = only(kind)
    wanted, _ = answer(tables)
    for field in U32:
        if kind in WHERE.get(field, ()) or field == "refractory":
            continue
        before = getattr(tables.spec.modalities[0], field)
        for value in COUNTS:
            setattr(tables.spec.modalities[0], field, value)
            assert answer(tables)[0] in (0, wanted), f"{field} = {value}"
        setattr(tables.spec.modalities[0], field, before)


@pytest.mark.parametrize("field", ["tokens", "n_modalities", "n_features", "normaliser"])
def test_absurd_counts_of_the_whole_are_refused(field):
    tables = only("eda")
    for value in [0, *COUNTS] if field != "normaliser" else COUNTS:
        setattr(tables.spec, field, value)
        assert answer(tables) == (0, BAD_SPEC), f"{field} = {value}"


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("eda", {"channels": 2**31 + 1, "outputs": 2**31 + 1}),  # 6 * outputs is 6 in 32 bits
        ("eeg", {"bands": 2**31 + 5}),  # 2 * bands is 10
        ("eeg", {"channels": 2**30 + 4, "outputs": 2**30 + 4}),
        ("emg", {"bands": 2**31 + 3}),
        ("acc", {"channels": 2863311531, "outputs": 2863311531 // 3}),
        ("acc", {"channels": 1, "outputs": 2863311531}),  # 3 * outputs is 1
        ("ppg", {"lag_high": 1431655766}),  # 3 * lag is 2
        ("ppg", {"spectrum_high": 2**32 - 3}),
        ("ppg", {"fft_size": 2**31}),
        ("ecg", {"context": 2**32 - 1, "refractory": 1}),
        ("resp", {"outputs": 2**30 + 1, "channels": 2**30 + 1}),
    ],
)
def test_counts_whose_products_wrap_around_in_32_bits_are_refused(kind, changes):
    tables = only(kind)
    for field, value in changes.items():
        setattr(tables.spec.modalities[0], field, value)
    assert answer(tables) == (0, BAD_SPEC)


def test_features_that_add_up_only_modulo_32_bits_are_refused():
    tables = only("temp")
    modalities = (CModality * 2)(tables.spec.modalities[0], tables.spec.modalities[0])
    modalities[1].features = (1 << 32) - 3
    tables.spec.modalities, tables.spec.n_modalities, tables.spec.n_features = modalities, 2, 0
    assert answer(tables) == (0, BAD_SPEC)


@pytest.mark.parametrize("kind", CORE_KINDS)
def test_the_largest_spec_there_is_needs_less_than_a_32_bit_size_can_say(kind):
    """No sum or product of sizes can wrap around on a microcontroller: here pointers are not smaller."""
    spec, alive = largest(kind)
    size = library().mmq_bridge_size(ctypes.byref(spec))
    assert 2**20 < size < 2**32
    assert alive


def largest(kind):
    tables, alive = only(kind), []
    modality = tables.spec.modalities[0]
    modality.channels = 63 if kind == "acc" else 64
    outputs = modality.outputs = 21 if kind == "acc" else 64
    give(modality, alive)
    if kind in ("eeg", "eog", "emg"):
        modality.bands, modality.fft_size = 8, 1024
    modality.features = {"eeg": 16, "eog": 16, "emg": 18, "ecg": 7, "ppg": 10, "eda": 6, "temp": 3}.get(
        kind, 4 if kind == "resp" else 7
    ) * outputs
    modality.context, modality.refractory, modality.rate_hz = 40_000, 1, 4000.0
    if kind in ("ecg", "ppg"):
        modality.beat_window = modality.peak_window = 999
    if kind == "ppg":
        modality.fft_size = modality.spectrum_samples = 1024
    if modality.prefilter_sections:
        modality.prefilter_sections = 16
    spec = tables.spec
    spec.modalities = (CModality * 16)(*[modality] * 16)
    spec.n_modalities, spec.n_features, spec.tokens = 16, 16 * modality.features, 512
    spec.token_s, spec.grace_s, spec.normaliser, spec.prior_tokens, spec.clip = 0.1, 3600.0, 3, 1.0, 5.0
    statistics = np.ones(spec.n_features, np.float32)
    spec.mean = spec.std = statistics.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return spec, [*alive, statistics, tables]


def give(modality, alive):
    """Point a modality's tables to arrays that are long enough for whatever the core accepts."""
    sizes = {"prefilter": 80, "bank": 40, "fft_window": 1024, "twiddles": 1024, "spatial": 64 * 64}
    for field, size in sizes.items():
        given = getattr(modality, field)
        if not given:
            continue
        array = np.zeros(size, np.float32)
        array[0] = given[0]
        alive.append(array)
        setattr(modality, field, array.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))
    if modality.band_bins:
        bins = np.tile(np.array([1, 3], np.uint16), 8)
        alive.append(bins)
        modality.band_bins = bins.ctypes.data_as(ctypes.POINTER(ctypes.c_uint16))


@pytest.mark.parametrize(("kind", "field"), FLOATS)
def test_limits_that_are_no_number_are_refused(kind, field):
    tables = only(kind)
    setattr(tables.spec.modalities[0], field, float("nan"))
    assert answer(tables) == (0, BAD_SPEC)


@pytest.mark.parametrize("value", [float("nan"), -1.0, float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("field", ["token_s", "grace_s"])
def test_times_that_are_impossible_are_refused(field, value):
    tables = only("eda")
    setattr(tables.spec, field, value)
    assert answer(tables) == (0, BAD_SPEC)


@pytest.mark.parametrize("field", ["scale", "prior_tokens", "clip"])
def test_statistics_without_a_number_are_refused(field):
    tables = SpecTables(front_ends()["wrist"])
    assert answer(tables)[0] > 0
    for value in (float("nan"), 0.0, -1.0):
        setattr(tables.spec, field, value)
        assert answer(tables) == (0, BAD_SPEC)


@pytest.mark.parametrize(("field", "values"), [("mean", [np.nan, np.inf]), ("std", [np.nan, np.inf, 0, -1])])
def test_a_bad_mean_or_deviation_anywhere_is_refused(field, values):
    tables = SpecTables(front_ends()["wrist"])
    numbers = getattr(tables.spec, field)
    for at in (0, tables.spec.n_features - 1):
        before = numbers[at]
        for value in values:
            numbers[at] = value
            assert answer(tables) == (0, BAD_SPEC)
        numbers[at] = before
    assert answer(tables)[0] > 0


@pytest.mark.parametrize(("kind", "field"), [("ecg", "prefilter"), ("ppg", "bank"), ("eeg", "spatial")])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_filter_or_matrix_that_is_not_finite_is_refused(kind, field, value):
    tables = only(kind)
    table = getattr(tables.spec.modalities[0], field)
    if not table:
        tables = only("eeg")
        table = getattr(tables.spec.modalities[0], field)
    table[2] = value
    assert answer(tables) == (0, BAD_SPEC)


@pytest.mark.parametrize("kind", CORE_KINDS)
def test_tables_that_are_missing_are_refused(kind):
    for field in set(TYPES) - {*U32, *F32}:
        tables = only(kind)
        if not getattr(tables.spec.modalities[0], field):
            continue
        setattr(tables.spec.modalities[0], field, None)
        assert answer(tables) == (0, BAD_SPEC), field


def test_bins_outside_the_spectrum_are_refused():
    for bins in ((3, 3), (5, 4), (0, 65535), (65534, 65535)):
        tables = only("eeg")
        tables.spec.modalities[0].band_bins[0], tables.spec.modalities[0].band_bins[1] = bins
        assert answer(tables) == (0, BAD_SPEC)


@pytest.mark.parametrize("version", [FRONTEND_VERSION + 1, FRONTEND_VERSION + 2, 2**31, 2**32 - 1])
def test_a_newer_version_is_refused_by_name_before_anything_else_is_read(version):
    tables = only("eda")
    tables.spec.version = version
    assert answer(tables) == (0, NEWER_SPEC)
    tables.spec.modalities = None  # fields may mean something else there
    tables.spec.tokens = 2**32 - 1
    assert answer(tables) == (0, NEWER_SPEC)
    with pytest.raises(BridgeError, match="newer version than this core: update mmq-tf"):
        raise_status(NEWER_SPEC, "front end")


def test_version_0_never_was_and_a_newer_file_is_named():
    tables = only("eda")
    tables.spec.version = 0
    assert answer(tables) == (0, BAD_SPEC)
    text = FrontEnd.wearable({"eda": 4}).to_json()
    for version in (FRONTEND_VERSION + 1, 99):
        data = {**json.loads(text), "frontend_version": version}
        with pytest.raises(BridgeError, match=f"watch.json: .*{version}.*update"):
            FrontEnd.from_json(json.dumps(data), "watch.json")


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(sorted(CORE_KINDS)),
    changes=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(U32), st.integers(0, 80) | st.integers(0, 2**32 - 1)),
            st.tuples(st.sampled_from(F32), st.floats(width=32) | st.sampled_from([0.0, 0.5, 1.0, 100.0])),
        ),
        max_size=4,
    ),
    seed=st.integers(0, 99),
)
def test_whatever_is_accepted_runs_in_exactly_the_memory_it_asked_for(kind, changes, seed):
    tables, alive = only(kind), []
    modality = tables.spec.modalities[0]
    give(modality, alive)
    for field, value in changes:
        setattr(modality, field, value)
    tables.spec.n_features = modality.features
    core, spec = library(), ctypes.byref(tables.spec)
    size = core.mmq_bridge_size(spec)
    if size == 0 or size > 2**24:
        return
    memory = np.full(size + GUARD, 0xA5, np.uint8)
    bridge = ctypes.c_void_p()
    assert core.mmq_bridge_init(memory.ctypes.data, size, spec, ctypes.byref(bridge)) == OK
    frames = min(int(2 * modality.rate_hz) + 1, 4000)
    samples = np.random.default_rng(seed).normal(0, 1, (modality.channels, frames)).astype(np.float32)
    for step in range(4):
        core.mmq_bridge_push(bridge, 0, samples.ctypes.data, frames, step * frames / modality.rate_hz)
    assert core.mmq_bridge_advance(bridge, 60.0) == OK
    assert core.mmq_bridge_closed(bridge) >= 29
    assert (memory[size:] == 0xA5).all()
