# SPDX-License-Identifier: Apache-2.0
"""Tables of numbers: every way people write them, and the numbers they hold."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmq_tf.datasets.formats.files import table_form
from mmq_tf.datasets.formats.files.tables import read_names, read_table
from mmq_tf.datasets.formats.files.text_columns import read_words
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts.decimal_text import decimal_rows


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, *arguments, **options):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, *arguments, **options)

    return write_and_read


PLAIN = {"time": [0, 1], "eda": [0.5, -2.25]}


@pytest.mark.parametrize(
    "content",
    [
        "time,eda\n0,0.5\n1,-2.25\n",
        "time,eda\r\n0,0.5\r\n1,-2.25\r\n",
        "time,eda\r0,0.5\r1,-2.25\r",
        "time\teda\n0\t0.5\n1\t-2.25",
        "time;eda\n0;0,5\n1;-2,25\n",
        "time;eda\n0;0.5\n1;-2.25\n",
        "time\teda\n0\t0,5\n1\t-2,25\n",
        " time , eda \n 0 , 0.5 \n 1 , -225e-2 \n",
        '"time","eda"\n"0","0.5"\n1,-2.25\n\n\n',
        "# a preamble\n# of two lines\ntime,eda\n0,5.0E-1\n+1,-2.25\n",
        "\ufefftime,eda\n0,.5\n1.,-2.25\n",
        "time,eda\n0,0.5\n1,-2.25\n".encode("utf-16"),
        "\ufefftime,eda\n0,0.5\n1,-2.25\n".encode("utf-16-be"),
    ],
)
def test_the_same_table_however_it_is_written(read, content):
    table = read(content)
    assert {name: values.tolist() for name, values in table.columns.items()} == PLAIN
    assert all(values.dtype == np.float64 for values in table.columns.values())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_names_in_any_encoding(read, tmp_path, encoding):
    assert read("zeit,größe\n0,1\n".encode(encoding)).names == ("zeit", "größe")
    assert read_names(tmp_path / "table.csv") == ("zeit", "größe")


def test_without_a_header_columns_are_named_by_number(read):
    table = read("1\t2.5\n3\t4.5\n")
    assert table.names == ("1", "2")
    assert table.first_row == 1
    assert table["2"].tolist() == [2.5, 4.5]


def test_columns_without_a_name_have_their_number(read):
    assert read('"",a,\n1,2,3\n').names == ("1", "a", "3")


@pytest.mark.parametrize("word", table_form.LOST)
def test_words_for_a_lost_value(read, word):
    values = read(f"a,b\n1,{word}\n{word},2\n")
    assert np.isnan(values["b"][0])
    assert np.isnan(values["a"][1])
    assert values["b"][1] == 2


def test_a_blank_row_of_a_single_column_is_a_lost_value(read):
    assert np.isnan(read("a\n1\n\n2\n")["a"]).tolist() == [False, True, False]


def test_only_wanted_columns_need_to_be_numbers(read):
    table = read("when,a,b\nmonday,1,2\ntuesday,3,4\n", ["b", "a"])
    assert table.names == ("b", "a")
    assert table["b"].tolist() == [2, 4]
    assert len(table) == 2


def test_a_value_can_be_named_by_its_place_in_the_file(read):
    table = read("# preamble\na,b\n1,2\n3,4\n")
    assert table.place(1, "b").endswith("table.csv: row 4, column b")


def test_an_unfinished_last_row_counts_unless_whole_rows_are_asked_for(read):
    assert read("a,b\n1,2\n3,4")["b"].tolist() == [2, 4]
    assert read("a,b\n1,2\n3,4\n", whole_rows=True)["b"].tolist() == [2, 4]


def test_large_integers_and_unix_times_keep_their_digits(read):
    table = read("t,n\n1700000000.123456,9007199254740991\n1700000001.000001,2\n")
    assert table["t"].tolist() == [1700000000.123456, 1700000001.000001]
    assert table["n"][0] == 9007199254740991


@given(
    rows=st.lists(st.lists(st.integers(-(10**9), 10**9), min_size=3, max_size=3), min_size=1, max_size=60),
    delimiter=st.sampled_from(",;\t"),
    block=st.integers(60, 400),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_is_read_whatever_the_block(tmp_path, monkeypatch, rows, delimiter, block):
    """Blocks are cut at row ends, so no row is lost, doubled or torn."""
    monkeypatch.setattr(table_form, "BLOCK_CHARACTERS", block)
    values = np.array(rows).T / 1000
    path = tmp_path / "table.txt"
    path.write_bytes(
        f"a{delimiter}b{delimiter}c\n".encode() + b"".join(decimal_rows(list(values), [3] * 3, delimiter))
    )
    table = read_table(path)
    np.testing.assert_allclose(np.stack(list(table.columns.values())), values, rtol=1e-15)


def test_decimal_rows_are_what_printf_writes():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1000, 5000), [0, -0.0004, 0.0005, 1, -1, 99999.9996, 0.1]])
    lines = b"".join(decimal_rows([values, np.round(values)], [3, 0], ";")).decode().split("\n")[:-1]
    for line, value in zip(lines, values, strict=True):
        first, second = line.split(";")
        assert float(first) == round(float(np.rint(value * 1000) / 1000), 3)
        assert first == "0" or len(first) <= len(f"{value:.3f}")
        assert not first.endswith(".")
        assert "." not in first or not first.endswith("0")
        assert int(second) == round(value)


# ---- quotes (RFC 4180)


@pytest.mark.parametrize(
    ("text", "numbers", "words"),
    [
        ('"","a","w"\n"1",1.5,"x"\n"2",2.5,"y"\n', [1.5, 2.5], ["x", "y"]),  # R's write.csv
        ('a,w\n1.5,"rest, eyes closed"\n2.5,y\n', [1.5, 2.5], ["rest, eyes closed", "y"]),
        ('a,w\n1.5,"say ""go"""\n2.5,""\n', [1.5, 2.5], ['say "go"', ""]),
        ('a,w\n1.5,"two\nlines"\n2.5,y\n', [1.5, 2.5], ["two\nlines", "y"]),
        ('a,w\r\n"1,5",x\r\n"-12,25e1",y\r\n', [1.5, -122.5], ["x", "y"]),  # decimal commas
        ('a,w\n"0,123",x\n"1234,567",y\n', [0.123, 1234.567], ["x", "y"]),  # no thousand's
        ('note,a,w\n"a, b",1.5,x\n"c",2.5,y\n', [1.5, 2.5], ["x", "y"]),
        ('"w";a\n"x, y";1.5\n"z;";2.5\n', [1.5, 2.5], ["x, y", "z;"]),
        ('"w";a\n"x";1,5\n"z";2,5\n', [1.5, 2.5], ["x", "z"]),
        ("sep=;\na;w\n1,5;x\n2,5;y\n", [1.5, 2.5], ["x", "y"]),  # Excel
        ('a,w\n1.5,"M\u00fcller, A"\n2.5,y\n', [1.5, 2.5], ["M\u00fcller, A", "y"]),
    ],
)
def test_quotes_keep_together_what_they_hold(tmp_path, text, numbers, words):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    assert read_table(path, ["a"])["a"].tolist() == numbers
    assert read_words(path, ["w"])[0]["w"].tolist() == words


@pytest.mark.parametrize("field", ["1,637", "12,345,678", "-9,000"])
def test_a_comma_that_may_part_thousands_is_refused(tmp_path, field):
    path = tmp_path / "a.csv"
    path.write_text(f'a,w\n1.5,x\n"{field}",y\n')
    with pytest.raises(MMQError, match=f"row 3, column a, must be a finite number; got '{field}', where the"):
        read_table(path, ["a"])


def test_a_quoted_line_end_where_blocks_meet(tmp_path, monkeypatch):
    monkeypatch.setattr(table_form, "BLOCK_CHARACTERS", 16)
    path = tmp_path / "a.csv"
    path.write_text("a,w\n" + '1,"two\nlines"\n' * 30)
    assert read_words(path, ["w"])[0]["w"].tolist() == ["two\nlines"] * 30
    assert read_table(path, ["a"])["a"].tolist() == [1.0] * 30
