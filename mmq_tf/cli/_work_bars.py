# SPDX-License-Identifier: Apache-2.0
"""The progress of a run as bars and lines of a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mmq_tf.cli._tables import show_results
from mmq_tf.utils.pace import Pace, in_words
from mmq_tf.utils.progress import WorkProgress

SHOWN = {"loss": "loss {:.3f}", "val_auroc": "validation AUROC {:.3f}", "accuracy": "right {:.1%}"}
"""What stands beside a fold's bar, of the metrics of its last step."""


EVERY_S = 60.0
"""Without a terminal there are no bars: what is being done is said in a line, this often."""


def progress_bars(console: Console) -> Progress:
    """Return bars with a count, the time and a field ``note``."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


class WorkBars(WorkProgress):
    """One bar for the recordings, then one for all folds and one for each that is at work.

    Each says how much time is left. Where the console is no terminal, a line every minute says the same.

    Parameters
    ----------
    console : Console
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._pace: Pace | None = None
        self._reached: dict[str, float] = {}
        self._doing, self._finished, self._said_s = "", 0.0, clock()
        self._bars: Progress | None = None
        self._total = TaskID(0)
        self._folds: dict[str, TaskID] = {}
        self._steps, self._unit = 0, ""

    def note(self, text: str) -> None:
        """Print it; its first word in bold where it is a mark."""
        first, _, rest = text.partition(" ")
        marked = f"[b]{first}[/b] {rest}" if first in ("SIMULATED", "bad") else text
        self._console.print(marked, highlight=False, soft_wrap=first == "bad")

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Show a bar."""
        with progress_bars(self._console) as self._bars:
            self._total = self._bars.add_task("extracting features", total=None, note="")
            self._begin("extracting features", 0, 0)
            yield

    def on_total(self, total: int) -> None:
        """Set the bar's length."""
        if self._bars:
            self._bars.update(self._total, total=total)
        self._begin("extracting features", total, 0)

    def on_recording(self, name: str, fault: str) -> None:
        """Move the bar."""
        if self._bars:
            self._finished += 1
            left = self._at(self._finished, name)
            self._bars.update(self._total, advance=1, note=f"{name}{left}")

    @contextmanager
    def folding(self, folds: int, done: int, steps: int, unit: str = "epochs") -> Iterator[None]:
        """Show a bar for all folds."""
        self._folds, self._steps, self._unit = {}, steps, unit
        with progress_bars(self._console) as self._bars:
            self._total = self._bars.add_task(
                "folds", total=folds, completed=done, note="", visible=folds > 1
            )
            self._begin("folds", folds * steps, done * steps)
            yield

    def on_epoch(self, name: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Move a fold's bar, which is made at its first epoch."""
        if not self._bars:
            return
        if name not in self._folds:
            self._folds[name] = self._bars.add_task(name, total=self._steps, note="")
        shown = "  ".join(form.format(metrics[key]) for key, form in SHOWN.items() if key in metrics)
        self._bars.update(self._folds[name], completed=epoch, note=shown or self._unit)
        self._reached[name] = min(epoch, self._steps)
        where = f"{name}, {epoch} of {self._steps} {self._unit}" + (f", {shown}" if shown else "")
        left = self._at(self._finished + sum(self._reached.values()), where)
        self._bars.update(self._total, note=left.removeprefix(", "))

    def doing(self, text: str) -> AbstractContextManager[object]:
        """Show what is being done."""
        return self._console.status(text)

    def on_fold(self, name: str) -> None:
        """Remove a fold's bar."""
        if self._bars:
            self._bars.advance(self._total)
            self._reached.pop(name, None)
            self._finished += self._steps
            if name in self._folds:
                self._bars.remove_task(self._folds.pop(name))

    def _begin(self, doing: str, total: float, done: float) -> None:
        """Start counting."""
        self._doing, self._pace, self._finished = doing, Pace(total, done, self._clock), done
        self._reached, self._said_s = {}, self._clock()

    def _at(self, done: float, where: str) -> str:
        """Count, say a line where that is due, and return how much time is left, after a comma."""
        if self._pace is None:
            return ""
        self._pace.reach(done)
        left = in_words(self._pace.left_s())
        said = f", about {left} left" if left and done < self._pace.total else ""
        if not self._console.is_terminal and self._clock() - self._said_s >= EVERY_S:
            self._said_s = self._clock()
            share = done / self._pace.total if self._pace.total else 0.0
            elapsed = in_words(self._pace.elapsed_s())
            self._console.print(
                f"{self._doing}: {share:.0%} after {elapsed}{said}; {where}", highlight=False, soft_wrap=True
            )
        return said

    def on_results(self, results: Any) -> None:
        """Print the table."""
        show_results(results, self._console)
