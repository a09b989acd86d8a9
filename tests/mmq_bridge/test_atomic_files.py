# SPDX-License-Identifier: Apache-2.0
"""What is written whole or not at all: on success, on failure in the block, and on a failing rename."""

import errno
import os
import subprocess
import sys
import time

import pytest
from mmq_bridge import atomic_files
from mmq_bridge.atomic_files import remove_litter, replaced_file, replaced_folder
from mmq_bridge.process_id import ProcessId


@pytest.fixture
def without_exchange(monkeypatch):
    """A system that cannot exchange two names in one step."""
    monkeypatch.setattr(atomic_files, "_exchange_call", lambda: None)


@pytest.fixture(scope="module")
def ended():
    """Who a process was that has ended."""
    program = "from mmq_bridge.process_id import ProcessId as P; import sys; sys.stdout.write(str(P.own()))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return ProcessId.of_text(found.stdout)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_at_the_end(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("old")
    with replaced_file(path) as temporary:
        assert temporary.suffix == ".npz"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.npz"]


@pytest.mark.parametrize("way", ["in one step", "in two"])
def test_a_folder_takes_the_place_of_the_older_one(tmp_path, way, request):
    if way == "in two":
        request.getfixturevalue("without_exchange")
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").touch()
    with replaced_folder(path) as temporary:
        (temporary / "new").touch()
        assert names(path) == ["old"]
    assert names(path) == ["new"]
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("replaced", [replaced_file, replaced_folder])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_what_was_there_stays_when_the_block_fails(tmp_path, replaced, error):
    path = tmp_path / "a"
    with replaced(path) as temporary:
        if not temporary.exists():
            temporary.touch()
    before = path.stat().st_ino
    with pytest.raises(type(error)), replaced(path):
        raise error
    assert path.stat().st_ino == before
    assert names(tmp_path) == ["a"]


def test_what_was_there_is_put_back_when_the_rename_fails(tmp_path, monkeypatch, without_exchange):
    path, real = tmp_path / "a", os.rename
    path.mkdir()
    (path / "old").touch()

    def refuse(source, target):
        if ".part-" in str(source):
            raise OSError(errno.EIO, "input/output error")
        real(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="input/output"), replaced_folder(path):
        pass
    assert names(path) == ["old"]
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_folder_replaces_folders_only(tmp_path, kind):
    path, other = tmp_path / "a", tmp_path / "other"
    other.mkdir()
    path.touch() if kind == "file" else path.symlink_to(other)
    with pytest.raises(NotADirectoryError), replaced_folder(path):
        pass
    assert names(tmp_path) == ["a", "other"]
    assert path.is_symlink() == (kind == "link")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="exchanges two names on Linux")
def test_there_is_no_moment_without_a_folder(tmp_path, monkeypatch):
    path, seen = tmp_path / "a", []
    path.mkdir()
    (path / "old").touch()
    for name in ("rename", "rmdir", "unlink"):
        real = getattr(os, name)

        def watched(*given, real=real, **options):
            seen.append(names(path))
            return real(*given, **options)

        monkeypatch.setattr(os, name, watched)
    with replaced_folder(path) as temporary:
        (temporary / "new").touch()
    assert seen
    assert all(there == ["new"] for there in seen)


def test_a_process_is_known_by_more_than_its_number(ended):
    own = ProcessId.own()
    assert ProcessId.of_text(str(own)) == own
    assert not own.has_ended
    assert ended.has_ended
    other = ProcessId(own.number, own.started + 1, own.machine, own.boot)
    if own.started:
        assert other.has_ended  # its number was given to this process
    assert ProcessId(own.number, 1, own.machine, "abcdef").has_ended  # the machine was started again
    assert not ProcessId(ended.number, ended.started, "abcdef", ended.boot).has_ended  # somewhere else


def test_a_killed_process_has_ended_before_its_parent_looks():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    own = ProcessId.own()
    stat = f"/proc/{child.pid}/stat"
    if not os.path.exists(stat):
        child.communicate()
        pytest.skip("no /proc on this system")
    with open(stat) as file:
        started = int(file.read().rpartition(")")[2].split()[19])
    who = ProcessId(child.pid, started, own.machine, own.boot)
    assert not who.has_ended
    child.kill()
    for _ in range(100):
        if who.has_ended:
            break
        time.sleep(0.02)
    assert who.has_ended
    child.communicate()


def test_litter_of_ended_processes_is_removed_and_nothing_else(tmp_path, ended):
    own = ProcessId.own()
    for name in (
        f".a.part-{ended}-0123abcd.npz",
        f".c.part-{own}-0123abcd",
        ".d.part-0123abcd",
        ".e.old-x",
        "f",
    ):
        (tmp_path / name).touch()
    for name in (f".b.part-{ended}-0123abcd", f".g.old-{ended}-0123abcd", f".h.old-{ended}-0123abcd", "h"):
        (tmp_path / name / "inner").mkdir(parents=True)
    remove_litter(tmp_path)
    assert names(tmp_path) == [f".c.part-{own}-0123abcd", ".d.part-0123abcd", ".e.old-x", "f", "g", "h"]


def test_who_writes_next_removes_what_a_killed_process_left(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from mmq_bridge.atomic_files import replaced_folder\n"
        "with replaced_folder(Path(sys.argv[1])) as new: os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a")], check=False)
    assert done.returncode == -9
    (left,) = names(tmp_path)
    assert left.startswith(".a.part-")
    with replaced_file(tmp_path / "b") as temporary:
        temporary.touch()
    assert names(tmp_path) == ["b"]
