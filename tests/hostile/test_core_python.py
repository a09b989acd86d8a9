# SPDX-License-Identifier: Apache-2.0
"""Anything at all handed to the Python side of the core: one sentence or a right answer, never a crash."""

import copy
import ctypes
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mmq_bridge.core_binding.input_validation import plain_number, sample_rows, whole_number
from mmq_bridge.core_binding.native import (
    Bridge,
    CounterClock,
    apply_spatial,
    extract_tokens,
    normalise_tokens,
)
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation

MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FRONT_END = FrontEnd.wearable({"ppg": 64, "eda": 4, "acc": 32}, tokens=2)
THINGS = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.integers(-(2**80), 2**80),
    st.floats(),
    st.complex_numbers(),
    st.lists(
        st.one_of(st.none(), st.floats(), st.text(max_size=2), st.lists(st.floats(), max_size=3)), max_size=3
    ),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
ARRAYS = hnp.arrays(
    dtype=st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="?"),
        hnp.floating_dtypes(endianness="?"),
        hnp.complex_number_dtypes(),
        hnp.byte_string_dtypes(max_len=3),
        hnp.unicode_string_dtypes(max_len=3),
        hnp.datetime64_dtypes(),
    ),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
)


def with_statistics(front_end):
    count = front_end.n_features
    return front_end.with_normalisation(
        Normalisation(mode="running", mean=(0.0,) * count, std=(1.0,) * count)
    )


def attempt(call, *arguments):
    """Return what a call gives, or None where it raises our own error of one line."""
    try:
        return call(*arguments)
    except BridgeError as error:
        sentence = str(error)
    assert sentence
    assert "\n" not in sentence
    return None


class Signal:
    def __init__(self, samples, sampling_rate_hz=4.0, start_s=0.0):
        self.samples, self.sampling_rate_hz, self.start_s = samples, sampling_rate_hz, start_s


@pytest.mark.slow
@MANY
@given(
    modality=st.one_of(st.just("ppg"), st.just("acc"), THINGS),
    samples=st.one_of(ARRAYS, THINGS),
    time_s=THINGS,
)
def test_any_push_is_taken_or_refused_and_the_bridge_lives_on(modality, samples, time_s):
    bridge = Bridge(FRONT_END)
    attempt(bridge.push, modality, samples, time_s)
    assert bridge.push("eda", np.full((1, 30), 2.0), 0.0) in (True, False)
    bridge.advance(1e6)
    assert bridge.closed >= 1


@MANY
@given(samples=ARRAYS)
def test_numbers_of_the_right_shape_are_all_that_passes(samples):
    fits = samples.dtype.kind in "biuf" and samples.ndim == 2 and samples.shape[0] == 3
    if not fits:
        with pytest.raises(BridgeError, match="^acc: expected "):
            sample_rows("acc", samples, 3)
        return
    rows = sample_rows("acc", samples, 3)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(rows, samples.astype(np.float32))


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[:, ::2],
        lambda x: x[:, ::-1],
        lambda x: np.asfortranarray(x),
        lambda x: x.T.copy().T,
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.float16),
        lambda x: np.broadcast_to(x[:, :1], x.shape),
        lambda x: x.tolist(),
    ],
)
def test_any_layout_of_memory_means_the_same_samples(view):
    samples = np.random.default_rng(0).integers(-100, 100, (3, 640)).astype(np.float32) / 64
    given_view, plain = Bridge(FRONT_END), Bridge(FRONT_END)
    given_view.push("acc", view(samples), 0.0)
    plain.push("acc", np.array(view(samples), dtype=np.float32, order="C"), 0.0)
    given_view.advance(30.0)
    plain.advance(30.0)
    while (token := plain.pop_token()) is not None:
        other = given_view.pop_token()
        assert other is not None
        np.testing.assert_array_equal(other[0], token[0])
        np.testing.assert_array_equal(other[1], token[1])


