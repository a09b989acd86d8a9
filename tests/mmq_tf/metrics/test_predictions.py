# SPDX-License-Identifier: Apache-2.0
import csv
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmq_tf.errors import MMQError
from mmq_tf.metrics import predictions as module
from mmq_tf.metrics.predictions import COLUMNS, Predictions, read_predictions, write_predictions


def some(count: int = 12, seed: int = 0, **changes) -> Predictions:
    rng = np.random.default_rng(seed)
    share = rng.random(count)
    columns = {
        "classes": ("rest", "stress"),
        "method": "mmqnet",
        "condition": "full",
        "seed": 3,
        "fold": 1,
        "subject": np.array([f"S{i % 3:02d}" for i in range(count)]),
        "session": np.full(count, "a"),
        "trial": np.arange(count) // 4,
        "start_s": rng.random(count) * 3000,
        "label": rng.integers(2, size=count),
        "probabilities": np.stack([1 - share, share], axis=1),
    }
    return Predictions.of_windows(**{**columns, **changes})


def assert_same(first: Predictions, second: Predictions) -> None:
    for column in fields(Predictions):
        np.testing.assert_array_equal(getattr(first, column.name), getattr(second, column.name), column.name)


def test_the_file_is_plain_csv_with_the_columns_of_the_design(tmp_path: Path):
    written = some(count=1, start_s=[12.5], label=[1], probabilities=[[0.25, 0.75]])
    write_predictions(tmp_path / "predictions.csv", written)
    lines = (tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "method,condition,seed,fold,subject,session,trial,start_s,label,prob_rest,prob_stress"
    assert lines[1] == "mmqnet,full,3,1,S00,a,0,12.5,stress,0.250000,0.750000"
    assert len(lines) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "predictions.csv"], "no temporary file is left"


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 40), seed=st.integers(0, 10_000))
def test_what_is_written_is_read_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: int
):
    path = tmp_path_factory.mktemp("round") / "p.csv"
    written = some(count, seed)
    write_predictions(path, written)
    assert_same(read_predictions(path), written)


def test_names_with_commas_quotes_and_accents_survive(tmp_path: Path):
    written = some(count=2, subject=['a,"b"', "Zoë"], method="trees, boosted", classes=("low, calm", "hïgh"))
    write_predictions(tmp_path / "p.csv", written)
    assert_same(read_predictions(tmp_path / "p.csv"), written)


def test_reading_in_pieces_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written = some(count=50)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 7)
    write_predictions(tmp_path / "p.csv", written)
    assert_same(read_predictions(tmp_path / "p.csv"), written)


def test_numbers_in_memory_have_the_six_digits_of_the_file():
    p = some(probabilities=np.tile([1 / 3, 2 / 3], (12, 1)))
    assert p.probabilities[0].tolist() == [0.333333, 0.666667]


def test_unknown_labels_are_left_out():
    p = some(count=4, label=np.array([0, -1, 1, -1]))
    assert len(p) == 2
    assert p.label.tolist() == [0, 1]


def test_select_and_concatenate_are_each_others_inverse():
    p = some(count=9)
    first = np.arange(9) < 4
    assert_same(Predictions.concatenate([p.select(first), p.select(~first)]), p)
    with pytest.raises(MMQError, match="expected classes"):
        Predictions.concatenate([p, some(classes=("low", "high"))])
    with pytest.raises(MMQError, match="at least one"):
        Predictions.concatenate([])


def test_impossible_columns_are_refused():
    p = some(count=3)
    with pytest.raises(MMQError, match="trial: expected 3 values"):
        replace(p, trial=p.trial[:2])
    with pytest.raises(MMQError, match="row 1 has a label that is not one of the 2 classes"):
        replace(p, label=np.array([0, 2, 0]))
    with pytest.raises(MMQError, match="row 0 has a probability outside 0..1"):
        replace(p, probabilities=np.full((3, 2), np.nan))
    with pytest.raises(MMQError, match="do not sum to 1"):
        replace(p, probabilities=np.full((3, 2), 0.4))
    with pytest.raises(MMQError, match="expected one column for each of 2 classes"):
        replace(p, probabilities=np.ones((3, 1)))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("start_s", "soon", "row 3: start_s should be a number, got 'soon'"),
        ("start_s", "nan", "row 3: start_s should be a number, got 'nan'"),
        ("seed", "1.5", "row 3: seed should be a number, got '1.5'"),
        ("label", "joy", "row 3: label should be one of the classes in the header, got 'joy'"),
        ("prob_rest", "inf", "row 3: prob_rest should be a number"),
        ("prob_rest", "-0.25", "row 3: has a probability outside 0..1"),
        ("prob_stress", "0.0", "row 3: has probabilities that do not sum to 1"),
    ],
)
def test_a_broken_value_is_named_with_its_row(tmp_path: Path, column: str, value: str, message: str):
    path = tmp_path / "p.csv"
    write_predictions(path, some(count=4, probabilities=np.full((4, 2), 0.5)))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    rows[2][rows[0].index(column)] = value
    path.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
    with pytest.raises(MMQError, match=message) as caught:
        read_predictions(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "row 1: expected method,condition"),
        (b"subject,label\nS1,0\n", "row 1: expected method,condition"),
        (",".join([*COLUMNS, "prob_rest"]).encode(), "two or more prob_<class>"),
        (",".join([*COLUMNS, "prob_rest", "prob_rest"]).encode(), "two or more prob_<class>"),
        (
            ",".join([*COLUMNS, "prob_a", "prob_b"]).encode() + b"\nm,full,0,0,S1",
            "row 2: expected 11 values, got 5",
        ),
        (b"\xff\xfe\x00", "is not a CSV text file"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "p.csv"
    path.write_bytes(content)
    with pytest.raises(MMQError, match=message):
        read_predictions(path)


def test_an_absent_file_is_named(tmp_path: Path):
    with pytest.raises(MMQError, match=r"gone.csv: could not be read \(No such file"):
        read_predictions(tmp_path / "gone.csv")
