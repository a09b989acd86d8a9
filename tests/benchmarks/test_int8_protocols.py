# SPDX-License-Identifier: Apache-2.0
"""The table of `benchmarks/int8_protocols.py`, against numbers worked out by hand."""

import int8_protocols as bench
import numpy as np
import pytest

from mmq_tf.evaluation.sweep_scores import Sweep
from mmq_tf.metrics.scores import METRICS
from mmq_tf.metrics.summary import SubjectTable

SUBJECTS = ("a", "b", "c")
CONDITIONS = ("full", "no-eda", "B-0.1", "B-0.2")


@pytest.fixture(scope="module")
def sweep():
    """Float scores 0.8 everywhere; int8 loses 0.01 a place of the condition, on subject c thrice that."""
    pairs = tuple((method, c) for method in ("float32", "int8") for c in CONDITIONS)
    values = np.full((len(pairs), 2, 3), 0.8)
    for place in range(len(CONDITIONS)):
        values[len(CONDITIONS) + place] -= 0.01 * place * np.array([1.0, 1.0, 3.0])
    return Sweep(SubjectTable(pairs, (0, 1), SUBJECTS, dict.fromkeys(METRICS, values)), None)  # pyright: ignore


def test_what_is_lost_is_averaged_over_a_protocols_conditions_and_the_worst_fold_is_named(sweep):
    made = bench.table_rows(sweep, [("a", "b"), ("c",)], {"full": 0.99})
    rows = {(row.method, row.condition, row.metric): row for row in made}
    assert rows["int8", "B-0.2", "drop_macro_f1"].mean == pytest.approx(0.03 * 5 / 3)
    assert rows["int8", "B", "drop_macro_f1"].mean == pytest.approx(0.025 * 5 / 3)
    assert rows["int8", "B", "worst_fold_drop_macro_f1"].mean == pytest.approx(0.075)
    assert rows["int8", "D", "worst_fold_drop_auroc"].mean == pytest.approx(0.03)
    assert rows["int8", "all", "drop_auroc"].mean == pytest.approx(0.015 * 5 / 3)
    assert rows["float32", "full", "macro_f1"].mean == pytest.approx(0.8)
    assert rows["int8", "full", "agreement"].mean == 0.99


def test_a_fold_is_the_mean_over_its_subjects_with_a_score_in_its_worst_seed():
    lost = np.array([[0.0, 0.04, np.nan], [0.02, np.nan, np.nan]])
    assert bench.worst_fold(lost, SUBJECTS, [("a", "b"), ("c",)]) == pytest.approx(0.02)
    assert np.isnan(bench.worst_fold(lost, SUBJECTS, [("c",)]))