def test_frames_late_by_exactly_half_a_period_are_judged_one_by_one():
    """Found by fuzzing: 4.5 frames of 4 Hz are late, of which one push dropped 5 and single ones 4."""
    front_end = FrontEnd.wearable({"eda": 4}, tokens=1)
    samples = np.random.default_rng(0).uniform(1, 3, (1, 4 * 12)).astype(np.float32)
    whole, single = Bridge(front_end), Bridge(front_end)
    for bridge in (whole, single):
        bridge.advance(1.125)
    whole.push("eda", samples, 0.0)
    for frame in range(samples.shape[1]):
        single.push("eda", samples[:, frame : frame + 1], frame / 4)
    for _ in range(2):
        token, other = whole.pop_token(), single.pop_token()
        assert token is not None
        assert other is not None
        assert token[1].all()
        np.testing.assert_array_equal(token[0], other[0])


def test_a_push_of_billions_of_frames_is_refused_before_it_is_copied():
    endless = np.broadcast_to(np.float32(1), (1, 2**33 + 4))  # as uint32 it would be 4 frames
    with pytest.raises(BridgeError, match="eda: expected at most .* frames in one push, got 8589934596"):
        Bridge(FRONT_END).push("eda", endless, 0.0)


@pytest.mark.parametrize(
    "time_s", [float("nan"), float("inf"), -float("inf"), 5e9, -5e9, 1e308, 10**400, 864_500.0]
)
def test_impossible_times_change_nothing(time_s):
    samples = np.random.default_rng(1).uniform(1, 3, (1, 80))
    bridge, plain = Bridge(FRONT_END), Bridge(FRONT_END)
    for one in (bridge, plain):
        one.push("eda", samples[:, :22], 0.0)
    with pytest.raises(BridgeError, match="the time is not finite, beyond"):
        bridge.push("eda", samples, time_s)
    for one in (bridge, plain):
        one.push("eda", samples[:, 22:], 5.5)
        one.advance(30.0)
    np.testing.assert_array_equal(bridge.window()[0], plain.window()[0])


@pytest.mark.parametrize("time_s", [None, "3", b"3", [1.0], 1 + 2j, np.zeros(2)])
def test_times_that_are_no_number_are_named(time_s):
    bridge = Bridge(FRONT_END)
    with pytest.raises(BridgeError, match="^time_s: expected a number, got "):
        bridge.push("eda", np.ones((1, 4)), time_s)
    with pytest.raises(BridgeError, match="^time_s: expected a number, got "):
        bridge.advance(time_s)


@pytest.mark.parametrize("number", [-1, 3, 2**31, 2**63, 2**64, 2**64 + 1, -(2**64)])
def test_numbers_of_tokens_do_not_wrap_around(number):
    bridge = Bridge(FRONT_END)
    bridge.advance(17.1)
    assert bridge.closed == 3
    assert bridge.reason_bits(2).tolist() == [1, 1, 1]
    with pytest.raises(BridgeError, match="token"):
        bridge.reason_bits(number)


@MANY
@given(thing=THINGS)
def test_any_number_of_a_token_is_answered(thing):
    bridge = Bridge(FRONT_END)
    bridge.advance(17.1)
    bits = attempt(bridge.reason_bits, thing)
    assert (bits is not None) == (isinstance(thing, int) and 0 <= thing < 3)
    assert bits is None or bits.tolist() == [1, 1, 1]


@MANY
@given(modality=st.one_of(st.just("acc"), THINGS), channels=THINGS)
def test_any_lead_off_is_taken_or_refused(modality, channels):
    bridge = Bridge(FRONT_END)
    attempt(bridge.lead_off, modality, channels)
    bridge.advance(9.0)
    assert bridge.closed == 1


@MANY
@given(modality=THINGS.filter(lambda thing: thing != "ppg"))
def test_beats_of_anything_else_are_refused(modality):
    with pytest.raises(BridgeError):
        Bridge(FRONT_END).beats(modality)


@MANY
@given(rate=THINGS, ticks=THINGS)
def test_a_counter_clock_of_anything_is_finite_or_refused(rate, ticks):
    clock = attempt(CounterClock, rate)
    if clock is not None and attempt(clock.seconds, ticks) is not None:
        assert clock.seconds(ticks + 5) == pytest.approx(5 / rate)


@MANY
@given(features=st.one_of(ARRAYS, THINGS), presence=st.one_of(ARRAYS, THINGS))
def test_any_stream_is_normalised_or_refused(features, presence):
    front_end = with_statistics(FrontEnd.wearable({"temp": 4}))
    out = attempt(normalise_tokens, front_end, features, presence)
    assert out is None or out.shape == np.shape(features)
    assert out is None or np.isfinite(out).all()


