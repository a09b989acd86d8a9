# SPDX-License-Identifier: Apache-2.0
"""Layouts of real labs: a file per condition, the label in a name, other column names, rows out of order."""

import numpy as np
import pytest

from mmq_tf.datasets import open_dataset
from mmq_tf.errors import MMQError

HEAD = 'title = "t"\nlicence = "l"\nattribution = "a"\nlabel_kind = "k"\n[[files]]\n'
TASK = (
    '[trials]\nsource = "path"\n[tasks.load]\nclasses = ["rest", "stress"]\nignore = ["survey"]\n'
    'values = { baseline = "rest", stroop = "stress" }\n'
)
EDA = '[files.signals.eda]\ncolumns = ["value"]\nunit = "uS"\n'
DATED = 'format = "csv"\nsampling_rate_hz = 4.0\ntime = { column = "time", unit = "unix" }\n'
VISIT = HEAD + 'path = "{subject}/{session}/{condition}/eda.csv"\n' + DATED + EDA + TASK


def table(path, time_s, values, head="value,time"):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{value},{time!r}\n" for value, time in zip(values, map(float, time_s), strict=True))
    path.write_text(f"{head}\n{rows}")


@pytest.fixture
def visit(tmp_path):
    """Stroop first, a pause of 40 s, rest, 10 s, a survey."""
    for name, start, value in (("stroop", 1000.0, 1), ("baseline", 1070.0, 2), ("survey", 1110.0, 3)):
        table(tmp_path / "P01" / "pre" / name / "eda.csv", start + np.arange(120) / 4, [value] * 120)
    (tmp_path / "mmq-tf.toml").write_text(VISIT)
    return tmp_path


def load(folder, name="P01/pre"):
    return open_dataset("manifest", folder).load(folder, name)


def test_conditions_of_a_visit_are_one_recording_with_its_pauses(visit):
    dataset = open_dataset("manifest", visit)
    assert dataset.subjects(visit) == ["P01/pre"]
    recording = load(visit)
    assert (recording.subject, recording.session) == ("P01", "pre")
    eda = recording.signals["eda"].samples[0]
    assert eda.shape == (560,)
    assert np.isnan(eda).nonzero()[0].tolist() == [*range(120, 280), *range(400, 440)]
    assert [eda[0], eda[280], eda[440]] == [1, 2, 3]
    assert [(t.start_s, t.stop_s, t.labels) for t in recording.trials] == [
        (0, 30, {"load": "stress"}),
        (70, 100, {"load": "rest"}),
        (110, 140, {}),
    ]
    files = [path.relative_to(visit).as_posix() for path in dataset.source_files(visit, "P01/pre")]
    assert files == ["mmq-tf.toml", *(f"P01/pre/{name}/eda.csv" for name in ("baseline", "stroop", "survey"))]


def test_a_condition_between_two_points_of_the_grid_ends_with_the_recording(visit):
    (visit / "P01" / "pre" / "survey" / "eda.csv").unlink()
    table(visit / "P01" / "pre" / "baseline" / "eda.csv", 1070.1 + np.arange(120) / 4, [2] * 120)
    recording = load(visit)
    assert recording.duration_s == 100.0
    assert [t.stop_s for t in recording.trials] == [30.0, 100.0]
    assert recording.signals["eda"].samples[0, 280] == 2


def test_conditions_that_overlap_or_are_unknown(visit):
    table(visit / "P01" / "pre" / "baseline" / "eda.csv", 1020.0 + np.arange(120) / 4, [2] * 120)
    with pytest.raises(
        MMQError, match=r"baseline, stroop, survey of P01/pre: one begins 20 s after the first"
    ):
        load(visit)
    (visit / "P01" / "pre" / "baseline").rename(visit / "P01" / "pre" / "nap")
    with pytest.raises(
        MMQError, match=r"the condition of task load must be one of baseline, stroop; got 'nap'"
    ):
        load(visit)


def test_the_label_in_a_files_name_without_dates(tmp_path, caplog):
    for name in ("stroop_P01.csv", "baseline_P01.csv"):
        (tmp_path / name).write_text("value\n" + "1.5\n" * 120)
    path = 'path = "{condition}_{subject}.csv"\nformat = "csv"\nsampling_rate_hz = 4.0\n'
    (tmp_path / "mmq-tf.toml").write_text(HEAD + path + EDA + TASK)
    recording = load(tmp_path, "P01")
    assert [(t.start_s, t.stop_s, t.labels["load"]) for t in recording.trials] == [
        (0, 30, "rest"),
        (120, 150, "stress"),
    ]
    assert "have no dates: joined in the order of their names" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'source = "path"',
            'source = "annotations"',
            "'path' and {condition} in the paths of files go together",
        ),
        ("/{condition}/", "/", "'path' and {condition} in the paths of files go together"),
        (DATED, 'format = "recording"\n', "is only for csv, parquet, npz"),
        (
            "sampling_rate_hz = 4.0",
            "sort_within_s = 601.0\nsampling_rate_hz = 4.0",
            "less than or equal to 600",
        ),
        ('time = { column = "time", unit = "unix" }', "sort_within_s = 1.0", "sort_within_s needs time"),
    ],
)
def test_what_cannot_be(visit, old, new, words):
    (visit / "mmq-tf.toml").write_text(VISIT.replace(old, new))
    with pytest.raises(MMQError) as caught:
        load(visit)
    assert words in str(caught.value)


def test_rows_out_of_order_within_a_bound(visit):
    path = visit / "P01" / "pre" / "stroop" / "eda.csv"
    time_s, values = 1000.0 + np.arange(120) / 4, np.arange(120.0)
    swapped = np.arange(120)
    swapped[[50, 51]] = [51, 50]
    table(path, time_s[swapped], values[swapped])
    with pytest.raises(MMQError, match=r"eda.csv: row 53, column time: the time goes back by 0.25 s"):
        load(visit)
    (visit / "mmq-tf.toml").write_text(VISIT.replace("sampling", "sort_within_s = 0.5\nsampling", 1))
    assert load(visit).signals["eda"].samples[0, :120].tolist() == values.tolist()
    (visit / "mmq-tf.toml").write_text(VISIT.replace("sampling", "sort_within_s = 0.2\nsampling", 1))
    with pytest.raises(MMQError, match=r"row 53, column time: is 0.25 s out of order; sort_within_s is 0.2"):
        load(visit)
    values[50] = np.inf
    table(path, time_s[swapped], values[swapped])
    with pytest.raises(MMQError, match=r"row 53, column value, must be a finite number; got 'inf'"):
        load(visit)


def test_other_names_of_a_column(visit):
    path = visit / "P01" / "pre" / "stroop" / "eda.csv"
    path.write_text(path.read_text().replace("value,time", "EDA raw,time", 1))
    with pytest.raises(MMQError, match=r"has no column 'value'; there are EDA raw, time"):
        load(visit)
    named = VISIT.replace("sampling", 'aliases = { value = ["GSR", "EDA raw"] }\nsampling', 1)
    (visit / "mmq-tf.toml").write_text(named)
    assert load(visit).signals["eda"].samples[0, 0] == 1
