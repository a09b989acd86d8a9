# SPDX-License-Identifier: Apache-2.0
"""The two single recordings that benchmarks and tests read."""

import numpy as np
import pytest
from methods.sample_recordings import read_eeglab_sample, read_physiokit_sample

from mmq_tf.errors import MMQError

HEADER = "EDA,Resp,PPG Finger,PPG Ear,arduino_ts,event_code\n"


@pytest.fixture
def physiokit(tmp_path):
    """Write a file of one condition; returns the folder."""

    def write(rows: str):
        (tmp_path / "P12_baseline_1.csv").write_text(HEADER + rows)
        return tmp_path

    return write


def test_counts_are_laid_on_the_mean_rate_of_the_time_stamps(physiokit):
    recording = read_physiokit_sample(physiokit("1,2,3,4,100,\n5,6,7,8,103,\n9,10,11,12,108,\n"))
    assert recording.modalities == ("ppg", "eda", "resp")
    ppg = recording.signals["ppg"]
    assert ppg.channels == ("finger", "ear")
    assert ppg.samples.tolist() == [[3, 7, 11], [4, 8, 12]]
    assert ppg.sampling_rate_hz == pytest.approx(250.0)
    assert recording.signals["eda"].unit == "counts"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,2,3,4,100,\n1,2,x,4,104,\n", "expected numbers in the columns"),
        ("1,2,3,4,100,\n1,2\n", "expected numbers in the columns"),
        ("1,2,3,4,100,\n1,2,3,4,100,\n", "expected increasing times"),
        ("", "expected increasing times"),
    ],
)
def test_a_broken_file_is_named(physiokit, rows, message):
    with pytest.raises(MMQError, match=f"P12_baseline_1.csv: {message}"):
        read_physiokit_sample(physiokit(rows))


def test_an_unknown_condition_or_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(MMQError, match="condition must be one of baseline, task"):
        read_physiokit_sample(tmp_path, "rest")
    with pytest.raises(MMQError, match="expected a file P12_C_Hard"):
        read_physiokit_sample(tmp_path, "task")
    with pytest.raises(MMQError, match="cannot be read"):
        read_eeglab_sample(tmp_path)


def test_a_broken_eeglab_file_is_named(tmp_path):
    for ending in ("set", "fdt"):
        (tmp_path / f"eeglab_data.{ending}").write_bytes(b"no recording")
    with pytest.raises(MMQError, match=r"eeglab_data.set: MNE cannot read"):
        read_eeglab_sample(tmp_path)


def test_the_real_samples(mmq_data):
    for name in ("eeglab_sample", "physiokit_sample"):
        if not (mmq_data / name).is_dir():
            pytest.skip(f"no {name} in {mmq_data}")
    eeglab = read_eeglab_sample(mmq_data / "eeglab_sample")
    assert {name: s.samples.shape for name, s in eeglab.signals.items()} == {
        "eeg": (30, 30504),
        "eog": (2, 30504),
    }
    assert 5 < np.std(eeglab.signals["eeg"].samples) < 200  # uV
    for condition in ("baseline", "task"):
        kit = read_physiokit_sample(mmq_data / "physiokit_sample", condition)
        assert 258 < kit.signals["ppg"].sampling_rate_hz < 260
        assert kit.signals["resp"].samples.max() < 4096
