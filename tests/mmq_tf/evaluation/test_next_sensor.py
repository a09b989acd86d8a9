# SPDX-License-Identifier: Apache-2.0
"""The table that says which sensor would help the undecided most."""

import numpy as np
import pytest
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.errors import MMQError
from mmq_tf.evaluation.next_sensor import MIN_UNDECIDED, next_sensor_table

DECISION = {
    "tasks": {"stress": ["rest", "stress"]},
    "min_confidence": {"stress": 0.8},
    "min_present_share": 0.1,
}
COUNT = MIN_UNDECIDED


LAYOUT = FrontEnd.wearable({"ppg": 64, "eda": 4, "temp": 4}).feature_layout


def table(presence, labels=None, decision=DECISION, layout=LAYOUT):
    """Return the table where each sensor that is seen adds 0.1, eda 0.3, to the right class's 0.5."""
    labels = np.zeros((len(presence), 1), np.int8) if labels is None else labels
    features = np.ones((*presence.shape[:2], layout.n_features), np.float32)

    def predict(given, seen):
        assert not given[..., layout.feature_slices["eda"]][~seen[..., 1]].any()
        right = 0.5 + seen[:, 0] @ np.array([0.1, 0.3, 0.1])
        return {"stress": np.stack([right, 1 - right], 1)}

    return next_sensor_table(predict, layout, features, presence, labels, decision)


def test_a_gain_is_how_much_likelier_the_right_class_becomes():
    got = table(np.ones((COUNT, 4, 3), bool))
    assert got[0b000] == [26, 76, 26]  # 0.1 and 0.3 of 255, from a guess on
    assert got[0b001] == [0, 76, 26]
    assert got[0b101] == [0, 76, 0]  # 0.7: undecided
    assert got[0b010] == [0, 0, 0]  # 0.8: decided
    assert got[0b111] == [0, 0, 0]


def test_a_sensor_that_misleads_helps_nobody():
    wrong = np.ones((COUNT, 1), np.int8)
    assert table(np.ones((COUNT, 4, 3), bool), wrong)[0b001] == [0, 0, 0]


def test_too_few_windows_say_nothing():
    presence = np.ones((COUNT, 4, 3), bool)
    presence[0, :, 1] = False  # eda is there in one window fewer
    assert table(presence)[0b001] == [0, 0, 26]
    unknown = np.full((COUNT, 1), -1, np.int8)
    assert not np.any(table(np.ones((COUNT, 4, 3), bool), unknown))


def test_too_little_present_is_undecided():
    decision = DECISION | {"min_confidence": {}, "min_present_share": 0.5}
    assert table(np.ones((COUNT, 4, 3), bool), decision=decision)[0b010] == [26, 0, 26]
    assert table(np.ones((COUNT, 4, 3), bool), decision=decision)[0b011] == [0, 0, 0]


def test_nine_sensors_are_too_many():
    with pytest.raises(MMQError, match="next sensor: expected at most 8 sensors, this model has 9"):
        table(np.ones((1, 1, 9), bool))
