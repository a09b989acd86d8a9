# SPDX-License-Identifier: Apache-2.0
"""Broken and crafted manifests and tables: each is refused with one sentence that names key, file and row."""

import io
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from refusals import refused

from mmq_tf.datasets import open_dataset
from mmq_tf.datasets.manifest.paths import check_names
from mmq_tf.datasets.open_recording import open_recording

MANIFEST = """
title = "t"
licence = "l"
attribution = "a"
label_kind = "k"

[[files]]
path = "{subject}.csv"
format = "csv"
time = { column = "time", unit = "s" }
labels = ["label"]
[files.signals.eda]
columns = ["eda"]
unit = "uS"

[trials]
source = "column"

[tasks.stress]
column = "label"
classes = ["rest", "stress"]
values = { "1" = "rest", "2" = "stress" }
"""
TABLE = """
[trials]
source = "table"
path = "trials.csv"
time_unit = "s"
"""


@pytest.fixture
def study(tmp_path):
    """A sound study of one person; `change(old, new)` spoils its manifest, `load()` reads it."""
    folder = tmp_path / "study"
    folder.mkdir()
    rows = [f"{i / 4},{1 + i % 7},{1 + (i >= 200)}" for i in range(400)]
    (folder / "P01.csv").write_text("\n".join(["time,eda,label", *rows]) + "\n")
    (folder / "mmq-tf.toml").write_text(MANIFEST)
    return folder


def change(study, old, new):
    assert old in MANIFEST
    (study / "mmq-tf.toml").write_text(MANIFEST.replace(old, new))


def load(study, subject="P01"):
    return open_dataset("manifest", study).load(study, subject)


def test_the_sound_study_is_read(study):
    assert [trial.labels["stress"] for trial in load(study).trials] == ["rest", "stress"]


# ---- the manifest itself


def test_no_manifest(study):
    (study / "mmq-tf.toml").unlink()
    refused(lambda: load(study), "mmq-tf.toml", "not found", "mmq-tf datasets new")


@pytest.mark.parametrize("content", [b"title = ", b"\xff\xfe\x00", b"[" * 5000, b"a = " + b"[" * 100_000])
def test_not_toml(study, content):
    (study / "mmq-tf.toml").write_bytes(content)
    refused(lambda: load(study), "mmq-tf.toml", "not valid TOML")


