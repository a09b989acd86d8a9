# SPDX-License-Identifier: Apache-2.0
"""The UpSet-type plot: what is worked out for it, and that it shows what it was given."""

import numpy as np
import pytest
from made_table import made_table

from mmq_tf.metrics.results_table import ResultRow, ResultsFile
from mmq_tf.reports.subset_figure import model_means, sensor_worth, subsets_figure

SENSORS = ("ppg", "eda", "temp")
SCORES = {
    "full": (("ppg", "eda", "temp"), 0.9),
    "no-temp": (("ppg", "eda"), 0.88),
    "no-eda": (("ppg", "temp"), 0.8),
    "no-ppg": (("eda", "temp"), 0.7),
    "only-ppg": (("ppg",), 0.75),
    "only-eda": (("eda",), 0.65),
    "only-temp": (("temp",), 0.55),
}


def results_of(scores: dict[str, float]) -> ResultsFile:
    rows = [
        ResultRow(method=m, condition=c, metric="auroc", mean=v - less, low=v - 0.1, high=v, n=9)
        for m, less in (("mmqnet", 0.0), ("forest", 0.05))
        for c, v in scores.items()
    ]
    return made_table(rows, simulated=True)


def test_a_sensor_is_worth_the_mean_of_what_it_adds_to_every_other_subset():
    worth = sensor_worth(dict(SCORES.values()), SENSORS)
    assert worth["ppg"] == pytest.approx(((0.9 - 0.7) + (0.88 - 0.65) + (0.8 - 0.55)) / 3, abs=1e-6)
    assert worth["temp"] == pytest.approx(((0.9 - 0.88) + (0.8 - 0.75) + (0.7 - 0.65)) / 3, abs=1e-6)
    assert sensor_worth({("ppg",): 0.7}, ("ppg", "eda")) == {}


def test_subsets_without_a_score_are_left_out():
    assert model_means(results_of({"full": 0.9}), {"full": SENSORS, "no-eda": ("ppg",)}, "mmqnet") == {
        "full": 0.9
    }


def test_subsets_stand_best_first_above_the_dots_of_their_sensors():
    results = results_of({c: mean for c, (_, mean) in SCORES.items()})
    figure = subsets_figure(
        results, {c: kept for c, (kept, _) in SCORES.items()}, SENSORS, ["mmqnet", "forest"]
    )
    _, scores, worth, dots = figure.axes
    shown = {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in scores.get_lines()}
    assert shown["mmqnet"] == sorted((mean for _, mean in SCORES.values()), reverse=True)
    assert shown["forest"] == pytest.approx([mean - 0.05 for mean in shown["mmqnet"]])
    dark = [tuple(sorted(np.asarray(p.get_offsets())[:, 1].astype(int))) for p in dots.collections[1::2]]
    order = sorted(SCORES.values(), key=lambda entry: -entry[1])
    assert dark == [tuple(sorted(SENSORS.index(s) for s in kept)) for kept, _ in order]
    assert [label.get_text() for label in worth.get_yticklabels()] == list(SENSORS)
