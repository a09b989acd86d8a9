# SPDX-License-Identifier: Apache-2.0
"""Crafted zip archives: each is refused with one sentence, nothing is written, and memory stays bounded."""

import random
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
import refusals
from bounded_memory import refusals_in
from mmq_bridge.recordings import archives
from mmq_bridge.recordings.archives import opened_zip

from mmq_tf.datasets import load_e4
from mmq_tf.errors import MMQError

EDA = "1000.0\n4.0\n" + "0.5\n" * 400


@pytest.fixture
def path(tmp_path):
    return tmp_path / "S2_E4_Data.zip"


def write(path, entries, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as file:
        for name, content in entries:
            file.writestr(name, content)


def refused(path, *words):
    before = sorted(path.parent.rglob("*"))
    message = refusals.refused(lambda: load_e4(path), path.name, *words)
    assert len(message) < len(str(path)) + 320, message
    assert sorted(path.parent.rglob("*")) == before


def test_the_crafted_archive_is_good(path):
    write(path, [("EDA.csv", EDA)])
    assert load_e4(path).modalities == ("eda",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../EDA.csv", ["leaves the archive's folder", "'../EDA.csv'"]),
        ("a/../../EDA.csv", ["leaves the archive's folder"]),
        ("..", ["leaves the archive's folder"]),
        ("/etc/EDA.csv", ["no plain relative name"]),
        ("C:/EDA.csv", ["no plain relative name"]),
        ("C:EDA.csv", ["no plain relative name"]),
        ("..\\EDA.csv", ["no plain relative name"]),
        ("\\\\server\\EDA.csv", ["no plain relative name"]),
        ("EDA.csv\n", ["no plain relative name"]),
        ("\x1b[31mEDA.csv", ["no plain relative name"]),
    ],
)
def test_a_name_that_leads_elsewhere(path, name, words):
    write(path, [("EDA.csv", EDA), (name, EDA)])
    refused(path, *words)


def test_a_name_with_a_hidden_end(path):
    """`zipfile` cuts a name at a zero byte; the directory's own bytes count."""
    write(path, [("EDA.csv", EDA), ("BVP.csvXpng", EDA)])
    path.write_bytes(path.read_bytes().replace(b"BVP.csvX", b"BVP.csv\0"))
    refused(path, "no plain relative name")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices(path, mode):
    entry = zipfile.ZipInfo("EDA.csv")
    entry.external_attr = (mode | 0o777) << 16
    write(path, [(entry, "/etc/passwd")])
    refused(path, "'EDA.csv' is a link or a device")


@pytest.mark.parametrize("second", ["EDA.csv", "eda.CSV"])
def test_a_name_that_occurs_twice(path, second, recwarn):
    write(path, [("EDA.csv", EDA), ("TEMP.csv", EDA), (second, EDA)])
    refused(path, "occurs twice")
    recwarn.clear()


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(8, b"\x01\x00", ["encrypted"]), (8, b"\x40\x00", ["encrypted"]), (10, b"\x0e\x00", ["method 14"])],
)
def test_encrypted_or_packed_otherwise(path, at, value, words):
    write(path, [("EDA.csv", EDA)])
    data = bytearray(path.read_bytes())
    entry = data.rfind(b"PK\x01\x02")
    data[entry + at : entry + at + 2] = value
    path.write_bytes(data)
    refused(path, "'EDA.csv'", *words)


def test_an_archive_in_an_archive(path):
    write(path.with_name("inner.zip"), [("EDA.csv", EDA)])
    write(path, [("S2_E4_Data.zip", path.with_name("inner.zip").read_bytes())])
    refused(path, "it holds the archive S2_E4_Data.zip")


