# SPDX-License-Identifier: Apache-2.0
import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from mmq_tf.errors import MMQError
from mmq_tf.metrics.names import WEARER_METRICS
from mmq_tf.metrics.results_table import (
    ResultRow,
    ResultsFile,
    machine_description,
    read_results,
    render_markdown,
    wearer_tables,
    write_results,
)

PUBLISHED = Path(__file__).resolve().parents[3] / "results"


def a_table(**changes) -> ResultsFile:
    rows = (
        ResultRow(method="majority", condition="full", metric="auroc", mean=0.5, low=0.5, high=0.5, n=26),
        ResultRow(
            method="mmqnet",
            condition="full",
            metric="auroc",
            mean=0.82,
            low=0.79,
            high=0.85,
            n=26,
            seed_std=0.01,
        ),
        ResultRow(method="mmqnet", condition="no-eda", metric="auroc", mean=0.77, low=0.73, high=0.8, n=26),
    )
    settings = {
        "name": "stress_predict_loso",
        "command": "mmq-tf train stress-predict --loso",
        "version": "0.1.0",
        "data": "Stress-Predict, 26 subjects",
        "simulated": False,
        "split": "subjects, leave one out",
        "normalisation": "enrolment",
        "seeds": (0, 1, 2),
        "machine": "a machine",
        "rows": rows,
    }
    return ResultsFile(**{**settings, **changes})


def test_the_json_is_the_contract_of_the_design(tmp_path: Path):
    path, beside = write_results(tmp_path / "t.json", a_table())
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == [
        "name",
        "command",
        "version",
        "data",
        "simulated",
        "split",
        "normalisation",
        "seeds",
        "machine",
        "rows",
    ]
    assert list(content["rows"][0]) == ["method", "condition", "metric", "mean", "low", "high", "n"]
    assert content["rows"][1]["seed_std"] == 0.01
    assert beside == tmp_path / "t.md"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.json", "t.md"]


def test_what_is_written_is_read(tmp_path: Path):
    table = a_table(notes=("S3 has one class.",))
    write_results(tmp_path / "t.json", table)
    assert read_results(tmp_path / "t.json") == table


def test_the_markdown_has_methods_as_rows_and_conditions_as_columns():
    text = render_markdown(a_table())
    assert "# stress_predict_loso\n" in text
    assert "| method | full | no-eda |" in text
    assert "| majority | 0.500 [0.500, 0.500] | – |" in text
    assert "| mmqnet | 0.820 [0.790, 0.850] | 0.770 [0.730, 0.800] |" in text
    assert "SIMULATED" not in text


def test_simulated_leaky_and_transductive_are_stamped():
    text = render_markdown(
        a_table(simulated=True, split="windows-shuffled; 5 folds", normalisation="session, whole")
    )
    assert text.startswith("# stress_predict_loso · SIMULATED · LEAKY · TRANSDUCTIVE\n")
    assert "| mmqnet LEAKY TRANSDUCTIVE | 0.820" in text


def test_many_conditions_are_the_rows_of_a_table_and_keep_the_stamps():
    rows = tuple(
        ResultRow(method=method, condition=f"B-{level}", metric="auroc", mean=level / 100, n=26)
        for method in ("mmqnet", "forest")
        for level in range(17)
    )
    text = render_markdown(a_table(rows=rows, split="windows-shuffled"))
    assert "| condition | mmqnet LEAKY | forest LEAKY |" in text
    assert "| B-12 | 0.120 | 0.120 |" in text


def test_one_method_with_sizes_is_one_table():
    rows = [
        ResultRow(method="nano", condition="int8", metric=metric, mean=value, n=1)
        for metric, value in (("bytes", 91234), ("macro_f1", 0.7), ("latency_us", 812.25))
    ]
    text = render_markdown(a_table(rows=tuple(rows)))
    assert "| metric | int8 |" in text
    assert "| bytes | 91,234 |" in text
    assert "| macro_f1 | 0.700 |" in text
    assert "| latency_us | 812.2 |" in text


def with_clock(mean: float | None) -> ResultsFile:
    clock = ResultRow(method="clock", condition="full", metric="auroc", mean=mean, n=26)
    return a_table(rows=(*a_table().rows, clock))


