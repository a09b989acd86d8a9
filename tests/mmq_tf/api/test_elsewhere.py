# SPDX-License-Identifier: Apache-2.0
"""A bundle judged on people, as it is shipped."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from command_line import run_main
from mmq_bridge.errors import BridgeWarning

import mmq_tf
from mmq_tf import pretrained
from mmq_tf.api.elsewhere import other_set
from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.judge_bundle import ShippedModel, check_shipped
from mmq_tf.metrics.predictions import read_predictions
from mmq_tf.metrics.results_table import read_results
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

pytestmark = pytest.mark.tensorflow

OWN = """
title = "My study"
licence = "mine"
attribution = "me"
label_kind = "condition of a simulation; SIMULATED"
simulated = true

[[files]]
path = "{subject}"
format = "recording"

[trials]
source = "recording"

[tasks.stress]
classes = ["rest", "stress"]
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    write_cohort(folder / "people", 2, Settings(seed=5, minutes=13, modalities=("ppg", "eda", "temp")))
    return folder


@pytest.fixture(scope="module")
def call(cohort):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cohort)
        patch.setenv("MMQ_CACHE", str(cohort / "cache"))
        yield partial(run_main, patch)


@pytest.fixture(scope="module")
def judged(cohort, call):
    """Predictions of the bundle on the cohort."""
    arguments = ("--pretrained", "wrist-stress", "--on", "simulated=people", "--set", "windows.stride_s=30")
    assert call("evaluate", *arguments, "--results", "table.json") == 0
    return read_predictions(cohort / "evaluations" / "wrist-stress-on-simulated" / "predictions.csv")


def test_a_bundle_says_what_its_device_says(cohort, judged):
    with pytest.warns(BridgeWarning, match="120 s"):
        device = mmq_tf.load("wrist-stress", enrolment_s=120)
    for name in ("sim-01", "sim-02"):
        said = device.decide(open_dataset("simulated", cohort / "people").load(cohort / "people", name))
        told = {one.time_s: one.probabilities["stress"]["stress"] for one in said if one.probabilities}
        rows = judged.select((judged.subject == name) & (judged.condition == "full"))
        ends = rows.start_s + device.front_end.window_s
        assert len(rows) > 5
        np.testing.assert_allclose([told[end] for end in ends], rows.probabilities[:, 1], atol=1.5e-6)


def test_its_table_and_report_say_what_was_judged(cohort, judged):
    table = read_results(cohort / "table.json")
    assert table.methods == ("int8",)
    assert set(judged.condition) == {"full", "no-ppg", "no-eda", "no-temp", "no-acc"}
    assert "one model judges all of them" in table.split
    assert any("run by the C core" in note for note in table.notes)
    row = table.row("int8", "full", "withheld_share")
    assert row is not None
    assert 0 <= (row.mean or 0) <= 1
    page = (cohort / "evaluations" / "wrist-stress-on-simulated" / "report.html").read_text("utf-8")
    assert "What a wearer meets" in page
    assert "SIMULATED" in page


def test_own_recordings_are_read_as_those_it_was_trained_on(cohort):
    (cohort / "people" / "mmq-tf.toml").write_text(OWN)
    run = load_config("stress-predict")
    there, folder = other_set(cohort / "people", None, [run], ["windows.stride_s=60"])
    assert folder == cohort / "people"
    assert (there.data.dataset, there.data.task, there.classes) == ("manifest", "stress", ("rest", "stress"))
    assert there.normalisation.rest_class == "rest"
    assert there.normalisation.enrolment_s == run.normalisation.enrolment_s
    assert there.windows.stride_s == 60
    assert other_set(cohort / "people" / "mmq-tf.toml", None, [run], [])[1] == folder
    with pytest.raises(MMQError, match="has the classes"):
        other_set(cohort / "people", None, [load_config("deap")], [])


def test_people_it_was_trained_on_are_refused():
    shipped = ShippedModel.open(pretrained.path("wrist-stress"))
    there = load_config("stress-predict")
    dataset = replace(open_dataset("simulated", "."), name="stress_predict", title="Stress-Predict")
    with pytest.raises(MMQError, match="was trained on S02 of Stress-Predict"):
        check_shipped(shipped, there, dataset, ["S01", "S02"])
    check_shipped(shipped, there, dataset, ["S01"])
    with pytest.raises(MMQError, match="decides stress: rest, stress"):
        check_shipped(shipped, load_config("deap"), dataset, ["S01"])


def test_what_a_bundle_cannot_do_is_said(call, cohort, judged, capsys):
    shipped = pretrained.path("wrist-stress")
    for arguments, words in (
        ((shipped,), "is a bundle: say with --on"),
        ((shipped, "--on", "simulated=people", "--methods", "zero_fill"), "no other method can be fitted"),
        ((shipped, "--pretrained", "wrist-stress", "--on", "simulated=people"), "name one of"),
    ):
        assert call("evaluate", *arguments) == 2
        assert words in " ".join(capsys.readouterr().err.split())
