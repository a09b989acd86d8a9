# SPDX-License-Identifier: Apache-2.0
"""Stamps made even: exact where they are, smooth where they jitter, broken where samples are lost."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmq_bridge.sources.timeline import Timeline


def placed(line, stamps, chunk):
    """Time of every sample, chunk by chunk."""
    times = []
    for first in range(0, len(stamps), chunk):
        part = stamps[first : first + chunk]
        for run in line.place(part):
            times += (run.time_s + np.arange(run.end - run.begin) / line.rate_hz).tolist()
    return np.array(times)


def test_exact_stamps_stay_as_they_are():
    stamps = 5000 + np.arange(6400) / 64
    line = Timeline(64.0)
    np.testing.assert_allclose(placed(line, stamps, 7), stamps, atol=1e-9)
    assert line.due_s == pytest.approx(5100.0, abs=1e-9)


def test_jitter_is_evened_out():
    rng = np.random.default_rng(0)
    true = 100 + np.arange(64 * 120) / 64
    times = placed(Timeline(64.0), true + rng.normal(0, 0.02, true.size), 16)
    settled = times[64 * 20 :] - true[64 * 20 :]
    assert np.abs(settled).max() < 0.25 / 64  # the core tolerates half a period
    assert np.abs(np.diff(times)).max() < 1.5 / 64  # no gap where nothing was lost


@pytest.mark.parametrize("share", [-0.01, -1e-4, 1e-4, 0.01])
def test_drift_is_followed_without_a_break(share):
    """A crystal 100 ppm off, and a device that is 1 % off what it says."""
    true = np.arange(64 * 600) / (64 * (1 + share))
    line = Timeline(64.0)
    assert all(len(line.place(true[first : first + 16])) == 1 for first in range(0, true.size, 16))
    assert abs(line.due_s - true[-1]) < 0.25


@pytest.mark.parametrize("jump_s", [0.3, 10.0, -5.0, 1e9])
def test_a_jump_begins_a_new_run(jump_s):
    stamps = np.arange(64) / 32
    stamps[20:] += jump_s
    runs = Timeline(32.0).place(stamps)
    assert [(run.begin, run.end) for run in runs] == [(0, 20), (20, 64)]
    assert runs[1].time_s == pytest.approx(20 / 32 + jump_s, abs=1e-6)


def test_a_slow_stream_may_have_long_steps():
    assert len(Timeline(1.0).place(np.arange(10.0) * 1.2)) == 1
    assert len(Timeline(1.0).place(np.array([0.0, 1.0, 4.0]))) == 2


def test_stamps_that_stand_still_are_a_wrong_rate():
    line = Timeline(4.0)
    line.place(np.array([0.0]))
    assert line.measured_hz() is None
    for _ in range(40):
        line.place(np.zeros(4))
    assert line.measured_hz() == math.inf


@pytest.mark.parametrize("rate", [32.0, 63.0, 64.0, 128.0])
def test_the_rate_that_stamps_make_is_measured(rate):
    line = Timeline(64.0)
    for first in range(0, 64 * 40, 16):
        line.place((first + np.arange(16)) / rate)
    assert line.measured_hz() == pytest.approx(rate, rel=1e-3)
    assert line.measured_hz() is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 10))
def test_every_sample_is_placed_once_whatever_the_stamps(stamps, chunk):
    assert len(placed(Timeline(32.0), np.array(stamps), chunk)) == len(stamps)
