# SPDX-License-Identifier: Apache-2.0
"""Broken and crafted recordings: each is refused with one sentence that names the file and the place."""

import json
import os
import pickle
import resource
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from refusals import refused

from mmq_tf.datasets import get_dataset, load_e4, open_recording
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

LABELS = "Processed_data/Improved_All_Combined_hr_rsp_binary.csv"


# ---- Empatica E4 folders


@pytest.fixture
def e4(tmp_path):
    folder = tmp_path / "S02"
    folder.mkdir()
    rows = {"BVP.csv": (64, "1.5"), "EDA.csv": (4, "0.5"), "TEMP.csv": (4, "33.1"), "ACC.csv": (32, "1,2,63")}
    for name, (rate, row) in rows.items():
        columns = row.count(",") + 1
        head = [", ".join([value] * columns) for value in ("1000.0", f"{rate}.0")]
        (folder / name).write_text("\n".join(head + [row] * (rate * 20)) + "\n")
    return folder


def change_row(path, row, text):
    lines = path.read_text().split("\n")
    lines[row - 1] = text
    path.write_text("\n".join(lines))


def test_a_missing_sensor_file_is_a_missing_sensor(e4):
    (e4 / "EDA.csv").unlink()
    assert load_e4(e4).modalities == ("ppg", "temp", "acc")


def test_no_sensor_at_all(e4):
    for path in e4.iterdir():
        path.unlink()
    refused(lambda: load_e4(e4), str(e4), "BVP.csv, EDA.csv, TEMP.csv, ACC.csv", "none of them")


def test_no_folder_or_a_file_in_its_place(e4):
    refused(lambda: load_e4(e4 / "nowhere"), "nowhere", "found nothing")
    refused(lambda: load_e4(e4 / "EDA.csv"), "EDA.csv", "found a file")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"1000.0\n", b"1000.0\n4.0\n", b"1000.0\r\n4.0\r\n\r\n", b"1000\n4\n0."]
)
def test_a_file_without_a_sample_is_a_missing_sensor(e4, content, caplog):
    (e4 / "EDA.csv").write_bytes(content)
    assert load_e4(e4).modalities == ("ppg", "temp", "acc")
    assert "EDA.csv: holds no sample; the sensor counts as missing" in caplog.text
    for name in ("BVP.csv", "TEMP.csv", "ACC.csv"):
        (e4 / name).write_bytes(content)
    refused(lambda: load_e4(e4), "at least one of the E4 files", "found none")


def test_a_last_row_without_a_line_end_may_be_cut(e4, caplog):
    (e4 / "EDA.csv").write_bytes(b"1000.0\n4.0\n" + b"0.5\n" * 79 + b"0.")
    assert load_e4(e4).signals["eda"].samples.tolist() == [[0.5] * 79]
    assert "EDA.csv: row 82 has no line end" in caplog.text


def test_a_file_cut_between_two_rows(e4):
    for name in ("BVP.csv", "TEMP.csv", "ACC.csv"):  # only the other sensors can tell
        lines = (e4 / name).read_text().rstrip("\n").split("\n")
        (e4 / name).write_text("\n".join(lines[:2] + lines[2:] * 6) + "\n")
    (e4 / "EDA.csv").write_bytes(b"1000.0\n4.0\n" + b"0.5\n" * 20)
    refused(lambda: load_e4(e4), "EDA.csv", "ends 115 s before", "at row 22", "cut short")


@pytest.mark.parametrize("bad", ["abc", "", "1,2", "1e999", "inf", "-inf", "0x10", "1 2", "\x00", "é"])
def test_a_row_that_is_not_a_number(e4, bad):
    change_row(e4 / "BVP.csv", 700, bad)
    refused(lambda: load_e4(e4), "BVP.csv", "row 700", "one number")


@pytest.mark.parametrize("bad", ["1,2", "1,2,3,4", "1,2,x", "1,,3"])
def test_an_acceleration_row_needs_three_numbers(e4, bad):
    change_row(e4 / "ACC.csv", 9, bad)
    refused(lambda: load_e4(e4), "ACC.csv", "row 9", "3 numbers", repr(bad))


def test_acceleration_with_two_columns(e4):
    path = e4 / "ACC.csv"
    path.write_text("".join(line.rpartition(",")[0] + "\n" for line in path.read_text().split("\n")[:-1]))
    refused(lambda: load_e4(e4), "ACC.csv", "row 1", "3 times", "'1000.0, 1000.0'")


def test_acceleration_rows_with_two_columns_under_a_good_head(e4):
    path = e4 / "ACC.csv"
    lines = path.read_text().split("\n")
    path.write_text("\n".join(lines[:2] + ["1,2"] * 640) + "\n")
    refused(lambda: load_e4(e4), "ACC.csv", "row 3", "3 numbers")


