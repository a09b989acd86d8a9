# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from mmq_tf.errors import MMQError
from mmq_tf.metrics.names import WEARER_METRICS
from mmq_tf.metrics.predictions import Predictions, read_predictions, write_predictions
from mmq_tf.metrics.scores import METRICS
from mmq_tf.metrics.summary import compare_methods, results_from_predictions, subject_table, wearer_table
from mmq_tf.metrics.time_matched import time_matched_auroc
from mmq_tf.metrics.wearer import wearer_scores


def part(
    method: str, condition: str, seed: int, noise: float, classes: int = 2, subjects: int = 5
) -> Predictions:
    """Six trials of five windows a subject; the noisier, the worse."""
    rng = np.random.default_rng([seed, len(method), len(condition)])
    count = subjects * 30
    trial = np.tile(np.repeat(np.arange(6), 5), subjects)
    label = trial % classes
    raw = np.exp(2.0 * np.eye(classes)[label] + noise * rng.normal(size=(count, classes)))
    return Predictions.of_windows(
        classes=[f"c{k}" for k in range(classes)],
        method=method,
        condition=condition,
        seed=seed,
        fold=seed,
        subject=np.repeat([f"S{i}" for i in range(subjects)], 30),
        session=np.where(trial < 3, "morning", "evening"),
        trial=trial % 3,
        start_s=np.tile(10.0 * np.arange(30), subjects),
        label=label,
        probabilities=raw / raw.sum(axis=1, keepdims=True),
    )


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    parts = [
        part(method, condition, seed, noise)
        for method, noise in (("mmqnet", 1.5), ("forest", 3.0))
        for condition in ("full", "no-eda")
        for seed in (0, 7)
    ]
    return Predictions.concatenate(parts)


def value(rows, method: str, condition: str, metric: str) -> Any:
    return next(r for r in rows if (r.method, r.condition, r.metric) == (method, condition, metric))


def test_every_method_condition_and_metric_has_a_row(predictions: Predictions):
    rows = results_from_predictions(predictions)
    metrics = [*METRICS, "auroc_pooled", "time_matched_auroc", *(f"trial_{m}" for m in METRICS)]
    of = {
        "full": [*metrics, *WEARER_METRICS],
        "no-eda": metrics,
        "display-30s": ["macro_f1", *WEARER_METRICS],
    }
    expected = [(m, c, x) for m in ("mmqnet", "forest") for c in of for x in of[c]]
    assert [(r.method, r.condition, r.metric) for r in rows] == expected
    for row in rows:
        assert row.low is not None
        assert row.high is not None
        assert row.mean is not None
        assert row.low <= row.mean <= row.high
        assert row.n == 5
        assert row.seed_std is not None


def test_numbers_are_those_of_scikit_learn_the_long_way(predictions: Predictions):
    rows = results_from_predictions(predictions)
    p, here = predictions, (predictions.method == "forest") & (predictions.condition == "no-eda")
    f1, area, pooled = [], [], []
    for seed in (0, 7):
        of_seed = here & (p.seed == seed)
        pooled.append(roc_auc_score(p.label[of_seed], p.probabilities[of_seed, 1]))
        for subject in np.unique(p.subject):
            w = of_seed & (p.subject == subject)
            f1.append(f1_score(p.label[w], p.probabilities[w].argmax(axis=1), average="macro"))
            area.append(roc_auc_score(p.label[w], p.probabilities[w, 1]))
    assert value(rows, "forest", "no-eda", "macro_f1").mean == pytest.approx(np.mean(f1))
    assert value(rows, "forest", "no-eda", "auroc").mean == pytest.approx(np.mean(area))
    by_seed = np.reshape(area, (2, 5)).mean(axis=1)
    assert value(rows, "forest", "no-eda", "auroc").seed_std == pytest.approx(by_seed.std(ddof=1))
    assert value(rows, "forest", "no-eda", "auroc_pooled").mean == pytest.approx(np.mean(pooled))