@pytest.mark.parametrize(
    ("mean", "warned"), [(0.95, True), (0.61, True), (0.6, False), (0.4, False), (0.39, True), (None, False)]
)
def test_a_clock_far_from_chance_is_said_above_the_first_row(mean: float | None, warned: bool):
    table = with_clock(mean)
    text = render_markdown(table)
    assert bool(table.cautions) == warned
    assert ("A clock alone" in text) == warned
    if warned:
        assert f"AUROC of {mean:.2f} here" in text
        assert text.index("A clock alone") < text.index("## auroc")
        assert "no number here tells the label from the time" in table.cautions[0]
        matched = ResultRow(method="clock", condition="full", metric="time_matched_auroc", mean=0.5, n=26)
        better = table.model_copy(update={"rows": (*table.rows, matched)})
        assert better.cautions[0].endswith("Read time-matched AUROC.")


def test_a_table_without_a_clock_warns_of_nothing():
    assert a_table().cautions == ()


def test_what_a_wearer_meets_is_one_table_a_condition_and_says_what_it_is():
    values = {
        ("mmqnet", "full"): (17.04, 6.6, 3.3, 0.78, 0.1),
        ("forest", "full"): (30.0, 6.6, 4.6, 0.83, 0.0),
        ("mmqnet", "display-30s"): (9.0, 6.6, 2.0, 0.75, 0.1),
    }
    rows = [
        ResultRow(method=m, condition=c, metric=metric, mean=mean, low=mean - 0.25, high=mean, n=26)
        for (m, c), means in values.items()
        for metric, mean in zip(WEARER_METRICS, means, strict=True)
    ]
    table = a_table(rows=(*a_table().rows, *rows))
    text = render_markdown(table)
    header = "| method | changes_per_hour | truth_changes_per_hour | false_alarms_per_hour |"
    assert text.count(header) == 2
    assert "| mmqnet | 17.0 [16.8, 17.0] | 6.6 [6.3, 6.6] | 3.3" in text
    assert "## changes_per_hour" not in text
    assert text.count("By the hour of judged time") == 2
    assert [t["title"] for t in wearer_tables(table)] == [
        "what a wearer meets, full",
        "what a wearer meets, display-30s",
    ]
    assert [method for method, _ in wearer_tables(table)[1]["rows"]] == ["mmqnet"]
    assert wearer_tables(a_table()) == []


def test_time_matched_auroc_says_what_it_is():
    row = ResultRow(method="m", condition="full", metric="time_matched_auroc", mean=0.74, n=26)
    text = render_markdown(a_table(rows=(*a_table().rows, row)))
    assert text.index("## time_matched_auroc") < text.index("same elapsed time") < text.index("| m | 0.740 |")


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.stem)
def test_every_published_table_renders_as_it_stands(path: Path):
    assert render_markdown(read_results(path)) == path.with_suffix(".md").read_text("utf-8")


def test_nan_becomes_null_and_infinity_is_refused():
    row = ResultRow(method="m", condition="full", metric="auroc", mean=float("nan"), n=0)
    assert row.mean is None
    assert '"mean": null' in a_table(rows=(row,)).to_json()
    with pytest.raises(ValidationError):
        ResultRow(method="m", condition="full", metric="auroc", mean=float("inf"), n=0)


def test_finding_a_number():
    found = a_table().row("mmqnet", "no-eda", "auroc")
    assert found is not None
    assert found.mean == 0.77
    assert a_table().row("mmqnet", "no-ppg", "auroc") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("seeds"), "seeds is not as a results file should have it: Field required"),
        (lambda c: c.update(extra=1), "extra is not as"),
        (lambda c: c["rows"][1].update(n=-1), "rows.1.n is not as"),
        (lambda c: c["rows"][0].pop("metric"), "rows.0.metric is not as"),
    ],
)
def test_a_broken_file_is_named_with_its_place(tmp_path: Path, change, message: str):
    path, _ = write_results(tmp_path / "t.json", a_table())
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MMQError, match=message) as caught:
        read_results(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_results_are_named(tmp_path: Path):
    path = tmp_path / "t.json"
    with pytest.raises(MMQError, match="could not be read"):
        read_results(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(MMQError, match="the whole file is not as"):
        read_results(path)
    path.write_bytes(b"\xff")
    with pytest.raises(MMQError, match="expected UTF-8"):
        read_results(path)
    with pytest.raises(MMQError, match=r"should end in \.json"):
        write_results(tmp_path / "t.txt", a_table())


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "t.json"
    write_results(path, a_table())
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(self: Path, text: str, *settings, **more) -> int:
        self.write_bytes(text[:10].encode())
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(MMQError, match="could not be written") as caught:
        write_results(path, a_table(simulated=True))
    assert "No space left" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_machine_is_described_without_its_name_or_paths():
    text = machine_description("a GPU")
    assert "cores" in text
    assert "a GPU" in text
    assert "numpy" in text
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text.split()
