# SPDX-License-Identifier: Apache-2.0
"""Broken and crafted tables: each is refused with one sentence that names file, row and column."""

import pytest
import refusals

from mmq_tf.datasets.formats.files import table_form, tables
from mmq_tf.datasets.formats.files.tables import read_table


@pytest.fixture
def refused(tmp_path):
    def check(content, *words, columns=None, **options):
        path = tmp_path / "table.csv"
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        refusals.refused(lambda: read_table(path, columns, **options), path.name, *words)

    return check


def test_no_file_or_a_folder(refused, tmp_path):
    refused(None, "cannot be read")
    (tmp_path / "table.csv").mkdir()
    refused(None, "cannot be read")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"   \r\n"])
def test_an_empty_file(refused, content):
    refused(content, "the file is empty")


def test_a_header_alone_and_a_preamble_alone(refused):
    refused("a,b\n", "row 2", "there are none")
    refused("# one\n# two\n", "after its preamble")


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "1_0",
        "0x10",
        "1 2",
        "1.5.2",
        "--1",
        "e5",
        "1e",
        "True",
        "2\x1f",
        "\x1fnan",
        "nan ",
        "inf",
        "-Infinity",
        "1e999",
        "−1",
        "½",
    ],
)
def test_a_field_that_is_no_number(refused, bad):
    refused(f"a;b\n1;2\n3;{bad}\n5;6.5\n", "row 3", "column b", "finite number", repr(bad))


@pytest.mark.parametrize("word", ["True", "FALSE"])
def test_a_column_of_true_and_false_is_not_of_numbers(refused, word):
    refused(f"a,b\n1,{word}\n3,{word}\n", "row 2", "column b", repr(word))


def test_a_field_far_into_a_large_file_is_named_by_its_row(refused, monkeypatch):
    monkeypatch.setattr(table_form, "BLOCK_CHARACTERS", 1000)
    refused("a,b\n" + "1,2\n" * 5000 + "1,two\n" + "1,2\n" * 5000, "row 5002", "column b", "'two'")


@pytest.mark.parametrize(
    ("row", "got"), [("1", "1: '1'"), ("1,2,3", "3: '1,2,3'"), ("", "0: ''"), ("1,2,", "3: '1,2,'")]
)
def test_a_row_with_too_few_or_too_many_fields(refused, row, got):
    refused(f"a,b\n1,2\n{row}\n5,6\n", "row 3", "2 fields", got)
    refused(f"a,b\n1,2\n{row}\n5,6\n", "row 3", columns=["a"])


def test_decimal_commas_between_commas(refused):
    refused("a,b\n1,5,2,5\n", "row 2", "2 fields", "got 4")
    refused('a,b\n"1,500","2,5"\n', "row 2", "column a", "'1,500'")


def test_decimal_points_among_decimal_commas(refused):
    refused("a;b\n1,5;2\n2.5;3\n", "row 3", "column a", "'2.5'")


def test_trailing_junk(refused):
    refused("a,b\n1,2\n3,4\nexported by Device 3.1\n", "row 4", "got 1: 'exported by Device 3.1'")


def test_a_file_cut_inside_its_last_row(refused):
    refused("a,b\n1,2\n3,4", "row 3", "no line end", "cut short", whole_rows=True)
    refused("a,b\n1,2\n3", "row 3", "2 fields")
    refused("a,b\n1,2\n3,4\n".encode("utf-16")[:-1], "utf-16")


def test_columns_that_are_not_there_or_there_twice(refused):
    refused("a,b\n1,2\n", "row 1", "'c'", "a, b", columns=["c"])
    refused("a,a\n1,2\n", "row 1", "'a' comes twice")


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\0\0,", b"\x1f\x8b\x08\0,", "a,b\n1,2\n".encode("utf-16-le")]
)
def test_what_is_not_text(refused, content):
    refused(content, "zero bytes")


def test_zero_bytes_and_foreign_bytes_in_the_rows(refused):
    head = "a,b\n" + "1,2\n" * 400_000  # more than is looked at beforehand
    refused(head.encode() + b"1,\0\n", "row 400002", "column b")
    refused(b"a,b\n1,2\n\xff\xfe,2\n", "row 3", "column a")


def test_a_row_without_end(refused):
    refused("a,b\n" + "1" * (table_form.MAX_ROW_CHARACTERS + 10), "row 2", "longer than")
    refused("a,b\n1,2\n" + "\n" * (table_form.MAX_ROW_CHARACTERS + 10), "blank rows")


def test_too_many_columns(refused):
    refused(",".join("1" * (table_form.MAX_COLUMNS + 1)) + "\n", "4096 columns", "row 1")


def test_too_many_values_are_refused_before_they_are_kept(refused, monkeypatch):
    monkeypatch.setattr(tables, "MAX_VALUES", 100)
    refused("a,b\n" + "1,2\n" * 51, "at most 100 values", "51 rows of 2")


def test_an_absurd_size_is_refused_before_reading(refused, tmp_path):
    with (tmp_path / "table.csv").open("wb") as file:
        file.truncate(2**43)
    refused(None, "at most 4 GiB")
