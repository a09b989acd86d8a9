# SPDX-License-Identifier: Apache-2.0
"""Two sensors of one modality, a session of enrolment, people's names, and what is left out."""

import numpy as np
import pytest

from mmq_tf.datasets import open_dataset
from mmq_tf.datasets.manifest.schema import read_manifest
from mmq_tf.errors import MMQError

HEAD = 'title = "t"\nlicence = "l"\nattribution = "a"\nlabel_kind = "k"\n'
TASK = '[tasks.load]\nclasses = ["rest", "stress"]\n'
PPG = (
    '[[files]]\nname = "{0}"\npath = "{{subject}}_{0}.csv"\nformat = "csv"\nsampling_rate_hz = {1}\n'
    'time = {{ column = "t", unit = "unix" }}\nsignals.ppg = {{ columns = ["{0}"], unit = "a.u." }}\n'
)
MARKS = '[trials]\nsource = "table"\npath = "trials.csv"\ntime_unit = "s"\n'


def table(path, start_s, seconds, rate_hz, value, name):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{start_s + k / rate_hz!r},{value + k}\n" for k in range(int(seconds * rate_hz)))
    path.write_text(f"t,{name}\n{rows}")


def load(folder, name):
    return open_dataset("manifest", folder).load(folder, name)


def refusal(folder, text):
    (folder / "mmq-tf.toml").write_text(text)
    with pytest.raises(MMQError) as caught:
        read_manifest(folder)
    return str(caught.value)


@pytest.fixture
def watches(tmp_path):
    """Two watches of 25 Hz, the second on a second later, and a third of 64 Hz; P02 wore the first alone."""
    for person in ("P01", "P02"):
        table(tmp_path / f"{person}_left.csv", 1000.0, 20, 25, 0.0, "left")
    table(tmp_path / "P01_right.csv", 1001.0, 20, 25, 1000.0, "right")
    table(tmp_path / "P01_quick.csv", 1000.0, 20, 64, 5000.0, "quick")
    (tmp_path / "trials.csv").write_text("subject,start,stop,load\nP01,0,5,rest\nP02,0,5,rest\n")
    return tmp_path


def described(folder, sensors):
    files = PPG.format("left", 25) + (PPG.format("right", 25) + PPG.format("quick", 64)).replace(
        "format =", "optional = true\nformat ="
    )
    return HEAD + sensors + files + MARKS + TASK


def test_one_of_two_sensors_is_read_and_the_others_files_do_not_matter(watches):
    text = described(watches, 'sensors.ppg = "quick"\n').replace("optional = true\n", "")
    (watches / "mmq-tf.toml").write_text(text)
    (watches / "P01_right.csv").write_text("broken")
    dataset = open_dataset("manifest", watches)
    assert dataset.subjects(watches) == ["P01"]
    ppg = load(watches, "P01").signals["ppg"]
    assert (ppg.channels, ppg.sampling_rate_hz, ppg.samples[0, 0]) == (("quick",), 64, 5000)
    names = [path.name for path in dataset.source_files(watches, "P01")]
    assert names == ["mmq-tf.toml", "P01_quick.csv", "trials.csv"]


def test_two_sensors_side_by_side_are_channels_at_their_own_times(watches):
    (watches / "mmq-tf.toml").write_text(described(watches, 'sensors.ppg = ["right", "left"]\n'))
    ppg = load(watches, "P01").signals["ppg"]
    assert ppg.channels == ("right_right", "left_left")
    assert ppg.samples.shape == (2, 525)
    assert np.isnan(ppg.samples[0]).nonzero()[0].tolist() == list(range(25))
    assert np.isnan(ppg.samples[1]).nonzero()[0].tolist() == list(range(500, 525))
    assert [ppg.samples[0, 25], ppg.samples[1, 0]] == [1000, 0]
    lacking = load(watches, "P02").signals["ppg"]
    assert lacking.channels == ppg.channels
    assert np.isnan(lacking.samples[0]).all()
    assert lacking.samples[1, 7] == 7


def test_sensors_side_by_side_need_one_rate(watches):
    (watches / "mmq-tf.toml").write_text(described(watches, 'sensors.ppg = ["left", "quick"]\n'))
    with pytest.raises(MMQError, match=r"P01_quick.csv: ppg has 64 Hz here and 25 in P01_left.csv"):
        load(watches, "P01")


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        ("", "signals.ppg is described twice; give each entry of files a name, and say in [sensors] which"),
        ('sensors.ppg = "middle"\n', "sensors.ppg: no entry of files with it is named 'middle'; left, right"),
        (
            'sensors.eda = "left"\n',
            "sensors.eda: no entry of files with it is named 'left'; none with a name",
        ),
        ("sensors.ppg = []\n", "sensors.ppg must name entries of files, each once"),
        ('sensors.ppg = ["left", "left"]\n', "sensors.ppg must name entries of files, each once"),
        (
            'subject_name = "P"\nsensors.ppg = "left"\n',
            "subject_name must hold {subject} or {subject:02} once",
        ),
        ('enrolment_session = "x"\nsensors.ppg = "left"\n', "enrolment_session needs {session} in the paths"),
    ],
)
def test_what_cannot_be_read_is_said(watches, sensors, words):
    assert words in refusal(watches, described(watches, sensors))


