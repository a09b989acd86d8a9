# SPDX-License-Identifier: Apache-2.0
"""One function in worker processes: results, errors, killed workers and who hears Ctrl-C."""

import contextlib
import math
import operator
import os
import signal
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
