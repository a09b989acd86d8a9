# SPDX-License-Identifier: Apache-2.0
"""What a check says of a folder: exactly what is there, and everything that is not as published."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from mmq_tf.datasets import get_dataset, open_dataset
from mmq_tf.datasets.base import SIMULATED_NAME, Dataset, Published, check_known
from mmq_tf.datasets.checking import check_subjects, people_warnings, subjects_to_check
from mmq_tf.datasets.fetch.registry import Pin
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial

PUBLISHED = Published(
    subjects=("p1", "p2", "p3"), signals={"eda": (1, 4.0), "temp": (2, 8.0)}, trials=(2, 2), ratings=(1, 9)
)
TEMP = Signal("temp", np.full((2, 80), 30, np.float32), 8.0, "degC", ("a", "b"))
TRIALS = (
    Trial(0.0, 4.0, {"mood": "low"}, {"valence": 1.0, "arousal": 3.0}),
    Trial(4.0, 10.0, {"mood": "high"}, {"valence": 9.0, "arousal": 3.5}),
)


def eda(rate_hz=4.0):
    samples = np.ones((1, 40), np.float32)
    samples[0, :10] = np.nan
    return Signal("eda", samples, rate_hz, "uS", ("eda",))


def toy(change=lambda recording: recording, **fields):
    """A data set of one ``NAME.txt`` a subject; `change` is what is done to each recording."""

    def names(folder):
        return [path.stem for path in folder.glob("p*.txt")]

    def files(folder, subject):
        check_known(folder, subject, names(folder))
        return [folder / f"{subject}.txt"]

    def load(folder, subject):
        return change(Recording(subject, "1", {"eda": eda(), "temp": TEMP}, TRIALS, source="toy"))

    made = Dataset(
        name="toy",
        title="Toy Set",
        licence="none",
        attribution="nobody",
        obtain="ask toys@example.org",
        tasks={"mood": ("low", "high")},
        label_kind="self-report",
        modalities=("eda", "temp"),
        list_subjects=names,
        source_files=files,
        load_subject=load,
        published=PUBLISHED,
    )
    return replace(made, **fields)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "p1.txt").write_bytes(b"12345")
    return tmp_path


def check(dataset, folder, *subjects):
    return list(check_subjects(dataset, folder, subjects_to_check(dataset, folder, subjects or None)))


def test_a_good_subject_is_described_exactly(folder):
    one, *others = check(toy(), folder)
    assert (one.subject, one.state, one.faults, one.files, one.size_bytes) == ("p1", "ok", (), 1, 5)
    assert one.digest == toy().digest(folder, "p1")
    assert one.pinned == {}
    assert one.trials is not None
    facts = one.signals["eda"]
    assert (facts.channels, facts.sampling_rate_hz, facts.duration_s, facts.lost) == (1, 4.0, 10.0, 0.25)
    assert one.signals["temp"].lost == 0
    assert (one.trials.number, one.trials.duration_s) == (2, 10.0)
    assert one.trials.classes == {"mood": {"low": 1, "high": 1}}
    assert one.trials.ratings == {"valence": (1.0, 9.0), "arousal": (3.0, 3.5)}
    assert [(other.subject, other.state, other.files) for other in others] == [
        ("p2", "missing", 0),
        ("p3", "missing", 0),
    ]


def test_what_is_lost_is_counted_in_the_trials(folder):
    def lost(*times, start_s=0.0):
        trials = tuple(Trial(start, stop, {}) for start, stop in times)
        signal = replace(eda(), start_s=start_s)  # 40 samples at 4 Hz, the first 10 are NaN
        dataset = toy(lambda r: replace(r, signals={"eda": signal, "temp": TEMP}, trials=trials))
        return check(dataset, folder)[0].signals["eda"].lost

    assert lost() == 0.25
    assert lost((0.0, 2.0)) == 1.0
    assert lost((2.5, 10.0)) == 0.0
    assert lost((2.0, 3.0), (5.0, 6.0)) == 0.25
    assert lost((0.0, 5.0), start_s=1.0) == 0.7  # 4 samples before it began, 10 of the next 16 lost
    assert lost((9.0, 11.0), (11.0, 12.0), start_s=2.0) == 0.0


def only_eda(recording):
    return replace(recording, signals={"eda": eda()})


def with_trials(*trials):
    return lambda recording: replace(recording, trials=trials)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (only_eda, "p1: temp is published and missing."),
        (
            lambda r: replace(r, signals={"eda": eda(5.0), "temp": TEMP}),
            "p1: eda is 1 x 5 Hz; 1 x 4 Hz is published.",
        ),
        (
            lambda r: replace(r, signals={**r.signals, "ecg": replace(eda(), modality="ecg")}),
            "p1: ecg is there and not published.",
        ),
        (with_trials(TRIALS[0]), "p1: trials: 1; 2 are published."),
        (
            with_trials(replace(TRIALS[0], ratings={"valence": 0.5}), TRIALS[1]),
            "p1: valence ratings: 0.5 to 9; 1 to 9 are published.",
        ),
        (
            with_trials(*(replace(trial, ratings={}) for trial in TRIALS)),
            "p1: no ratings; some from 1 to 9 are published.",
        ),
        (
            with_trials(replace(TRIALS[0], labels={"mood": "odd"}), TRIALS[1]),
            "p1: the data set knows no class 'odd' of a task 'mood'.",
        ),
        (
            with_trials(replace(TRIALS[0], labels={"zest": "low"}), TRIALS[1]),
            "p1: the data set knows no class 'low' of a task 'zest'.",
        ),
    ],
)
def test_every_difference_is_a_sentence_of_its_own(folder, change, fault):
    one = check(toy(change), folder)[0]
    assert (one.state, one.faults) == ("differs", (fault,))


def test_all_differences_are_named_at_once(folder):
    one = check(toy(lambda r: replace(only_eda(r), trials=())), folder)[0]
    assert len(one.faults) == 3


def test_a_subject_that_nobody_promised_is_checked_too(folder):
    (folder / "p9.txt").write_bytes(b"")
    found = {one.subject: one for one in check(toy(), folder)}
    assert found["p9"].faults == ("p9: the publisher names no such subject.",)
    assert list(found) == ["p1", "p2", "p3", "p9"]


def test_a_subject_that_does_not_load_is_broken_and_says_why(folder):
    (folder / "p2.txt").write_bytes(b"123")

    def change(recording):
        if recording.subject == "p1":
            raise MMQError("p1.txt: row 7 must be a number; got 'x'.")
        return recording

    first, second, _ = check(toy(change), folder)
    assert (first.state, first.faults) == ("broken", ("p1.txt: row 7 must be a number; got 'x'.",))
    assert (first.files, first.size_bytes, first.digest, first.signals) == (1, 5, "", {})
    assert second.state == "ok"


def test_a_file_that_is_listed_and_not_there_is_broken(folder):
    dataset = toy(source_files=lambda folder, subject: [folder / "gone.txt"])
    one = check(dataset, folder)[0]
    assert one.state == "broken"
    assert one.faults == (f"{folder / 'gone.txt'}: cannot be read (No such file or directory).",)


def test_only_the_wanted_subjects(folder):
    assert list(subjects_to_check(toy(), folder, ["p3", "p1", "p3"]).items()) == [("p3", False), ("p1", True)]
    with pytest.raises(MMQError, match="there is no subject 'p7'; there are p1, p2, p3"):
        subjects_to_check(toy(), folder, ["p7"])


def test_an_empty_or_wrong_folder_says_where_to_get_the_data_set(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MMQError, match=r"Toy Set can be had here: ask toys@example\.org"):
            subjects_to_check(toy(), folder)


def test_a_data_set_without_a_publisher_lacks_nobody(folder):
    assert subjects_to_check(toy(published=None), folder) == {"p1": True}
    assert check(toy(only_eda, published=None), folder)[0].state == "ok"


def test_a_simulated_cohort_lacks_nobody_and_has_no_published_digest(folder, monkeypatch):
    (folder / SIMULATED_NAME).write_text("SIMULATED")
    monkeypatch.setattr("mmq_tf.datasets.checking.pins_of", lambda name: {"p1.txt": Pin("0" * 64)})
    (one,) = check(toy().in_folder(folder), folder)
    assert (one.state, one.pinned) == ("ok", {})


def test_files_are_held_against_the_publishers_digests(folder, monkeypatch):
    right = Pin("5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5")  # of "12345"
    for pin, state, word in (
        (right, "ok", "ok"),
        (Pin("0" * 64), "differs", "differs"),
        (None, "ok", "unknown"),
    ):
        pins = {"another.txt": right, **({"p1.txt": pin} if pin else {})}
        monkeypatch.setattr("mmq_tf.datasets.checking.pins_of", lambda name, pins=pins: pins)
        one = check(toy(), folder)[0]
        assert (one.state, one.pinned) == (state, {"p1.txt": word})
    monkeypatch.setattr("mmq_tf.datasets.checking.pins_of", lambda name: {"p1.txt": Pin("0" * 64)})
    assert check(toy(), folder)[0].faults == (
        f"{folder / 'p1.txt'}: another file than the published one (SHA-256).",
    )


# ---- the real recordings


@pytest.mark.parametrize(("name", "there", "promised"), [("eegmat", 20, 36), ("stress_predict", 26, 34)])
def test_our_copies_are_incomplete_and_as_published(mmq_data, name, there, promised):
    folder = mmq_data / name
    dataset = open_dataset(name, folder)
    subjects = subjects_to_check(dataset, folder)
    assert (len(subjects), sum(subjects.values())) == (promised, there)
    names = list(subjects)
    first, last = check(dataset, folder, names[0], names[-1])
    assert (first.state, last.state) == ("ok", "missing")
    assert set(first.pinned.values()) == {"ok"}
    assert first.digest == dataset.load(folder, names[0]).digest


def test_a_half_copied_subject_is_missing_and_says_what_of_it(mmq_data, tmp_path, caplog):
    for name in ("Subject00_1.edf", "Subject00_2.edf", "Subject01_1.edf"):
        shutil.copyfile(mmq_data / "eegmat" / name, tmp_path / name)
    whole, half = check(get_dataset("eegmat"), tmp_path, "Subject00", "Subject01")
    assert (whole.state, half.state) == ("ok", "missing")
    assert half.faults[0].startswith(f"{tmp_path / 'Subject01_2.edf'}: not found")
    assert caplog.messages == [f"{tmp_path}: Subject01 is left out, one of its two files is missing"]


def test_one_changed_sample_of_a_published_file_is_seen(mmq_data, tmp_path):
    for part in (1, 2):
        shutil.copyfile(mmq_data / "eegmat" / f"Subject00_{part}.edf", tmp_path / f"Subject00_{part}.edf")
    path = tmp_path / "Subject00_2.edf"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (one,) = check(get_dataset("eegmat"), tmp_path, "Subject00")
    assert one.state == "differs"
    assert one.pinned == {"Subject00_1.edf": "ok", "Subject00_2.edf": "differs"}


def test_people_are_doubted_only_where_no_publisher_names_them(tmp_path):
    for name in ("p1", "p2"):
        (tmp_path / f"{name}.txt").write_text("the same")
    own = toy(published=None)
    every, same = people_warnings(own, tmp_path, ["p1", "p2"])
    assert every.startswith("each of the 2 recordings counts as another person")
    assert same.startswith("p1.txt of the subjects p1, p2 is the same file")
    assert people_warnings(toy(), tmp_path, ["p1", "p2"]) == []
    assert people_warnings(toy(published=None, simulated=True), tmp_path, ["p1", "p2"]) == []
