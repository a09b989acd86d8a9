# SPDX-License-Identifier: Apache-2.0
import logging

import numpy as np
import pytest
from scipy.signal import find_peaks

from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.eegmat import list_subjects

DATASET = get_dataset("eegmat")


@pytest.fixture(scope="module")
def folder(mmq_data):
    return mmq_data / "eegmat"


@pytest.fixture(scope="module")
def recording(folder):
    return DATASET.load(folder, "Subject04")


def test_every_subject_is_there(folder):
    assert DATASET.subjects(folder) == [f"Subject{number:02d}" for number in range(20)]


def test_rest_and_task_are_joined_with_a_pause(recording):
    assert recording.trials[0].labels == {"load": "rest"}
    assert recording.trials[1].labels == {"load": "arithmetic"}
    times = [(trial.start_s, trial.stop_s) for trial in recording.trials]
    assert times == [(0, 170), (175, 237)]
    for signal in recording.signals.values():
        lost = np.isnan(signal.samples).all(0)
        assert lost[170 * 500 : 175 * 500].all()
        assert lost.sum() == 5 * 500


def test_channels_and_units(recording):
    eeg, ecg = recording.signals["eeg"], recording.signals["ecg"]
    assert eeg.sampling_rate_hz == ecg.sampling_rate_hz == 500
    assert len(eeg.channels) == 19
    assert eeg.channels[:3] == ("Fp1", "Fp2", "F3")
    assert not {"A2-A1", "ECG"} & set(eeg.channels)
    assert (eeg.unit, ecg.unit) == ("uV", "mV")
    assert (np.nanstd(eeg.samples, axis=1) > 3).all()
    assert (np.nanstd(eeg.samples, axis=1) < 60).all()


def test_the_ecg_in_mv_shows_a_heart(folder):
    ecg = DATASET.load(folder, "Subject00").signals["ecg"].samples[0, : 60 * 500]
    beats, _ = find_peaks(ecg, height=0.25, distance=200)  # R waves of more than 0.25 mV
    assert 45 <= beats.size <= 110


def test_a_header_that_says_uv_for_the_ecg_is_not_believed(folder, tmp_path, caplog):
    for part in (1, 2):
        data = bytearray((folder / f"Subject00_{part}.edf").read_bytes())
        at = 256 + 96 * 22 + 8 * 20  # the unit of signal 20
        assert data[at : at + 8] == b"mV      "
        data[at : at + 8] = b"uV      "
        (tmp_path / f"Subject00_{part}.edf").write_bytes(data)
    with caplog.at_level(logging.WARNING):
        changed = DATASET.load(tmp_path, "Subject00").signals["ecg"].samples
    assert "taken as mV" in caplog.text
    original = DATASET.load(folder, "Subject00").signals["ecg"].samples
    np.testing.assert_allclose(changed, original, rtol=1e-5, atol=1e-6)


def test_a_subject_with_one_file_is_left_out_and_named(tmp_path, caplog):
    for name in ("Subject00_1.edf", "Subject00_2.edf", "Subject01_1.edf"):
        (tmp_path / name).touch()
    with caplog.at_level(logging.WARNING):
        assert list_subjects(tmp_path) == ["Subject00"]
    assert "Subject01" in caplog.text
