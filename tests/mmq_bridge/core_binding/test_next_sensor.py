# SPDX-License-Identifier: Apache-2.0
"""`mmq_next_sensor` of the core, and a bundle's table in Python, in the manifest and as C."""

import json

import numpy as np
import pytest
from mmq_bridge.bundle.c_model import rules_header
from mmq_bridge.core_binding.decision import Abstention, CDecision
from mmq_bridge.core_binding.library import library
from mmq_bridge.core_binding.next_sensor import NextSensor
from mmq_bridge.decision.manifest import DecisionSettings
from pydantic import ValidationError

GAIN = [[1, 2, 2], [0, 9, 7], [5, 0, 0], [0, 0, 3], [8, 8, 0], [0, 4, 0], [6, 0, 0], [0, 0, 0]]
TASKS = {"tasks": {"stress": ("rest", "stress")}}


def said(present, abstention=Abstention.UNSURE, tokens=12):
    decision = CDecision(abstention=abstention, tokens=tokens)
    decision.present[: len(present)] = present
    return decision


@pytest.mark.parametrize(
    ("present", "can", "best"),
    [
        ((0, 0, 0), -1, 1),  # the first of equals
        ((6, 5, 0), -1, 1),  # in half of the tokens: present
        ((12, 0, 0), 0b101, 2),  # eda cannot be switched on
        ((12, 0, 0), 0b001, None),  # what is there already is no help
        ((0, 12, 0), -1, 0),
        ((0, 12, 0), 0b110, None),  # temp helps none
        ((12, 12, 12), -1, None),
    ],
)
def test_the_most_helpful_of_those_that_can_be_had(present, can, best):
    assert NextSensor(np.array(GAIN))(said(present), can & 0xFFFFFFFF) == best


def test_it_speaks_to_the_undecided_only():
    ask = NextSensor(np.array(GAIN))
    spoken = {why for why in Abstention if ask(said((0, 0, 0), why)) is not None}
    assert spoken == {Abstention.UNSURE, Abstention.ABSENT}
    assert library().mmq_next_sensor(None, None, 7) == -1
    assert NextSensor(np.full((1, 9), 255, np.uint8))(said(())) is None  # more than a table holds


def test_a_manifest_without_a_table_does_not_name_it():
    assert "next_sensor" not in DecisionSettings.model_validate(TASKS).model_dump(mode="json")
    with_table = DecisionSettings.model_validate(TASKS | {"next_sensor": GAIN})
    again = DecisionSettings.model_validate_json(json.dumps(with_table.model_dump(mode="json")))
    assert again.next_sensor == tuple(map(tuple, GAIN))


@pytest.mark.parametrize("rows", [GAIN[:7], [], [[1, 2]], [*GAIN[:7], [0, 0]], [[256], [0]], [[0] * 9] * 512])
def test_a_table_of_another_shape_is_refused(rows):
    with pytest.raises(ValidationError, match="next_sensor"):
        DecisionSettings.model_validate(TASKS | {"next_sensor": rows})


def test_the_table_as_c():
    class Model:
        output_details = {"stress": {"quantization": (0.5, 3)}}

    text = rules_header(Model(), DecisionSettings.model_validate(TASKS | {"next_sensor": GAIN}))  # type: ignore[arg-type]
    assert "#define MMQ_RULES_NEXT 3u\nstatic const uint8_t mmq_next_gain[24] = {\n    1, 2, 2,\n" in text
    assert "NEXT" not in rules_header(Model(), DecisionSettings.model_validate(TASKS))  # type: ignore[arg-type]