@pytest.mark.parametrize("bad", ["0", "0.0", "-4.0", "nan", "inf", "4 Hz", "", "1e12"])
def test_a_rate_that_is_none(e4, bad):
    change_row(e4 / "TEMP.csv", 2, bad)
    refused(lambda: load_e4(e4), "TEMP.csv", "row 2", "rate")


@pytest.mark.parametrize("bad", ["2022-02-07 10:00", "nan", "inf", "", "one"])
def test_a_start_that_is_not_a_number(e4, bad):
    change_row(e4 / "EDA.csv", 1, bad)
    refused(lambda: load_e4(e4), "EDA.csv", "row 1", "Unix seconds", repr(bad))


@pytest.mark.parametrize("start", ["1e300", "-1", "1529850000000"])
def test_a_start_that_is_no_time(e4, start):
    change_row(e4 / "TEMP.csv", 1, start)
    refused(lambda: load_e4(e4), "TEMP.csv", "row 1", "a start in Unix seconds")


def test_sensors_of_different_days(e4):
    change_row(e4 / "EDA.csv", 1, "87400.0")
    refused(lambda: load_e4(e4), "EDA.csv", "row 1", "86400 s after the earliest")


def test_a_rate_that_makes_an_endless_recording(e4):
    for name in ("BVP.csv", "TEMP.csv", "ACC.csv"):
        (e4 / name).unlink()
    change_row(e4 / "EDA.csv", 2, "1e-9")
    refused(lambda: load_e4(e4), "S02", "14 days")


def test_an_absurd_size_is_refused_before_reading(e4):
    with (e4 / "BVP.csv").open("r+b") as file:
        file.truncate(2**40)  # sparse: takes no room, and would take a terabyte of memory
    refused(lambda: load_e4(e4), "BVP.csv", "at most 512 MiB")


def test_a_folder_in_place_of_a_sensor_file(e4):
    (e4 / "EDA.csv").unlink()
    (e4 / "EDA.csv").mkdir()
    refused(lambda: load_e4(e4), "EDA.csv", "cannot be read")


# ---- Stress-Predict labels


@pytest.fixture
def labelled(e4, tmp_path):
    """A folder as Stress-Predict's: S02 from 1000 to 1020 s, labelled from 1002 on."""
    root = tmp_path / "set"
    (root / "Raw_data").mkdir(parents=True)
    (root / "Processed_data").mkdir()
    e4.rename(root / "Raw_data" / "S02")
    rows = [f"2,80,12.1,{1002 + i},{int(i >= 8)}" for i in range(18)]
    (root / LABELS).write_text("\n".join(["Participant,HR,respr,Time(sec),Label", *rows]) + "\n")
    return root


def load(root):
    return get_dataset("stress_predict").load(root, "S02")


def test_the_crafted_folder_is_good(labelled):
    assert [trial.labels["stress"] for trial in load(labelled).trials] == ["rest", "stress"]


@pytest.mark.parametrize(
    ("row", "text", "words"),
    [
        (19, "2,80,12.1,1020,1", ["row 19", "inside the recording of S02, 0 to 20 s", "lies at 20 s"]),
        (2, "2,80,12.1,999,0", ["row 2", "inside the recording of S02", "lies at -1 s"]),
        (5, "2,80,12.1,1005,2", ["row 5", "Label", "must be 0 or 1", "'2'"]),
        (5, "2,80,12.1,1005,0.5", ["row 5", "Label", "'0.5'"]),
        (5, "2,80,12.1,1005,", ["row 5", "Label", "''"]),
        (5, "2,80,12.1,1005,nan", ["row 5", "Label", "'nan'"]),
        (5, "2,80,12.1,later,0", ["row 5", "Time(sec)", "'later'"]),
        (5, "2,80,12.1,nan,0", ["row 5", "Time(sec)", "'nan'"]),
        (5, "two,80,12.1,1005,0", ["row 5", "Participant", "'two'"]),
        (5, "2.5,80,12.1,1005,0", ["row 5", "Participant", "'2.5'"]),
        (5, "2,80", ["row 5", "Time(sec)", "''"]),
        (5, "", ["row 5", "Participant", "''"]),
        (7, "2,80,12.1,1002,0", ["row 7", "must be later"]),
        (1, "Participant,HR,respr,Seconds,Label", ["row 1", "'Time(sec)' is missing"]),
    ],
)
def test_a_bad_label_row(labelled, row, text, words):
    change_row(labelled / LABELS, row, text)
    refused(lambda: load(labelled), "Improved_All_Combined_hr_rsp_binary.csv", *words)


