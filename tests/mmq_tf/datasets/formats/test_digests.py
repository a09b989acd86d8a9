# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import os
import time

import pytest
from mmq_bridge.cache import cache_folder

from mmq_tf.datasets.formats.digests import file_digest, source_digest
from mmq_tf.errors import MMQError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def settled(tmp_path, monkeypatch):
    """A file that is old enough to be remembered."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    monkeypatch.setattr("mmq_tf.datasets.formats.digests.SETTLED_S", -1.0)
    return path


def remembered():
    folder = cache_folder() / "digests"
    return list(folder.iterdir()) if folder.is_dir() else []


def test_the_digest_is_the_sha256_of_the_content(settled):
    assert file_digest(settled) == hashlib.sha256(b"one").hexdigest()


def test_an_unchanged_file_is_not_read_again(settled):
    file_digest(settled)
    (memory,) = remembered()
    content = json.loads(memory.read_text())
    memory.write_text(json.dumps({**content, "sha256": "from memory"}))
    assert file_digest(settled) == "from memory"


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"two"),
        lambda path: (path.write_bytes(b"two"), os.utime(path, ns=(0, 0))),
        lambda path: (path.rename(path.with_suffix(".old")), path.write_bytes(b"two")),
    ],
)
def test_a_changed_file_is_read_again(settled, change):
    before = settled.stat()
    file_digest(settled)
    change(settled)
    os.utime(settled, ns=(before.st_atime_ns, before.st_mtime_ns))  # size and time of change as they were
    assert file_digest(settled) == hashlib.sha256(b"two").hexdigest()


def test_a_file_changed_just_now_is_not_remembered(tmp_path):
    path = tmp_path / "new.bin"
    path.write_bytes(b"new")
    file_digest(path)
    assert not remembered()
    os.utime(path, (time.time() - 60, time.time() - 60))
    file_digest(path)
    assert not remembered(), "the time of its last change cannot be set back"


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"stamp": 1}'])
def test_a_damaged_memory_is_made_again(settled, damage):
    digest = file_digest(settled)
    (memory,) = remembered()
    memory.write_text(damage)
    assert file_digest(settled) == digest
    assert json.loads(memory.read_text())["sha256"] == digest


def test_names_order_and_head_count(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"same")
    a, b = tmp_path / "a", tmp_path / "b"
    digests = {source_digest("h", files) for files in ([a], [b], [a, b], [b, a])}
    assert len(digests | {source_digest("other", [a])}) == 5


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MMQError, match="gone.bin: cannot be read"):
        file_digest(tmp_path / "gone.bin")