def test_a_manifest_of_a_gigabyte(study):
    with (study / "mmq-tf.toml").open("wb") as file:
        file.truncate(2**30)
    refused(lambda: load(study), "mmq-tf.toml", "at most 1 MiB")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "t"\n', "", ["title is missing"]),
        ('licence = "l"', 'licence = ""', ["licence is empty"]),
        ('title = "t"', 'title = "t"\ncolour = "red"', ["unknown key colour"]),
        ('unit = "uS"', 'unit = "uS"\nscale = 2', ["unknown key files.0.signals.eda.scale"]),
        ('unit = "uS"\n', "", ["files.0.signals.eda.unit is missing"]),
        ('unit = "uS"', 'unit = "counts"', ["signals.eda", "'counts'", "give factor"]),
        ('unit = "uS"', 'unit = "mS"\nfactor = 3', ["signals.eda", "contradicts unit 'mS'", "1000"]),
        ('unit = "uS"', 'unit = "uS"\nfactor = 0', ["factor must not be 0"]),
        ('unit = "uS"', 'unit = "uS"\nfactor = nan', ["files.0.signals.eda.factor"]),
        ("signals.eda", "signals.gsr", ["files.0.signals.gsr"]),
        ('format = "csv"', 'format = "xls"', ["files.0.format", "'xls'"]),
        ('format = "csv"', 'format = "e4"', ["time is only for csv, parquet, npz"]),
        ('format = "csv"', 'format = "csv"\nmarkers = "x"', ["markers is only for xdf"]),
        ('time = { column = "time", unit = "s" }\n', "", ["signals.eda", "sampling_rate_hz, or time"]),
        ('unit = "s" }', 'unit = "hours" }', ["files.0.time.unit", "'hours'"]),
        ('columns = ["eda"]', 'columns = ["eda", "eda"]', ["columns must be different"]),
        (
            'columns = ["eda"]',
            'columns = ["eda"]\nchannels = ["a", "b"]',
            ["1 columns need as many channels"],
        ),
        ('columns = ["eda"]', 'columns = ["eda"]\nsampling_rate_hz = -4', ["sampling_rate_hz"]),
        ('classes = ["rest", "stress"]', 'classes = ["rest"]', ["tasks.stress.classes"]),
        ('classes = ["rest", "stress"]', 'classes = ["rest", "rest"]', ["classes must be different"]),
        ('"2" = "stress" }', '"2" = "angry" }', ["'angry'", "not one of rest, stress"]),
        (', "2" = "stress" }', " }", ["no class 'stress'"]),
        ("values = {", "high_above = 5\nvalues = {", ["high_above", "no values"]),
        ("values = {", "range = [1, 9]\nvalues = {", ["range"]),
        ('source = "column"', 'source = "annotations"', ["only for mne, xdf", "csv"]),
        ('source = "column"', 'source = "table"', ["needs path and time_unit"]),
        ('source = "column"', 'source = "column"\npath = "trials.csv"', ["only for source = 'table'"]),
        ('labels = ["label"]\n', "", ["must be named in labels of exactly one"]),
        (
            "[trials]",
            '[[files]]\npath = "{subject}.xdf"\nformat = "xdf"\n[trials]',
            ["the only entry of files"],
        ),
        (
            "[trials]",
            '[[files]]\npath = "{subject}_2.csv"\nformat = "csv"\nsampling_rate_hz = 4\n[files.signals.eda]\n'
            'columns = ["eda"]\nunit = "uS"\n[trials]',
            ["signals.eda is described twice"],
        ),
        (
            "[trials]",
            '[[files]]\npath = "{subject}/{session}.csv"\nformat = "csv"\nsampling_rate_hz = 4\n'
            'labels = ["x"]\n[trials]',
            ["either every path of files has {session} or none"],
        ),
    ],
)
def test_a_wrong_key_or_value_is_named(study, old, new, words):
    change(study, old, new)
    refused(lambda: load(study), "mmq-tf.toml", *words)


# ---- paths


@pytest.mark.parametrize(
    "path",
    [
        "/etc/{subject}",
        "../{subject}.csv",
        "a/../../{subject}.csv",
        "./{subject}.csv",
        "a//{subject}.csv",
        "C:/{subject}.csv",
        "..\\\\{subject}.csv",
        "",
    ],
)
def test_a_path_that_could_leave_the_folder(study, path):
    change(study, "{subject}.csv", path)
    refused(lambda: load(study), "files.0.path")


@pytest.mark.parametrize(
    ("path", "word"),
    [("P01.csv", "{subject}"), ("{subject}_{run}.csv", "'{run}'"), ("{subject.csv", "'{subject.csv'")],
)
def test_a_path_without_a_subject_or_with_an_unknown_placeholder(study, path, word):
    change(study, "{subject}.csv", path)
    refused(lambda: load(study), "files.0.path", word)


def test_a_link_that_leaves_the_folder(study, tmp_path):
    (tmp_path / "elsewhere.csv").write_text("time,eda,label\n0,1,1\n")
    (study / "P02.csv").symlink_to(tmp_path / "elsewhere.csv")
    refused(lambda: load(study), "P02.csv", "is a link that leaves")


def test_a_linked_folder_that_leaves_the_folder(study, tmp_path):
    change(study, "{subject}.csv", "{subject}/eda.csv")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "eda.csv").write_text("time,eda,label\n0,1,1\n")
    (study / "P02").symlink_to(tmp_path / "other")
    refused(lambda: load(study), "P02", "is a link that leaves")


