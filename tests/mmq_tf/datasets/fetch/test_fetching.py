# SPDX-License-Identifier: Apache-2.0
"""Fetching against a local HTTP server: whole, cut and continued, refused, and stopped."""

import gzip
import hashlib
import re
import resource
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import refusals

from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.base import SIMULATED_NAME
from mmq_tf.datasets.fetch import download, registry
from mmq_tf.datasets.fetch.fetching import PinnedSource, fetch, source_of
from mmq_tf.datasets.fetch.registry import Pin, head_digest, pins_of
from mmq_tf.datasets.fetch.registry.__main__ import pin_eegmat, pin_stress_predict, registry_text
from mmq_tf.datasets.stress_predict import LABEL_FILE
from mmq_tf.errors import MMQError

BIG = np.random.default_rng(0).bytes(300_000)
EEGMAT_SUBJECTS = tuple(f"Subject{number:02d}" for number in range(36))
FILES = {
    "LICENSE": b"as you like\n",
    "data/p1/a.bin": BIG,
    "data/p1/b.csv": b"1\n2\n",
    "data/p2/a.bin": BIG[::-1],
}


@dataclass
class Server:
    """What a server has, how it misbehaves, and what it was asked."""

    files: dict[str, bytes]
    url: str = ""
    status: int = 0  # answer this to everything
    drop_after: int | None = None  # end the answer after so many bytes
    silent_s: float = 0.0
    ranges: bool = True
    wrong_range: bool = False
    compressed: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, handler):
        path, wanted = handler.path.lstrip("/"), handler.headers.get("Range", "")
        self.asked.append((path, wanted))
        if self.silent_s:
            threading.Event().wait(self.silent_s)
        if self.status or path not in self.files:
            handler.send_error(self.status or 404)
            return
        data, start = self.files[path], 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                handler.send_error(416)
                return
            handler.send_response(206)
            first = 0 if self.wrong_range else start
            handler.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        else:
            handler.send_response(200)
        body = data[start:]
        if self.compressed:
            body = gzip.compress(body)
            handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body if self.drop_after is None else body[: self.drop_after])


@pytest.fixture
def server():
    state = Server(dict(FILES))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.answer(self)

        def log_message(self, format, *args):  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.url = f"http://127.0.0.1:{http.server_port}/"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def source(server):
    pins = {path: Pin(hashlib.sha256(data).hexdigest()) for path, data in FILES.items()}
    return PinnedSource("mine", server.url, re.compile(r"data/(p\d)/"), "LICENSE", pins)


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(source, out, *words, **options):
    refusals.refused(lambda: fetch(source, out, **options), *words)


def test_what_is_fetched_is_what_was_published(server, source, tmp_path):
    files, sizes = [], []
    done = fetch(source, tmp_path / "new", on_file=files.append, on_bytes=lambda *size: sizes.append(size))
    assert content(tmp_path / "new") == FILES
    assert list(done.new) == files == list(FILES)
    assert (done.kept, done.replaced) == ((), ())
    assert sizes[-1] == (len(BIG), len(BIG))
    assert not any(wanted for _, wanted in server.asked)


def test_what_is_there_and_right_is_not_asked_for_again(server, source, tmp_path):
    fetch(source, tmp_path)
    server.asked.clear()
    (tmp_path / "data" / "p2" / "a.bin").write_bytes(b"broken copy")
    done = fetch(source, tmp_path)
    assert server.asked == [("data/p2/a.bin", "")]
    assert done.replaced == ("data/p2/a.bin",)
    assert len(done.kept) == 3
    assert content(tmp_path) == FILES


def test_only_the_wanted_subjects_and_what_belongs_to_all(source, tmp_path):
    assert source.subjects == ("p1", "p2")
    fetch(source, tmp_path, ["p2"])
    assert set(content(tmp_path)) == {"LICENSE", "data/p2/a.bin"}
    refused(source, tmp_path, "'p9' is not offered", "p1, p2", subjects=["p9"])


def test_a_cut_file_is_continued_where_it_was_cut(server, source, tmp_path):
    server.drop_after = 100_000
    kept = 100_000 // download.CHUNK_BYTES * download.CHUNK_BYTES
    refused(source, tmp_path, "data/p1/a.bin", "the connection failed", f"{kept} bytes", "goes on from there")
    assert content(tmp_path) == {"LICENSE": FILES["LICENSE"], "data/p1/.a.bin.part": BIG[:kept]}
    server.drop_after = None
    server.asked.clear()
    fetch(source, tmp_path)
    assert server.asked[0] == ("data/p1/a.bin", f"bytes={kept}-")
    assert content(tmp_path) == FILES


