# SPDX-License-Identifier: Apache-2.0
"""Broken files of DEAP, each refused by its name and place."""

import pickle

import numpy as np
import pytest
from scipy.io import savemat

from mmq_tf.datasets import get_dataset
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts import deap as layout

pytestmark = pytest.mark.slow

DEAP = get_dataset("deap")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with one file of silence and the table that belongs to it."""
    folder = tmp_path_factory.mktemp("whole")
    person = layout.presented(0, 0)
    layout.write_ratings(folder, [person])
    write(folder / "s01.dat", empty()[0], person.ratings[np.argsort(person.videos)])
    DEAP.load(folder, "s01")
    return folder


@pytest.fixture(scope="module")
def table(whole):
    return (whole / "metadata_csv" / "participant_ratings.csv").read_bytes().decode()


def write(path, data, labels):
    with path.open("wb") as file:
        pickle.dump({"data": data, "labels": labels}, file, protocol=2)


def empty():
    return np.zeros((40, 40, 8064), np.float32), np.full((40, 4), 5.0)


def test_a_file_cut_short_is_refused(whole, tmp_path):
    dat = whole / "s01.dat"
    size = dat.stat().st_size
    for keep in (0, 100, 4000, size // 2, size - 1):
        with dat.open("rb") as file:
            (tmp_path / "s01.dat").write_bytes(file.read(keep))
        with pytest.raises(MMQError, match=r"s01\.dat"):
            DEAP.load(tmp_path, "s01")


@pytest.mark.parametrize(
    ("data", "labels", "words"),
    [
        (np.zeros((40, 40, 80)), np.full((40, 4), 5.0), r"data must be .* \[40, 40, 8064\]; got float64"),
        (np.zeros((8064, 40), np.float32), np.full((40, 4), 5.0), r"got float32 \[8064, 40\]"),
        (np.zeros((2, 2), int), np.full((40, 4), 5.0), r"got int64 \[2, 2\]"),
        ("no array", np.full((40, 4), 5.0), "got str"),
        (None, np.full((4, 40), 5.0), r"labels must be .* \[40, 4\]; got float64 \[4, 40\]"),
        (None, [5.0], "labels must be .* got list"),
    ],
)
def test_other_shapes_and_types_are_refused(tmp_path, data, labels, words):
    write(tmp_path / "s01.dat", empty()[0] if data is None else data, labels)
    with pytest.raises(MMQError, match=rf"s01\.dat: .*{words}"):
        DEAP.load(tmp_path, "s01")


@pytest.mark.parametrize("rating", [0.99, 9.01, np.nan, np.inf])
def test_a_rating_outside_the_scale_is_refused(tmp_path, rating):
    data, labels = empty()
    labels[17, 2] = rating
    write(tmp_path / "s01.dat", data, labels)
    with pytest.raises(MMQError, match=r"s01\.dat: video 18: dominance must lie between 1 and 9; got"):
        DEAP.load(tmp_path, "s01")


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_a_lost_sample_is_refused(tmp_path, lost):
    data, labels = empty()
    data[3, 36, 100] = lost
    write(tmp_path / "s01.dat", data, labels)
    with pytest.raises(
        MMQError, match=r"s01\.dat: video 4, channel 37: every sample must be a finite number"
    ):
        DEAP.load(tmp_path, "s01")


@pytest.mark.parametrize("content", [[1, 2], {"data": 1.0}, {}, "text"])
def test_another_content_is_refused(tmp_path, content):
    (tmp_path / "s01.dat").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(MMQError, match=r"s01\.dat: expected a dictionary of data and labels; got"):
        DEAP.load(tmp_path, "s01")


@pytest.mark.parametrize(
    "content",
    [
        {"data": np.zeros((2, 2)), "labels": np.full((40, 4), 5.0)},
        {"labels": np.full((40, 4), 5.0)},
        {"data": np.zeros((40, 40, 8064), np.int8), "labels": np.full((40, 4), 5.0)},
        {"data": "text", "labels": np.array([["a", 1]], object)},
    ],
)
def test_a_matlab_file_with_other_content_is_refused(tmp_path, content):
    savemat(tmp_path / "s01.mat", content, do_compression=True)
    with pytest.raises(MMQError, match=r"s01\.mat: expected data \[40, 40, 8064\] of floating point"):
        DEAP.load(tmp_path, "s01")


@pytest.mark.parametrize(
    "content", [b"", b"x" * 50, b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" * 9]
)
def test_a_broken_matlab_file_is_refused(tmp_path, content):
    (tmp_path / "s01.mat").write_bytes(content)
    with pytest.raises(MMQError, match=r"s01\.mat: cannot be read as a Matlab 5 file"):
        DEAP.load(tmp_path, "s01")


def test_a_matlab_file_cut_short_is_refused(tmp_path):
    data, labels = empty()
    savemat(tmp_path / "s01.mat", {"data": data[:, :, ::-1], "labels": labels})
    whole = (tmp_path / "s01.mat").read_bytes()
    for keep in (130, 300, len(whole) // 2, len(whole) - 700):
        (tmp_path / "s01.mat").write_bytes(whole[:keep])
        with pytest.raises(MMQError, match=r"s01\.mat"):
            DEAP.load(tmp_path, "s01")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1,2,", "1,3,", "must have one row for each trial 1, 2, ...; got the trials 1, 3"),
        ("\r\n1,40,", "\r\n2,40,", "s01 must have 40 rows, as its file; got 39"),
        ("Valence", "Happiness", "Valence"),
        ("Experiment_id", "Video", "Experiment_id"),
    ],
)
def test_a_broken_table_is_refused(whole, table, tmp_path, old, new, words):
    (tmp_path / "s01.dat").symlink_to(whole / "s01.dat")
    assert old in table
    (tmp_path / "participant_ratings.csv").write_bytes(table.replace(old, new, 1).encode())
    with pytest.raises(MMQError, match=rf"participant_ratings\.csv.*{words}"):
        DEAP.load(tmp_path, "s01")


def test_a_table_of_other_people_is_refused(whole, table, tmp_path):
    (tmp_path / "s01.dat").symlink_to(whole / "s01.dat")
    path = layout.write_ratings(tmp_path, [layout.presented(0, 1)])
    with pytest.raises(MMQError, match=r"s01, video \d+: \w+ must be the .* of s01\.dat; got"):
        DEAP.load(tmp_path, "s01")
    path.write_text(path.read_text().replace("\n1,", "\n7,"))
    with pytest.raises(
        MMQError, match="participant 1 must have one row for each trial .* got the trials none"
    ):
        DEAP.load(tmp_path, "s01")
    path.write_text(table.replace("\n1,2,", "\n1,2,99999", 1))
    with pytest.raises(MMQError, match="participant 1 must have different Experiment_id from 1 to 40"):
        DEAP.load(tmp_path, "s01")