def test_two_exports_in_one_archive(path):
    write(path, [("a/EDA.csv", EDA), ("b/EDA.csv", EDA)])
    refused(path, "one E4 export", "a, b")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["no zip archive"]),
        (b"PK", ["no zip archive"]),
        (b"PK\x05\x06", ["no zip archive"]),
        (b"1000.0\n4.0\n0.5\n", ["no zip archive"]),
        (b"PK\x05\x06" + b"\xff" * 16 + b"\0\0", ["a directory of"]),
        (
            b"PK\x05\x06" + b"\0" * 4 + b"\x01\0\x01\0" + struct.pack("<II", 46, 0) + b"\0\0",
            ["no zip archive"],
        ),
        (b"PK\x06\x07" + b"\0" * 16 + b"PK\x05\x06" + b"\0" * 18, ["Zip64"]),
    ],
)
def test_no_archive(path, content, words):
    path.write_bytes(content)
    refused(path, *words)


def test_an_archive_cut_anywhere(path):
    write(path, [("EDA.csv", EDA), ("TEMP.csv", EDA)])
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 7):
        path.write_bytes(data[:end])
        refused(path)


def test_a_damaged_file_is_named(path):
    write(path, [("EDA.csv", EDA), ("TEMP.csv", EDA)])
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 16 : at + 20] = b"abcd"
    path.write_bytes(data)
    refused(path, "zip/TEMP.csv", "CRC", "copy the archive again")


def test_a_directory_that_says_less_than_there_is(path):
    """The size is believed as a limit only: what lies beyond it is never unpacked, and the checksum tells."""
    write(path, [("EDA.csv", EDA)])
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    for size, word in ((10, "CRC"), (len(EDA) + 1, "bytes and holds")):
        data[at + 24 : at + 28] = struct.pack("<I", size)
        path.write_bytes(data)
        refused(path, "zip/EDA.csv", word)


def test_a_directory_that_says_a_gigabyte(path):
    write(path, [("EDA.csv", EDA)])
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    for size, word in ((2**32 - 2, "at most 1024 MiB once unpacked"), (100 * 2**20, "250 times")):
        data[at + 24 : at + 28] = struct.pack("<I", size)
        path.write_bytes(data)
        refused(path, word)


def test_a_file_over_its_own_limit(path, monkeypatch):
    monkeypatch.setattr("mmq_bridge.recordings.e4.MAX_FILE_BYTES", 100)
    write(path, [("EDA.csv", EDA)])
    refused(path, "zip/EDA.csv", "expected at most")


def test_many_files_that_share_their_bytes(path):
    """Overlapping entries: a small archive whose directory names the same bytes again and again."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(b"0" * 10**7) + packed.flush()
    crc = zlib.crc32(b"0" * 10**7)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(body), 10**7, 1, 0) + b"x" + body
    entries = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(body), 10**7, 3, 0, 0, 0, 0, 0, 0)
        + b"%03d" % number
        for number in range(200)
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 200, 200, len(entries), len(local), 0)
    path.write_bytes(local + entries + end)
    refused(path, "once unpacked")


def test_too_many_files(path):
    with zipfile.ZipFile(path, "w") as file:
        for number in range(archives.MAX_MEMBERS + 1):
            file.writestr(f"{number}", "")
    refused(path, "at most 1000 entries; it has 1001")


def test_an_absurd_size_is_refused_before_reading(path):
    with path.open("wb") as file:
        file.truncate(2**40)
    refused(path, "at most 512 MiB")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_memory_stays_bounded(tmp_path):
    write(tmp_path / "bomb.zip", [("EDA.csv", bytes(150 * 2**20))])
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = entry * 300_000
    for name, claimed in (("many.zip", len(directory)), ("lies.zip", 100)):
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, claimed, 0, 0)
        (tmp_path / name).write_bytes(directory + end)
    bomb, lies, many = refusals_in(load_e4, sorted(tmp_path.glob("*.zip")), 80)
    assert "more than 250 times" in bomb
    assert "lies.zip: " in lies
    assert "its directory has 14100000" in many


def test_changed_archives_load_or_are_refused(path):
    write(path, [("EDA.csv", EDA), ("night/info.txt", "x")])
    good = path.read_bytes()
    rng = random.Random(0)
    for _ in range(400):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.choice([0, 1, 255, rng.randrange(256)])
        path.write_bytes(data)
        try:
            with opened_zip(path) as archive:
                for name in archive.names:
                    archive.read(name, 2**20)
        except MMQError as error:
            message = str(error)
        else:
            message = ""
        assert "\n" not in message
