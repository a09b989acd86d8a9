# SPDX-License-Identifier: Apache-2.0
"""How long work tells its caller what it is doing; silent unless someone listens."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any


class WorkProgress:
    """What is called while recordings are prepared and folds are trained; override what you need.

    Every method is called in the caller's own process and thread.

    Examples
    --------
    >>> class Printed(WorkProgress):
    ...     def on_fold(self, name):
    ...         print(name, "is done")
    >>> Printed().on_fold("fold 0")
    fold 0 is done
    """

    def note(self, text: str) -> None:
        """Take one sentence for the user."""

    def preparing(self) -> AbstractContextManager[object]:
        """Return what surrounds the preparation of recordings."""
        return contextlib.nullcontext()

    def on_total(self, total: int) -> None:
        """Take the number of recordings."""

    def on_recording(self, name: str, fault: str) -> None:
        """Take a recording that is prepared; `fault` says what is wrong with it, empty where nothing is."""

    def folding(
        self, folds: int, done: int, steps: int, unit: str = "epochs"
    ) -> AbstractContextManager[object]:
        """Return what surrounds work on so many folds, `done` of which are there already.

        One fold takes `steps`: epochs, or, as `unit` says, something else.
        """
        return contextlib.nullcontext()

    def doing(self, text: str) -> AbstractContextManager[object]:
        """Return what surrounds a step that takes a while and is not counted."""
        return contextlib.nullcontext()

    def on_epoch(self, name: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Take a fold's epoch, counted from 1, with its losses and validation scores."""

    def on_fold(self, name: str) -> None:
        """Take a fold that is done."""

    def on_results(self, results: Any) -> None:
        """Take a run's table, a `mmq_tf.metrics.results_table.ResultsFile`, when it is trained."""


SILENT = WorkProgress()
