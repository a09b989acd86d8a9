# SPDX-License-Identifier: Apache-2.0
"""What `benchmarks/personal_head.py` marks and judges, and its table."""

import json

import numpy as np
import personal_head as bench
import pytest
from click.testing import CliRunner
from mmq_bridge.core_binding.personal_head import PersonalHead
from mmq_bridge.front_end.head_tables import HeadTables
from tiny_study import train_quickly, write_tiny_study

import mmq_tf
from mmq_tf.features.windows import WindowSet


def windows(blocks, session="a"):
    """Windows every 5 s of one person's blocks (label, start_s, stop_s), each a trial."""
    rows = [
        (label, trial, start_s)
        for trial, (label, first_s, stop_s) in enumerate(blocks)
        for start_s in np.arange(first_s, stop_s - 59, 5.0)
    ]
    label, trial, start_s = (np.array(column) for column in zip(*rows, strict=True))
    count = len(rows)
    blank = np.zeros((0, count))
    return WindowSet(
        features=np.zeros((count, 1, 1), np.float32),
        presence=np.ones((count, 1, 1), bool),
        label=label.astype(np.int8),
        subject=np.full(count, "anna"),
        session=np.full(count, session),
        trial=trial,
        start_s=start_s,
        variant_features=blank,
        variant_presence=blank,
        variant_corrupted=blank,
    )


def joined(*parts):
    names = ("features", "presence", "label", "subject", "session", "trial", "start_s")
    given = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    blank = np.zeros((0, len(given["label"])))
    return WindowSet(**given, variant_features=blank, variant_presence=blank, variant_corrupted=blank)


def test_the_later_part_begins_with_the_last_of_three_stressful_trials():
    given = windows(
        [
            (0, 0, 200),
            (1, 200, 400),
            (0, 400, 600),
            (1, 600, 800),
            (0, 800, 900),
            (1, 900, 1100),
            (0, 1100, 1200),
        ]
    )
    parts = bench.parts_of(given, "anna")
    assert parts is not None
    assert set(given.trial[parts.earlier]) == {0, 1, 2, 3, 4}
    assert set(given.trial[parts.later]) == {5, 6}


def test_one_stressful_trial_is_cut_in_the_middle_and_no_window_is_in_both():
    given = windows([(0, 0, 200), (1, 200, 600), (0, 600, 800)])
    parts = bench.parts_of(given, "anna")
    assert parts is not None
    assert given.start_s[parts.earlier].max() + 60 <= given.start_s[parts.later].min()
    assert (
        bench.parts_of(windows([(1, 0, 300), (0, 300, 600)]), "anna") is None
    )  # no rest in the earlier part
    assert bench.parts_of(windows([(0, 0, 300)]), "anna") is None


def test_who_came_twice_is_judged_in_the_second_visit():
    given = joined(windows([(1, 0, 200), (0, 200, 400)], "b"), windows([(1, 0, 200), (0, 200, 500)], "a"))
    parts = bench.parts_of(given, "anna")
    assert parts is not None
    assert set(given.session[parts.earlier]) == {"a"}
    assert set(given.session[parts.later]) == {"b"}


def test_marked_windows_are_apart_and_spread():
    given = windows([(0, 0, 300), (1, 300, 400)])
    earlier = np.arange(len(given))
    rows = bench.marked_rows(given, earlier, 4)
    rest = given.start_s[rows[given.label[rows] == 0]]
    assert rest.tolist() == [30.0, 90.0, 150.0, 210.0]
    stress = given.start_s[rows[given.label[rows] == 1]]
    assert stress.tolist() == [300.0, 315.0, 330.0]  # no more are 15 s apart


