# SPDX-License-Identifier: Apache-2.0
"""Bundles with one structured change each, digests made right again: refused or harmless, nothing else.

The long run: ``python benchmarks/hostile_bundles.py --mutants 10000``.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmq_bridge.decision.manifest import MANIFEST_NAME, Manifest

if sys.platform != "linux":
    pytest.skip("forks, and limits of the system", allow_module_level=True)

from methods import hostile_commands
from methods.bundle_mutants import KINDS, MutantFolder, sign_again, whole_files
from methods.hostile_commands import run_all

MUTANTS = 40


@pytest.fixture(scope="module")
def whole(tiny_bundle):
    """The tiny bundle without its code."""
    found = whole_files(tiny_bundle)
    files = {name: found[name] for name in found if "/" not in name or name.startswith("golden/")}
    manifest = json.loads(files[MANIFEST_NAME])
    manifest["files"] = {name: entry for name, entry in manifest["files"].items() if name in files}
    return {**files, MANIFEST_NAME: json.dumps(manifest).encode()}


@pytest.fixture
def folder(whole, tmp_path):
    return MutantFolder(tmp_path / "bundle", whole)


@pytest.mark.slow
def test_no_mutant_crashes_hangs_or_shows_a_traceback(folder):
    """In a process without TensorFlow, which can be forked."""
    script = Path(hostile_commands.__file__).parents[1] / "hostile_bundles.py"
    given = ["--mutants", str(MUTANTS), "--jobs", "1", "--bundle", str(folder.folder)]
    done = subprocess.run([sys.executable, script, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.split(": ") for line in done.stdout.splitlines() if ": " in line)
    assert [counts[name] for name in ("mutants", "traceback", "hung", "crashed")] == [
        str(MUTANTS),
        "0",
        "0",
        "0",
    ]
    assert int(counts["accepted"]) > MUTANTS
    assert int(counts["refused"]) > MUTANTS


def test_mutants_are_the_same_for_a_seed_and_a_healed_bundle_is_whole(folder, whole):
    before = whole_files(folder.folder)
    for number, (kind, (_, make)) in enumerate(KINDS.items()):
        if kind == "head":  # the tiny bundle has none
            continue
        made, again = make(random.Random(number), whole), make(random.Random(number), whole)
        assert (made.files, made.links) == (again.files, again.links), kind
        assert made.files or made.links, kind
        folder.become(made)
        folder.heal(made)
        assert whole_files(folder.folder) == before, kind


def test_a_mutants_digests_are_right_again(folder, whole):
    made = KINDS["model: bytes"][1](random.Random(1), whole)
    sign_again(whole, made)
    folder.become(made)
    (name,) = set(made.files) - {MANIFEST_NAME}
    assert Manifest.load(folder.folder).read(folder.folder, name) == made.files[name] != whole[name]


def test_what_is_counted_can_happen(tmp_path, monkeypatch):
    monkeypatch.setattr(hostile_commands, "LIMIT_S", 0.2)

    def refuse(folder):
        sys.stderr.write("mmq-bridge: no.\n")
        sys.exit(2)

    def contained(folder):
        sys.stderr.write("x: LiteRT ended on it (SIGSEGV); do not use it.\n")
        sys.exit(2)

    def loop(folder):
        while True:
            pass

    def bug(folder):
        raise KeyError("bug")

    todo = {
        "accepted": lambda folder: None,
        "refused": refuse,
        "contained": contained,
        "traceback": bug,
        "hung": loop,
        "crashed": lambda folder: os.kill(os.getpid(), signal.SIGSYS),
        "after": lambda folder: None,
    }
    found = {one.command: one.outcome for one in run_all(tmp_path, todo)}
    assert found == {name: name for name in list(todo)[:-1]} | {"after": "accepted"}


def test_a_worker_in_a_fork_is_like_one_in_a_process():
    worker = hostile_commands.ForkedWorker()
    worker.kill()
    assert worker.wait() == -signal.SIGKILL
    with contextlib.closing(worker.stdin), contextlib.closing(worker.stdout):
        assert worker.stdout.read() == b""