def test_a_trials_table_behind_a_link(study, tmp_path):
    change(study, '[trials]\nsource = "column"\n', TABLE)
    (tmp_path / "trials.csv").write_text("subject,start,stop,label\nP01,0,10,1\n")
    (study / "trials.csv").symlink_to(tmp_path / "trials.csv")
    refused(lambda: load(study), "trials.csv", "is a link that leaves")


def test_a_link_within_the_folder_is_fine(study):
    (study / "P02.csv").symlink_to("P01.csv")
    assert load(study, "P02").subject == "P02"


def test_a_link_to_itself_is_no_file(study):
    os.symlink(study / "P02.csv", study / "P02.csv")
    refused(lambda: load(study, "P02"), "P02")


@pytest.mark.parametrize("name", ["p01.csv", "P 01.csv"])
def test_one_person_in_two_spellings(study, name):
    (study / name).write_text("time,eda,label\n0,1,1\n")
    refused(
        lambda: open_dataset("manifest", study).subjects(study),
        "duplicates",
        "P01",
        name.removesuffix(".csv"),
    )


def test_a_name_that_is_not_utf_8():
    refused(lambda: check_names(Path("study"), [("M\udcfcller", "1")]), "study", "'Müller/1' is not in UTF-8")


def test_no_files_and_an_unknown_subject(study):
    refused(lambda: load(study, "P09"), "no recording of subject 'P09'", "P01")
    (study / "P01.csv").unlink()
    refused(lambda: open_dataset("manifest", study).subjects(study), "found no subject")


# ---- tables


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["time,label", "0,1"], ["P01.csv", "no column 'eda'", "time, label"]),
        (["time,eda,label", "0,1,1", "0.25,1,1", "0.2,1,1"], ["row 4, column time", "goes back by 0.05 s"]),
        (["time,eda,label", "0,1,1", ",1,1"], ["row 3, column time", "the time is missing"]),
        (["time,eda,label", "0,1,1", "noon,1,1"], ["row 3, column time", "'noon'"]),
        (["time,eda,label", "0,1,1", "0.25,inf,1"], ["row 3, column eda"]),
        (["time,eda,label", "0,1,1", "0.25,1e300,1"], ["row 3, column eda", "1e+300"]),
        (["time,eda,label", "0,1,1", "0.25,1,3"], ["row 3, column label", "'3'", "one of 1, 2"]),
        (["time,eda,label", "0,1,1", "0.25,1,?"], ["row 3, column label", "'?'"]),
        (["time,eda,label", "0,1,1", "3e6,1,1"], ["row 3, column time", "more than 14 days"]),
        (["time,eda,label", "0,1,1"], ["at least two different times"]),
    ],
)
def test_a_bad_row_is_named(study, rows, words):
    (study / "P01.csv").write_text("\n".join(rows) + "\n")
    refused(lambda: load(study), *words)


def test_a_rate_that_contradicts_the_times(study):
    change(study, 'labels = ["label"]', 'labels = ["label"]\nsampling_rate_hz = 64')
    refused(lambda: load(study), "P01.csv", "the times say 4 Hz, sampling_rate_hz says 64")


def test_sensors_on_different_clocks(study):
    second = (
        '[[files]]\npath = "{subject}_ppg.csv"\nformat = "csv"\ntime = { column = "time", unit = "unix" }\n'
        '[files.signals.ppg]\ncolumns = ["bvp"]\nunit = "V"\n'
    )
    change(study, "[trials]", f"{second}[trials]")
    change_first = (
        (study / "mmq-tf.toml").read_text().replace('path = "{subject}.csv"', 'path = "{subject}_eda.csv"')
    )
    (study / "mmq-tf.toml").write_text(change_first)
    (study / "P01.csv").rename(study / "P01_eda.csv")
    rows = "\n".join(f"{1e9 + i / 64},1" for i in range(640))
    (study / "P01_ppg.csv").write_text(f"time,bvp\n{rows}\n")
    refused(
        lambda: load(study), "P01_ppg.csv", "Unix time", "P01_eda.csv", "seconds from a start", "same clock"
    )
    (study / "mmq-tf.toml").write_text(change_first.replace('"unix"', '"s"'))
    refused(lambda: load(study), "ppg begins", "after eda", "must overlap")


