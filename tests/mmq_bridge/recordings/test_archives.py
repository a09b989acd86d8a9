# SPDX-License-Identifier: Apache-2.0
import zipfile

import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.recordings.archives import opened_zip


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "S2_E4_Data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("night")
        file.writestr("night/EDA.csv", "1\n4\n" + "0.5\n" * 1000)
        file.writestr("info.txt", "text", zipfile.ZIP_STORED)
    return path


def test_files_are_listed_and_read(archive):
    with opened_zip(archive) as opened:
        assert opened.names == ["night/EDA.csv", "info.txt"]
        assert opened.read("info.txt", 4) == b"text"
        assert opened.read("night/EDA.csv", 10_000).count(b"\n") == 1002


def test_a_limit_holds_for_one_file(archive):
    with opened_zip(archive) as opened, pytest.raises(BridgeError, match=r"zip/info\.txt: expected at most"):
        opened.read("info.txt", 3)


def test_an_archive_with_a_comment_or_with_bytes_before_it(archive):
    with zipfile.ZipFile(archive, "a") as file:
        file.comment = b"exported by a watch " * 100
    with opened_zip(archive) as opened:
        assert len(opened.names) == 2
    archive.write_bytes(b"#!/bin/sh\n" + archive.read_bytes())
    with opened_zip(archive) as opened:
        assert opened.read("info.txt", 4) == b"text"


def test_an_empty_archive(tmp_path):
    zipfile.ZipFile(tmp_path / "x.zip", "w").close()
    with opened_zip(tmp_path / "x.zip") as opened:
        assert opened.names == []
