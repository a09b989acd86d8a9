# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmq_tf.reports.recording_page.traces import alone, lane_scale, limits, percentiles, trace

samples = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(0, 200)),
    elements=st.one_of(st.just(float("nan")), st.floats(-1000, 1000, width=32)),
)


@settings(deadline=None)
@given(samples, st.integers(1, 40))
def test_no_peak_and_no_loss_is_left_out(values, columns):
    made = trace(values, 5.0, 10.0, columns)
    assert made.values.shape[1] == len(made.time_s) <= 2 * columns
    assert made.lost.shape == (len(values), len(made.edges_s) - 1)
    np.testing.assert_array_equal(np.isnan(values).any(axis=1), made.lost.any(axis=1))
    if values.size and not np.isnan(values).all():
        assert np.nanmax(made.values) == np.nanmax(values)
        assert np.nanmin(made.values) == np.nanmin(values)


def test_each_column_holds_the_least_and_the_greatest_of_its_own_samples():
    values = np.random.default_rng(0).normal(size=(2, 1003)).astype(np.float32)
    made = trace(values, 2.0, 100.0, 10)
    edges = np.round((made.edges_s - 2.0) * 100).astype(int)
    assert (edges[0], edges[-1]) == (0, 1003)
    for column, (a, b) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        pair = made.values[:, 2 * column : 2 * column + 2]
        np.testing.assert_array_equal(pair[:, 0], values[:, a:b].min(axis=1))
        np.testing.assert_array_equal(pair[:, 1], values[:, a:b].max(axis=1))


def test_few_samples_are_drawn_as_they_are():
    values = np.arange(8, dtype=np.float32)[None]
    made = trace(values, 1.0, 4.0, 4)
    np.testing.assert_array_equal(made.values, values)
    np.testing.assert_allclose(made.time_s, 1 + np.arange(8) / 4)


def test_a_wholly_lost_column_breaks_the_line():
    values = np.ones((1, 100), np.float32)
    values[0, 40:60] = np.nan
    made = trace(values, 0.0, 1.0, 10)
    assert np.isnan(made.values[0]).tolist() == [False] * 8 + [True] * 4 + [False] * 8
    assert made.lost[0].tolist() == [False] * 4 + [True] * 2 + [False] * 4


def test_a_lone_sample_is_found_and_a_flat_line_is_none():
    time = np.arange(5.0)
    assert alone(time, np.array([1, 1, np.nan, 3, np.nan])).tolist() == [False, False, False, True, False]
    assert alone(np.repeat([0.0, 1.0], 2), np.array([2, 2, np.nan, np.nan])).tolist()[:2] == [True, True]


def test_one_peak_does_not_flatten_the_rest():
    values = np.sin(np.arange(1000) / 10)
    low, high = limits(values)
    assert low < values.min() < values.max() < high
    values[500] = 1e6
    assert 1 < limits(values)[1] < 5


@pytest.mark.parametrize("values", [[3.0, 3.0, 3.0], [0.0, 0.0], [np.nan], [np.nan, -2.0]])
def test_limits_are_always_an_interval(values):
    low, high = limits(np.array(values))
    assert np.isfinite([low, high]).all()
    assert low < high


def test_percentiles_of_what_is_not_lost():
    values = np.concatenate([np.full(50, np.nan), np.arange(101.0)])
    assert percentiles(values, (5, 95)) == (5, 95)
    assert np.isnan(percentiles(np.full(3, np.nan), (5, 95))).all()


def test_a_wild_channel_does_not_set_the_scale_of_all_lanes():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 4000))
    values[2] = 1e4 * values[2] + 7e5
    values[4] = np.nan
    middles, reach = lane_scale(values)
    assert 2 < reach < 3.5
    assert middles[2] == pytest.approx(7e5, rel=0.05)
    assert lane_scale(np.full((2, 9), 4.0))[1] == 1
