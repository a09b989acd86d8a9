# SPDX-License-Identifier: Apache-2.0
"""One function in worker processes: results, errors, killed workers and who hears Ctrl-C."""

import contextlib
import math
import operator
import os
import signal
import subprocess
import sys
import time

import pytest

from mmq_tf.errors import MMQError
from mmq_tf.utils.parallel import interrupts_ignored, parallel_map


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_once(workers):
    results = parallel_map(operator.neg, [1, 2, 3], workers, if_killed="")
    assert sorted(results) == [-3, -2, -1]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_function_raises_comes_through(workers):
    with pytest.raises(ValueError, match="math domain error"):
        list(parallel_map(math.sqrt, [-1.0, -4.0], workers, if_killed=""))


def test_a_killed_worker_is_an_error_with_advice():
    ended = []
    with pytest.raises(MMQError) as caught:
        list(parallel_map(os._exit, [9, 9], 2, if_killed="Rest.", on_end=lambda: ended.append(1)))
    assert str(caught.value) == "a worker process was killed, most likely for lack of memory; Rest."
    assert ended == [1]


def test_only_this_process_hears_an_interrupt():
    kept = signal.getsignal(signal.SIGINT)
    handlers = list(parallel_map(signal.getsignal, [signal.SIGINT] * 2, 2, if_killed=""))
    assert handlers == [signal.SIG_IGN] * 2
    assert signal.getsignal(signal.SIGINT) is kept
    with interrupts_ignored():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is kept


@pytest.mark.slow
def test_a_consumer_that_stops_waits_for_what_was_begun_and_no_more():
    calls = []
    start = time.monotonic()
    with contextlib.closing(
        parallel_map(
            time.sleep,
            [0.0, *[0.6] * 40],
            2,
            if_killed="",
            on_wait=lambda: calls.append("wait"),
            on_end=lambda: calls.append("end"),
        )
    ) as results:
        next(results)
    assert calls[-1] == "end"
    assert "wait" in calls
    assert time.monotonic() - start < 6


WORKERS = """
import multiprocessing, os, pathlib, sys, time
from multiprocessing.managers import SyncManager
from mmq_tf.utils.ending import end_with_parent
from mmq_tf.utils.parallel import parallel_map

def work(folder):
    pathlib.Path(folder, str(os.getpid())).touch()
    time.sleep(60)

if __name__ == "__main__":
    manager = SyncManager(ctx=multiprocessing.get_context("spawn"))
    manager.start(end_with_parent, (sys.argv[2] == "main",))
    pathlib.Path(sys.argv[1], str(manager._process.pid)).touch()
    run = lambda: list(parallel_map(work, [sys.argv[1]] * 2, 2, if_killed=""))
    if sys.argv[2] == "main":
        run()
    import threading
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
"""


@pytest.mark.slow
@pytest.mark.parametrize("thread", ["main", "other"])
def test_workers_end_with_a_parent_that_is_killed(tmp_path, thread):
    (tmp_path / "program.py").write_text(WORKERS)
    (tmp_path / "pids").mkdir()
    parent = subprocess.Popen([sys.executable, tmp_path / "program.py", tmp_path / "pids", thread])
    until(lambda: len(list((tmp_path / "pids").iterdir())) == 3)
    workers = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    assert all(map(runs, workers))
    parent.kill()
    parent.wait()
    until(lambda: not any(map(runs, workers)))


def runs(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def until(is_so, seconds=30):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)