@pytest.mark.parametrize("present", [256, 2, -1, 0.5, True])
def test_whatever_is_not_zero_is_present(present):
    front_end = with_statistics(FrontEnd.wearable({"temp": 4}))
    features = np.arange(12.0).reshape(4, 3)
    wanted = normalise_tokens(front_end, features, np.ones((4, 1)))
    np.testing.assert_array_equal(normalise_tokens(front_end, features, np.full((4, 1), present)), wanted)
    assert wanted.any()


@MANY
@given(
    samples=st.one_of(ARRAYS, THINGS),
    rate=st.one_of(st.just(4.0), THINGS),
    start_s=st.one_of(st.floats(-9, 9), st.sampled_from([float("nan"), 1e12, -1e300, "0", None, 10**400])),
)
def test_any_signal_is_extracted_or_refused(samples, rate, start_s):
    tokens = attempt(extract_tokens, FRONT_END, {"eda": Signal(samples, rate, start_s)})
    assert tokens is None or len(tokens.features) == len(tokens.reasons)


@MANY
@given(samples=st.one_of(ARRAYS, THINGS))
def test_any_samples_pass_the_spatial_matrix_or_are_refused(samples):
    out = attempt(apply_spatial, FRONT_END, "acc", samples)
    with np.errstate(over="ignore"):
        assert out is None or np.array_equal(out, np.asarray(samples).astype(np.float32), equal_nan=True)


def test_a_bridge_cannot_be_copied_with_its_memory_left_behind():
    bridge = Bridge(FRONT_END)
    for copied in (copy.deepcopy, pickle.dumps, copy.copy):
        with pytest.raises(BridgeError, match="cannot be copied"):
            copied(bridge)


def test_a_bridge_that_was_closed_refuses_everything():
    bridge = Bridge(FRONT_END)
    bridge.advance(20.0)
    bridge.close()
    bridge.close()
    for call in (
        lambda: bridge.push("eda", np.ones((1, 4)), 0.0),
        lambda: bridge.advance(1.0),
        bridge.pop_token,
        bridge.window,
        bridge.window_i8,
        lambda: bridge.reason_bits(0),
        lambda: bridge.lead_off("eda", 1),
        lambda: bridge.beats("ppg"),
        lambda: bridge.closed,
        lambda: bridge.ready,
        lambda: bridge.enrolling,
    ):
        with pytest.raises(BridgeError, match="was closed"):
            call()


def test_memory_of_the_tables_outlives_the_front_end():
    bridge = Bridge(FrontEnd.wearable({"eeg": 128}, {"eeg": tuple(f"C{i}" for i in range(32))}, tokens=1))
    waste = [np.random.default_rng(i).bytes(100_000) for i in range(50)]  # what was freed is overwritten
    bridge.push("eeg", np.random.default_rng(0).normal(0, 20, (32, 128 * 6)), 0.0)
    features, _ = bridge.window()
    again = Bridge(bridge.front_end)
    again.push("eeg", np.random.default_rng(0).normal(0, 20, (32, 128 * 6)), 0.0)
    np.testing.assert_array_equal(features, again.window()[0])
    assert len(waste) == 50


@pytest.mark.parametrize(("value", "low", "high"), [(5, 0, 4), (-1, 0, 4), (2**70, 0, 2**63 - 1)])
def test_whole_numbers_outside_are_named(value, low, high):
    with pytest.raises(BridgeError, match=f"x: expected {low} to {high}, got {value}"):
        whole_number("x", value, low, high)


@pytest.mark.parametrize("value", [np.int64(3), np.uint8(3), 3, True + 2])
def test_whole_numbers_of_any_kind_pass(value):
    assert whole_number("x", value, 0, 3) == 3
    assert isinstance(ctypes.c_int64(whole_number("x", value, 0, 3)).value, int)


@MANY
@given(value=THINGS)
def test_plain_numbers_are_floats_or_named(value):
    number = attempt(plain_number, "x", value)
    assert (number is not None) == isinstance(value, (int, float))
    assert number is None or isinstance(number, float)
