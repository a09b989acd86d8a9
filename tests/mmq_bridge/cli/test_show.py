# SPDX-License-Identifier: Apache-2.0
"""Decisions as lines of JSON."""

import json

import numpy as np
import pytest
from mmq_bridge.cli.show import decision_line
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.recordings.e4 import read_e4
from mmq_bridge.recordings.recording import Recording, Signal

SAID = Decision(75.0, {"stress": {"rest": 0.25, "stress": 0.75}}, {"eda": 1.0})


@pytest.mark.parametrize(
    ("started", "unix", "utc"),
    [(1_500_000_000.25, 1_500_000_075.25, "2017-07-14T02:41:15.250+00:00"), (None, None, None)],
)
def test_a_line_says_when_it_was(started, unix, utc):
    line = json.loads(decision_line(SAID, False, started))
    assert (line["time_s"], line["time_unix_s"], line["time_utc"]) == (75.0, unix, utc)
    assert line["classes"] == {"stress": "stress"}


def test_a_wrist_watch_tells_its_start_and_a_recording_is_the_same_without(tmp_path):
    for name, rate in (("EDA", 4), ("TEMP", 4)):
        rows = "\n".join(["1500000001.00", f"{rate:.6f}", *["0.5"] * 400])
        (tmp_path / f"{name}.csv").write_text(rows + "\n")
    assert read_e4(tmp_path).started_unix_s == 1_500_000_001.0
    made = Recording("P1", "1", {"eda": Signal("eda", np.ones((1, 8), np.float32), 4.0, "uS", ("eda",))})
    assert made.started_unix_s is None
    assert "started" not in repr(made)