def test_a_part_that_can_not_be_continued_is_fetched_whole(server, source, tmp_path):
    part = tmp_path / "data" / "p1" / ".a.bin.part"
    part.parent.mkdir(parents=True)
    for change in ({"ranges": False}, {"wrong_range": True}, {"compressed": True}):
        part.write_bytes(BIG[:1000])
        server.__dict__.update({"ranges": True, "wrong_range": False, "compressed": False, **change})
        fetch(source, tmp_path)
        assert content(tmp_path) == FILES, change
        (tmp_path / "data" / "p1" / "a.bin").unlink()


@pytest.mark.parametrize("part", [b"\0" * 1000, BIG, BIG + b"more"])
def test_a_part_of_another_file_is_thrown_away(source, tmp_path, part):
    path = tmp_path / "data" / "p1" / ".a.bin.part"
    path.parent.mkdir(parents=True)
    path.write_bytes(part)
    fetch(source, tmp_path)
    assert content(tmp_path) == FILES


def test_a_wrong_file_is_refused_removed_and_named(server, source, tmp_path):
    server.files["data/p1/a.bin"] = b"x" * len(BIG)
    refused(source, tmp_path, "data/p1/a.bin", source.pins["data/p1/a.bin"].sha256, "was removed")
    assert content(tmp_path) == {"LICENSE": FILES["LICENSE"]}


def test_a_wrong_file_does_not_replace_what_was_there(server, source, tmp_path):
    fetch(source, tmp_path)
    (tmp_path / "LICENSE").write_bytes(b"mine")
    server.files["LICENSE"] = b"another"
    refused(source, tmp_path, "LICENSE", "was removed")
    assert content(tmp_path) == {**FILES, "LICENSE": b"mine"}


@pytest.mark.parametrize(
    ("status", "word"), [(404, "Not Found"), (500, "Internal Server Error"), (403, "Forbidden")]
)
def test_a_server_that_refuses(server, source, tmp_path, status, word):
    server.status = status
    refused(source, tmp_path, f"{server.url}LICENSE", str(status), word, "try again later")
    assert content(tmp_path) == {}


def test_a_server_that_is_silent_or_not_there(server, source, tmp_path):
    server.silent_s = 0.4
    refused(source, tmp_path, "LICENSE", "the connection failed (ReadTimeout)", timeout_s=0.1)
    refused(source, tmp_path, "127.0.0.1:1/", "the connection failed", base_url="http://127.0.0.1:1")
    refused(source, tmp_path, "the connection failed (MissingSchema)", base_url="nowhere")
    assert content(tmp_path) == {}


