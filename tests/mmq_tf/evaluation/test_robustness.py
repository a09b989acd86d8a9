# SPDX-License-Identifier: Apache-2.0
"""The numbers of a sweep, against ones worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from mmq_tf.evaluation import sweep_scores
from mmq_tf.evaluation.robustness import (
    area_comparisons,
    area_under,
    artefact_shares,
    calibration_stages,
    sweep_rows,
)
from mmq_tf.evaluation.sweep_scores import read_sweep, write_scored
from mmq_tf.metrics.predictions import Predictions, read_predictions, write_predictions
from mmq_tf.metrics.risk_coverage import COVERAGES, accuracy_at_coverage, subject_coverage
from mmq_tf.metrics.scores import ece
from mmq_tf.metrics.summary import time_matched_rows, wearer_rows

SUBJECTS = [f"s{n:02d}" for n in range(8)]
CONDITIONS = ("full", "A-0.1", "A-0.2", "A-0.5", "E-0dB")
LABELS = np.tile([0, 1], 10)


def predictions_of(fold, seed, rng):
    parts = []
    for subject in SUBJECTS[fold::2]:
        for method, skill in (("mmqnet", 1.5), ("forest", 0.5)):
            for place, condition in enumerate(CONDITIONS):
                score = skill * (LABELS - 0.5) * (1 - 0.2 * place) + rng.normal(0, 0.4, len(LABELS))
                high = 1 / (1 + np.exp(-score))
                count = len(LABELS)
                parts.append(
                    Predictions.of_windows(
                        classes=("rest", "stress"),
                        method=method,
                        condition=condition,
                        seed=seed,
                        fold=fold,
                        subject=np.repeat(subject, count),
                        session=np.repeat("", count),
                        trial=np.arange(count),
                        start_s=np.arange(count) * 5.0,
                        label=LABELS,
                        probabilities=np.stack([1 - high, high], axis=1),
                    )
                )
    return Predictions.concatenate(parts)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    rng = np.random.default_rng(0)
    paths = []
    for seed in (0, 1):
        for fold in (0, 1):
            paths.append(folder / f"{fold}-{seed}.csv")
            write_predictions(paths[-1], predictions_of(fold, seed, rng))
    return read_sweep(paths)


@pytest.fixture(scope="module")
def rows(sweep):
    temperatures = {(seed, fold): 2.0 for seed in (0, 1) for fold in (0, 1)}
    return {(r.method, r.condition, r.metric): r for r in sweep_rows(sweep, temperatures, [], "mmqnet")}


def test_folds_and_seeds_come_together(sweep):
    assert sorted(sweep.table.subjects) == SUBJECTS
    assert sweep.table.seeds == (0, 1)
    assert not np.isnan(sweep.table.scores["macro_f1"]).any()
    assert len(sweep.full) == 2 * 2 * 8 * len(LABELS)
    assert sweep.levels("A") == {0.0: "full", 0.1: "A-0.1", 0.2: "A-0.2", 0.5: "A-0.5"}
    assert sweep.levels("B") == {}
    assert sweep.levels("E") == {0.0: "E-0dB"}


def test_stored_scores_are_those_of_the_file_or_not_used(sweep, tmp_path, monkeypatch):
    rng, paths = np.random.default_rng(0), []
    for seed in (0, 1):
        for fold in (0, 1):
            paths.append(tmp_path / f"{fold}-{seed}.csv")
            write_scored(paths[-1], predictions_of(fold, seed, rng))
    with monkeypatch.context() as patch:
        patch.setattr(sweep_scores, "subject_table", None)  # nothing is scored again
        stored = read_sweep(paths)
    assert stored.table.pairs == sweep.table.pairs
    for metric, values in sweep.table.scores.items():
        np.testing.assert_array_equal(stored.table.scores[metric], values)
    np.testing.assert_array_equal(stored.full.probabilities, sweep.full.probabilities)
    write_predictions(paths[0], predictions_of(0, 0, rng))
    changed = read_sweep(paths).table.scores["auroc"]
    assert not np.array_equal(changed, sweep.table.scores["auroc"])
    paths[1].with_suffix(".npz").write_bytes(b"x")
    np.testing.assert_array_equal(read_sweep(paths).table.scores["auroc"], changed)


def test_time_and_wearers_are_read_from_all_sensors_and_each_one_gone(tmp_path, monkeypatch):
    rng, paths, whole = np.random.default_rng(1), [], []
    for fold in (0, 1):
        made = predictions_of(fold, 0, rng)
        full = made.select(made.condition == "full")
        once = replace(full, trial=full.trial // 10)  # trials of ten windows, so that a stride is known
        gone, alone = (
            replace(once, condition=np.full(len(once), name), probabilities=once.probabilities[:, ::-1])
            for name in ("no-eda", "only-eda")
        )
        whole.append(Predictions.concatenate([alone, gone, once]))
        paths.append(tmp_path / f"{fold}.csv")
        write_scored(paths[-1], whole[-1])
    first = read_predictions(paths[0], first=("full", "no-"))
    assert list(dict.fromkeys(first.condition)) == ["full", "no-eda"]
    with monkeypatch.context() as patch:
        patch.setattr(sweep_scores, "subject_table", None)  # nothing is scored again
        stored = read_sweep(paths)
    assert set(stored.named.condition) == {"full", "no-eda"}
    temperatures = {(0, 0): 1.0, (0, 1): 1.0}
    limits = {("mmqnet", 0, 0): 0.9, ("mmqnet", 0, 1): 0.9}
    rows = {
        (r.method, r.condition, r.metric): r for r in sweep_rows(stored, temperatures, [], "mmqnet", limits)
    }
    joined = Predictions.concatenate(whole)
    expected = time_matched_rows(joined) + wearer_rows(joined, limits)
    for row in expected:
        if row.condition != "only-eda":
            assert rows[row.method, row.condition, row.metric] == row
    assert ("forest", "only-eda", "time_matched_auroc") not in rows
    assert rows["mmqnet", "full", "withheld_share"].mean != 0
    assert rows["forest", "display-30s", "changes_per_hour"].n == 8
    ours, mirrored = (rows["mmqnet", c, "time_matched_auroc"].mean or 0.0 for c in ("full", "no-eda"))
    assert mirrored + ours == pytest.approx(1)


def test_the_clock_has_a_row_and_is_no_rival(tmp_path):
    rng, paths = np.random.default_rng(0), []
    for fold in (0, 1):
        made = predictions_of(fold, 0, rng)
        as_clock = replace(made, method=np.where(made.method == "forest", "clock", made.method))
        paths.append(tmp_path / f"{fold}.csv")
        write_predictions(paths[-1], as_clock)
    sweep = read_sweep(paths)
    assert area_comparisons(sweep, "mmqnet", "auroc")["A"] == []
    found = {(r.method, r.metric) for r in sweep_rows(sweep, {(0, 0): 1.0, (0, 1): 1.0}, [], "mmqnet")}
    assert {("clock", "auroc"), ("clock", "area_auroc"), ("clock", "time_matched_auroc")} <= found
    assert not found & {("clock", "area_auroc_p_holm"), ("clock", "area_auroc_mmqnet_gains")}


def test_the_area_is_the_mean_height_by_trapezoids(sweep):
    full, low, middle, high = (sweep.scores("mmqnet", c, "auroc") for c in CONDITIONS[:4])
    expected = (0.1 * (full + low) / 2 + 0.1 * (low + middle) / 2 + 0.3 * (middle + high) / 2) / 0.5
    assert np.allclose(area_under(sweep, "mmqnet", "A", "auroc"), expected)


def test_rows_hold_areas_losses_and_tests(sweep, rows):
    area = area_under(sweep, "mmqnet", "A", "macro_f1").mean(0)
    assert rows["mmqnet", "A", "area_macro_f1"].mean == pytest.approx(area.mean())
    assert rows["mmqnet", "A", "area_macro_f1"].n == 8
    full, half = (sweep.scores("forest", c, "auroc").mean() for c in ("full", "A-0.5"))
    assert rows["forest", "A-0.5", "lost_auroc"].mean == pytest.approx(full - half)
    assert ("forest", "A-0.2", "lost_auroc") not in rows
    gain = rows["forest", "A", "area_auroc_mmqnet_gains"]
    assert gain.mean == pytest.approx(
        rows["mmqnet", "A", "area_auroc"].mean - rows["forest", "A", "area_auroc"].mean
    )
    assert gain.low is not None
    assert gain.low > 0
    test = area_comparisons(sweep, "mmqnet", "auroc")["A"][0]
    assert (test.method, test.wins, test.subjects) == ("forest", 8, 8)
    assert rows["forest", "A", "area_auroc_p_holm"].mean == pytest.approx(2 / 2**8)  # all 8 of one sign
    assert rows["mmqnet", "full", "auroc"].seed_std is not None


def test_temperature_changes_calibration_and_nothing_else(sweep, rows):
    stages = calibration_stages(sweep, {(0, 0): 2.0, (0, 1): 2.0, (1, 0): 2.0, (1, 1): 2.0}, "mmqnet")
    assert (stages["before"].argmax(1) == stages["after"].argmax(1)).all()
    chosen = sweep.full.select(sweep.full.method == "mmqnet")
    for stage, metric in (("before", "ece_pooled_before"), ("after", "ece_pooled")):
        own = [ece(chosen.label[chosen.seed == s], stages[stage][chosen.seed == s]) for s in (0, 1)]
        assert rows["mmqnet", "full", metric].mean == pytest.approx(np.mean(own))
    assert not np.allclose(stages["before"], stages["after"], atol=1e-3)


def test_coverage_counts_the_surest_first_and_ties_by_their_mean():
    labels = np.array([0, 0, 1, 1])
    sure = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    assert accuracy_at_coverage(labels, sure, np.array([0.25, 0.5, 0.75, 1])).tolist() == [
        1,
        0.5,
        2 / 3,
        0.75,
    ]
    tied = np.tile([0.3, 0.7], (4, 1))
    assert accuracy_at_coverage(labels, tied, np.array([0.25, 1])).tolist() == [0.5, 0.5]


def test_gain_by_abstaining_is_by_subject(sweep, rows):
    chosen = sweep.full.select(sweep.full.method == "mmqnet")
    curve = subject_coverage(
        chosen.seed, chosen.subject, chosen.label, chosen.probabilities, list(sweep.table.subjects)
    )
    assert curve.shape == (2, 8, len(COVERAGES))
    assert np.allclose(curve[:, :, -1], sweep.scores("mmqnet", "full", "accuracy"))
    row = rows["mmqnet", "full", "accuracy_at_70"]
    assert row.mean == pytest.approx(curve[:, :, np.isclose(COVERAGES, 0.7)].mean())
    gain = rows["mmqnet", "full", "accuracy_gain_at_70"].mean
    assert gain == pytest.approx(row.mean - rows["mmqnet", "full", "accuracy"].mean)


def test_artefact_shares_are_by_subject():
    fact = {"condition": "E-0dB", "seed": 0, "subject": "a", "present": 100, "touched": 40}
    other = {**fact, "subject": "b", "present": 50, "touched": 10, "ruled_absent": 0, "untouched_absent": 4}
    found = artefact_shares([{**fact, "ruled_absent": 10, "untouched_absent": 6}, other])
    assert found["E-0dB", "corrupted_share"].tolist() == [0.4, 0.2]
    assert found["E-0dB", "ruled_absent_share"].tolist() == [0.25, 0.0]
    assert found["E-0dB", "untouched_absent_share"].tolist() == [0.1, 0.1]
