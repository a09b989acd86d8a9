# SPDX-License-Identifier: Apache-2.0
"""Finished runs, what may be judged beside their networks, and what judging found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import DONE_NAME
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.metrics.results_table import ResultsFile
    from mmq_tf.training.fold import FoldJob
    from mmq_tf.training.run import Run


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes
    ----------
    folder : Path
        With ``results.json``, ``report.html``, the predictions and the masks.
    results : ResultsFile
        The table; `results.row(method, condition, metric)` is one of its values.
    ablations : ResultsFile or None
        The table of the ablations, where there were some; their page is ``ablation.html``.
    """

    folder: Path
    results: ResultsFile
    ablations: ResultsFile | None = None

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.folder / "report.html"


def finished_folds(run: Run, progress: WorkProgress = SILENT, workers: int = 1) -> list[FoldJob]:
    """Return the folds of a finished run, with the streams it was trained on.

    Raises
    ------
    MMQError
        If a fold is not finished, or the recordings have changed.
    """
    from mmq_tf.training.run_streams import load_streams

    streams, _ = load_streams(run, workers, progress)
    folds: list[FoldJob] = run.begin(streams).jobs(streams)
    for fold in folds:
        if not fold.done:
            raise MMQError(f"{fold.folder} is not a finished fold; train the run again with another --out.")
    return folds


def finished_run(given: Run | Path) -> Run:
    """Return a run that is finished.

    Raises
    ------
    MMQError
        If it is not, or the folder holds none.
    """
    from mmq_tf.training.run import Run

    run = given if isinstance(given, Run) else Run.open(given)
    if not (run.folder / DONE_NAME).is_file():
        raise MMQError(
            f"{run.folder} is not finished; finish it with `mmq-tf train --resume --out {run.folder}`."
        )
    return run


def methods_of(
    config: RunConfig, methods: Sequence[str], *, neural: bool = False, ablations: bool = False
) -> list[str]:
    """Name the baselines to judge beside a run's network; see `chosen_methods`."""
    names = config.front_end.modality_names
    return chosen_methods(methods, names, neural=neural, ablations=ablations, line=config.model.line)


def chosen_methods(
    methods: Sequence[str],
    modality_names: Sequence[str],
    *,
    neural: bool = False,
    ablations: bool = False,
    line: bool = False,
) -> list[str]:
    """Name the baselines to judge: the cheap ones, then all transformers, all ablations, those asked for.

    `line` says whether one stands beside the network.

    Raises
    ------
    MMQError
        If one asked for is unknown.
    """
    from mmq_tf.baselines import BASELINES
    from mmq_tf.comparisons.ablations import ablations_of
    from mmq_tf.comparisons.neural import NEURAL_BASELINES

    parts = ablations_of(modality_names, line=line)
    if unknown := [name for name in methods if name not in (*BASELINES, *NEURAL_BASELINES, *parts)]:
        known = ", ".join((*NEURAL_BASELINES, *parts))
        raise MMQError(f"methods: expected some of {known}; got {unknown[0]!r}.")
    found = [*BASELINES, *(NEURAL_BASELINES if neural else ()), *(parts if ablations else ()), *methods]
    return list(dict.fromkeys(found))
