# SPDX-License-Identifier: Apache-2.0
"""Runs side by side."""

import html
import re

import numpy as np
import pytest
from command_line import printed
from made_table import made_table

from mmq_tf.cli.compare import command
from mmq_tf.errors import MMQError
from mmq_tf.metrics.predictions import Predictions, write_predictions
from mmq_tf.metrics.results_table import write_results
from mmq_tf.metrics.summary import results_from_predictions
from mmq_tf.reports.run_comparison import compare_runs, render_comparison

PEOPLE = [f"P{n}" for n in range(6)]


def judged(folder, signal, people=PEOPLE, classes=("rest", "stress"), folds=1):
    """Write a judged folder: each fold's model judges everyone, by noise of its own."""
    label = np.tile(np.arange(20) // 10, len(people))
    parts = []
    for fold in range(folds):
        noise = np.random.default_rng(fold).normal(size=label.size)
        score = 1 / (1 + np.exp(-signal * (2 * label - 1) - noise))
        parts += [
            Predictions.of_windows(
                classes=classes,
                method=method,
                condition=condition,
                seed=0,
                fold=fold,
                subject=np.repeat(people, 20),
                session=np.full(label.size, "1"),
                trial=label,
                start_s=np.tile(np.arange(20.0), len(people)),
                label=label,
                probabilities=np.stack([1 - score, score], axis=1),
            )
            for method in ("mmqnet", "forest")
            for condition in ("full", "no-eda")
        ]
    made = Predictions.concatenate(parts)
    folder.mkdir(parents=True)
    write_predictions(folder / "predictions.csv", made)
    rows = tuple(results_from_predictions(made))
    write_results(folder / "results.json", made_table(rows))
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    home = tmp_path_factory.mktemp("compared")
    return judged(home / "weak", 0.4), judged(home / "strong", 2.0, people=PEOPLE[1:])


def test_differences_are_of_the_people_both_judged(two):
    made = compare_runs(two)
    assert made.people == tuple(PEOPLE[1:])
    (full,) = [one for one in made.differences if (one.condition, one.metric) == ("full", "auroc")]
    weak, strong = (run.scores.of("mmqnet", "full", "auroc") for run in made.runs)
    gaps = strong - weak[1:]
    assert full.mean == pytest.approx(gaps.mean())
    assert full.low <= full.mean <= full.high
    assert full.low > 0
    assert (full.people, full.better) == (5, int((gaps > 0).sum()))
    assert {one.condition for one in made.differences} == {"full", "no-eda"}


def test_models_that_judged_everyone_count_one_by_one(tmp_path):
    folder = judged(tmp_path / "folds", 1.0, folds=3)
    (run, _) = compare_runs([folder, judged(tmp_path / "other", 1.0)]).runs
    assert run.scores.seeds == (0, 1, 2)


def test_the_page_and_the_terminal_show_the_same(two, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    text = printed(command, *two, "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "5 of 5" in text
    assert "5 of 5" in page
    assert '<th scope="row">strong</th>' in page
    assert "<title>P1: strong " in page
    assert not re.findall(r"https?://|//[a-z]+\.", page)
    said = html.unescape(re.findall("Made by <code>(.*?)</code>", page)[0])
    assert page == render_comparison(compare_runs(two), said)


def test_what_cannot_be_compared_is_said(two, tmp_path):
    for folders, words in (
        (two[:1], "two runs or more"),
        ((two[0], two[0]), "named twice"),
        ((two[0], tmp_path), "has no results.json"),
        ((two[0], judged(tmp_path / "b", 1.0, classes=("low", "high"))), "only runs with the same classes"),
        ((two[0], judged(tmp_path / "c", 1.0, people=["X", "Y"])), "have 0 people in common"),
    ):
        with pytest.raises(MMQError, match=words):
            compare_runs(folders)
