# SPDX-License-Identifier: Apache-2.0
"""Coefficients that could be filters, but not those that the settings design."""

import json

import numpy as np
import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end import filter_check
from mmq_bridge.front_end.filter_check import TOLERANCE, check_filters
from mmq_bridge.front_end.front_end import FrontEnd

RATES_HZ = {"eeg": 250, "ecg": 250, "ppg": 64, "eog": 256, "emg": 1000, "resp": 32, "eda": 4}
WHERE = "bundle/frontend.json"
DECIMATED = ("eeg", "ecg", "eog", "emg")
PARTS = [
    *((name, "prefilter") for name in DECIMATED),
    *((name, "bank") for name in (*DECIMATED, "ppg", "resp")),
]


@pytest.fixture(scope="module")
def carrying():
    return FrontEnd.wearable(RATES_HZ).with_filters()


def changed(carrying, name, part, share):
    """The front end read again with the first coefficient of one filter larger by a share of it."""
    content = json.loads(carrying.to_json())
    first = content["modalities"][name]["filters"][part][0]
    first[0] = float(np.float32(first[0] * (1 + share)))
    return FrontEnd.from_json(json.dumps(content), WHERE)


def test_designed_coefficients_pass(carrying):
    check_filters(carrying, WHERE)
    check_filters(carrying.without_filters(), WHERE)


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_other_coefficients_are_refused_by_name(carrying, name, part):
    with pytest.raises(BridgeError) as caught:
        check_filters(changed(carrying, name, part, 20 * TOLERANCE), WHERE)
    assert str(caught.value) == (
        f"{WHERE}: {name}.filters.{part} are not the coefficients that its settings design; export again."
    )


def test_the_last_digit_may_differ(carrying):
    other = changed(carrying, "ppg", "bank", TOLERANCE / 4)
    assert other != carrying
    check_filters(other, WHERE)


def test_nothing_is_compared_without_scipy(carrying, monkeypatch):
    monkeypatch.setattr(filter_check, "scipy_there", lambda: False)
    check_filters(changed(carrying, "ppg", "bank", 0.5), WHERE)