def test_a_label_file_that_was_cut_or_is_missing_or_empty(labelled):
    path = labelled / LABELS
    path.write_bytes(path.read_bytes()[:-4])
    refused(lambda: load(labelled), path.name, "row 19", "cut short")
    path.write_bytes(b"")
    refused(lambda: load(labelled), path.name, "row 1")
    path.unlink()
    refused(lambda: load(labelled), path.name, "holds Raw_data and Processed_data")


def test_a_changed_label_file_is_read_again(labelled):
    before = load(labelled)
    change_row(labelled / LABELS, 19, "2,80,12.1,1019,0")
    os.utime(labelled / LABELS, ns=(1, 1))
    assert len(load(labelled).trials) == len(before.trials) + 1


def test_the_sensor_folders_are_missing(labelled):
    (labelled / "Raw_data").rename(labelled / "elsewhere")
    refused(lambda: get_dataset("stress_predict").subjects(labelled), "Raw_data", "found none")
    (labelled / "Raw_data").mkdir()
    refused(lambda: get_dataset("stress_predict").subjects(labelled), "found no subject")


# ---- EDF


@pytest.fixture
def edf(mmq_data, tmp_path):
    for part in (1, 2):
        source = mmq_data / "eegmat" / f"Subject00_{part}.edf"
        (tmp_path / source.name).write_bytes(source.read_bytes())
    return tmp_path


def load_edf(folder):
    return get_dataset("eegmat").load(folder, "Subject00")


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (-1, ["cut short, copy it again", "62 data records"]),
        (100_000, ["cut short, copy it again", "the file has 100000"]),
        (3000, ["header of 5888 bytes", "the file has 3000"]),
        (100, ["header of 256 bytes", "has 100"]),
        (0, ["the file is empty"]),
    ],
)
def test_an_edf_cut_short(edf, keep, words):
    path = edf / "Subject00_2.edf"
    path.write_bytes(path.read_bytes()[:keep])
    refused(lambda: load_edf(edf), "Subject00_2.edf", *words)


@pytest.mark.parametrize(
    ("at", "field", "words"),
    [
        (0, b"PK\x03\x04    ", ["begins with '0'"]),
        (236, b"-1      ", ["at least one data record", "-1"]),
        (236, b"many    ", ["byte 236", "number of data records"]),
        (236, b"99999999", ["cut short"]),
        (252, b"9999", ["1 to 512 signals"]),
        (252, b"0   ", ["1 to 512 signals"]),
        (252, b"\xff\xff\xff\xff", ["byte 252", "number of signals"]),
        (256 + 216 * 22, b"0       ", ["at least one sample a record"]),
        (256 + 216 * 22, b"1e9     ", ["samples a record of signal 1"]),
        (256 + 216 * 22, b"99999999", ["cut short"]),
    ],
)
def test_an_edf_header_that_lies(edf, at, field, words):
    path = edf / "Subject00_2.edf"
    data = bytearray(path.read_bytes())
    data[at : at + len(field)] = field
    path.write_bytes(data)
    refused(lambda: load_edf(edf), "Subject00_2.edf", *words)


def test_an_edf_with_bytes_too_many(edf):
    with (edf / "Subject00_1.edf").open("ab") as file:
        file.write(b"\0" * 10)
    refused(lambda: load_edf(edf), "Subject00_1.edf", "longer than its header says")


def test_an_edf_with_a_range_that_is_no_number(edf):
    path = edf / "Subject00_1.edf"
    data = bytearray(path.read_bytes())
    at = 256 + 104 * 22  # the physical minimum of the first signal
    data[at : at + 8] = b"lowest  "
    path.write_bytes(data)
    refused(lambda: load_edf(edf), "Subject00_1.edf", "signal 1", "physical", "'lowest'")


def test_one_of_the_two_files_is_missing(edf):
    (edf / "Subject00_2.edf").unlink()
    refused(lambda: load_edf(edf), "Subject00_2.edf", "not found")


# ---- our own recording folders


@pytest.fixture
def cohort(tmp_path):
    return write_cohort(tmp_path / "cohort", 1, Settings(minutes=7, modalities=("eda", "temp")))