# ---- trials tables


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["subject,start,stop", "P01,0,10"], ["trials.csv", "no column 'label'"]),
        (["subject,start,stop,label", "P02,0,10,1"], ["no row of 'P01'", "P02"]),
        (["subject,start,stop,label", "P01,10,0,1"], ["row 2", "stop must come after start"]),
        (["subject,start,stop,label", "P01,0,10,1", "P01,9,20,2"], ["row 3", "overlaps", "row 2"]),
        (
            ["subject,start,stop,label", "P01,0,10,1", "P01,90,200,2"],
            ["row 3", "inside the recording, 0 to 100 s"],
        ),
        (["subject,start,stop,label", "P01,-20,10,1"], ["row 2", "inside the recording"]),
        (["subject,start,stop,label", "P01,0,10,7"], ["row 2, column label", "'7'"]),
        (["subject,start,stop,label", "P01,zero,10,1"], ["row 2, column start", "'zero'"]),
        (["subject,start,stop,label", "P01,,10,1"], ["row 2, column start"]),
        (["subject,start,stop,label", "P01,0,10"], ["row 2", "4 fields"]),
    ],
)
def test_a_bad_trial_is_named_by_its_row(study, rows, words):
    change(study, '[trials]\nsource = "column"\n', TABLE)
    (study / "trials.csv").write_text("\n".join(rows) + "\n")
    refused(lambda: load(study), "trials.csv", *words)


def test_no_trials_table(study):
    change(study, '[trials]\nsource = "column"\n', TABLE)
    refused(lambda: load(study), "trials.csv")


def test_trials_on_another_clock(study):
    change(study, '[trials]\nsource = "column"\n', TABLE.replace('"s"', '"unix"'))
    (study / "trials.csv").write_text("subject,start,stop,label\nP01,1000000000,1000000010,1\n")
    refused(lambda: load(study), "trials.csv", "different clocks")


def test_a_rating_out_of_range_is_named_by_its_row(study):
    text = (
        TABLE
        + '[tasks.valence]\ncolumn = "felt"\nclasses = ["low", "high"]\nhigh_above = 5\nrange = [1, 9]\n'
    )
    (study / "mmq-tf.toml").write_text(MANIFEST.partition("[trials]")[0] + text)
    (study / "trials.csv").write_text("subject,start,stop,felt\nP01,0,10,4\nP01,20,30,91\n")
    refused(lambda: load(study), "trials.csv", "row 3, column felt", "range 1 to 9", "got 91")
    (study / "trials.csv").write_text("subject,start,stop,felt\nP01,0,10,high\n")
    refused(lambda: load(study), "row 2, column felt", "must be a number", "'high'")


# ---- npz and parquet

NPZ = MANIFEST.replace("csv", "npz").replace('time = { column = "time", unit = "s" }', "sampling_rate_hz = 4")

TIME = 'time = { column = "time", unit = "s" }'


def npz(study, **arrays):
    (study / "mmq-tf.toml").write_text(NPZ)
    np.savez(study / "P01.npz", **arrays)


def test_npz_with_pickled_objects_is_never_unpickled(study):
    npz(study, eda=np.array([print, 1], dtype=object), label=np.ones(2))
    refused(lambda: load(study), "P01.npz", "eda", "Python objects")


def test_npz_that_claims_more_than_it_holds(study):
    (study / "mmq-tf.toml").write_text(NPZ)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    with zipfile.ZipFile(study / "P01.npz", "w") as archive:
        archive.writestr("eda.npy", header.getvalue() + bytes(80))
        archive.writestr("label.npy", header.getvalue())
    refused(lambda: load(study), "P01.npz", "eda", "1099511627776")


