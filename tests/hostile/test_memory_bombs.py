# SPDX-License-Identifier: Apache-2.0
"""Files that are small on disk and huge once opened: refused by their size, in little memory."""

import gzip
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from methods import memory_bombs

from mmq_tf.utils.sizes.gzip import gzip_bytes
from mmq_tf.utils.sizes.hdf5 import hdf5_bytes
from mmq_tf.utils.sizes.mat5 import is_mat5, mat5_bytes

QUICK = (
    "npz", "parquet, one page", "csv, a pause", "set, Matlab 7.3", "set, a boundary", "fif.gz", "fif, a skip",
    "edf, a pause", "xdf, a pause",
)  # fmt: skip
OPENED = ("csv, words", "keras, honest")
"""They are read, since they take no more than they may."""

CHILD = Path(memory_bombs.__file__)
LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")


def measured(folder, *names):
    """Open each bomb in a child process; return what it said and took, by name."""
    command = [sys.executable, "-m", "methods.memory_bombs", str(folder), *names]
    done = subprocess.run(
        command, cwd=CHILD.parents[1], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found):
    for one in found:
        assert one["peak"] <= 4 * one["bytes"] + memory_bombs.FREE_BYTES, one
        assert "\n" not in one["said"], one
        words = ("of memory", "would unpack to", "expected numbers up to")
        assert any(word in one["said"] for word in words) or one["name"] in OPENED, one


@LINUX
def test_tables_matlab_files_and_archives_are_refused_in_little_memory(tmp_path):
    check(measured(tmp_path, *QUICK))


@LINUX
@pytest.mark.slow
def test_larger_ones_too(tmp_path):
    check(measured(tmp_path, *(memory_bombs.PLAIN.keys() - QUICK)))


@LINUX
@pytest.mark.slow
@pytest.mark.tensorflow
def test_networks_are_refused_in_little_memory(tmp_path):
    check(measured(tmp_path, *memory_bombs.KERAS))


def test_what_a_matlab_file_holds_is_what_scipy_finds(tmp_path):
    import numpy as np
    from scipy.io import savemat

    content = {"a": np.arange(1000.0), "s": {"b": np.ones((3, 5)), "c": [np.zeros(7), "words"]}, "e": 1}
    for packed in (False, True):
        savemat(tmp_path / "a.mat", content, do_compression=packed)
        assert is_mat5(tmp_path / "a.mat")
        found = mat5_bytes(tmp_path / "a.mat", 2**30)
        arrays = 1 + 5 + 1  # a; s with b, c and its two cells; e
        assert arrays * 1000 + 8 * 1022 < found < arrays * 1000 + 8 * 1022 + 1500


def test_a_packed_array_that_holds_more_than_it_says_is_refused(tmp_path):
    from mmq_tf.errors import MMQError

    inner = struct.pack("<II", 14, 1000) + struct.pack("<IIII", 6, 8, 6, 0) + bytes(10**6)
    packed = zlib.compress(inner)
    path = tmp_path / "a.mat"
    path.write_bytes(bytes(124) + b"\0\1IM" + struct.pack("<II", 15, len(packed)) + packed)
    assert mat5_bytes(path, 2**30) >= 1000
    with pytest.raises(MMQError, match="unpacks to more"):
        mat5_bytes(path, 1500)


def test_hdf5_that_refers_elsewhere_is_refused(tmp_path):
    import h5py

    from mmq_tf.errors import MMQError

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["here"] = [1.0, 2.0]
    assert hdf5_bytes(tmp_path / "a.h5") == 16 + 1000
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["there"] = h5py.ExternalLink("a.h5", "here")
    with pytest.raises(MMQError, match="refers to another file"):
        hdf5_bytes(tmp_path / "b.h5")


def test_gzip_is_counted_as_it_unpacks_whatever_it_says_of_itself(tmp_path):
    from mmq_tf.errors import MMQError

    path = tmp_path / "a.fif.gz"
    members = [gzip.compress(bytes(5 * 2**20)), gzip.compress(bytes(100))]
    path.write_bytes(b"".join(members))
    assert gzip_bytes(path, 2**30) == 5 * 2**20 + 100
    assert 2**20 < gzip_bytes(path, 2**20) <= 2 * 2**20
    path.write_bytes(members[0][:-4] + struct.pack("<I", 7))  # the size at its end
    for content in (path.read_bytes(), members[0][:-40], b"FIFF" * 9, members[1] + b"more"):
        path.write_bytes(content)
        with pytest.raises(MMQError, match=r"a\.fif\.gz: cannot be unpacked as gzip"):
            gzip_bytes(path, 2**30)


def test_a_small_matlab_7_3_file_is_told_how_to_be_read(tmp_path, monkeypatch):
    import importlib.util

    import h5py

    from mmq_tf.datasets import open_recording
    from mmq_tf.errors import MMQError

    with h5py.File(tmp_path / "a.set", "w") as file:
        file["data"] = [[1.0, 2.0]]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MMQError, match=r"Matlab 7\.3 file.*pip install pymatreader.*version 6 or 7"):
        open_recording(tmp_path / "a.set")


def test_honest_archives_of_an_unworn_watch_are_read(tmp_path):
    """Two days of the same number: packed a thousandfold, as no bomb is."""
    from mmq_tf.datasets import load_e4

    rows = 64 * 3600 * 2
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("BVP.csv", "1500000000.0\n64.0\n" + "0.00\n" * rows)
    assert load_e4(tmp_path / "a.zip").signals["ppg"].samples.shape == (1, rows)