def test_marks_that_are_right_help_and_shuffled_ones_are_another_method():
    """One component tells the later part's classes apart where the model knows nothing."""
    tables = HeadTables(
        task="stress", tokens=1, n_modalities=1, n_features=1,
        column=(0,), owner=(0,), centre=(0.0,), scale=(1.0,), component=((1.0,),),
    )  # fmt: skip
    given = windows([(0, 0, 400), (1, 400, 800), (0, 800, 1200), (1, 1200, 1600), (0, 1600, 2000)])
    rng = np.random.default_rng(0)
    shown = np.where(given.label == 1, 2.0, -2.0) + rng.standard_normal(len(given))
    u = [np.array([value], np.float32) for value in shown]
    judged = bench.Judged(
        rng.standard_normal(len(given)), given.label.astype(int), bench.stretches_of(given), u
    )
    parts = bench.parts_of(given, "anna")
    assert parts is not None
    found = bench.person_scores(judged, given, parts, PersonalHead(tables), rng)
    assert set(found) == {
        bench.PLAIN,
        *(f"{kind}-{k}" for kind in ("marked", "shuffled") for k in bench.MARKS),
    }
    assert found["marked-1"] == {**found[bench.PLAIN], bench.OFF: 0.0}  # one window of a class is too few
    assert found["marked-8"]["auroc"] > found[bench.PLAIN]["auroc"] + 0.2
    assert found["marked-8"][bench.OFF] == 0
    assert bench.OFF not in found[bench.PLAIN]


def test_a_trial_of_a_session_is_a_stretch():
    blocks = [(0, 0, 100), (1, 100, 200)]
    given = joined(windows(blocks, "b"), windows(blocks, "a"))
    found = bench.stretches_of(given)
    assert len(np.unique(found)) == 4
    for number in np.unique(found):
        rows = found == number
        assert len(np.unique(given.session[rows])) == len(np.unique(given.trial[rows])) == 1


def test_a_head_that_stretches_contradict_is_counted():
    """What tells the first two trials apart tells the next two apart the other way round."""
    tables = HeadTables(
        task="stress", tokens=1, n_modalities=1, n_features=1,
        column=(0,), owner=(0,), centre=(0.0,), scale=(1.0,), component=((1.0,),),
    )  # fmt: skip
    given = windows(
        [(label, 200 * trial, 200 * trial + 200) for trial, label in enumerate([0, 1, 0, 1, 0, 1, 0])]
    )
    side = np.where(given.label == 1, 1.0, -1.0) * np.where(np.isin(given.trial, [2, 3]), -1.0, 1.0)
    u = [np.array([value], np.float32) for value in 2 * side]
    judged = bench.Judged(np.zeros(len(given)), given.label.astype(int), bench.stretches_of(given), u)
    parts = bench.parts_of(given, "anna")
    assert parts is not None
    head = PersonalHead(tables)
    found = bench.person_scores(judged, given, parts, head, np.random.default_rng(0))
    assert found["marked-8"][bench.OFF] == 1
    assert found["marked-8"]["auroc"] == found[bench.PLAIN]["auroc"]
    units = [{"full": {method: {"anna": scores} for method, scores in found.items()}}]
    shares = {q[0]: q[3].tolist() for q in bench.quantities(units, "") if q[2] == bench.OFF}
    assert shares["marked-8"] == [[1.0]]
    assert shares["marked-1"] == [[0.0]]
    assert bench.PLAIN not in shares


def test_rows_are_scores_and_gains_over_the_same_people():
    first = {"full": {bench.PLAIN: {"a": {"auroc": 0.5}}, "marked-8": {"a": {"auroc": 0.7}}}}
    second = {"full": {bench.PLAIN: {"b": {"auroc": 0.6}}, "marked-8": {"b": {"auroc": 0.6}}}}
    found = {q[:3]: q[3] for q in bench.quantities([bench.merged([first, second])], "there: ")}
    assert found["marked-8", "there: full", "auroc"].tolist() == [[0.7, 0.6]]
    assert found["marked-8", "there: full", "gain_auroc"] == pytest.approx(np.array([[0.2, 0.0]]))
    assert (bench.PLAIN, "there: full", "gain_auroc") not in found


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_tiny_simulated_run_is_judged_and_its_table_is_stamped(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    write_tiny_study(tmp_path, artefacts={"variants": 0}, windows={"stride_s": 5})
    train_quickly(monkeypatch, {"majority"})
    mmq_tf.train(tmp_path / "tiny.toml", tmp_path / "cohort", out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "personal_head.json").read_text())["task"] == "stress"
    table = tmp_path / "personal_head.json"
    result = CliRunner().invoke(bench.main, [str(tmp_path / "run"), "--jobs", "1", "--results", str(table)])
    assert result.exit_code == 0, result.exception
    rows = json.loads(table.read_text())
    assert rows["simulated"]
    assert {row["condition"] for row in rows["rows"]} == {"full", "no-eda", "no-temp"}
    assert "SIMULATED" in table.with_suffix(".md").read_text()
