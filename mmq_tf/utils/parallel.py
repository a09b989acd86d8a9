# SPDX-License-Identifier: Apache-2.0
"""A function applied to many items in worker processes that stop cleanly."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from mmq_tf.errors import MMQError
from mmq_tf.utils.ending import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")


def nothing() -> None:
    """Do nothing."""


def parallel_map(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    *,
    if_killed: str,
    on_start: Callable[[], None] = nothing,
    on_wait: Callable[[], None] = nothing,
    on_end: Callable[[], None] = nothing,
) -> Generator[Result, None, None]:
    """Yield what `work` returns for each item, in the order in which they are done.

    Workers end with this process, however that ends. Close the generator where its consumer may raise: then,
    and when interrupted, workers finish the item they are at, and no other is begun. Ctrl-C is for
    this process alone.

    Parameters
    ----------
    work
        A function of a module, or a partial of one.
    items
        What it is applied to.
    workers
        Processes at most; with one, or one item, everything runs in this process.
    if_killed
        What to do when a worker process was killed, for the message.
    on_start
        Called in each new worker process.
    on_wait
        Called in this process about twice per second while it waits, and before results are yielded.
    on_end
        Called in this process before it waits for the workers to end.

    Raises
    ------
    MMQError
        If a worker dies; what `work` raises comes through.
    """
    if min(workers, len(items)) <= 1:
        yield from map(work, items)
        return
    with interrupts_ignored():  # the processes started here inherit that
        pool = ProcessPoolExecutor(
            min(workers, len(items)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(on_start, by_main_thread()),
        )
        pending = {pool.submit(work, item) for item in items}
    try:
        while pending:
            finished, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            on_wait()
            for future in finished:
                yield future.result()
    except BrokenProcessPool as error:
        raise MMQError(f"a worker process was killed, most likely for lack of memory; {if_killed}") from error
    finally:
        on_end()
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C while the block runs, and in the processes that it starts."""
    if not by_main_thread():  # only that one may set handlers
        yield
        return
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)


def by_main_thread() -> bool:
    """Whether the main thread of this process asks."""
    return threading.current_thread() is threading.main_thread()


def _start_worker(on_start: Callable[[], None], started_by_main_thread: bool) -> None:
    end_with_parent(started_by_main_thread)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    on_start()
