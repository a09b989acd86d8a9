# SPDX-License-Identifier: Apache-2.0
"""EDF and BDF headers that lie, files cut short, and other files that MNE would stumble over or misread."""

import numpy as np
import pytest
from refusals import refused

from mmq_tf.datasets.formats.files.edf import check_edf, record_onsets
from mmq_tf.datasets.formats.files.edf_signals import read_edf_signals
from mmq_tf.datasets.formats.mne_files import load_mne
from mmq_tf.datasets.formats.mne_open import open_with_mne
from mmq_tf.simulation.layouts.bdf import HIGHEST, LOWEST, write_bdf

RATE_HZ = 64
SECONDS = 4
N = 3  # signals of the crafted file: Fz, Temp, Status
HEADER = 256 * (N + 1)


@pytest.fixture
def bdf(tmp_path):
    path = tmp_path / "cap.bdf"
    rows = np.outer([10.0, 33.0], np.ones(RATE_HZ * SECONDS))
    write_bdf(
        path, ["Fz", "Temp"], rows, RATE_HZ, status=np.zeros(RATE_HZ * SECONDS, int), units={"Temp": "C"}
    )
    return path


def overwrite(path, at, field):
    data = bytearray(path.read_bytes())
    data[at : at + len(field)] = field
    path.write_bytes(data)


def test_the_crafted_file_is_good(bdf):
    header = check_edf(bdf)
    assert (header.format, header.records, header.record_s, header.continuous) == ("BDF", SECONDS, 1.0, True)
    assert [(s.label, s.unit, s.sampling_rate_hz) for s in header.signals] == [
        ("Fz", "uV", 64),
        ("Temp", "C", 64),
        ("Status", "Boolean", 64),
    ]
    np.testing.assert_allclose(load_mne(bdf).signals["eeg"].samples, 10, atol=0.02)
    np.testing.assert_array_equal(record_onsets(bdf, header), np.arange(SECONDS))


@pytest.mark.parametrize(
    ("at", "field", "words"),
    [
        (0, b"\x7fBIOSEMI", ["a BDF file (byte 255, then 'BIOSEMI')", "x7fBIOSEMI"]),
        (0, b"0       ", ["cut short"]),  # as EDF, a sample has 2 bytes: other numbers, but here too long
        (0, b"PK\x03\x04\x00\x00\x00\x00", ["expected an EDF file"]),
        (184, b"512     ", ["byte 184 must say 1024"]),
        (184, b"-1      ", ["byte 184 must say 1024"]),
        (184, b"lots    ", ["byte 184, bytes of the header", "whole number"]),
        (236, b"-1      ", ["at least one data record", "-1", "never closed"]),
        (236, b"0       ", ["at least one data record"]),
        (236, b"5       ", ["expected 3904 bytes (5 data records)", "cut short"]),
        (236, b"3       ", ["longer than its header says"]),
        (236, b"1e2     ", ["byte 236, number of data records"]),
        (244, b"0       ", ["byte 244", "seconds above 0"]),
        (244, b"-1      ", ["byte 244"]),
        (244, b"nan     ", ["byte 244"]),
        (244, b"inf     ", ["byte 244"]),
        (244, b"a second", ["byte 244"]),
        (252, b"-2  ", ["1 to 512 signals"]),
        (252, b"999 ", ["1 to 512 signals"]),
        (252, b"9   ", ["byte 184 must say 2560"]),
        (252, b"99  ", ["header of 25600 bytes", "cut short"]),
        (252, b"2   ", ["byte 184 must say 768"]),
        (256 + 216 * N, b"-64     ", ["at least one sample a record"]),
        (256 + 216 * N, b"65      ", ["cut short"]),
        (256 + 216 * N, b"63      ", ["longer than its header says"]),
        (256 + 216 * N, b"99999999", ["cut short"]),
        (256 + 104 * N, b"lowest  ", ["signal 1 (Fz)", "physical", "'lowest'"]),
        (256 + 104 * N, b"262143  ", ["signal 1 (Fz)", "minimum and its maximum are the same"]),
        (256 + 104 * N, b"nan     ", ["signal 1 (Fz)", "'nan'"]),
        (256 + 112 * N, b"inf     ", ["signal 1 (Fz)", "'inf'"]),
        (256 + 120 * N + 8, b"8388607 ", ["signal 2 (Temp)", "minimum and its maximum are the same"]),
        (256 + 128 * N + 8, b"        ", ["signal 2 (Temp)", "''"]),
    ],
)
def test_a_header_that_lies(bdf, at, field, words):
    overwrite(bdf, at, field)
    if field == b"0       " and at == 0:
        words = ["longer than its header says"]
    refused(lambda: load_mne(bdf), "cap.bdf", *words)


@pytest.mark.parametrize("keep", [-1, -500, 1024, 1023, 300, 255, 8, 3, 0])
def test_a_file_cut_short(bdf, keep):
    bdf.write_bytes(bdf.read_bytes()[:keep])
    refused(lambda: load_mne(bdf), "cap.bdf", "expected")


def test_bytes_too_many(bdf):
    bdf.write_bytes(bdf.read_bytes() + b"\0")
    refused(lambda: load_mne(bdf), "cap.bdf", "longer than its header says")


def test_an_absurd_size_is_refused_before_reading(bdf):
    with bdf.open("r+b") as file:
        file.truncate(2**43)  # sparse: takes no room
    refused(lambda: load_mne(bdf), "cap.bdf", "at most 4 GiB")
    refused(lambda: check_edf(bdf, 2**30), "cap.bdf", "at most 1024 MiB")


