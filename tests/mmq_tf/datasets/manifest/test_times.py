# SPDX-License-Identifier: Apache-2.0
"""The grid that a logger's times lie on: jitter, packets, coarse stamps, drift, gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmq_tf.datasets.manifest.times import place_rows, seconds, usual_rate
from mmq_tf.errors import MMQError

RATE = 64
ROWS = np.arange(RATE * 120)
TIMES = ROWS / RATE


def where(row):
    return f"t.csv: row {row + 2}"


@pytest.mark.parametrize("rate", [RATE, None])
@pytest.mark.parametrize(
    "write",
    [
        lambda t: t,
        lambda t: t + 1.7e9,
        lambda t: np.round(t, 3),
        lambda t: np.floor(t),
        lambda t: np.floor(t * 6.4) / 6.4,
    ],
    ids=["exact", "unix", "milliseconds", "seconds", "packets of ten"],
)
def test_rows_without_gaps_follow_each_other(write, rate):
    line = place_rows(write(TIMES), rate, where)
    assert (line.rate_hz, line.measured_hz) == (RATE, RATE)
    assert np.array_equal(line.steps, ROWS)
    assert abs(line.start_s - write(TIMES)[0]) < 1.0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(200, 7400), st.integers(1, 200)), min_size=1, max_size=4),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.1, 0.2]),
)
def test_gaps_are_as_long_as_what_was_lost_whatever_the_jitter(gaps, seed, jitter):
    kept = np.ones(len(ROWS), bool)
    for start, length in gaps:
        kept[start : start + length] = False
    noise = np.random.default_rng(seed).uniform(-jitter, jitter, len(ROWS)) / RATE
    line = place_rows((TIMES + noise)[kept], RATE, where)
    assert np.array_equal(line.steps, ROWS[kept])


def test_a_late_stamp_is_no_gap():
    times = TIMES.copy()
    times[1000:1004] = times[1004] - 1e-6  # four rows that came together
    times[5000] += 0.9 / RATE
    assert np.array_equal(place_rows(times, RATE, where).steps, ROWS)


@pytest.mark.parametrize("true_hz", [63.2, 63.95, 64.05, 64.9])
def test_a_drifting_clock_is_followed(true_hz):
    """A 1 Hz sine sampled by a clock that is off stays a 1 Hz sine, to its end."""
    times = ROWS / true_hz
    line = place_rows(times, RATE, where)
    samples = line.samples(np.sin(2 * np.pi * times)[:, None])[0]
    wanted = np.sin(2 * np.pi * np.arange(len(samples)) / RATE)
    assert line.measured_hz == pytest.approx(true_hz, rel=1e-4)
    assert abs(len(samples) / RATE - times[-1]) < 0.1
    assert np.abs(samples[:-1] - wanted[:-1]).max() < 0.01


def test_lost_rows_are_nan_and_nothing_else():
    kept = np.delete(ROWS, np.s_[100:150])
    samples = place_rows(TIMES[kept], RATE, where).samples(kept[:, None].astype(float))[0]
    assert np.isnan(samples[100:150]).all()
    assert np.array_equal(samples[kept], kept)


@pytest.mark.parametrize(
    ("times", "rate", "words"),
    [
        (ROWS / 32, 64, "row 2: the times say 32 Hz, sampling_rate_hz says 64"),
        (TIMES * 1000, 64, "the times say 0.064 Hz"),
        (ROWS / 111, None, "the times say 111 Hz, which no sensor usually has; give sampling_rate_hz"),
        ([0, 1, 2, 1.5], 1, "row 5: the time goes back by 0.5 s"),
        ([0, 1, 2, 3e9], 1, "row 5: the time leaps by 3e\\+09 s, more than 14 days"),
        (np.concatenate([ROWS, ROWS + 1e9]) / 1000, 1000, "the times span 1.00001e\\+06 s"),
        ([1, 1, 1], 4, "at least two different times"),
        ([5.0], None, "at least two different times"),
    ],
)
def test_times_that_cannot_be_are_refused_by_row(times, rate, words):
    with pytest.raises(MMQError, match=words):
        place_rows(np.asarray(times, float), rate, where)


def test_units_and_clocks():
    assert seconds(np.array([1500.0]), "ms", where)[0] == pytest.approx([1.5])
    assert seconds(np.array([1.7e18]), "unix_ns", where) == (pytest.approx([1.7e9]), "unix")
    summer = np.array(["2024-07-01T12:00:00+02:00", "2024-07-01T10:00:01Z"], object)
    times, clock = seconds(summer, "iso", where)
    assert (times[1] - times[0], clock) == (1.0, "unix")
    assert seconds(np.array(["2024-07-01 12:00:00,5"], object), "iso", where)[1] == "local"


@pytest.mark.parametrize(
    ("values", "unit", "words"),
    [
        (np.array([0.0, np.nan]), "s", "row 3: the time is missing"),
        (np.array(["2024-07-01T12:00", "noon"], object), "iso", "row 3: expected an ISO 8601 date.*'noon'"),
        (
            np.array(["2024-07-01T12:00Z", "2024-07-01T12:01"], object),
            "iso",
            "row 3: some times have a time zone",
        ),
        (np.array(["2024-07-01", "NaT"], "datetime64[s]"), "iso", "row 3: the time is missing"),
    ],
)
def test_a_time_that_is_none_is_refused_by_row(values, unit, words):
    with pytest.raises(MMQError, match=words):
        seconds(values, unit, where)


def test_usual_rates():
    assert [usual_rate(hz) for hz in (3.99, 25.61, 255.5, 0.2)] == [4.0, 25.6, 256.0, 0.2]
    assert usual_rate(113.0) is None