def edit(cohort, change):
    path = cohort / "sim-01" / "recording.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["recording.json"]),
        ("{", ["recording.json", "the file"]),
        ("[]", ["recording.json"]),
        ('{"format": "mmq-recording"', ["recording.json"]),
        ("[" * 100_000, ["recording.json"]),
        ("\xff\xfe", ["recording.json"]),
    ],
)
def test_broken_json(cohort, text, words):
    (cohort / "sim-01" / "recording.json").write_bytes(text.encode("latin-1"))
    refused(lambda: open_recording(cohort / "sim-01"), *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(surprise=1), ["surprise"]),
        (lambda c: c.pop("subject"), ["subject"]),
        (lambda c: c.update(subject=""), ["subject must be"]),
        (lambda c: c.update(format_version=2), ["format_version"]),
        (lambda c: c["signals"]["eda"].update(sampling_rate_hz=0), ["sampling_rate_hz", "got 0"]),
        (
            lambda c: c["signals"]["eda"].update(sampling_rate_hz="fast"),
            ["signals.eda.sampling_rate_hz", "'fast'"],
        ),
        (lambda c: c["signals"]["eda"].update(samples=10**12), ["eda.npy", "1000000000000"]),
        (lambda c: c["signals"]["eda"].update(channels=["a", "b"]), ["eda.npy", "[2, 1680]", "[1, 1680]"]),
        (lambda c: c["signals"].update({"../../etc/passwd": c["signals"]["eda"]}), ["signals must be named"]),
        (lambda c: c["signals"].update(acc=c["signals"]["eda"]), ["acc.npy", "cannot be read"]),
        (lambda c: c.update(signals={}), ["at least one signal"]),
        (lambda c: c["trials"][-1].update(stop_s=9999), ["inside the recording", "9999"]),
        (lambda c: c["trials"][0].update(stop_s=-1), ["start_s < stop_s"]),
        (lambda c: c["trials"][0].update(labels={"stress": 1}), ["trials.0.labels.stress"]),
    ],
)
def test_json_that_cannot_be_true(cohort, change, words):
    edit(cohort, change)
    refused(lambda: open_recording(cohort / "sim-01"), "sim-01", *words)


def test_json_with_nan(cohort):
    path = cohort / "sim-01" / "recording.json"
    path.write_text(path.read_text().replace('"start_s": 0.0', '"start_s": NaN', 1))
    refused(lambda: open_recording(cohort / "sim-01"), "recording.json")


class Bomb:
    """Would leave a file behind if it were unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_a_pickle_in_an_npy_is_never_loaded(cohort, tmp_path):
    payload = np.empty((1, 1680), object)
    payload[:] = [[Bomb(tmp_path / "exploded")] * 1680]
    np.save(cohort / "sim-01" / "eda.npy", payload, allow_pickle=True)
    refused(lambda: open_recording(cohort / "sim-01"), "eda.npy", "Python objects")
    (cohort / "sim-01" / "eda.npy").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    refused(lambda: open_recording(cohort / "sim-01"), "eda.npy", "expected a .npy file")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((1, 1680)), ["float32", "<f8"]),
        (np.zeros((1, 1680), ">f4"), [">f4"]),
        (np.zeros((1, 1680), np.int16), ["<i2"]),
        (np.zeros((1, 1679), np.float32), ["[1, 1680]", "[1, 1679]"]),
        (np.zeros((1680, 1), np.float32), ["[1680, 1]"]),
        (np.zeros(1680, np.float32), ["[1680]"]),
        (np.full((1, 1680), np.inf, np.float32), ["infinity at sample 0"]),
    ],
)
def test_an_npy_of_another_kind(cohort, array, words):
    np.save(cohort / "sim-01" / "eda.npy", array)
    refused(lambda: open_recording(cohort / "sim-01"), "sim-01", *words)


def npy(header, body=b""):
    text = header.encode() + b" " * (117 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUM",
        b"\x93NUMPY\x09\x00",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1680), }"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999999999), }"),
        npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1680), }", b"\0" * 6720),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1680), }", b"\0" * 6721),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 1680), }"),
        npy("__import__('os').mkdir('x')"),
    ],
)
def test_a_broken_npy(cohort, content):
    (cohort / "sim-01" / "eda.npy").write_bytes(content)
    refused(lambda: open_recording(cohort / "sim-01"), "eda.npy", "expected")


# ---- a full disk

FULL_DISK = """
import resource, sys
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings
from mmq_tf.errors import MMQError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_cohort(sys.argv[1], 2, Settings(minutes=7))
except MMQError as error:
    sys.stdout.write(str(error))
    sys.exit(2)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on file size on this system")
def test_nothing_half_written_stays_when_writing_fails(tmp_path):
    """A limit on file size makes the operating system refuse the write, as a full disk does."""
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "cohort")],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
        timeout=60,
    )
    assert result.returncode == 2, result.stderr
    assert "could not be written" in result.stdout
    assert "\n" not in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def interrupt(subject):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cohort(tmp_path / "cohort", 2, Settings(minutes=7, modalities=("eda",)), on_subject=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_in_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("x")
    refused(
        lambda: write_cohort(tmp_path / "file" / "cohort", 1, Settings(minutes=7)),
        "cohort",
        "could not be written",
    )
    refused(lambda: write_cohort(tmp_path / "file", 1, Settings(minutes=7)), "something else is there")
    refused(lambda: write_cohort(tmp_path / "c", 0, Settings(minutes=7)), "subjects must be 1 to 1000; got 0")
