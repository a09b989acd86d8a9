# SPDX-License-Identifier: Apache-2.0
"""What a part is worth, against numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest

from mmq_tf.evaluation.ablation import ablation_rows, judged_under
from mmq_tf.evaluation.sweep_scores import Sweep
from mmq_tf.metrics.scores import METRICS
from mmq_tf.metrics.summary import SubjectTable

WITHOUT = "without_interference_queries"
CONDITIONS = ("full", "A-0.5", "E-0dB", "E-10dB", "no-eda", "only-eda")
WHOLE = {"full": 0.90, "A-0.5": 0.80, "E-0dB": 0.86, "E-10dB": 0.88, "no-eda": 0.7, "only-eda": 0.6}
PART = {"full": 0.88, "A-0.5": 0.70, "E-0dB": 0.78, "E-10dB": 0.8, "no-eda": 0.7, "only-eda": 0.6}


def sweep_of(whole=WHOLE, part=PART) -> Sweep:
    """Six subjects of different level, two seeds, the same differences for everyone."""
    pairs = [(m, c) for m in ("mmqnet", WITHOUT) for c in CONDITIONS]
    level = np.linspace(-0.05, 0.05, 6)
    values = np.array([({"mmqnet": whole}.get(m, part))[c] for m, c in pairs])
    scores = np.repeat(values[:, None, None] + level, 2, axis=1)
    table = SubjectTable(tuple(pairs), (0, 1), tuple("abcdef"), dict.fromkeys(METRICS, scores))
    nothing: Any = None  # the rows come from the table alone
    return Sweep(table, nothing)


def found(**changes):
    rows = ablation_rows(sweep_of(**changes), "mmqnet", ["eda"])
    return {(row.method, row.condition, row.metric): row for row in rows}


def test_it_is_judged_with_all_sensors_under_areas_artefacts_and_each_sensor_gone():
    assert judged_under(sweep_of(), ["eda"]) == ["full", "A", "E-0dB", "no-eda"]


def test_gains_are_paired_differences_with_intervals_and_tests():
    rows = found()
    gain = rows[WITHOUT, "full", "auroc_mmqnet_gains"]
    assert gain.mean == pytest.approx(0.02)
    assert gain.low == pytest.approx(0.02)  # the same for everyone, however different people are
    assert gain.high == pytest.approx(0.02)
    assert rows[WITHOUT, "A", "area_auroc_mmqnet_gains"].mean == pytest.approx((0.02 + 0.10) / 2)
    assert rows["mmqnet", "A", "area_auroc"].mean == pytest.approx(0.85)
    assert rows[WITHOUT, "full", "auroc_p_holm"].mean == pytest.approx(2 / 2**6)  # six of six
    assert rows[WITHOUT, "no-eda", "auroc_p_holm"].mean == 1
    assert ("mmqnet", "full", "auroc_mmqnet_gains") not in rows


def test_the_share_of_the_loss_to_artefacts_that_is_left():
    row = found()["mmqnet", "E-0dB", f"lost_auroc_over_{WITHOUT}"]
    assert row.mean == pytest.approx(0.04 / 0.10)
    assert row.n == 6


def test_there_is_no_share_of_no_loss():
    gaining = {**PART, "E-0dB": 0.95}
    assert ("mmqnet", "E-0dB", f"lost_auroc_over_{WITHOUT}") not in found(part=gaining)
