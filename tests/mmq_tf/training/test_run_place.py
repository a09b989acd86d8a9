# SPDX-License-Identifier: Apache-2.0
"""A run that replaces a finished one: the old stands until the new does, whenever the process is killed."""

from dataclasses import replace

import numpy as np
import pytest
import refusals
from tiny_study import tiny_config

from mmq_tf.config.run_config import load_config
from mmq_tf.training.fit import restore_state
from mmq_tf.training.run import Run, read_fold
from mmq_tf.training.run_folder import (
    RunFacts,
    facts_digest,
    newest_run,
    newest_unfinished_run,
    next_folder,
    replace_run,
)

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def config(tmp_path):
    (tmp_path / "tiny.toml").write_text(tiny_config())
    return load_config(tmp_path / "tiny.toml")


@pytest.fixture
def home(tmp_path, config):
    """A finished run, made by hand."""
    folder = tmp_path / "runs" / "a"
    run = plan(folder, config).begin(())
    assert run.folder == run.home == folder
    finish(run, "old")
    return folder


def plan(folder, config, *, force=False):
    return Run.plan(folder, config, "mmq-tf train", folder, final=False, force=force)


def finish(run, text):
    (run.folder / "metrics.json").write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_run_stays_until_the_new_one_is_finished(home, config):
    run = plan(home, config, force=True).begin(())
    assert (run.home, run.folder) == (home, next_folder(home))
    assert (home / "metrics.json").read_text() == "old"
    assert newest_run(home.parent) == home
    assert newest_unfinished_run(home.parent) == home
    assert Run.open(home).folder == home
    resumed = Run.resumed(home)
    assert (resumed.home, resumed.folder) == (home, run.folder)
    finish(resumed, "new")
    assert resumed.in_place().folder == home
    assert (home / "metrics.json").read_text() == "new"
    assert names(home.parent) == ["a"]
    assert Run.resumed(home).folder == home


def test_force_twice_begins_the_new_one_anew(home, config):
    first = plan(home, config, force=True).begin(())
    (first.folder / "mark").touch()
    plan(home, config, force=True).begin(())
    assert not (first.folder / "mark").exists()
    assert (home / "metrics.json").read_text() == "old"


def test_an_unfinished_run_is_replaced_at_once(tmp_path, config):
    folder = tmp_path / "runs" / "a"
    plan(folder, config).begin(())
    (folder / "mark").touch()
    run = plan(folder, config, force=True).begin(())
    assert run.folder == folder
    assert names(folder) == ["config.toml", "run.json"]
    assert names(folder.parent) == ["a"]
    refusals.refused(lambda: plan(folder, config).begin(()), "already holds a run")


def test_who_planned_is_told_when_another_was_faster(tmp_path, config):
    late = plan(tmp_path / "a", config)
    plan(tmp_path / "a", config).begin(())
    refusals.refused(lambda: late.begin(()), "already holds a run")


def test_what_a_killed_exchange_left_is_removed_or_finished(home, config):
    new = plan(home, config, force=True).begin(()).folder
    (new / "metrics.json").write_text("new")
    replace_run(home)  # killed before it exchanged them: the next one does
    assert (home / "metrics.json").read_text() == "new"
    older = next_folder(home)
    plan(older, config).begin(())
    (older / "metrics.json").write_text("somebody's")
    replace_run(home)
    assert (older / "metrics.json").exists()  # not the one that was replaced
    facts = RunFacts.read(home)
    replace(facts, replaces=facts_digest(older)).write(home)
    replace_run(home)  # killed after it exchanged them: what is left is the older run
    assert names(home.parent) == ["a"]


def test_a_home_that_somebody_removed_is_made(home, config):
    run = plan(home, config, force=True).begin(())
    for path in home.iterdir():
        path.unlink()
    home.rmdir()
    finish(Run.resumed(home), "new")
    run.in_place()
    assert names(home.parent) == ["a"]


@pytest.mark.parametrize("content", [b"", b'{"history": {', b"[]", b"{}"])
def test_damaged_files_of_a_run_are_one_sentence(home, content):
    fold = home / "folds" / "00"
    fold.mkdir(parents=True)
    (fold / "metrics.json").write_bytes(content)
    refusals.refused(lambda: read_fold(fold), "metrics.json is damaged", "delete it")
    (home / "run.json").write_bytes(content)
    refusals.refused(lambda: Run.open(home), "run.json cannot be read")


def test_a_damaged_state_is_one_sentence(tmp_path):
    whole, path = tmp_path / "whole.npz", tmp_path / "state.npz"
    np.savez(whole, state=np.zeros(9, np.uint8))
    for content in (b"", whole.read_bytes()[:60], whole.read_bytes()):
        path.write_bytes(content)
        refusals.refused(lambda: restore_state(None, path), "state.npz is damaged", "delete it")
