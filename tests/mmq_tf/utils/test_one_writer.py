# SPDX-License-Identifier: Apache-2.0
"""A folder has one writer: refused beside a living process, taken over from an ended one."""

import subprocess
import sys

import pytest
import refusals
from mmq_bridge.process_id import ProcessId

from mmq_tf.utils.one_writer import lock_of, one_writer

HOLD = """
import sys
from pathlib import Path
from mmq_tf.utils.one_writer import one_writer
with one_writer(Path(sys.argv[1])):
    sys.stdout.write("held\\n"); sys.stdout.flush()
    sys.stdin.read()
"""


def refused(folder, *words):
    def hold():
        with one_writer(folder):
            pytest.fail("two writers")

    return refusals.refused(hold, *words)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_left_not_even_a_folder_that_was_made_for_the_lock(tmp_path):
    folder = tmp_path / "runs" / "a"
    with one_writer(folder):
        assert names(folder.parent) == [".a.lock"]
    assert names(tmp_path) == []
    with one_writer(folder):
        folder.mkdir()
    assert names(folder.parent) == ["a"]


def test_a_second_writer_is_refused_while_the_first_lives_and_only_then(tmp_path):
    folder = tmp_path / "a"
    command = [sys.executable, "-c", HOLD, str(folder)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    message = refused(tmp_path / "." / "a", f"process {holder.pid} writes into {folder}")
    assert message.endswith("wait until it ends, or name another --out.")
    with one_writer(tmp_path / "b"):
        pass
    holder.kill()
    holder.communicate()
    assert lock_of(folder).exists()
    with one_writer(tmp_path / "b"):
        assert names(tmp_path) == [".b.lock"]  # what the killed one left is gone
    with one_writer(folder):
        pass
    assert names(tmp_path) == []


def test_a_number_that_another_process_has_now_does_not_hold(tmp_path):
    own = ProcessId.own()
    if not own.started:
        pytest.skip("this system does not tell when a process began")
    earlier = ProcessId(own.number, own.started - 1, own.machine, own.boot)
    lock_of(tmp_path / "a").write_text(f"mmq-tf {earlier}\n")
    with one_writer(tmp_path / "a"):
        pass


def test_what_cannot_be_known_is_left_to_the_user(tmp_path):
    lock = lock_of(tmp_path / "a")
    for content in ("", "mmq-tf 17", "\0"):
        lock.write_text(content)
        refused(tmp_path / "a", f"{lock} says not who", "delete that file")
    lock.write_text(f"mmq-tf {ProcessId(17, 1, 'abcdef', '012345')}\n")
    refused(tmp_path / "a", "process 17 of another machine", f"delete {lock}")
