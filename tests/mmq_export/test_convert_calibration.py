# SPDX-License-Identifier: Apache-2.0
"""Calibration windows show complete and sparse inputs."""

import numpy as np
import pytest
from mmq_export.calibrate import calibration_windows
from mmq_export.errors import ExportError

FEATURES = np.random.default_rng(0).normal(size=(5, 3, 4)).astype("float32")
PRESENCE = np.ones((5, 3, 2), bool)


def test_every_kind_of_window_is_drawn():
    windows = calibration_windows(FEATURES, PRESENCE, 64, seed=1)
    assert len(windows) == 64
    assert {tuple(w["features"].shape) for w in windows} == {(1, 3, 4)}
    assert {w["presence"].dtype for w in windows} == {np.dtype("float32")}
    counts = np.array([w["presence"].sum() for w in windows])
    assert {0, 1, 3, 6} <= set(counts)
    assert (counts == 6).mean() > 0.3


def test_the_smallest_count_still_holds_nothing_and_one_token():
    counts = [w["presence"].sum() for w in calibration_windows(FEATURES, PRESENCE, 16, seed=0)]
    assert counts[:2] == [0, 1]


def test_the_same_seed_draws_the_same_windows_and_absent_stays_absent():
    presence = PRESENCE.copy()
    presence[:, 1, 0] = False
    first, again = (calibration_windows(FEATURES, presence, 32, seed=4) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one["presence"], other["presence"])
        assert one["presence"][0, 1, 0] == 0


@pytest.mark.parametrize(
    ("features", "presence", "count", "words"),
    [
        (FEATURES[:4], PRESENCE, 16, "same N"),
        (FEATURES[:0], PRESENCE[:0], 16, "N > 0"),
        (FEATURES * np.nan, PRESENCE, 16, "finite"),
        (FEATURES, PRESENCE * 0.5, 16, "0 or 1"),
        (FEATURES, PRESENCE, 3, "at least 16"),
    ],
)
def test_unfit_arrays_are_named(features, presence, count, words):
    with pytest.raises(ExportError, match=words):
        calibration_windows(features, presence, count)
