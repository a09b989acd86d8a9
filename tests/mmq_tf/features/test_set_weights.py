# SPDX-License-Identifier: Apache-2.0
"""How much each joined data set counts in a training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmq_tf.features.array_windows import plain_windows
from mmq_tf.features.set_weights import weighted_by_set


def windows(counts):
    """Windows of one token of one feature, so many of each data set."""
    names = np.repeat(list(counts), list(counts.values()))
    count = len(names)
    made = plain_windows(
        np.zeros((count, 1, 1), np.float32), np.ones((count, 1, 1), bool), np.zeros(count, int), names
    )
    object.__setattr__(made, "dataset", names)
    return made


def test_the_total_weight_of_a_set_does_not_depend_on_the_number_of_its_windows():
    found = weighted_by_set(windows({"a": 10, "b": 40, "c": 5}), {"b": 0.25}, ("a", "b", "c"))
    assert found.weight[:10].tolist() == [1.0] * 10
    assert found.weight[found.dataset == "b"].tolist() == pytest.approx([0.0625] * 40)
    assert found.weight[found.dataset == "c"].tolist() == pytest.approx([2.0] * 5)
    assert found.sample_weight is found.weight


def test_without_weights_every_window_counts_one():
    given = windows({"a": 3, "b": 4})
    assert weighted_by_set(given, {}, ("a", "b")) is given
    assert given.sample_weight is None
    assert given.weight.tolist() == [1.0] * 7


def test_where_the_home_set_is_left_out_the_next_one_takes_its_place():
    found = weighted_by_set(windows({"b": 8, "c": 2}), {"b": 0.5, "c": 0.25}, ("a", "b", "c"))
    assert found.weight.tolist() == [1.0] * 8 + [2.0] * 2
    assert weighted_by_set(windows({"": 4}), {"b": 0.5}, ("a", "b")).sample_weight is None


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=4),
    weights=st.lists(st.floats(0.01, 10), min_size=4, max_size=4),
)
def test_totals_are_in_the_given_proportion(counts, weights):
    names = "abcd"[: len(counts)]
    wanted = dict(zip(names, weights, strict=False))
    found = weighted_by_set(windows(dict(zip(names, counts, strict=True))), wanted, tuple(names))
    totals = [found.weight[found.dataset == name].sum(dtype=np.float64) for name in names]
    np.testing.assert_allclose(
        np.array(totals) / totals[0], [wanted[name] / wanted["a"] for name in names], rtol=1e-5
    )
    assert (found.weight[found.dataset == "a"] == 1).all()


def test_rows_keep_their_weight_and_their_set():
    found = weighted_by_set(windows({"a": 2, "b": 1}), {"b": 1.0}, ("a", "b"))
    some = found.take(np.array([2, 0]))
    assert some.dataset.tolist() == ["b", "a"]
    assert some.weight.tolist() == [2.0, 1.0]