def test_samples_that_no_memory_holds_are_refused_before_reading(bdf):
    overwrite(bdf, 236, b"3000000 0.1     ")
    overwrite(bdf, 256 + 216 * N, b"360     1       1       ")
    with bdf.open("r+b") as file:
        file.truncate(HEADER + 3_000_000 * 3 * 362)  # sparse
    refused(lambda: load_mne(bdf), "cap.bdf", "1073741824 samples", "300000 s of 1 signals at 3600 Hz")


def test_a_header_that_says_years(bdf):
    overwrite(bdf, 244, b"1e7     ")
    refused(lambda: load_mne(bdf), "cap.bdf", "at most 14 days")


def test_a_folder_or_nothing(tmp_path):
    (tmp_path / "folder.edf").mkdir()
    refused(lambda: load_mne(tmp_path / "folder.edf"), "folder.edf", "cannot be read")
    refused(lambda: load_mne(tmp_path / "nothing.edf"), "nothing.edf", "found nothing")


def test_a_signal_without_a_range_harms_only_itself(bdf):
    overwrite(bdf, 256 + 104 * N + 8, b"262143  ")  # Temp's physical minimum
    assert load_mne(bdf, types={"Temp": "ignore"}).modalities == ("eeg",)


def test_labels_in_any_bytes(bdf):
    overwrite(bdf, 256, b"\xff\xfeFz\x00\x00")
    name = open_with_mne(bdf).channels[0].name
    assert load_mne(bdf, types={name: "eeg"}).signals["eeg"].samples.shape == (1, RATE_HZ * SECONDS)


# ---- BDF+ with records apart


def write_bdf_plus(path, tals, kind=b"BDF+D"):
    """A record a second; the text of each stands in the three bytes of the samples of a channel."""
    bytes_of = b"".join(tal.ljust(3 * RATE_HZ, b"\0") for tal in tals)
    words = np.frombuffer(bytes_of, np.uint8).reshape(-1, 3).astype(np.int32) @ [1, 256, 65536]
    words = np.where(words > HIGHEST, words - 2**24, words)
    rows = np.stack([np.full(len(words), 10.0), words])
    write_bdf(path, ["Fz", "BDF Annotations"], rows, RATE_HZ, ranges={"BDF Annotations": (LOWEST, HIGHEST)})
    overwrite(path, 192, kind)
    return path


def at(onset):
    return f"+{onset}\x14\x14\0".encode()


def test_records_apart_are_read_where_they_belong(tmp_path):
    marked = at(7) + b"+8\x152\x14task\x14\0"
    path = write_bdf_plus(tmp_path / "cap.bdf", [at(5), at(6), marked, at(20.5)])
    recording = load_mne(path)
    eeg = recording.signals["eeg"].samples[0]
    assert len(eeg) == 16.5 * RATE_HZ
    assert np.isnan(eeg).nonzero()[0].tolist() == list(range(3 * RATE_HZ, round(15.5 * RATE_HZ)))
    assert [(trial.start_s, trial.stop_s) for trial in recording.trials] == [(3, 5)]


@pytest.mark.parametrize(
    ("tals", "words"),
    [
        ([at(0), at(1), b"", at(3)], ["data record 3", "its time in seconds", "b''"]),
        ([at(0), at(1), b"soon\x14\x14\0", at(3)], ["data record 3", "b'soon'"]),
        ([at(0), at(2), at(1), at(3)], ["data record 3", "begins at 1 s"]),
        ([at(0), at(0.5), at(2), at(3)], ["data record 2", "begins at 0.5 s"]),
        ([at(0), at("nan"), at(2), at(3)], ["data record 2"]),
        ([at(0), at(1), at(2), at("inf")], ["data record"]),
        ([at(0), at(1), at(2), at(1e6 * 86_400)], ["at most 14 days"]),
        ([at(0), at(1), at(2), at("1e300")], ["at most 14 days"]),
    ],
)
def test_records_whose_times_cannot_be(tmp_path, tals, words):
    path = write_bdf_plus(tmp_path / "cap.bdf", tals)
    refused(lambda: load_mne(path), "cap.bdf", *words)


def test_a_discontinuous_file_without_annotations(bdf):
    overwrite(bdf, 192, b"BDF+D")
    refused(lambda: load_mne(bdf), "cap.bdf", "each data record's time; the file has none")


def test_signals_of_two_rates_are_not_read_together(bdf):
    overwrite(bdf, 256 + 216 * N, b"32      96      ")
    header = check_edf(bdf)
    refused(lambda: read_edf_signals(bdf, header, [0, 1]), "expected signals of one rate; Fz, Temp differ")


# ---- other formats


@pytest.mark.parametrize(
    "name",
    [
        "a.fif",
        "a.fif.gz",
        "a.set",
        "a.vhdr",
        "a.gdf",
        "a.cnt",
        "a.mff",
        "a.data",
        "a.lay",
        "a.bin",
        "a.xyz",
    ],
)
@pytest.mark.parametrize("content", [b"", b"\0" * 3000, b"rubbish\n" * 400, bytes(range(256)) * 20])
def test_rubbish_under_any_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    refused(lambda: load_mne(path), name)


def test_a_fif_cut_short(tmp_path):
    import mne

    info = mne.create_info(4, 100, "eeg", verbose="ERROR")
    path = tmp_path / "a_raw.fif"
    mne.io.RawArray(np.zeros((4, 20_000)), info, verbose="ERROR").save(path, verbose="ERROR")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(lambda: load_mne(path), "a_raw.fif")
