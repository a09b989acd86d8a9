# SPDX-License-Identifier: Apache-2.0
"""The same second of the same stimulus, whoever met it whenever and however it was cut into trials."""

import numpy as np
import pytest

from mmq_tf.errors import MMQError
from mmq_tf.pretraining.meiosis import ABSENT, Neighbours
from mmq_tf.pretraining.moments import (
    NEIGHBOUR_RULE,
    STIMULUS_RULE,
    StimulusTimeline,
    moments,
    stimulus_seconds,
)
from mmq_tf.recording import Trial


def test_windows_meet_at_the_same_second_of_the_stimulus():
    one = StimulusTimeline("a", (Trial(10, 20, {}, {}, "x"), Trial(30, 40, {}, {}, "y")), 0, 50)
    two = StimulusTimeline("b", (Trial(4, 14, {}, {}, "y"), Trial(20, 30, {}, {}, "x")), 50, 50)
    seconds = stimulus_seconds([one, two], 1.0, 4)
    assert seconds.window.shape == (14, 2)
    x, y = seconds.window[seconds.stimulus == 0], seconds.window[seconds.stimulus == 1]
    np.testing.assert_array_equal(x, [[10 + k, 70 + k] for k in range(7)])
    np.testing.assert_array_equal(y, [[30 + k, 54 + k] for k in range(7)])


def test_runs_of_ratings_are_one_stimulus_and_a_late_start_counts():
    """CASE: trials are runs of seconds with one class; a window may lie across them."""
    cut = (Trial(0, 3, {"v": "low"}, {}, "clip", 5.0), Trial(3, 8, {"v": "high"}, {}, "clip", 8.0))
    whole = (Trial(0, 15, {"v": "low"}, {}, "clip"),)
    seconds = stimulus_seconds(
        [StimulusTimeline("a", cut, 0, 20), StimulusTimeline("b", whole, 20, 20)], 1.0, 4
    )
    np.testing.assert_array_equal(seconds.start_s, [5, 6, 7, 8, 9])
    np.testing.assert_array_equal(seconds.window, [[k, 25 + k] for k in range(5)])


def test_a_second_that_one_person_has_is_left_out_and_none_at_all_is_refused():
    a = StimulusTimeline("a", (Trial(0, 10, {}, {}, "x"),), 0, 10)
    b = StimulusTimeline("b", (Trial(0, 5, {}, {}, "x"),), 10, 10)
    c = StimulusTimeline("c", (Trial(0, 10, {}, {}, "z"),), 20, 10)
    seconds = stimulus_seconds([a, b, c], 1.0, 4)
    np.testing.assert_array_equal(seconds.window, [[0, 10, ABSENT], [1, 11, ABSENT]])
    with pytest.raises(MMQError, match="no two of 2 training subjects share a window of 4 s"):
        stimulus_seconds([b, c], 1.0, 4)


def test_two_sessions_of_one_person_are_never_a_pair():
    sessions = [StimulusTimeline("a", (Trial(0, 10, {}, {}, "x"),), first, 10) for first in (0, 10)]
    with pytest.raises(MMQError, match="no two of 1"):
        stimulus_seconds(sessions, 1.0, 4)


def test_recordings_that_are_not_locked_fall_back_and_say_so():
    line = StimulusTimeline("a", (Trial(0, 10, {"stress": "rest"}),), 0, 40)
    found, rule = moments([line], 1.0, 4, locked=False)
    assert rule == NEIGHBOUR_RULE
    assert isinstance(found, Neighbours)
    assert "not locked" in NEIGHBOUR_RULE
    assert "same second" in STIMULUS_RULE
    with pytest.raises(MMQError, match="share a window"):
        moments([line], 1.0, 4, locked=True)
