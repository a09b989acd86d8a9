# SPDX-License-Identifier: Apache-2.0
import zipfile

import numpy as np
import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.e4 import parse_csv, read_e4


def write(folder, name, start, rate, rows):
    text = [",".join(f" {start:.6f}" for _ in range(rows.shape[1])).strip()]
    text.append(",".join(f" {rate:.6f}" for _ in range(rows.shape[1])).strip())
    text += [",".join(f"{value:g}" for value in row) for row in rows]
    (folder / name).write_text("\n".join(text) + "\n")


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "S99"
    folder.mkdir()
    write(folder, "BVP.csv", 1000.0, 64, np.arange(640.0)[:, None])
    write(folder, "EDA.csv", 1001.5, 4, np.full((34, 1), 0.5))
    write(folder, "ACC.csv", 1000.25, 32, np.tile([64.0, 0, -32], (320, 1)))
    (folder / "HR.csv").write_text("not a number\n")
    return folder


def test_sensors_are_aligned_by_their_start_rows(export):
    recording = read_e4(export)
    assert recording.subject == "S99"
    assert recording.trials == ()
    assert recording.modalities == ("ppg", "eda", "acc")
    starts = {name: signal.start_s for name, signal in recording.signals.items()}
    assert starts == {"ppg": 0.0, "eda": 1.5, "acc": 0.25}
    assert (recording.signals["ppg"].samples == np.arange(640)).all()
    assert recording.signals["ppg"].samples.dtype == np.float32


def test_units(export):
    signals = read_e4(export).signals
    assert signals["acc"].samples[:, 0].tolist() == [1.0, 0.0, -0.5]
    assert {name: signal.unit for name, signal in signals.items()} == {"ppg": "a.u.", "eda": "uS", "acc": "g"}
    assert signals["acc"].channels == ("x", "y", "z")


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    data = b"\xef\xbb\xbf100.0\r\n4.0\r\n1.5\r\n-2\r\n"
    start, rate, rows = parse_csv(tmp_path / "EDA.csv", data, 1)
    assert (start, rate, rows.tolist()) == (100.0, 4.0, [[1.5], [-2.0]])


def test_a_lost_sample_may_be_written_as_nan(tmp_path):
    _, _, rows = parse_csv(tmp_path / "EDA.csv", b"1\n4\n0.5\nnan\n", 1)
    assert np.isnan(rows[1, 0])


def zipped(export, folder=""):
    path = export.with_name("S99_E4_Data.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(export.iterdir()):
            archive.write(file, f"{folder}{file.name}")
        archive.writestr("__MACOSX/._EDA.csv", b"\0\5\x16\7")
    return path


@pytest.mark.parametrize("folder", ["", "S99_E4_Data/"])
def test_an_archive_is_read_as_its_folder(export, folder):
    wanted = read_e4(export)
    got = read_e4(zipped(export, folder))
    assert got.subject == "S99_E4_Data"
    assert got.modalities == wanted.modalities
    for name, signal in wanted.signals.items():
        assert got.signals[name].start_s == signal.start_s
        np.testing.assert_array_equal(got.signals[name].samples, signal.samples)


def test_names_of_any_case_and_blank_rows_at_the_end(export):
    wanted = read_e4(export).signals["eda"].samples
    (export / "EDA.csv").rename(export / "eda.CSV")
    (export / "eda.CSV").write_text((export / "eda.CSV").read_text() + "\n\n")
    for path in (export, zipped(export)):
        np.testing.assert_array_equal(read_e4(path).signals["eda"].samples, wanted)


def test_an_archive_in_an_archive_is_named(export):
    inner = zipped(export)
    outer = export.with_name("S99.zip")
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "S99/S99_E4_Data.zip")
    with pytest.raises(BridgeError, match=r"it holds the archive S99/S99_E4_Data\.zip: unpack it"):
        read_e4(outer)


def test_an_error_in_an_archive_names_the_file_in_it(export):
    (export / "EDA.csv").write_text("1000.0\n4.0\n0.5\nhalf\n")
    with pytest.raises(BridgeError, match=r"S99_E4_Data\.zip/EDA\.csv: row 4 must be one number; got 'half'"):
        read_e4(zipped(export))


def test_a_folder_whose_name_is_not_utf_8(export):
    named = export.with_name("M\udcfcller")
    try:
        export.rename(named)
    except OSError:  # some file systems take no such name
        pytest.skip("this file system takes only UTF-8")
    assert read_e4(named).subject == "Müller"