def test_npz_bomb(study):
    (study / "mmq-tf.toml").write_text(NPZ)
    with (
        zipfile.ZipFile(study / "P01.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("eda.npy", "w") as file,
    ):
        for _ in range(80):
            file.write(bytes(2**20))
    refused(lambda: load(study), "P01.npz", "would unpack to 80 MiB")


def test_npz_lacks_an_array_or_has_columns_of_two_lengths(study):
    npz(study, eda=np.ones(400))
    refused(lambda: load(study), "P01.npz", "no column 'label'", "eda")
    text = NPZ.replace('["eda"]', '["eda", "more"]')
    npz(study, eda=np.ones(400), more=np.ones(40), label=np.ones(400))
    (study / "mmq-tf.toml").write_text(text)
    refused(lambda: load(study), "P01.npz", "equally long", "eda 400", "more 40")
    npz(study, eda=np.ones((2, 2, 2)), label=np.ones(400))
    refused(lambda: load(study), "P01.npz", "eda", "[2, 2, 2]")
    (study / "mmq-tf.toml").write_text(NPZ.replace("sampling_rate_hz = 4", TIME))
    npz_of = {"eda": np.ones(400), "label": np.ones(300), "time": np.arange(400) / 4}
    np.savez(study / "P01.npz", **npz_of)
    refused(lambda: load(study), "P01.npz", "label", "one value for each of 400 rows")
    np.savez(study / "P01.npz", **{**npz_of, "time": np.arange(300) / 4})
    refused(lambda: load(study), "P01.npz", "eda has 400 rows, its time column time 300")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all" * 100])
def test_a_file_that_is_no_archive(study, content):
    (study / "mmq-tf.toml").write_text(NPZ)
    (study / "P01.npz").write_bytes(content)
    refused(lambda: load(study), "P01.npz")


@pytest.mark.parametrize("content", [b"", b"PAR1" + bytes(50) + b"PAR1", b"no table" * 100])
def test_a_file_that_is_no_parquet(study, content):
    (study / "mmq-tf.toml").write_text(MANIFEST.replace("csv", "parquet"))
    (study / "P01.parquet").write_bytes(content)
    refused(lambda: load(study), "P01.parquet", "Parquet")


def test_parquet_columns_of_another_kind(study):
    import pyarrow
    import pyarrow.parquet

    (study / "mmq-tf.toml").write_text(MANIFEST.replace("csv", "parquet"))
    table = pyarrow.table({"time": [0.0, 0.25], "eda": [[1.0], [2.0]], "label": [1, 1]})
    pyarrow.parquet.write_table(table, study / "P01.parquet")
    refused(lambda: load(study), "P01.parquet", "column eda", "list")


def test_parquet_without_pyarrow_says_what_to_install(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (study / "mmq-tf.toml").write_text(MANIFEST.replace("csv", "parquet"))
    (study / "P01.parquet").write_bytes(b"PAR1")
    refused(lambda: load(study), "pip install 'mmq-tf[parquet]'")


# ---- opening one recording


def test_what_is_no_recording(study, tmp_path):
    refused(lambda: open_recording(tmp_path / "nowhere"), "there is nothing", "recording.json", ".xdf")
    (tmp_path / "notes.docx").write_text("x")
    refused(lambda: open_recording(tmp_path / "notes.docx"), "is not a recording", ".vhdr")
    (tmp_path / "empty").mkdir()
    refused(lambda: open_recording(tmp_path / "empty"), "is not a recording", "Empatica E4")
    refused(lambda: open_recording(study / "P01.csv"), "mmq-tf datasets new")
    assert open_recording(study).subject == "P01"
    (study / "P02.csv").write_bytes((study / "P01.csv").read_bytes())
    refused(lambda: open_recording(study), "describes 2: P01, P02")