def test_an_endless_file_is_cut(source, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_FILE_BYTES", 2**20 // 8)
    refused(source, tmp_path, "data/p1/a.bin", "at most", "sends more")
    assert set(content(tmp_path)) == {"LICENSE"}


def test_ctrl_c_keeps_the_part_and_no_half_file(server, source, tmp_path):
    def stop(done, of):
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(source, tmp_path, on_bytes=stop)
    assert set(content(tmp_path)) == {"LICENSE", "data/p1/.a.bin.part"}
    fetch(source, tmp_path)
    assert any(wanted and path == "data/p1/a.bin" for path, wanted in server.asked)
    assert content(tmp_path) == FILES


FULL_DISK = """
import re, resource, sys
from mmq_tf.datasets.fetch.fetching import PinnedSource, fetch
from mmq_tf.datasets.fetch.registry import Pin
from mmq_tf.errors import MMQError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    pins = {"data/p1/a.bin": Pin("0" * 64)}
    fetch(PinnedSource("mine", sys.argv[1], re.compile("x"), "", pins), sys.argv[2])
except MMQError as error:
    sys.stdout.write(str(error))
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on file size on this system")
def test_a_full_disk_is_one_sentence(server, tmp_path):
    """A limit on file size makes the operating system refuse the write, as a full disk does."""
    root = Path(__file__).resolve().parents[4]
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, server.url, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=root,
        check=True,
        timeout=60,
    )
    assert "could not be written (File too large)" in result.stdout
    assert "\n" not in result.stdout
    assert set(content(tmp_path)) == {"data/p1/.a.bin.part"}


def test_a_folder_in_the_way_or_a_simulated_one(source, tmp_path):
    (tmp_path / "data" / "p1" / "b.csv").mkdir(parents=True)
    refused(source, tmp_path, "b.csv", "could not be written")
    (tmp_path / "file").write_text("x")
    refused(source, tmp_path / "file", "file", "could not be written")
    (tmp_path / SIMULATED_NAME).write_text("x")
    refused(source, tmp_path, SIMULATED_NAME, "another folder")


def test_a_head_is_pinned_whatever_the_line_ends_and_what_follows(server, source, tmp_path):
    pin = Pin(hashlib.sha256(b"a\nb\n").hexdigest(), 2)
    short = PinnedSource("mine", server.url, source.subject, "", {"labels.csv": pin})
    for published in (b"a\nb\n", b"a\r\nb\r\nc\r\n", b"a\nb\nc"):
        server.files["labels.csv"] = published
        out = tmp_path / str(len(published))
        assert fetch(short, out).new == ("labels.csv",)
        assert content(out) == {"labels.csv": published}
        assert fetch(short, out).kept == ("labels.csv",)
    for wrong in (b"a\n", b"a\nB\n", b""):
        server.files["labels.csv"] = wrong
        refused(short, tmp_path / "wrong", "labels.csv", "was removed")
        assert content(tmp_path / "wrong") == {}


def test_what_may_not_be_fetched_says_where_to_get_it():
    with pytest.raises(MMQError, match=r"cannot be fetched by this command; get it here: mmq-tf simulate"):
        source_of("simulated")
    with pytest.raises(MMQError, match="must be one of"):
        source_of("nothing")


def test_all_of_eegmat_and_26_of_stress_predict_are_offered():
    assert source_of("eegmat").subjects == EEGMAT_SUBJECTS
    assert source_of("stress_predict").subjects == tuple(f"S{number:02d}" for number in range(2, 28))
    assert "LICENSE" in source_of("stress_predict").files([])
    assert pins_of("simulated") == {}


# ---- the real recordings


def test_the_registries_are_those_of_the_real_recordings(mmq_data):
    for name, pin in (("eegmat", pin_eegmat), ("stress_predict", pin_stress_predict)):
        made = registry_text(pin(mmq_data / name))
        assert (resources.files(registry) / f"{name}.txt").read_text() == made


def test_a_copy_that_disagrees_with_its_publisher_is_not_pinned(mmq_data, tmp_path):
    (tmp_path / "SHA256SUMS.txt").write_bytes((mmq_data / "eegmat" / "SHA256SUMS.txt").read_bytes())
    (tmp_path / "RECORDS").write_text("changed\n")
    with pytest.raises(MMQError, match=r"RECORDS: expected the digest that SHA256SUMS\.txt says"):
        pin_eegmat(tmp_path)


def test_the_published_stress_predict_loads_when_fetched(server, mmq_data, tmp_path):
    copy = mmq_data / "stress_predict"
    source = source_of("stress_predict")
    server.files = {path: (copy / path).read_bytes() for path in source.files(["S02"])}
    # The published label file has CRLF line ends and eight subjects more.
    labels = server.files[LABEL_FILE.as_posix()].replace(b"\n", b"\r\n") + b"28,80,12.5,1646647211,1\r\n"
    server.files[LABEL_FILE.as_posix()] = labels
    assert head_digest(copy / LABEL_FILE, 85_803) == source.pins[LABEL_FILE.as_posix()].sha256
    fetch(source, tmp_path, ["S02"], base_url=server.url)
    dataset = get_dataset("stress_predict")
    assert dataset.subjects(tmp_path) == ["S02"]
    fetched, known = dataset.load(tmp_path, "S02"), dataset.load(copy, "S02")
    assert fetched.trials == known.trials
    for name, signal in known.signals.items():
        assert fetched.signals[name].samples.tobytes() == signal.samples.tobytes()


def test_the_published_eegmat_loads_when_fetched(server, mmq_data, tmp_path):
    copy = mmq_data / "eegmat"
    source = source_of("eegmat")
    server.files = {path: (copy / path).read_bytes() for path in source.files(["Subject00"])}
    server.drop_after = 1_000_000
    refused(source, tmp_path, "Subject00_1.edf", subjects=["Subject00"], base_url=server.url)
    server.drop_after = None
    fetch(source, tmp_path, ["Subject00"], base_url=server.url)
    assert any(path == "Subject00_1.edf" and wanted for path, wanted in server.asked)
    dataset = get_dataset("eegmat")
    assert dataset.load(tmp_path, "Subject00").digest == dataset.load(copy, "Subject00").digest
