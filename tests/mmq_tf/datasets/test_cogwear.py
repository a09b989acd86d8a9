# SPDX-License-Identifier: Apache-2.0
"""CogWear as it is published, and small copies of its layout with its faults."""

import hashlib

import numpy as np
import pytest

from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import get_dataset
from mmq_tf.errors import MMQError

DATASET = get_dataset("cogwear")
RATES = {"bvp": 64, "eda": 4, "temp": 4}


def write(folder, start_s, seconds, value=1.0, header=False, changed=None):
    """Write one condition; `changed` maps a sensor to lines in place of its own."""
    folder.mkdir(parents=True)
    for name, rate in RATES.items():
        values = [float(rate)] if header else []
        values += [value + k for k in range(seconds * rate)]
        rows = [f"{v},{start_s + k / rate!r}" for k, v in enumerate(values)]
        lines = (changed or {}).get(name, [f"{name},time", *rows])
        (folder / f"empatica_{name}.csv").write_text("".join(f"{line}\r\n" for line in lines))


@pytest.fixture
def visit(tmp_path):
    """A pilot visit: 8 s of task, a pause of 4 s, 10 s of rest; another person's begins with header rows."""
    write(tmp_path / "pilot" / "3" / "cognitive_load", 1000.5, 8)
    write(tmp_path / "pilot" / "3" / "baseline", 1012.5, 10, value=100.0)
    own = tmp_path / "survey_gamification" / "11" / "pre"
    write(own / "cognitive_load", 5000.0, 8, header=True)
    write(own / "baseline", 5010.0, 10)
    write(own / "survey", 5030.0, 5)
    return tmp_path


def test_conditions_are_joined_by_their_times(visit):
    assert DATASET.subjects(visit) == ["P03/pilot", "P11/pre"]
    recording = DATASET.load(visit, "P03/pilot")
    assert (recording.subject, recording.session, recording.source) == ("P03", "pilot", "cogwear")
    assert [(t.start_s, t.stop_s, t.labels) for t in recording.trials] == [
        (0.0, 8.0, {"stress": "stress"}),
        (12.0, 22.0, {"stress": "rest"}),
    ]
    eda = recording.signals["eda"]
    assert (eda.samples.shape, eda.sampling_rate_hz, eda.unit) == ((1, 88), 4.0, "uS")
    np.testing.assert_array_equal(eda.samples[0, :32], np.arange(1.0, 33))
    assert np.isnan(eda.samples[0, 32:48]).all()
    np.testing.assert_array_equal(eda.samples[0, 48:], np.arange(100.0, 140))


def test_a_rate_that_stands_where_samples_begin_is_dropped(visit):
    recording = DATASET.load(visit, "P11/pre")
    starts = {name: (signal.start_s, signal.samples[0, 0]) for name, signal in recording.signals.items()}
    assert starts == {"ppg": (0.0, 1.0), "eda": (0.25 - 1 / 64, 1.0), "temp": (0.25 - 1 / 64, 1.0)}
    assert [trial.labels.get("stress") for trial in recording.trials] == ["stress", "rest", None]


def test_the_visit_with_one_file_twice_is_left_out(visit, caplog):
    for condition in ("cognitive_load", "baseline"):
        write(visit / "survey_gamification" / "20" / "pre" / condition, 2000.0, 8)
    assert DATASET.subjects(visit) == ["P03/pilot", "P11/pre"]
    assert "P20/pre is left out: cognitive_load and baseline are the same file" in caplog.text
    with pytest.raises(MMQError, match="no recording of subject 'P20/pre'; there are P03/pilot, P11/pre"):
        DATASET.load(visit, "P20/pre")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["eda,when", "1,1012.5"], "has no column 'time'; there are eda, when"),
        (["eda,time", "1,1012.5", "2,"], "row 3, column time: the time is missing"),
        (["eda,time", "1,1012.5", "2,1012.0"], "row 3, column time: the time goes back by 0.5 s"),
        (
            ["eda,time", *(f"1,{1004.5 + k / 4}" for k in range(40))],
            "one begins 4 s after the first, before another has ended",
        ),
        (["eda,time", "1,99012.5"], "eda begins 97990 s after .* sensors of one recording must overlap"),
    ],
)
def test_what_is_broken_is_named(tmp_path, lines, words):
    write(tmp_path / "pilot" / "0" / "cognitive_load", 1000.5, 8)
    write(tmp_path / "pilot" / "0" / "baseline", 1012.5, 10, changed={"eda": lines})
    with pytest.raises(MMQError, match=words):
        DATASET.load(tmp_path, "P00/pilot")


def test_a_missing_file_and_a_folder_without_people_are_named(visit):
    (visit / "survey_gamification" / "11" / "pre" / "baseline" / "empatica_eda.csv").unlink()
    with pytest.raises(MMQError, match=r"survey_gamification/11/pre/baseline/empatica_eda.csv: not found"):
        DATASET.load(visit, "P11/pre")
    with pytest.raises(MMQError, match="found no subject"):
        DATASET.subjects(visit / "pilot" / "3")


@pytest.fixture
def folder(mmq_data):
    return mmq_data / "cogwear"


def test_everyone_who_can_be_used_is_there(folder):
    names = DATASET.subjects(folder)
    assert DATASET.published is not None
    assert tuple(names) == tuple(sorted(DATASET.published.subjects))
    assert len({name.split("/")[0] for name in names}) == 23


def test_a_real_visit(folder):
    recording = DATASET.load(folder, "P15/post")
    assert [trial.labels.get("stress") for trial in recording.trials] == ["stress", "rest", None]
    assert [round(trial.start_s) for trial in recording.trials] == [0, 324, 567]
    assert recording.signals["temp"].samples[0, 0] == np.float32(35.23)  # not 4.0, the rate
    assert np.nanmin(recording.signals["temp"].samples) > 30
    shapes = {name: signal.samples.shape for name, signal in recording.signals.items()}
    assert shapes == {"ppg": (1, 49472), "eda": (1, 3090), "temp": (1, 3092)}


def test_real_visits_are_those_that_a_script_of_their_own_read(folder):
    """The hash was made by the loader that the manifest replaced, of samples, times, labels and digests."""
    digest = hashlib.sha256()
    for name in ("P00/pilot", "P15/post", "P17/pre"):
        recording = DATASET.load(folder, name)
        digest.update(recording.digest.encode())
        for sensor, one in recording.signals.items():
            facts = f"{sensor} {one.sampling_rate_hz} {one.unit} {one.channels} {one.start_s!r}"
            digest.update(facts.encode() + one.samples.tobytes())
        digest.update(repr([(t.start_s, t.stop_s, dict(t.labels)) for t in recording.trials]).encode())
    assert digest.hexdigest() == "a4967721ea0af40e9874adc6d988bce2cc43d63648be94e9ac614a9cbb9e3ee0"


def test_its_preset_reads_what_it_has():
    config = load_config("cogwear")
    assert config.classes == load_config("stress-predict").classes
    assert set(config.front_end.modality_names) == set(DATASET.modalities)
