# SPDX-License-Identifier: Apache-2.0
"""What is written whole or not at all: on success, on failure in the block, and on a failing rename."""

import errno
import os

import pytest
from mmq_bridge.atomic_files import replaced_file, replaced_folder


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


def test_a_folder_takes_the_place_of_the_older_one(tmp_path):
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


def test_what_was_there_is_put_back_when_the_rename_fails(tmp_path, monkeypatch):
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
