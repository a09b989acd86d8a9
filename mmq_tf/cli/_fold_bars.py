# SPDX-License-Identifier: Apache-2.0
"""What commands that work fold by fold show: one bar for all folds, and one for each that is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import TaskID

from mmq_tf.cli._preparing import progress_bars
from mmq_tf.training.workers import Job, OnEpoch, OnFold


@contextmanager
def fold_bars(
    console: Console, jobs: Sequence[Job], steps: int, note: Callable[[Mapping[str, float]], str]
) -> Iterator[tuple[OnEpoch, OnFold]]:
    """Show progress while `mmq_tf.training.workers.run_jobs` calls the two functions this gives.

    Parameters
    ----------
    console : Console
    jobs : sequence of Job
        All of them; those that are done count as done.
    steps : int
        Steps of one job: epochs, or methods.
    note : callable
        What stands beside a job's bar, of the metrics of its last step.
    """
    with progress_bars(console) as progress:
        total = progress.add_task("folds", total=len(jobs), completed=sum(job.done for job in jobs), note="")
        bars: dict[str, TaskID] = {}

        def on_step(name: str, count: int, metrics: dict[str, float]) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=steps, note="")
            progress.update(bars[name], completed=count, note=note(metrics))

        def on_fold(name: str) -> None:
            progress.advance(total)
            if name in bars:
                progress.remove_task(bars.pop(name))

        yield on_step, on_fold
