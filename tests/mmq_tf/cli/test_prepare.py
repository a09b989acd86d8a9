# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf prepare` as a user types it, on a tiny SIMULATED cohort."""

import shutil

import pytest
from command_line import printed

from mmq_tf.cli.prepare import command
from mmq_tf.errors import MMQError
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings

OPTIONS = ["--set", "front_end.modalities={eda={sampling_rate_hz=4}}", "--jobs", "1"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(
        tmp_path_factory.mktemp("prepare") / "sim", 2, Settings(minutes=7, modalities=("eda",))
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(folder, *more):
        return printed(command, "simulated", "--data", folder, *OPTIONS, *more)

    return call


def test_a_rerun_keeps_everything_and_a_change_makes_what_it_must(run, cohort):
    assert ": 2 made, 0 kept;" in run(cohort)
    assert ": 0 made, 2 kept;" in run(cohort)
    assert ": 0 made, 2 kept;" in run(cohort, "--set", "front_end.tokens=6")
    assert ": 2 made, 0 kept;" in run(cohort, "--set", "front_end.modalities.eda.max_step_per_s=5")


def test_bad_recordings_are_named(run, cohort, tmp_path):
    broken = shutil.copytree(cohort, tmp_path / "broken")
    (broken / "sim-01" / "eda.npy").write_bytes(b"")
    with pytest.raises(MMQError, match=r"sim-01.eda\.npy"):
        run(broken)
    printed = run(broken, "--skip-bad")
    assert "bad sim-01: " in printed
    assert ": 1 made, 0 kept, 1 BAD and left out;" in printed
