# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmq_tf.baselines.window_statistics import statistic_names, window_statistics
from mmq_tf.errors import MMQError

SLICES = {"ppg": slice(0, 2), "eda": slice(2, 3)}


def windows(count: int = 5, tokens: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, tokens, 3)).astype(np.float32)
    return features, rng.random((count, tokens, 2)) < 0.6


def columns(features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
    rows = window_statistics(features, presence, SLICES)
    return dict(zip(statistic_names(["ppg.a", "ppg.b", "eda.c"], list(SLICES)), rows.T, strict=True))


def test_a_ramp_has_its_known_statistics():
    features = np.zeros((1, 4, 3))
    features[0, :, 2] = [1.0, 3.0, 5.0, 7.0]
    found = columns(features, np.ones((1, 4, 2), bool))
    expected = {"mean": 4.0, "std": np.sqrt(5.0), "slope": 2.0, "min": 1.0, "max": 7.0, "last": 7.0}
    for statistic, value in expected.items():
        assert found[f"eda.c:{statistic}"] == pytest.approx(value)
    assert found["ppg:present"] == found["eda:present"] == 1.0
    assert found["ppg.a:slope"] == found["ppg.a:std"] == 0.0


def test_a_slope_is_over_the_true_places_of_the_present_tokens():
    features = np.zeros((1, 5, 3))
    features[0, :, 2] = [0.0, 999.0, 4.0, 999.0, 8.0]
    presence = np.ones((1, 5, 2), bool)
    presence[0, [1, 3], 1] = False
    found = columns(features, presence)
    assert found["eda.c:slope"] == pytest.approx(2.0)
    assert found["eda.c:max"] == 8.0
    assert found["eda:present"] == pytest.approx(0.6)


def test_nothing_present_is_nan_and_one_token_has_neither_spread_nor_slope():
    presence = np.zeros((2, 3, 2), bool)
    presence[1, 1, 1] = True
    features = np.full((2, 3, 3), 5.0)
    found = columns(features, presence)
    for name, column in found.items():
        if name.startswith("eda.c"):
            assert np.isnan(column[0])
            assert np.isnan(column[1]) == name.endswith((":std", ":slope")), name
        elif ":present" not in name:
            assert np.isnan(column).all()
    assert found["eda:present"].tolist() == pytest.approx([0.0, 1 / 3])


def test_nan_in_a_present_token_counts_as_absent_for_that_feature_alone():
    features = np.ones((1, 3, 3))
    features[0, 2, 0] = np.nan
    features[0, :, 1] = [1.0, 2.0, 6.0]
    found = columns(features, np.ones((1, 3, 2), bool))
    assert found["ppg.a:last"] == 1.0
    assert found["ppg.b:mean"] == pytest.approx(3.0)
    assert found["ppg:present"] == 1.0


def test_slope_agrees_with_numpys_line():
    features, presence = windows(count=40, tokens=9)
    found = columns(features, presence)["ppg.b:slope"]
    for i in range(40):
        where = np.flatnonzero(presence[i, :, 0])
        if where.size > 1:
            assert found[i] == pytest.approx(
                np.polyfit(where, features[i, where, 1], 1)[0], rel=1e-4, abs=1e-5
            )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), filler=st.sampled_from([0.0, -7.0, 1e30, np.nan, np.inf]))
def test_what_absent_tokens_hold_changes_nothing(seed: int, filler: float):
    features, presence = windows(seed=seed)
    filled = np.where(presence[:, :, [0, 0, 1]], features, np.float32(filler))
    before, after = (window_statistics(x, presence, SLICES) for x in (features, filled))
    np.testing.assert_array_equal(before, after)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch):
    features, presence = windows(count=50)
    whole = window_statistics(features, presence, SLICES)
    monkeypatch.setattr("mmq_tf.baselines.window_statistics._CHUNK_VALUES", 7 * 6 * 3)
    np.testing.assert_array_equal(window_statistics(features, presence, SLICES), whole)


def test_shapes_that_do_not_fit_are_named():
    features, presence = windows()
    with pytest.raises(MMQError, match="presence: expected shape"):
        window_statistics(features, presence[:, :2], SLICES)
    with pytest.raises(MMQError, match="slices: they cover 3 features"):
        window_statistics(features[:, :, :2], presence, SLICES)
    with pytest.raises(MMQError, match="features: expected an array"):
        window_statistics(features[0], presence, SLICES)
