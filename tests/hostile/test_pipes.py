# SPDX-License-Identifier: Apache-2.0
"""A pipe in a file's place is named; reading it would never end."""

import os

import pytest
from refusals import refused

from mmq_tf.datasets.formats.files.tables import read_table
from mmq_tf.datasets.formats.mne_files import load_mne
from mmq_tf.datasets.formats.xdf import load_xdf
from mmq_tf.datasets.open_recording import open_recording

PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")


@PIPES
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.edf", open_recording), ("a.xdf", open_recording), ("a.zip", open_recording),
        ("a.csv", open_recording), ("a.avro", open_recording), ("a.set", load_mne), ("a.bdf", load_mne),
        ("a.vhdr", load_mne), ("a.csv", read_table), ("a.xdf", load_xdf),
    ],
)  # fmt: skip
def test_a_pipe(tmp_path, name, read):
    os.mkfifo(tmp_path / name)
    refused(lambda: read(tmp_path / name), name, "found a pipe, a socket or a device")


@PIPES
def test_a_pipe_among_the_files_of_a_watch(tmp_path):
    os.mkfifo(tmp_path / "BVP.csv")
    refused(lambda: open_recording(tmp_path), "is not a recording")