EDA = (
    '[[files]]\npath = "{subject}/{session}.csv"\nformat = "csv"\nsampling_rate_hz = 4\n'
    'time = { column = "t", unit = "unix" }\nlabels = ["label"]\n'
    'signals.eda = { columns = ["eda"], unit = "uS" }\n[trials]\nsource = "column"\n'
    + TASK.replace("load", "label")
)


@pytest.fixture
def enrolled(tmp_path):
    """A rest of 70 s on one day and a task of 30 s on another; P03 has no rest, P04 nothing else."""
    for person, session, seconds in (
        ("1", "day0", 70),
        ("1", "day1", 30),
        ("3", "day1", 30),
        ("4", "day0", 9),
    ):
        path = tmp_path / person / f"{session}.csv"
        table(
            path, 9e5 if session == "day0" else 5e6, seconds, 4, 10.0 if session == "day0" else 500.0, "eda"
        )
        label = "as you like" if session == "day0" else "stress"
        text = path.read_text().replace("t,eda\n", "t,eda,label\n", 1)
        path.write_text(
            text.splitlines()[0] + "\n" + "".join(f"{x},{label}\n" for x in text.splitlines()[1:])
        )
    text = HEAD + 'subject_name = "P{subject:02}"\nenrolment_session = "day0"\n' + EDA
    (tmp_path / "mmq-tf.toml").write_text(text)
    return tmp_path


def test_a_session_of_enrolment_comes_before_the_persons_others_and_is_not_judged(enrolled, caplog):
    dataset = open_dataset("manifest", enrolled)
    assert dataset.subjects(enrolled) == ["P01/day1", "P03/day1"]
    assert "P04 was enrolled and has no other session" in caplog.text
    recording = load(enrolled, "P01/day1")
    assert (recording.subject, recording.session) == ("P01", "day1")
    eda = recording.signals["eda"]
    assert (eda.start_s, eda.samples[0, 0], eda.samples[0, 180 * 4]) == (0.0, 10, 500)
    assert np.isnan(eda.samples[0, 70 * 4 : 180 * 4]).all()
    assert [(t.start_s, t.stop_s, t.labels) for t in recording.trials] == [(180, 210, {"label": "stress"})]
    names = [path.name for path in dataset.source_files(enrolled, "P01/day1")]
    assert names == ["mmq-tf.toml", "day0.csv", "day1.csv"]
    with pytest.raises(MMQError, match="P03 has no session 'day0', which enrolment_session names"):
        load(enrolled, "P03/day1")
    with pytest.raises(MMQError, match="no recording of subject 'P01/day0'"):
        load(enrolled, "P01/day0")


def test_what_is_left_out_is_said_with_its_reason(enrolled, caplog):
    path = enrolled / "mmq-tf.toml"
    path.write_text(
        path.read_text().replace("[[files]]", '[left_out]\n"P03/day1" = "no rest"\nP9 = "?"\n[[files]]')
    )
    assert open_dataset("manifest", enrolled).subjects(enrolled) == ["P01/day1"]
    assert "P03/day1 is left out: no rest" in caplog.text
    assert "left_out names P9, of whom there are no files" in caplog.text


def test_two_people_are_never_called_the_same(enrolled):
    table(enrolled / "01" / "day1.csv", 5e6, 30, 4, 1.0, "eda")
    with pytest.raises(MMQError, match="01/day1 and 1/day1 are both called P01/day1 by subject_name"):
        open_dataset("manifest", enrolled).subjects(enrolled)


def test_files_of_one_kind_may_lie_in_two_places_but_each_only_in_one(tmp_path):
    places = 'path = ["{session}/{subject}/eda.csv", "more/{subject}/{session}/eda.csv"]'
    files = EDA.replace('path = "{subject}/{session}.csv"', places).replace('labels = ["label"]\n', "")
    files = files.replace('source = "column"', 'source = "table"\npath = "trials.csv"\ntime_unit = "s"')
    (tmp_path / "mmq-tf.toml").write_text(HEAD + files)
    (tmp_path / "trials.csv").write_text("subject,session,start,stop,label\n7,pilot,0,5,rest\n")
    for place in ("pilot/7", "more/8/first"):
        table(tmp_path / place / "eda.csv", 1000.0, 20, 4, 1.0, "eda")
    dataset = open_dataset("manifest", tmp_path)
    assert dataset.subjects(tmp_path) == ["7/pilot", "8/first"]
    assert load(tmp_path, "7/pilot").trials[0].stop_s == 5
    table(tmp_path / "more/7/pilot" / "eda.csv", 1000.0, 20, 4, 1.0, "eda")
    with pytest.raises(MMQError, match=r"are both files of 7/pilot; files.0.path must mean one of them"):
        load(tmp_path, "7/pilot")


def test_a_row_of_the_rate_is_no_sample_where_the_manifest_says_so(watches):
    path = watches / "P01_left.csv"
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text(head + "999.96,25\n" + "".join(rows))
    text = described(watches, 'sensors.ppg = "left"\n')
    (watches / "mmq-tf.toml").write_text(text)
    assert load(watches, "P01").signals["ppg"].samples[0, :2].tolist() == [25, 0]
    (watches / "mmq-tf.toml").write_text(
        text.replace("sampling_rate_hz", "rate_row = true\nsampling_rate_hz")
    )
    for person in ("P01", "P02"):
        assert load(watches, person).signals["ppg"].samples[0, :2].tolist() == [0, 1]
    assert "rate_row needs signals and their sampling_rate_hz" in refusal(
        watches, text.replace("sampling_rate_hz = 25", "rate_row = true")
    )
