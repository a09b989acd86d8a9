# SPDX-License-Identifier: Apache-2.0
import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from mmq_tf.errors import MMQError
from mmq_tf.metrics.predictions import Predictions
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, format_cell
from mmq_tf.metrics.summary import results_from_predictions, subject_table
from mmq_tf.reports.report import RunSummary, best_tree, render_report

pytestmark = pytest.mark.slow

SUBJECTS = [f"S{i}" for i in range(4)]


def predictions() -> Predictions:
    rng = np.random.default_rng(0)
    label = np.tile(np.arange(20) // 10, 4)
    parts = []
    for method, signal in (("majority", 0.0), ("forest", 1.0), ("boosted", 0.8), ("mmqnet", 1.5)):
        for condition in ("full", "no-eda"):
            for seed in (0, 1):
                score = 1 / (1 + np.exp(-signal * (2 * label - 1) - signal * rng.normal(size=80)))
                window = Predictions.of_windows(
                    classes=("rest", "stress"),
                    method=method,
                    condition=condition,
                    seed=seed,
                    fold=0,
                    subject=np.repeat(SUBJECTS, 20),
                    session=np.full(80, "1"),
                    trial=label,
                    start_s=np.tile(np.arange(20.0), 4),
                    label=label,
                    probabilities=np.stack([1 - score, score], axis=1),
                )
                parts.append(window)
    return Predictions.concatenate(parts)


def a_run(**changes) -> RunSummary:
    made = predictions()
    results = ResultsFile(
        name="run",
        command="mmq-tf train stress-predict --seed 0 --set a=<b>",
        version="0.1.0",
        data="Stress-Predict, 4 subjects",
        simulated=False,
        split="subjects, 4 folds",
        normalisation="enrolment",
        seeds=(0, 1),
        machine="a machine",
        rows=tuple(results_from_predictions(made)),
        notes=("A note.",),
    )
    curve = [1.0, 0.5, 0.4]
    settings: dict[str, Any] = {
        "title": "Stress-Predict",
        "task": "stress",
        "results": results,
        "predictions": made,
        "histories": {"seed 0, fold 0": {"loss": curve, "val_loss": curve, "val_macro_f1": curve[::-1]}},
        "best_epochs": {"seed 0, fold 0": 2},
        "temperatures": {(0, 0): 1.5, (1, 0): 1.2},
        "modalities": ("ppg", "eda"),
        "presence_subjects": SUBJECTS,
        "presence_share": np.array([[0.5, 1.0], [0.7, 1.0], [0.2, 0.9], [0.4, 1.0]]),
        "config_text": 'title = "<script>alert(1)</script>"',
        "attribution": "Iqbal et al. 2022, MIT",
        "caveats": ("The label is a condition.",),
    }
    return RunSummary(**{**settings, **changes})


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(a_run()).html


class Outline(HTMLParser):
    """Collects tags, and checks that they are closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_refers_to_nothing_outside_itself(page: str):
    assert not re.findall(r"https?://|//[a-z]+\.", page)
    outline = Outline(page)
    assert outline.open == []
    tags = {tag for tag, _ in outline.tags}
    assert not tags & {"link", "iframe", "object", "a"}
    for tag, attributes in outline.tags:
        if tag == "img":
            assert attributes["src"].startswith("data:image/svg+xml;base64,")
            assert attributes["alt"]
    assert not re.findall(r"url\((?!#)", page)
    assert "@import" not in page


def test_the_one_script_is_the_one_the_policy_names(page: str):
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] for tag, a in Outline(page).tags if a.get("http-equiv")]
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    assert policy.startswith("default-src 'none'")
    assert not re.findall(r"\bon[a-z]+=", page.replace(script, ""))


def test_every_point_says_what_it_is(page: str):
    run = a_run()
    scores = subject_table(run.predictions)
    told = re.findall(r"<(?:use|path)[^>]*><title>(.*?)</title>", page)
    for place, name in enumerate(SUBJECTS):
        ours, theirs = (scores.of(m, "full", "auroc")[place] for m in ("mmqnet", "forest"))
        assert f"{name}: mmqnet {ours:.3f}, forest {theirs:.3f}" in told
    row = run.results.row("boosted", "no-eda", "auroc")
    assert f"boosted, no-eda: {format_cell(row)}" in told
    assert len(told) == len(SUBJECTS) + 3 * 2  # guesses are not drawn


def test_figures_are_whole_svg_without_links(page: str):
    found = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    assert len(found) == 4
    assert page.count("<svg") == 2
    for content in found:
        svg = base64.b64decode(content).decode("utf-8")
        assert svg.rstrip().endswith("</svg>")
        assert not re.findall(r'href="(?!#|data:)', svg)


def test_the_page_says_what_it_must(page: str):
    for text in (
        "Stress-Predict",
        "no-eda",
        "mmqnet",
        "majority",
        "mmq-tf train stress-predict",
        "a machine",
        "enrolment",
        "Not a medical device",
        "Article 5(1)(f)",
        "our reading of MMQ-Net",
        "Iqbal et al. 2022, MIT",
        "The label is a condition.",
        "A note.",
        "predictions.csv",
    ):
        assert text in page, text
    assert "SIMULATED" not in page


def test_numbers_on_the_page_are_those_of_the_results(page: str):
    run = a_run()
    for method in ("mmqnet", "forest"):
        for condition in ("full", "no-eda"):
            row = run.results.row(method, condition, "auroc")
            assert row is not None
            assert f"{row.mean:.3f}" in page
            assert f"[{row.low:.3f}, {row.high:.3f}]" in page


def test_what_a_config_holds_is_text_and_never_markup(page: str):
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "a=&lt;b&gt;" in page


def test_stamps_are_on_a_banner_and_in_the_title():
    run = a_run()
    changes = {"simulated": True, "split": "windows-shuffled", "normalisation": "session"}
    page = render_report(replace(run, results=run.results.model_copy(update=changes))).html
    for stamp in ("SIMULATED", "LEAKY", "TRANSDUCTIVE"):
        assert f'<div class="banner"><strong>{stamp}</strong>' in page
        assert re.search(rf"<title>.*{stamp}.*</title>", page)


def test_the_same_run_gives_the_same_bytes(page: str):
    assert render_report(a_run()).html == page


def test_the_diagram_before_temperature_depends_on_the_temperature(page: str):
    assert render_report(a_run(temperatures={(0, 0): 3.0, (1, 0): 1.2})).html != page


def test_a_run_with_little_to_show_still_renders():
    run = a_run(
        histories={}, best_epochs={}, temperatures={}, presence_share=np.zeros((0, 0)), config_text=""
    )
    made = run.predictions.select(
        (run.predictions.method == "mmqnet") & (run.predictions.condition == "full")
    )
    results = run.results.model_copy(update={"rows": tuple(results_from_predictions(made)), "notes": ()})
    page = render_report(replace(run, predictions=made, results=results)).html
    assert Outline(page).open == []
    assert page.count("<img") + page.count("<svg") == 3


def test_subjects_with_one_class_do_not_break_the_page():
    run = a_run()
    made = run.predictions.select(run.predictions.label == 0)
    results = run.results.model_copy(update={"rows": tuple(results_from_predictions(made))})
    assert Outline(render_report(replace(run, predictions=made, results=results)).html).open == []


@pytest.fixture(scope="module")
def clocked() -> str:
    """The page of a run whose clock knows the label, with what a wearer meets."""
    run = a_run()
    clock = run.predictions.select(run.predictions.method == "forest")
    sure = np.where(np.eye(2)[clock.label] == 1, 0.9, 0.1)
    clock = replace(clock, method=np.full(len(clock), "clock"), probabilities=sure)
    made = Predictions.concatenate([clock, run.predictions])
    later = replace(made, start_s=made.start_s * 10)  # so that few windows are at the same time
    results = run.results.model_copy(update={"rows": tuple(results_from_predictions(later))})
    return render_report(replace(run, predictions=later, results=results)).html


def test_a_clock_is_warned_of_first_and_is_no_rival(clocked: str, page: str):
    assert Outline(clocked).open == []
    assert "A clock alone, which sees nothing but elapsed time, has an AUROC of 1.00 here" in clocked
    assert clocked.index("A clock alone") < clocked.index('<section class="cards">')
    assert "A clock alone" not in page
    comparisons = clocked[clocked.index("against the others") :]
    comparisons = comparisons[: comparisons.index("</table>")]
    assert "forest" in comparisons
    assert "clock" not in comparisons
    auroc = clocked[clocked.index("<h3>AUROC</h3>") :]
    row = re.search(r'<th scope="row">clock</th>(.*?)</tr>', auroc, re.DOTALL)
    assert row is not None
    assert "1.000" in row[1]
    assert "<b>" not in row[1], "it is never the best"


def test_the_page_shows_time_matched_auroc_and_what_a_wearer_meets(clocked: str):
    assert clocked.index("<h3>AUROC</h3>") < clocked.index("<h3>Time-matched AUROC</h3>")
    assert "at the same elapsed time" in clocked
    assert "<h2>What a wearer meets</h2>" in clocked
    for words in ("what a wearer meets, full", "what a wearer meets, display-30s", "false alarms per hour"):
        assert words in clocked
    assert "changes_per_hour" not in clocked
    auroc = clocked[clocked.index("<h3>AUROC</h3>") : clocked.index("<h3>Time-matched AUROC</h3>")]
    assert "display-30s" not in auroc


def test_a_run_without_the_model_is_refused():
    with pytest.raises(MMQError, match="the report needs other under the condition full"):
        render_report(a_run(model="other"))


def test_the_best_tree_is_the_one_with_the_highest_mean():
    rows = [
        ResultRow(method=method, condition="full", metric="auroc", mean=mean, n=4)
        for method, mean in (("forest", 0.7), ("boosted", 0.8), ("boosted_dropout", None), ("mmqnet", 0.9))
    ]
    results = a_run().results
    assert best_tree(results.model_copy(update={"rows": tuple(rows)})) == "boosted"
    assert best_tree(results.model_copy(update={"rows": ()})) is None
