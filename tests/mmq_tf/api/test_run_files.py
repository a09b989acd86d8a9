# SPDX-License-Identifier: Apache-2.0
"""What an export reads of a run beside its network."""

from pathlib import Path

import pytest

from mmq_tf.api.run_files import read_transfer
from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import read_results

PUBLISHED = Path(__file__).parents[3] / "results" / "travel_cogwear.json"


def test_a_table_of_another_data_set_is_told_by_its_full_scores():
    (told,) = read_transfer([PUBLISHED])
    table = read_results(PUBLISHED)
    assert told["data"] == table.data
    assert {(row["condition"], row["metric"]) for row in told["rows"]} == {
        ("full", "auroc"),
        ("full", "macro_f1"),
    }
    assert {row["method"] for row in told["rows"]} == set(table.methods)


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(MMQError, match=r"results\.json"):
        read_transfer([tmp_path / "results.json"])
