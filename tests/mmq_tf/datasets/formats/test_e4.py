# SPDX-License-Identifier: Apache-2.0
"""The digest of an E4 export is that of its sensor files, or of its archive."""

import zipfile

import pytest
from mmq_bridge.recordings.e4 import sensor_files

from mmq_tf.datasets import load_e4


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "S99"
    folder.mkdir()
    (folder / "EDA.csv").write_text("1000.0\n4.0\n" + "0.5\n" * 40)
    (folder / "HR.csv").write_text("not a number\n")
    return folder


def zipped(export):
    path = export.with_name("S99_E4_Data.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(export / "EDA.csv", "EDA.csv")
    return path


def change(export):
    text = (export / "EDA.csv").read_text()
    (export / "EDA.csv").write_text(text.replace("0.5\n", "0.6\n", 1))


def test_a_changed_sample_changes_the_digest(export):
    before = load_e4(export).digest
    assert load_e4(export).digest == before
    (export / "HR.csv").write_text("derived, and not read\n")
    assert load_e4(export).digest == before
    change(export)
    assert load_e4(export).digest != before


def test_an_archive_is_its_own_source(export):
    path = zipped(export)
    assert sensor_files(path) == [path]
    before = load_e4(str(path)).digest
    change(export)
    zipped(export)
    assert load_e4(path).digest != before