def test_time_matched_pairs_are_of_all_folds_and_of_one_seed(predictions: Predictions):
    found = value(results_from_predictions(predictions), "forest", "no-eda", "time_matched_auroc")
    p, here = predictions, (predictions.method == "forest") & (predictions.condition == "no-eda")
    by_seed = [
        time_matched_auroc(p.label[w] == 1, p.probabilities[w, 1], p.subject[w], p.start_s[w])
        for w in (here & (p.seed == seed) for seed in (0, 7))
    ]
    assert found.mean == pytest.approx(np.mean(by_seed))
    assert found.seed_std == pytest.approx(np.std(by_seed, ddof=1))


def test_without_several_people_at_the_same_time_there_is_no_time_matched_row(predictions: Predictions):
    for who in (["S1"], ["S1", "S2", "S3"]):  # of three people one is in most of the pairs
        few = predictions.select(np.isin(predictions.subject, who))
        assert not [r for r in results_from_predictions(few) if r.metric == "time_matched_auroc"]


def test_what_a_wearer_meets_is_a_mean_over_people_and_seeds_and_knows_who_withholds(
    predictions: Predictions,
):
    limits = {("mmqnet", 0, 0): 0.7, ("mmqnet", 7, 7): 0.9}
    rows = results_from_predictions(predictions, limits=limits)
    p = predictions
    found: dict[str, list[dict[str, np.ndarray]]] = {"mmqnet": [], "forest": []}
    for method, values in found.items():
        for seed in (0, 7):
            w = (p.method == method) & (p.condition == "full") & (p.seed == seed)
            values.append(
                wearer_scores(
                    np.unique(p.subject[w], return_inverse=True)[1],
                    (p.session[w] == "morning").astype(int),
                    p.trial[w],
                    p.start_s[w],
                    p.label[w],
                    p.probabilities[w],
                    5,
                    min_confidence=limits.get((method, seed, seed), 0.0),
                )
            )
    for method, values in found.items():
        for metric in WEARER_METRICS:
            wanted = np.mean([scores[metric] for scores in values])
            assert value(rows, method, "full", metric).mean == pytest.approx(wanted)
    assert value(rows, "forest", "full", "withheld_share").mean == 0
    assert value(rows, "mmqnet", "full", "withheld_share").low > 0


def test_the_display_filter_is_a_condition_of_its_own(predictions: Predictions):
    rows = results_from_predictions(predictions)
    once = predictions.select(predictions.condition == "full")
    plain, shown = wearer_table(once), wearer_table(once, 30.0)
    for table, condition in ((plain, "full"), (shown, "display-30s")):
        for metric in WEARER_METRICS:
            wanted = table.of("forest", "full", metric).mean()
            assert value(rows, "forest", condition, metric).mean == pytest.approx(wanted)
    calm, as_said = (t.of("forest", "full", "changes_per_hour").mean() for t in (shown, plain))
    assert calm < as_said
    filtered = value(rows, "forest", "display-30s", "macro_f1").mean
    assert filtered == pytest.approx(shown.of("forest", "full", "macro_f1").mean())
    unfiltered = wearer_table(once, 1e-3).of("forest", "full", "macro_f1").mean()
    assert unfiltered == pytest.approx(value(rows, "forest", "full", "macro_f1").mean)


def test_a_trial_is_told_apart_by_its_session_and_averages_its_windows(predictions: Predictions):
    rows = results_from_predictions(predictions)
    p, here = predictions, (predictions.method == "forest") & (predictions.condition == "full")
    right = []
    for seed in (0, 7):
        for subject in np.unique(p.subject):
            for session in ("morning", "evening"):
                for trial in range(3):
                    w = (
                        here
                        & (p.seed == seed)
                        & (p.subject == subject)
                        & (p.session == session)
                        & (p.trial == trial)
                    )
                    assert w.sum() == 5
                    right.append(p.probabilities[w].mean(axis=0).argmax() == p.label[w][0])
    assert value(rows, "forest", "full", "trial_accuracy").mean == pytest.approx(np.mean(right))


