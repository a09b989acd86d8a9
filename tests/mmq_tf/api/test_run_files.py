# SPDX-License-Identifier: Apache-2.0
"""What an export reads of a run beside its network."""

from pathlib import Path

import pytest

from mmq_tf.api.run_files import check_above_chance, read_transfer
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


@pytest.mark.parametrize(("auroc", "refused"), [(0.5, True), (0.21, True), (0.51, False), (None, False)])
def test_a_network_no_better_than_chance_is_refused(auroc, refused):
    rows = [
        {"method": "forest", "condition": "full", "metric": "auroc", "mean": 0.4},
        {"method": "mmqnet", "condition": "no-eda", "metric": "auroc", "mean": 0.3},
        {"method": "mmqnet", "condition": "full", "metric": "auroc", "mean": auroc},
        {"method": "logistic", "condition": "full", "metric": "auroc", "mean": 0.9},
    ]
    facts = {"model": {"name": "mmqnet"}, "results": rows}
    if refused:
        with pytest.raises(MMQError, match=rf"is {auroc:.3f}, no better than chance .* --below-chance"):
            check_above_chance(Path("runs/x"), facts)
    else:
        check_above_chance(Path("runs/x"), facts)
    check_above_chance(Path("runs/x"), {})
