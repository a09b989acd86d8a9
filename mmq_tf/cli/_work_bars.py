# SPDX-License-Identifier: Apache-2.0
"""The progress of a run as bars and lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mmq_tf.cli._tables import show_results
from mmq_tf.utils.progress import WorkProgress

SHOWN = {"loss": "loss {:.3f}", "val_auroc": "validation AUROC {:.3f}", "accuracy": "right {:.1%}"}
"""What stands beside a fold's bar, of the metrics of its last step."""


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

    Parameters
    ----------
    console : Console
    """

    def __init__(self, console: Console) -> None:
        self._console = console
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
            yield

    def on_total(self, total: int) -> None:
        """Set the bar's length."""
        if self._bars:
            self._bars.update(self._total, total=total)

    def on_recording(self, name: str, fault: str) -> None:
        """Move the bar."""
        if self._bars:
            self._bars.update(self._total, advance=1, note=name)

    @contextmanager
    def folding(self, folds: int, done: int, steps: int, unit: str = "epochs") -> Iterator[None]:
        """Show a bar for all folds."""
        self._folds, self._steps, self._unit = {}, steps, unit
        with progress_bars(self._console) as self._bars:
            self._total = self._bars.add_task(
                "folds", total=folds, completed=done, note="", visible=folds > 1
            )
            yield

    def on_epoch(self, name: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Move a fold's bar, which is made at its first epoch."""
        if not self._bars:
            return
        if name not in self._folds:
            self._folds[name] = self._bars.add_task(name, total=self._steps, note="")
        shown = "  ".join(form.format(metrics[key]) for key, form in SHOWN.items() if key in metrics)
        self._bars.update(self._folds[name], completed=epoch, note=shown or self._unit)

    def doing(self, text: str) -> AbstractContextManager[object]:
        """Show what is being done."""
        return self._console.status(text)

    def on_fold(self, name: str) -> None:
        """Remove a fold's bar."""
        if self._bars:
            self._bars.advance(self._total)
            if name in self._folds:
                self._bars.remove_task(self._folds.pop(name))

    def on_results(self, results: Any) -> None:
        """Print the table."""
        show_results(results, self._console)
