# SPDX-License-Identifier: Apache-2.0
"""Searching a fold: its test people never enter, what is done stays done, and stopping changes nothing."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from tiny_study import MODALITIES, tiny_config

from mmq_tf.api.tuning import tune
from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.metrics.predictions import read_predictions
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings
from mmq_tf.training.run import Run
from mmq_tf.training.run_folder import RunFacts
from mmq_tf.training.run_streams import load_streams
from mmq_tf.training.splits import Fold
from mmq_tf.tuning.job import TUNED, TuningJob, inner_folds, inner_jobs

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuning")
    write_cohort(folder / "cohort", 6, Settings(minutes=7, modalities=MODALITIES))
    changes = {"split": {"folds": 3}, "training": {"epochs": 2, "batch_size": 64}}
    (folder / "tiny.toml").write_text(tiny_config(MODALITIES, **changes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMQ_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def outer(home):
    """The first outer fold: two people are tested."""
    run = Run(home / "run", load_config(home / "tiny.toml"), RunFacts("", str(home / "cohort")))
    job = run.jobs(load_streams(run, 1)[0])[0]
    return job, inner_folds(job, run.dataset, 2)


def searched(outer, inner, folder, method="logistic_dropout", budget=4, on_epoch=lambda *told: None):
    job = TuningJob(replace(outer, folder=folder), method, inner, budget)
    job.outer.folder.mkdir()
    job.search(on_epoch)
    return job.trials_path.read_bytes()


def poisoned(outer):
    """The same fold, the labels of its test people exchanged, their signals noise."""
    other = {"rest": "stress", "stress": "rest"}

    def spoil(stream):
        if stream.subject not in outer.fold.test:
            return stream
        trials = [
            replace(trial, labels={task: other.get(name, name) for task, name in trial.labels.items()})
            for trial in stream.trials
        ]
        noise = np.random.default_rng(0).normal(size=stream.features.shape).astype(np.float32)
        return replace(stream, features=1e3 * noise, trials=tuple(trials))

    return replace(outer, streams=tuple(map(spoil, outer.streams)))


def test_poison_in_every_test_person_changes_nothing_of_the_choice(outer, tmp_path):
    job, inner = outer
    clean = searched(job, inner, tmp_path / "clean")
    assert len(json.loads(clean)) == 4
    assert searched(poisoned(job), inner, tmp_path / "poisoned") == clean


def test_poison_in_a_training_person_does_change_it(outer, tmp_path):
    """Else the test above could not fail."""
    job, inner = outer
    turned = replace(job, fold=replace(job.fold, test=job.fold.train[:1]))
    bad = replace(job, streams=poisoned(turned).streams)
    assert searched(bad, inner, tmp_path / "poisoned") != searched(job, inner, tmp_path / "clean")


def test_inner_folds_hold_all_training_people_and_nobody_else(outer):
    job, inner = outer
    inside = {*job.fold.train, *job.fold.validation}
    assert {name for fold in inner for name in fold.test} == inside
    assert {stream.subject for one in inner_jobs(job, inner) for stream in one.streams} == inside
    wrong = Fold(inner[0].train, inner[0].validation, job.fold.test)
    with pytest.raises(MMQError, match="is none of its training people"):
        inner_jobs(job, [wrong])


def test_a_network_is_shown_the_inner_people_alone(outer, tmp_path, monkeypatch):
    seen = []

    def record(model, train, validation, *rest, **settings):
        seen.extend((set(train.subject), set(validation.subject)))
        raise KeyboardInterrupt

    monkeypatch.setattr("mmq_tf.tuning.job.fit_network", record)
    job, inner = outer
    with pytest.raises(KeyboardInterrupt):
        searched(job, inner, tmp_path / "a", "mmqnet")
    assert seen == [set(inner[0].train), set(inner[0].validation)]


def test_too_many_inner_folds_are_refused_before_anything_is_searched(outer, home):
    job, _ = outer
    run = Run(home / "run", job.config, RunFacts("", str(home / "cohort")))
    with pytest.raises(MMQError, match="inside fold 0, 9 inner folds: 4 subjects cannot be split"):
        inner_folds(job, run.dataset, 9)


def test_a_search_stopped_in_a_trial_ends_as_one_that_was_not(outer, tmp_path):
    job, inner = outer

    def stop(done, metrics):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(job, inner, tmp_path / "a", on_epoch=stop)
    kept = TuningJob(replace(job, folder=tmp_path / "a"), "logistic_dropout", inner, 4)
    assert len(json.loads(kept.trials_path.read_text())) == 2
    kept.search()
    assert kept.trials_path.read_bytes() == searched(job, inner, tmp_path / "b")


@pytest.fixture(scope="module")
def tuned(home):
    given = {"budget": 3, "out": "tuned", "inner": 2, "methods": ["logistic_dropout"]}
    return given, tune("tiny.toml", "cohort", **given)


def test_the_table_says_what_the_search_bought_on_the_outer_folds(tuned, home):
    _, found = tuned
    searched = ("logistic_dropout", "logistic_dropout" + TUNED)
    assert set(found.results.methods) == {*searched, "majority", "clock"}
    assert found.results.row("majority", "full", "auroc").mean == 0.5
    assert found.results.row("clock", "full", "auroc").n == 6
    assert found.results.stamps == ("SIMULATED",)
    notes = " ".join(found.results.notes)
    assert "best of 3 trials" in notes
    assert "logistic_dropout: the search bought" in notes
    assert "of 9 trials were given up early" in notes
    row = [found.results.row(name, "full", "auroc") for name in searched]
    assert [one.n for one in row] == [6, 6]
    assert f"{row[1].mean - row[0].mean:+.3f} AUROC by person" in notes
    chosen = json.loads((home / "tuned" / "folds" / "00" / "logistic_dropout.json").read_text())
    test = set(read_predictions(home / "tuned" / "folds" / "00" / "logistic_dropout-predictions.csv").subject)
    assert not test & {name for fold in chosen["inner_folds"] for people in fold.values() for name in people}


def test_what_is_done_stays_done_and_a_larger_budget_continues(tuned, home):
    given, found = tuned
    files = sorted((home / "tuned").rglob("*-trials.json"))
    times = [path.stat().st_mtime_ns for path in files]
    assert tune("tiny.toml", "cohort", **given).results.rows == found.results.rows
    assert [path.stat().st_mtime_ns for path in files] == times
    before = [json.loads(path.read_text()) for path in files]
    tune("tiny.toml", "cohort", **{**given, "budget": 4})
    after = [json.loads(path.read_text()) for path in files]
    assert [trials[:3] for trials in after] == before
    assert {len(trials) for trials in after} == {4}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"overrides": ["seeds=[4]"]}, "tuned holds a search of another configuration"),
        ({"inner": 3}, "tuned holds a search of another number of inner folds"),
        ({"search": ["logistic_dropout.copies"]}, "tuned holds a search of other settings"),
        ({"out": "cohort"}, "cohort holds other files than those of `mmq-tf tune`"),
        ({"out": "tiny.toml"}, "tiny.toml is a file or a link"),
        ({"budget": 1}, "expected a budget and inner folds of 2 or more"),
    ],
)
def test_what_does_not_belong_together_is_refused(tuned, changes, said):
    given, _ = tuned
    with pytest.raises(MMQError, match=said):
        tune("tiny.toml", "cohort", **{**given, **changes})


def test_a_folder_another_process_searches_in_is_left_alone(tuned, home):
    given, _ = tuned
    hold = "import sys, mmq_tf.utils.one_writer as o; c = o.one_writer(o.Path('tuned')); c.__enter__(); "
    with subprocess.Popen(
        [sys.executable, "-c", hold + "print(flush=True); sys.stdin.read(); c.__exit__(None, None, None)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=home,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"\n"
        with pytest.raises(MMQError, match=f"process {other.pid} writes into tuned"):
            tune("tiny.toml", "cohort", **given)
        other.communicate()
    assert tune("tiny.toml", "cohort", **given).results.rows
