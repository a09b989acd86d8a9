# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mmq_tf.datasets import get_dataset, open_recording
from mmq_tf.datasets.stress_predict import trials_of_runs
from mmq_tf.errors import MMQError

DATASET = get_dataset("stress_predict")


@pytest.fixture
def folder(mmq_data):
    return mmq_data / "stress_predict"


def test_runs_of_one_label_become_trials():
    time = np.array([9.0, 10, 11, 12, 13, 20, 21])
    label = np.array([0, 0, 1, 1, 0, 0, 0])
    trials = trials_of_runs(time, label, 21.5)
    times = [(trial.start_s, trial.stop_s, trial.labels["stress"]) for trial in trials]
    assert times == [(9, 11, "rest"), (11, 13, "stress"), (13, 14, "rest"), (20, 21.5, "rest")]


def test_every_labelled_subject_is_there(folder):
    assert DATASET.subjects(folder) == [f"S{number:02d}" for number in range(2, 28)]


def test_a_real_subject(folder):
    recording = DATASET.load(folder, "S02")
    shapes = {name: signal.samples.shape for name, signal in recording.signals.items()}
    assert shapes == {"ppg": (1, 228173), "eda": (1, 14262), "temp": (1, 14264), "acc": (3, 114054)}
    assert [trial.labels["stress"] for trial in recording.trials] == ["rest", "stress"] * 3 + ["rest"]
    edges = [trial.start_s for trial in recording.trials]
    assert edges == [9, 622, 998, 1270, 1925, 2227, 2357]
    assert 30 < np.median(recording.signals["temp"].samples) < 36
    magnitude = np.linalg.norm(recording.signals["acc"].samples, axis=0)
    assert np.median(magnitude) == pytest.approx(1.0, abs=0.05)
    assert not recording.simulated
    assert recording.source == "stress_predict"


def test_labels_that_end_with_the_last_sample_are_cut_there(folder):
    recording = DATASET.load(folder, "S09")
    assert recording.trials[-1].stop_s == recording.duration_s


def test_digests_are_stable_and_differ(folder):
    assert DATASET.load(folder, "S02").digest == DATASET.load(folder, "S02").digest
    assert DATASET.load(folder, "S02").digest != DATASET.load(folder, "S03").digest


def test_any_e4_folder_can_be_replayed(folder):
    recording = open_recording(folder / "Raw_data" / "S05")
    assert recording.trials == ()
    labelled = DATASET.load(folder, "S05")
    assert all((recording.signals[m].samples == labelled.signals[m].samples).all() for m in recording.signals)


@pytest.mark.parametrize("subject", ["S01", "S35", "../S02", ""])
def test_an_unknown_subject_is_refused(folder, subject):
    with pytest.raises(MMQError, match="no recording of subject"):
        DATASET.load(folder, subject)


def test_an_unknown_data_set_is_refused():
    with pytest.raises(MMQError, match="must be one of simulated, stress-predict, eegmat.*; got 'nothing'"):
        get_dataset("nothing")
