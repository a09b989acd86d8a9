# SPDX-License-Identifier: Apache-2.0
"""The page about boards is what the result tables and the makers' figures give."""

import boards
import pytest


def test_the_page_is_written_from_the_tables():
    tables = boards.read("network_cost"), boards.read("core_cost")
    assert boards.PAGE.read_text("utf-8") == boards.page(*tables), "run python benchmarks/boards.py"


def test_the_sum_of_a_decision():
    """A million instructions at 50 MHz and 20 uA/MHz: 20 to 40 ms, 20 to 40 uC, 4 to 8 uA over 5 s."""
    board = boards.Board("x", "y", "z", 50, 1, 1, 20, "")
    row = boards._row(board, 400_000, 600_000)
    assert row == "| x | y | 1 | 1 | 50 | 1,000,000 | 20 to 40 | 20 | 20 to 40 | 4 to 8 |"


def test_a_row_without_a_current_has_no_charge():
    board = boards.Board("x", "y", "z", 50, 1, 1, None, "")
    assert boards._row(board, 0, 1_000_000).endswith("| 20 to 40 |  |  |  |")


def test_a_table_without_a_row_is_named():
    with pytest.raises(SystemExit, match="expected a row wrist set, token -O2, instructions"):
        boards.page({"rows": []}, {"rows": []})


def test_every_source_names_its_document():
    page = boards.PAGE.read_text("utf-8")
    assert all(f"- {board.name}: {board.source}." in page for board in boards.BOARDS)
    assert "**estimates**" in page
