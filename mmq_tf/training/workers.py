# SPDX-License-Identifier: Apache-2.0
"""Folds side by side in worker processes that stop cleanly."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.managers import SyncManager
from typing import Any, Protocol

from mmq_bridge.native_output import quiet_native

from mmq_tf.utils.backend_threads import one_thread_per_process
from mmq_tf.utils.ending import end_with_parent
from mmq_tf.utils.parallel import by_main_thread, interrupts_ignored, parallel_map

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


class JobEngine(Protocol):
    """What runs jobs elsewhere than in processes of this machine."""

    def run(self, jobs: Sequence[Job], on_epoch: OnEpoch, on_fold: OnFold) -> None:
        """Run jobs, none of which is done."""
        ...


class _Stopped(Exception):
    """Raised inside a worker that was asked to stop; the epoch it finished is saved."""


def run_jobs(
    jobs: Sequence[Job],
    workers: int,
    on_epoch: OnEpoch,
    on_fold: OnFold,
    engine: JobEngine | None = None,
) -> None:
    """Run the fold jobs that are not done, several at a time.

    Parameters
    ----------
    jobs
        Finished ones are left as they are.
    workers
        Processes at most; with one, or one job left, everything runs in this process.
    on_epoch, on_fold
        Called in this process, for progress.
    engine
        What runs them instead of this machine, see `mmq_tf.training.cluster.RayCluster`.

    Raises
    ------
    MMQError
        If a worker fails or dies. Then, and when interrupted, the others stop after the epoch they are in,
        which is saved.
    """
    todo = [job for job in jobs if not job.done]
    if engine is not None:
        if todo:
            engine.run(todo, on_epoch, on_fold)
        return
    if min(workers, len(todo)) <= 1:
        _run_here(todo, on_epoch, on_fold)
        return
    with contextlib.ExitStack() as stack:
        with interrupts_ignored():  # the manager's process too
            manager = SyncManager(ctx=multiprocessing.get_context("spawn"))
            manager.start(end_with_parent, (by_main_thread(),))
            stack.enter_context(manager)
            messages, stop = manager.Queue(), manager.Event()
        names = parallel_map(
            partial(_work, messages=messages, stop=stop),
            todo,
            workers,
            if_killed="run again with fewer --jobs (and, for training, --resume).",
            on_start=_load_backend,
            on_wait=lambda: _drain(messages, on_epoch),
            on_end=stop.set,
        )
        for name in stack.enter_context(contextlib.closing(names)):
            on_fold(name)


def _run_here(jobs: Sequence[Job], on_epoch: OnEpoch, on_fold: OnFold) -> None:
    for job in jobs:
        name = job.name
        job.run(lambda epoch, metrics, name=name: on_epoch(name, epoch, metrics))
        on_fold(name)


def _drain(messages: queue.Queue[Any], on_epoch: OnEpoch) -> None:
    while True:
        try:
            on_epoch(*messages.get_nowait())
        except queue.Empty:
            return


def _load_backend() -> None:
    one_thread_per_process()
    with quiet_native():
        import mmq_tf.training.fold  # noqa: F401  loads the training backend, which talks while it is loaded


def _work(job: Job, messages: Any, stop: Any) -> str:
    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        messages.put((job.name, epoch, metrics))
        if stop.is_set():
            raise _Stopped

    if not stop.is_set():
        job.run(on_epoch)
    return job.name
