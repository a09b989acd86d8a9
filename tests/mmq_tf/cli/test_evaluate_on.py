# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf evaluate RUN --on DATASET`: a run judged on people of another data set, nothing fitted on them."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tomli_w
from command_line import run_main
from tiny_study import train_quickly, write_tiny_study

import mmq_tf
import mmq_tf.datasets
from mmq_tf.config.run_config import load_config
from mmq_tf.datasets.simulated import SIMULATED
from mmq_tf.errors import MMQError
from mmq_tf.metrics.per_model import limits_per_model, per_model
from mmq_tf.metrics.predictions import read_predictions
from mmq_tf.metrics.results_table import read_results
from mmq_tf.metrics.scores import auroc
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

KEPT_BASELINES = {"majority", "logistic"}
AT_REST = {"rest_class": "rest", "enrolment_from": "rest_half"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A run of four people with eda and temp; three others, of another data set, have eda and acc."""
    folder = write_tiny_study(tmp_path_factory.mktemp("on"), training={"batch_size": 32}, seeds=[3, 4])
    write_cohort(folder / "others", 3, Settings(seed=9, minutes=7, modalities=("eda", "acc")))
    sensors = {"eda": {"sampling_rate_hz": 4}, "acc": {"sampling_rate_hz": 32}}
    other = load_config("simulated").model_dump(mode="json", exclude_none=True)
    other |= {
        "name": "others",
        "front_end": {"token_s": 5, "tokens": 4, "modalities": sensors},
        "normalisation": {"mode": "enrolment", "enrolment_s": 50, **AT_REST},
        "windows": {"stride_s": 10},
    }
    other["data"] |= {"dataset": "elsewhere"}
    (folder / "others.toml").write_text(tomli_w.dumps(other))
    return folder


@pytest.fixture(scope="module")
def call(home):
    """`call(arguments...)`: run the command line in this process, inside `home`; exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("MMQ_CACHE", str(home / "cache"))
        patch.setenv("COLUMNS", "140")
        train_quickly(patch, KEPT_BASELINES)
        patch.setitem(
            mmq_tf.datasets.DATASETS, "elsewhere", replace(SIMULATED, name="elsewhere", title="Elsewhere")
        )
        run = partial(run_main, patch)
        assert run("train", "tiny.toml", "--data", "cohort", "--jobs", 1, "--no-final", "--out", "run") == 0
        yield run


@pytest.fixture(scope="module")
def judged(home, call):
    """The folder of the run's results on the others."""
    arguments = ("evaluate", "run", "--on", "others.toml", "--data", "others", "--jobs", 1)
    assert call(*arguments, "--results", "published.json") == 0
    return home / "run" / "on-others"


def test_every_model_judges_everyone_with_the_sensors_there_are(judged):
    predictions = read_predictions(judged / "predictions.csv")
    assert set(predictions.method) == {"mmqnet", *KEPT_BASELINES}
    # temp is not there and acc was not trained with: only eda is seen, so hiding it would leave nothing
    assert set(predictions.condition) == {"full"}
    models = set(zip(predictions.seed.tolist(), predictions.fold.tolist(), strict=True))
    assert models == {(seed, fold) for seed in (3, 4) for fold in (0, 1)}
    counts = {
        (seed, fold): sorted(predictions.subject[(predictions.seed == seed) & (predictions.fold == fold)])
        for seed, fold in models
    }
    assert len({tuple(names) for names in counts.values()}) == 1
    assert set(predictions.subject) == {"sim-01", "sim-02", "sim-03"}


def test_the_table_is_the_mean_over_models_and_people(judged):
    table, predictions = read_results(judged / "results.json"), read_predictions(judged / "predictions.csv")
    scores = []
    for name in np.unique(predictions.subject):
        for seed in (3, 4):
            for fold in (0, 1):
                rows = predictions.select(
                    (predictions.method == "logistic")
                    & (predictions.subject == name)
                    & (predictions.seed == seed)
                    & (predictions.fold == fold)
                )
                scores.append(auroc(rows.label, rows.probabilities))
    row = table.row("logistic", "full", "auroc")
    assert row is not None
    assert row.mean == pytest.approx(np.mean(scores))
    assert row.n == 3
    assert row.low is not None
    assert row.low <= np.mean(scores)
    assert table.split.lower().startswith("trained on simulated")
    assert "judged on Elsewhere" in table.split
    assert table.simulated
    assert any("lacks temp" in note for note in table.notes)
    assert "first half of it" in table.normalisation
    assert table.normalisation.startswith("enrolment, the first measured 50 s")
    assert (table.name, table.seeds) == ("tiny-on-others", (3, 4))


def test_the_table_is_published_with_the_command(home, judged):
    published, own = read_results(home / "published.json"), read_results(judged / "results.json")
    assert published.name == "published"
    assert published.rows == own.rows
    assert "--on others.toml" in published.command
    assert (home / "published.md").is_file()


def test_nothing_is_fitted_on_the_people_judged(home, call, judged):
    """Judged alone, a person gets what they got among others."""
    alone = home / "alone"
    alone.mkdir()
    (alone / "sim-02").symlink_to(home / "others" / "sim-02")
    arguments = ("evaluate", "run", "--on", "others.toml", "--data", "alone", "--out", "one", "--jobs", 1)
    assert call(*arguments) == 0
    one = read_predictions(home / "one" / "predictions.csv")
    among = read_predictions(judged / "predictions.csv")
    among = among.select(among.subject == "sim-02")
    np.testing.assert_array_equal(one.start_s, among.start_s)
    drawn = one.method != "stratified"
    np.testing.assert_allclose(one.probabilities[drawn], among.probabilities[drawn], atol=2e-6)


def test_what_is_done_stays_done_until_something_changes(home, call, judged, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in judged.glob("folds/*/predictions.csv")}
    assert len(before) == 4
    again = ("evaluate", "run", "--on", "others.toml", "--data", "others", "--jobs", 1)
    assert call(*again) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert call(*again, "--set", "windows.stride_s=20", "--out", judged) == 0
    assert all(path.stat().st_mtime_ns != time for path, time in before.items())
    assert call(*again) == 0


def test_protocols_hide_the_same_for_every_model(home, call, judged):
    arguments = ("evaluate", "run", "--on", "others.toml=others", "--out", "hidden", "--protocols", "C,E")
    assert call(*arguments, "--jobs", 1, "--set", "windows.stride_s=30") == 0
    table = read_results(home / "hidden" / "results.json")
    assert {"full", "C", "C-0.5", "E--5dB", "display-30s"} <= set(table.conditions)
    full, hidden, area = (
        table.row("logistic", condition, metric)
        for condition, metric in (("full", "auroc"), ("C-0.8", "auroc"), ("C", "area_auroc"))
    )
    assert full is not None
    assert hidden is not None
    assert area is not None
    assert area.n == full.n == 3
    assert area.mean != full.mean
    assert table.row("mmqnet", "C", "area_auroc_p_holm") is None
    assert table.row("logistic", "C", "area_auroc_p_holm") is not None
    page = (home / "hidden" / "report.html").read_text("utf-8")
    assert "As more and more goes missing" in page


def test_the_python_call_gives_the_same_table(home, call, judged):
    found = mmq_tf.evaluate(home / "run", home / "others", on=home / "others.toml")
    assert found.folder == home / "run" / "on-others"
    assert found.results.rows == read_results(judged / "results.json").rows
    page = found.report.read_text("utf-8")
    assert found.report == found.folder / "report.html"
    assert "judged on Elsewhere" in page
    assert all(f'<th scope="row">sim-0{n}</th>' in page for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--on", "tiny.toml", "--data", "cohort"), "was trained on simulated itself"),
        (("--on", "deap", "--data", "cohort"), "has the classes"),
        (("--on", "others.toml"), "needs its recordings"),
        (("--on", "nobody", "--data", "others"), "neither a preset"),
        (("--on", "others.toml", "--on", "deap=others"), "with several --on each says its folder"),
        (
            ("--on", "others.toml=others", "--on", "deap=others", "--out", "x"),
            "--out does not go with several",
        ),
        (("--on", "=others"), "expected DATASET or DATASET=DIR"),
        (("--on", "others.toml", "--data", "others", "--seed", 1), "--seed does not go with --on"),
        (
            ("--on", "others.toml", "--data", "others", "--set", 'normalisation={mode="population"}'),
            "others does not say where",
        ),
        (
            (
                "--on",
                "others.toml",
                "--data",
                "others",
                "--set",
                "front_end.modalities={acc={sampling_rate_hz=32}}",
            ),
            "none of the sensors",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_sentence(call, judged, capsys, arguments, words):
    assert call("evaluate", "run", *arguments) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_only_a_finished_run_is_judged_elsewhere(home, call, capsys):
    assert call("evaluate", "tiny.toml", "--on", "others.toml", "--data", "others") == 2
    assert "--on judges a finished run or a bundle" in capsys.readouterr().err
    with pytest.raises(MMQError, match="expected the folder of a finished run"):
        mmq_tf.evaluate("simulated", on=home / "others.toml", data=home / "others")


def test_a_model_is_a_fold_of_a_seed(judged):
    predictions = read_predictions(judged / "predictions.csv")
    assert len(np.unique(per_model(predictions).seed)) == 4


def test_each_model_withholds_by_its_own_confidence(judged):
    predictions = read_predictions(judged / "predictions.csv")
    folds = sorted(set(zip(predictions.seed.tolist(), predictions.fold.tolist(), strict=True)))
    limits = {("mmqnet", *place): 0.1 * count for count, place in enumerate(folds, start=1)}
    found = per_model(predictions).limits(limits_per_model(limits, predictions))
    np.testing.assert_array_equal(found, predictions.limits(limits))
    assert set(found[predictions.method == "mmqnet"]) == set(limits.values())
    assert set(found[predictions.method != "mmqnet"]) == {0.0}
