# SPDX-License-Identifier: Apache-2.0
import numpy as np

from mmq_tf.metrics.interleaved_timing import Contender, median_row, time_rounds


def test_contenders_take_turns_and_repeat():
    calls = []
    entries = [
        Contender("a", "x", lambda: calls.append("a"), repeats=2),
        Contender("b", "x", lambda: calls.append("b")),
    ]
    said = []
    taken = time_rounds(entries, 3, said.append)
    assert calls == ["a", "a", "a", "b"] * 3  # the first one of several is not timed
    assert taken.shape == (3, 2)
    assert (taken >= 0).all()
    assert said == ["round 1 of 3", "round 2 of 3", "round 3 of 3"]


def test_a_row_is_the_median_with_the_middle_of_the_rounds():
    row = median_row(Contender("a", "x", list), "ratio", np.arange(101.0))
    assert (row.method, row.condition, row.metric, row.n) == ("a", "x", "ratio", 101)
    assert (row.low, row.mean, row.high) == (2.5, 50.0, 97.5)
