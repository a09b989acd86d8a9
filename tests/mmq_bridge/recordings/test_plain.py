# SPDX-License-Identifier: Apache-2.0
"""What is read where mmq-tf is not installed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.plain import read_recording


def test_an_e4_export_and_its_archive(e4):
    recording = read_recording(e4)
    assert (recording.subject, recording.session, recording.simulated) == ("S02", "1", False)
    assert recording.modalities == ("ppg", "eda", "temp", "acc")
    assert recording.duration_s == 20
    assert recording.signals["acc"].samples[:, 0].tolist() == [1.0, 0.0, -0.5]
    packed = read_recording(Path(shutil.make_archive(str(e4), "zip", e4)))
    assert packed.subject == "S02"
    for name, signal in recording.signals.items():
        np.testing.assert_array_equal(packed.signals[name].samples, signal.samples)


def test_a_recording_folder(described):
    recording = read_recording(described)
    assert (recording.subject, recording.session, recording.simulated) == ("P1", "2", True)
    assert recording.modalities == ("ppg", "eda", "temp", "acc")
    assert recording.signals["acc"].channels == ("x", "y", "z")
    np.testing.assert_array_equal(recording.signals["ppg"].samples, [np.arange(1280)])
    assert [(one.stop_s, one.labels) for one in recording.trials] == [(20.0, {"stress": "rest"})]


@pytest.mark.parametrize("name", ["nothing", "notes.docx"])
def test_what_is_neither_names_both_and_who_reads_more(tmp_path, name):
    (tmp_path / "notes.docx").write_text("x")
    with pytest.raises(BridgeError, match=r"recording\.json or an Empatica E4 export .* install mmq-tf"):
        read_recording(tmp_path / name)
