# SPDX-License-Identifier: Apache-2.0
"""Folds side by side in worker processes that stop cleanly."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from mmq_tf.errors import MMQError
from mmq_tf.utils.native_output import quiet_native

OnEpoch = Callable[[str, int, dict[str, float]], None]
OnFold = Callable[[str], None]


class Job(Protocol):
    """What a worker does with one fold: train it, or judge it again."""

    @property
    def name(self) -> str:
        """For progress."""
        ...

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        ...

    def run(self, on_epoch: Callable[[int, dict[str, float]], None]) -> None:
        """Do it. `on_epoch` is called with a number and what is known after each step that is saved."""
        ...


class _Stopped(Exception):
    """Raised inside a worker that was asked to stop; the epoch it finished is saved."""


def run_jobs(jobs: Sequence[Job], workers: int, on_epoch: OnEpoch, on_fold: OnFold) -> None:
    """Run the fold jobs that are not done, several at a time.

    Parameters
    ----------
    jobs
        Finished ones are left as they are.
    workers
        Processes at most; with one, or one job left, everything runs in this process.
    on_epoch, on_fold
        Called in this process, for progress.

    Raises
    ------
    MMQError
        If a worker fails or dies. Then, and when interrupted, the others stop after the epoch they are in,
        which is saved.
    """
    todo = [job for job in jobs if not job.done]
    workers = min(workers, len(todo))
    if workers <= 1:
        _run_here(todo, on_epoch, on_fold)
        return
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        with _interrupts_ignored():  # the processes started here inherit that: Ctrl-C is for this one alone
            manager = stack.enter_context(context.Manager())
            pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
            stack.enter_context(pool)
            messages, stop = manager.Queue(), manager.Event()
            pending = {pool.submit(_work, job, messages, stop): job for job in todo}
        try:
            _follow(pending, messages, on_epoch, on_fold)
        except BrokenProcessPool as error:
            raise MMQError(
                "a worker process was killed, most likely for lack of memory; go on with fewer --jobs (and, "
                "for training, --resume)."
            ) from error
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _run_here(jobs: Sequence[Job], on_epoch: OnEpoch, on_fold: OnFold) -> None:
    for job in jobs:
        name = job.name
        job.run(lambda epoch, metrics, name=name: on_epoch(name, epoch, metrics))
        on_fold(name)


def _follow(
    pending: dict[Future[None], Job], messages: queue.Queue[Any], on_epoch: OnEpoch, on_fold: OnFold
) -> None:
    while pending:
        finished, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
        _drain(messages, on_epoch)
        for future in finished:
            job = pending.pop(future)
            future.result()
            on_fold(job.name)


def _drain(messages: queue.Queue[Any], on_epoch: OnEpoch) -> None:
    while True:
        try:
            on_epoch(*messages.get_nowait())
        except queue.Empty:
            return


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only that one may set handlers
        yield
        return
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with quiet_native():
        import mmq_tf.training.fold  # noqa: F401  loads the training backend, which talks while it is loaded


def _work(job: Job, messages: Any, stop: Any) -> None:
    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        messages.put((job.name, epoch, metrics))
        if stop.is_set():
            raise _Stopped

    if not stop.is_set():
        job.run(on_epoch)
