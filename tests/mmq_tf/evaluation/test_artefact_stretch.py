# SPDX-License-Identifier: Apache-2.0
"""Where the report's artefact is put, and how windows become tokens again."""

import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.evaluation.artefact_stretch import SHOWN_WINDOWS, best_place, per_token
from mmq_tf.features.windows import Stream
from mmq_tf.recording import Trial

FRONT_END = FrontEnd.wearable({"eda": 4, "temp": 4}, token_s=5.0, tokens=3)


def stream_of(subject, presence, trials):
    features = np.zeros((len(presence), FRONT_END.n_features), np.float32)
    return Stream(subject, "", features, np.array(presence, bool), tuple(trials), FRONT_END)


def test_a_token_gets_the_mean_over_the_windows_that_hold_it():
    values = np.arange(12.0).reshape(3, 2, 2)
    found = per_token(values, np.array([0, 1, 1]), 4)
    assert found[0].tolist() == [0.0, 1.0]
    assert found[1].tolist() == [(2 + 4 + 8) / 3, (3 + 5 + 9) / 3]
    assert found[2].tolist() == [8.0, 9.0]
    assert np.isnan(found[3]).all()


def test_the_place_is_where_most_is_present_inside_one_labelled_trial():
    count = round(SHOWN_WINDOWS * FRONT_END.tokens)
    presence = np.ones((60, 2), bool)
    presence[:30, 1] = False
    rest = Trial(0, 150, {"stress": "rest"})
    stress = Trial(155, 300, {"stress": "stress"})
    one = stream_of("a", presence, [rest, stress])
    assert best_place([one], FRONT_END, "stress", 0.0) == (one, 31, count)
    other = stream_of("b", np.ones((60, 2)), [Trial(20, 300, {"stress": "rest"})])
    assert best_place([stream_of("a", presence, [rest]), other], FRONT_END, "stress", 0.0) == (
        other,
        4,
        count,
    )
    assert best_place([other], FRONT_END, "stress", 101.0) == (other, 21, count)


def test_a_trial_shorter_than_wished_is_taken_whole_and_one_of_a_window_not_at_all():
    short = stream_of("a", np.ones((60, 2)), [Trial(10, 50, {"stress": "rest"}), Trial(60, 300, {})])
    assert best_place([short], FRONT_END, "stress", 0.0) == (short, 2, 8)
    none = stream_of("a", np.ones((60, 2)), [Trial(10, 25, {"stress": "rest"})])
    assert best_place([none], FRONT_END, "stress", 0.0) is None
    assert best_place([short], FRONT_END, "valence", 0.0) is None
    assert best_place([short], FRONT_END, "stress", 45.0) is None
