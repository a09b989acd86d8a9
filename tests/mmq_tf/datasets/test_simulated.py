# SPDX-License-Identifier: Apache-2.0
import hashlib
import json

import numpy as np
import pytest
from command_line import invoke

from mmq_tf.cli.datasets import command as datasets
from mmq_tf.cli.simulate import command
from mmq_tf.datasets import get_dataset, open_recording
from mmq_tf.datasets.formats.folder import save_recording
from mmq_tf.datasets.simulated import ground_truth
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings, simulate

DATASET = get_dataset("simulated")
SETTINGS = Settings(seed=2, minutes=7)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("simulated") / "cohort", 2, SETTINGS)


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(p.relative_to(folder)), hashlib.sha256(p.read_bytes()).hexdigest()) for p in files]


def test_one_person_is_read_without_listing_all(cohort, monkeypatch):
    """Else reading thousands takes the square of their number."""
    monkeypatch.setattr("mmq_tf.datasets.simulated.list_subjects", lambda folder: pytest.fail("listed"))
    assert DATASET.load(cohort, "sim-02").subject == "sim-02"
    assert ground_truth(cohort, "sim-01").beats_s
    assert DATASET.digest(cohort, "sim-01") != DATASET.digest(cohort, "sim-02")


@pytest.mark.parametrize("name", ["sim-03", "../sim-01", "sim-01/", ".", "", "sim-01/../sim-02"])
def test_a_name_that_no_person_has_is_refused(cohort, name):
    (cohort.parent / "sim-01").mkdir(exist_ok=True)
    (cohort.parent / "sim-01" / "recording.json").touch()
    with pytest.raises(MMQError, match="no recording of subject"):
        DATASET.load(cohort, name)


def test_what_is_read_is_what_was_simulated(cohort):
    assert DATASET.subjects(cohort) == ["sim-01", "sim-02"]
    for index, subject in enumerate(DATASET.subjects(cohort)):
        made, truth = simulate(SETTINGS, index)
        read = DATASET.load(cohort, subject)
        assert read.simulated
        assert (read.subject, read.session, read.source) == (made.subject, made.session, "simulated")
        assert read.trials == made.trials
        for name, signal in made.signals.items():
            other = read.signals[name]
            assert other.samples.tobytes() == signal.samples.tobytes()
            assert (other.unit, other.channels, other.start_s) == (
                signal.unit,
                signal.channels,
                signal.start_s,
            )
        assert ground_truth(cohort, subject) == truth


def test_the_same_seed_writes_the_same_bytes(cohort, tmp_path):
    assert digest(write_cohort(tmp_path / "again", 2, SETTINGS)) == digest(cohort)
    other = write_cohort(tmp_path / "other", 2, Settings(seed=3, minutes=7))
    assert digest(other) != digest(cohort)


def test_every_file_for_people_says_simulated(cohort):
    assert "SIMULATED" in (cohort / "README.txt").read_text()
    assert json.loads((cohort / "cohort.json").read_text())["simulated"] is True
    content = json.loads((cohort / "sim-01" / "recording.json").read_text())
    assert content["simulated"] is True
    assert "SIMULATED" in content["note"]


def test_one_subject_can_be_replayed_from_its_folder(cohort):
    assert open_recording(cohort / "sim-02").subject == "sim-02"


def test_changing_a_sample_changes_the_digest(cohort, tmp_path):
    copy = write_cohort(tmp_path / "copy", 1, SETTINGS)
    before = DATASET.load(copy, "sim-01").digest
    assert before == DATASET.load(cohort, "sim-01").digest
    path = copy / "sim-01" / "eda.npy"
    samples = np.load(path)
    samples[0, 5] += 1
    np.save(path, samples)
    assert DATASET.load(copy, "sim-01").digest != before


def test_a_measured_recording_is_not_read_as_a_simulated_one(tmp_path):
    signal = Signal("eda", np.ones((1, 40), np.float32), 4.0, "uS", ("eda",))
    save_recording(Recording("p", "1", {"eda": signal}), tmp_path / "p")
    assert not open_recording(tmp_path / "p").simulated
    with pytest.raises(MMQError, match="expected a simulated recording"):
        DATASET.load(tmp_path, "p")
    with pytest.raises(MMQError, match="expected the ground truth"):
        ground_truth(tmp_path, "p")


def test_a_cohort_is_replaced_only_when_asked(tmp_path):
    out = write_cohort(tmp_path / "c", 2, SETTINGS)
    with pytest.raises(MMQError, match="use --force"):
        write_cohort(out, 1, SETTINGS)
    write_cohort(out, 1, SETTINGS, replace=True)
    assert DATASET.subjects(out) == ["sim-01"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(MMQError, match="something else is there"):
        write_cohort(tmp_path / "mine", 1, SETTINGS, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "mine"]


def test_the_command_writes_a_cohort_and_says_simulated(tmp_path):
    options = ("--subjects", 1, "--minutes", 7, "--modalities", "eda,ecg")
    result = invoke(command, "--out", tmp_path / "c", *options)
    assert result.exit_code == 0, result.output
    assert "SIMULATED" in result.output
    assert DATASET.load(tmp_path / "c", "sim-01").modalities == ("ecg", "eda")


def test_the_list_names_every_data_set():
    result = invoke(datasets, "list")
    assert result.exit_code == 0
    for name in ("simulated", "stress-predict", "eegmat"):
        assert f"\n{name} " in result.output