def test_the_file_gives_the_same_numbers_to_the_last_digit(predictions: Predictions, tmp_path: Path):
    write_predictions(tmp_path / "p.csv", predictions)
    assert results_from_predictions(read_predictions(tmp_path / "p.csv")) == results_from_predictions(
        predictions
    )


def test_the_order_of_windows_does_not_matter(predictions: Predictions):
    """Up to the rounding of sums."""
    shuffled = predictions.select(np.random.default_rng(0).permutation(len(predictions)))
    first, second = subject_table(predictions), subject_table(shuffled)
    for method, condition in first.pairs:
        ours = dict(zip(first.subjects, first.of(method, condition, "ece"), strict=True))
        theirs = dict(zip(second.subjects, second.of(method, condition, "ece"), strict=True))
        assert ours == pytest.approx(theirs)


def test_a_subject_with_one_class_is_left_out_of_auroc_alone(predictions: Predictions):
    keep = ~((predictions.subject == "S2") & (predictions.label == 1))
    rows = results_from_predictions(predictions.select(keep))
    assert value(rows, "mmqnet", "full", "auroc").n == 4
    assert value(rows, "mmqnet", "full", "accuracy").n == 5


def test_nobody_with_two_classes_gives_null_and_no_warning(predictions: Predictions):
    rows = results_from_predictions(predictions.select(predictions.label == 0))
    row = value(rows, "mmqnet", "full", "auroc")
    assert (row.mean, row.low, row.high, row.n) == (None, None, None, 0)
    assert value(rows, "mmqnet", "full", "auroc_pooled").mean is None


def test_trials_of_several_labels_have_no_trial_rows(
    predictions: Predictions, caplog: pytest.LogCaptureFixture
):
    mixed = predictions.select(np.arange(len(predictions)))
    mixed.trial[:] = 0
    rows = results_from_predictions(mixed)
    assert not [r for r in rows if r.metric.startswith("trial_")]
    assert "no results per trial" in caplog.text


def test_a_method_with_fewer_seeds_is_averaged_over_its_own(predictions: Predictions):
    keep = (predictions.method == "mmqnet") | (predictions.seed == 0)
    rows = results_from_predictions(predictions.select(keep))
    alone = results_from_predictions(
        predictions.select((predictions.method == "forest") & (predictions.seed == 0))
    )
    for metric in ("auroc", "auroc_pooled", "trial_macro_f1"):
        assert value(rows, "forest", "full", metric).mean == value(alone, "forest", "full", metric).mean
        assert value(rows, "forest", "full", metric).seed_std is None


def test_three_classes():
    rows = results_from_predictions(part("mmqnet", "full", 0, 2.0, classes=3))
    pooled, area = (value(rows, "mmqnet", "full", m).mean for m in ("auroc_pooled", "auroc"))
    assert pooled is not None
    assert 0.5 < pooled < 1
    assert value(rows, "mmqnet", "full", "time_matched_auroc").mean == pytest.approx(pooled, abs=0.1)
    assert not [r for r in rows if r.metric in ("false_alarms_per_hour", "tasks_alarmed")]
    assert value(rows, "mmqnet", "full", "changes_per_hour").n == 5
    assert pooled == pytest.approx(area, abs=0.1)


def test_no_predictions_give_no_rows(predictions: Predictions):
    assert results_from_predictions(predictions.select(np.zeros(len(predictions), bool))) == []


def test_methods_are_compared_over_subjects(predictions: Predictions):
    table = subject_table(predictions)
    (comparison,) = compare_methods(table, "mmqnet")
    difference = table.of("mmqnet", "full", "auroc") - table.of("forest", "full", "auroc")
    assert comparison.method == "forest"
    clock = replace(table, pairs=tuple(("clock" if m == "forest" else m, c) for m, c in table.pairs))
    assert compare_methods(clock, "mmqnet") == []
    assert comparison.difference == pytest.approx(difference.mean())
    assert comparison.wins == (difference > 0).sum()
    with pytest.raises(MMQError, match="no such predictions"):
        table.of("mmqnet", "no-ppg", "auroc")
