# SPDX-License-Identifier: Apache-2.0
"""What `benchmarks/wearer.py` collects from the tables of finished runs, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import wearer
from click.testing import CliRunner

from mmq_tf.errors import MMQError
from mmq_tf.metrics.predictions import Predictions, write_predictions
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, read_results, write_results
from mmq_tf.metrics.summary import results_from_predictions

NOTES = {"at home": ("Nested.", "Its label is stress."), "abroad": ("Nested.", "It has no motion.")}


def predictions(stride):
    """One person at rest, then in a task: the second of six windows is a false alarm, the last one missed."""
    label = np.array([0, 0, 0, 1, 1, 1])
    said = np.array([0.1, 0.9, 0.1, 0.9, 0.9, 0.1])
    return Predictions(
        classes=("rest", "stress"),
        method=np.full(6, "mmqnet"),
        condition=np.full(6, "full"),
        seed=np.zeros(6),
        fold=np.zeros(6),
        subject=np.full(6, "anna"),
        session=np.full(6, "1"),
        trial=label,
        start_s=np.arange(6) * stride,
        label=label,
        probabilities=np.stack([1 - said, said], axis=1),
    )


def run_folder(folder: Path, data: str, stride: float, **changes) -> Path:
    folder.mkdir()
    found = predictions(stride)
    table = ResultsFile(
        name="x",
        command=f"mmq-tf train {data}",
        version="1",
        data=f"{data}, 1 subjects",
        simulated=False,
        split=f"folds of {data}",
        normalisation="enrolment",
        seeds=(0,),
        machine="none",
        rows=tuple(results_from_predictions(found, draws=2)),
        notes=NOTES[data],
    )
    write_results(folder / "results.json", table.model_copy(update=changes))
    write_predictions(folder / "predictions.csv", found)
    return folder


@pytest.fixture
def folders(tmp_path):
    return [run_folder(tmp_path / "a", "at home", 15.0), run_folder(tmp_path / "b", "abroad", 60.0)]


def test_rows_are_those_of_the_runs_own_tables(folders):
    table = wearer.table_of(folders)
    assert table.conditions == (
        "at home",
        "at home, display-30s",
        "abroad",
        "abroad, display-30s",
    )
    assert set(table.metrics) == set(wearer.METRICS)
    for folder, people in zip(folders, ("at home", "abroad"), strict=True):
        own = read_results(folder / "results.json")
        for shown, suffix in (("full", ""), ("display-30s", ", display-30s")):
            for metric in wearer.METRICS:
                found, wanted = table.row("mmqnet", people + suffix, metric), own.row("mmqnet", shown, metric)
                assert found is not None
                assert wanted is not None
                assert found == wanted.model_copy(update={"condition": people + suffix})
    counted = table.row("mmqnet", "at home", "changes_per_hour")
    assert counted is not None
    assert counted.mean == pytest.approx(4 / (6 * 15 / 3600))  # 0 1 0 1 1 0 in 90 s


def test_the_table_says_whose_and_how_often(folders):
    table = wearer.table_of(folders)
    assert table.data == "at home, 1 subjects and abroad, 1 subjects"
    assert table.split == "at home: folds of at home; abroad: folds of abroad"
    assert "All is counted from one decision every 15 s (at home) and 60 s (abroad)." in table.notes
    assert table.notes[-3:] == ("Nested.", "at home: Its label is stress.", "abroad: It has no motion.")
    assert "Collected from: mmq-tf train abroad" in table.notes


def test_a_stride_is_the_smallest_step_within_a_trial():
    found = predictions(15.0)
    assert wearer.stride_s(found) == 15.0
    lone = found.select(np.array([0, 3]))
    assert np.isnan(wearer.stride_s(lone))


def test_what_does_not_belong_together_is_refused(folders, tmp_path):
    other = run_folder(tmp_path / "c", "abroad", 15.0, seeds=(0, 1))
    with pytest.raises(MMQError, match="two of the runs are about abroad"):
        wearer.table_of([*folders, other])
    with pytest.raises(MMQError, match="of other seeds"):
        wearer.table_of([folders[0], other])
    row = ResultRow(method="mmqnet", condition="full", metric="auroc", mean=0.5, n=1)
    bare = run_folder(tmp_path / "d", "abroad", 15.0, rows=(row,))
    with pytest.raises(MMQError, match="abroad, 1 subjects does not say what a wearer meets"):
        wearer.table_of([folders[0], bare])


def test_the_command_writes_the_table_or_refuses_in_one_sentence(folders, tmp_path):
    path = tmp_path / "wearer.json"
    done = CliRunner().invoke(wearer.main, [*map(str, folders), "--results", str(path)])
    assert done.exit_code == 0, done.output
    assert read_results(path).name == "wearer"
    assert path.with_suffix(".md").read_text() in done.output
    refused = CliRunner().invoke(wearer.main, [str(tmp_path / "none")])
    assert refused.exit_code == 2
    assert "results.json: could not be read" in refused.output
