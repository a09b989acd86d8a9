# SPDX-License-Identifier: Apache-2.0
"""Jobs as tasks of a cluster, begun again where one dies: on a Ray of one process, and on two real nodes."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake_ray import FakeRay, Killed

from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import read_results
from mmq_tf.training import cluster, node_check
from mmq_tf.training.cluster import RayCluster
from mmq_tf.training.workers import run_jobs

PROGRAM = Path(__file__).resolve().parents[3] / "benchmarks" / "cluster.py"


@dataclass
class Steps:
    """A job of three epochs, which goes on from those it has; `faults` are raised before one, once each."""

    name: str = "fold 0"
    faults: list = field(default_factory=list)
    saved: list = field(default_factory=list)

    @property
    def done(self):
        return len(self.saved) == 3

    def run(self, on_epoch):
        while not self.done:
            if self.saved and self.faults:
                fault = self.faults.pop(0)
                raise fault
            self.saved.append(len(self.saved) + 1)
            on_epoch(len(self.saved), {"loss": 1.0})


@pytest.fixture
def ray(monkeypatch):
    """A cluster of two nodes."""
    made = FakeRay("one", "two")
    monkeypatch.setitem(sys.modules, "ray", made)
    for module in (cluster, node_check):
        monkeypatch.setattr(module, "check_cluster", lambda *given: None)
    monkeypatch.setattr(cluster, "prepare_process", lambda asked: None)
    return made


def run(tmp_path, *jobs, **options):
    epochs, folds, notes = [], [], []
    engine = RayCluster(note=notes.append, **options).sharing(tmp_path)
    run_jobs(jobs, 1, lambda *told: epochs.append(told), folds.append, engine)
    return epochs, folds, notes


def full_disk():
    error = MMQError("state.npz could not be written: No space left on device; nothing was changed.")
    error.__context__ = OSError(28, "No space left on device")  # Keras takes the cause away
    return error


def test_progress_of_every_job_comes_and_finished_ones_are_left_alone(ray, tmp_path):
    done, todo = Steps("fold 0", saved=[1, 2, 3]), Steps("fold 1")
    epochs, folds, notes = run(tmp_path, done, todo)
    assert epochs == [("fold 1", number, {"loss": 1.0}) for number in (1, 2, 3)]
    assert (folds, notes) == (["fold 1"], [])


def test_a_job_whose_worker_is_killed_goes_on_from_its_last_epoch(ray, tmp_path):
    job = Steps(faults=[Killed()])
    epochs, folds, notes = run(tmp_path, job)
    assert [told[1] for told in epochs] == [1, 2, 3]
    assert folds == ["fold 0"]
    assert notes == ["fold 0: its worker or node died; it goes on from its last saved epoch."]


def test_a_job_that_always_dies_is_given_up(ray, tmp_path):
    with pytest.raises(MMQError, match=r"fold 0 was begun 3 times, .* lack of memory"):
        run(tmp_path, Steps(faults=[Killed() for _ in range(9)]))


def test_a_node_that_cannot_write_gets_no_more_jobs(ray, tmp_path):
    jobs = [Steps("fold 0", faults=[full_disk()]), Steps("fold 1")]
    epochs, folds, notes = run(tmp_path, *jobs)
    assert sorted(folds) == ["fold 0", "fold 1"]
    assert ray.done_on[-1] == "two"
    assert notes == [
        "node one gets no more jobs (fold 0: state.npz could not be written: No space left on device; "
        "nothing was changed.)"
    ]


def test_where_no_node_can_write_the_reason_is_said(ray, tmp_path):
    with pytest.raises(
        MMQError, match=r"fold 0, on node two: state.npz could not be written: No space .* is left"
    ):
        run(tmp_path, Steps(faults=[full_disk() for _ in range(9)]))


def test_what_a_job_refuses_is_said_once(ray, tmp_path):
    with pytest.raises(MMQError, match="no such encoder"):
        run(tmp_path, Steps(faults=[MMQError("no such encoder")] * 2))


def test_when_interrupted_nothing_else_begins_and_epochs_are_whole(ray, tmp_path):
    def stop(*told):
        raise KeyboardInterrupt

    jobs = [Steps("fold 0"), Steps("fold 1")]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, 1, stop, lambda name: None, RayCluster().sharing(tmp_path))
    assert ray.cancelled == 0  # both have begun: they end their epoch
    assert list(tmp_path.iterdir()) == []


def test_a_board_says_stop_to_who_tells_and_to_who_begins():
    board = cluster._Board()
    assert board.begins("fold 0", "one") == "go"
    assert not board.tell("fold 0", 1, {})
    board.leave_out("one")
    assert (board.begins("fold 1", "one"), board.begins("fold 1", "two")) == ("bad", "go")
    board.stop()
    assert board.tell("fold 0", 2, {})
    assert board.begins("fold 2", "two") == "stop"
    assert [told[:2] for told in board.take()] == [
        ("fold 0", None),
        ("fold 0", 1),
        ("fold 1", None),
        ("fold 0", 2),
    ]


@pytest.mark.parametrize("gpus", [0.25, 2])
def test_what_no_node_ever_has_is_said_at_once(ray, tmp_path, gpus):
    with pytest.raises(
        MMQError, match=f"ever has a processor and {gpus:g} GPU for a job .at most 1 CPU, 0 GPU"
    ):
        run(tmp_path, Steps(), gpus_per_job=gpus)


def test_a_node_of_another_version_is_refused_before_anything_begins(ray, tmp_path, monkeypatch):
    monkeypatch.setattr(
        node_check, "node_fault", lambda asked: "it has keras 1.0." if ray.node == "two" else ""
    )
    job = Steps()
    with pytest.raises(MMQError, match="node two of the cluster: it has keras 1.0."):
        run(tmp_path, job)
    assert job.saved == []


def can_unshare():
    asked = ["unshare", "-rnmpf", "--mount-proc", "true"]
    try:
        return subprocess.run(asked, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is an extra: pip install '.[cluster]'"
)
@pytest.mark.skipif(not sys.platform.startswith("linux") or not can_unshare(), reason="needs user namespaces")
def test_two_nodes_and_faults_give_the_files_of_one_process(tmp_path):
    out = tmp_path / "cluster.json"
    command = [sys.executable, PROGRAM, "--quick", "--results", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = read_results(out)
    differing = {row.method: row.mean for row in table.rows if row.metric == "files_that_differ"}
    assert differing == dict.fromkeys(
        ["two nodes", "interrupted and resumed", "worker killed", "disk full on one node", "node killed"], 0
    )
    said = [note for note in table.notes if "the command said" in note]
    assert [("goes on from" in note, "gets no more jobs" in note) for note in said] == [
        (True, False),
        (False, True),
        (True, False),
    ]
