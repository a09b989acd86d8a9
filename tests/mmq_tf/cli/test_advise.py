# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf advise` on a made-up run."""

import json

import pytest
from click.testing import CliRunner
from made_table import made_table
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.cli import cli
from mmq_tf.metrics.results_table import ResultRow, write_results

CONDITIONS = {"full": 0.8, "no-ppg": 0.62, "no-eda": 0.74}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    FrontEnd.wearable({"ppg": 64, "eda": 4}).save(folder / "frontend.json")
    facts = {"name": "r", "data": {}, "exported_model": "all", "decision": {"every_tokens": 1}}
    (folder / "metrics.json").write_text(json.dumps(facts))
    rows = [
        ResultRow(method="mmqnet", condition=name, metric="auroc", mean=mean, low=0.5, high=0.9, n=3)
        for name, mean in CONDITIONS.items()
    ]
    write_results(folder / "results.json", made_table(rows, data="made-up", simulated=True))
    return folder


def invoke(*words):
    return CliRunner().invoke(cli, ["advise", *map(str, words)])


def test_json_and_plot(run, tmp_path):
    words = ("--power", "eda=100", "--power", "ppg=900", "--network", "0", "--processor", "0")
    plot = tmp_path / "plan.svg"
    result = invoke(run, "--budget", 4000, *words, "--plot", plot, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["sensor_uj"] == {"ppg": 4500.0, "eda": 500.0}
    assert found["simulated"]
    assert found["every_set_judged"]
    assert [one["sensors"] for one in found["choices"]] == [["eda"], ["ppg"], ["ppg", "eda"]]
    assert found["plan"]["on"] == pytest.approx({"ppg": 3500 / 4500, "eda": 1.0}, abs=1e-6)
    assert found["plan"]["auroc"] == pytest.approx(0.62 + 0.18 * 3500 / 4500)
    assert found["estimates"][0] == "ppg: 900 uW (as given)"
    assert "<svg" in plot.read_text()


def test_a_table_says_what_is_simulated_and_estimated(run):
    result = invoke(run, "--budget", 1e6)
    assert result.exit_code == 0
    for said in ("SIMULATED", "100% of the time: ppg eda", "(estimate)", "arXiv 2409.06114", "a simulation"):
        assert said in result.output, said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", "1"), "budget: 1 uJ a decision are too few: the cheapest set"),
        (("--budget", "9999", "--power", "ppg"), "--power ppg: expected SENSOR=uW"),
        (("--budget", "9999", "--power", "ppg=nan"), "--power ppg=nan: expected SENSOR=uW"),
        (("--budget", "9999", "--power", "ecg=3"), "power: ecg is not a sensor of this run"),
        (("--budget", "9999", "--metric", "macro_f1"), "expected macro_f1 of mmqnet with all sensors"),
        (("--budget", "9999", "--plot", "p.txt"), "expected a name that ends in .svg"),
        (("--budget", "0"), "is not in the range"),
    ],
)
def test_bad_use_is_refused_by_name(run, words, said):
    result = invoke(run, *words)
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)
