# SPDX-License-Identifier: Apache-2.0
"""Search settings inside the training people of every fold: what `mmq-tf tune` does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmq_bridge.plain_folder import check_plain

from mmq_tf.api.training import DEFAULT_COHORT, checked_config, make_default_cohort, python_call
from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import RUNS
from mmq_tf.utils.one_writer import one_writer
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.features.windows import Stream
    from mmq_tf.metrics.results_table import ResultsFile
    from mmq_tf.training.run import Run
    from mmq_tf.tuning.job import TuningJob

TUNING_NAME = "tune.json"
"""What a folder of searches says of itself; what must not change while it grows."""
INNER = 3


@dataclass(frozen=True)
class TuningOutcome:
    """What `tune` found: the folder it is in, and the table of the outer folds."""

    folder: Path
    results: ResultsFile


def tune(
    config: str | Path | RunConfig,
    data: str | Path | None = None,
    *,
    budget: int,
    out: str | Path | None = None,
    inner: int = INNER,
    methods: Sequence[str] = (),
    search: Sequence[str] = (),
    overrides: Sequence[str] = (),
    progress: WorkProgress = SILENT,
    jobs: int = 1,
    command: str | None = None,
) -> TuningOutcome:
    """Search better settings inside every fold's training people, and judge them on its test people.

    In each outer fold its training and validation people alone are split into inner folds; a trial is scored
    by its AUROC on the inner test people. The preset is the first trial. What is chosen and the preset are
    then trained on the outer fold and judged on its test people. The trees and logistic regression get the
    same number of trials as the network.

    Parameters
    ----------
    config, data, overrides, progress
        As `mmq_tf.api.training.train`.
    budget : int
        Trials of each method in each fold, the preset's included.
    out : str or Path, optional
        Folder, by default ``runs/tuned-NAME``. What is done in it stays done: the same call goes on where it
        was, a larger budget continues.
    inner : int
        Inner folds of people.
    methods : sequence of str
        Of `mmq_tf.tuning.space.searched_methods`; all by default.
    search : sequence of str
        Names of what is searched; all by default.
    jobs : int
        Searches side by side, each in a process of its own.
    command : str, optional
        What the results say made them.

    Raises
    ------
    MMQError
        If the configuration, a name, the recordings or the folder cannot be used, or another process writes
        into the folder.
    """
    from mmq_tf.training.run import Run
    from mmq_tf.training.run_folder import RunFacts

    where = None if data is None else Path(data)
    settings = checked_config(config, where, overrides)
    wanted = check_search(settings, methods, search)
    if budget < 2 or inner < 2:
        raise MMQError(f"tune: expected a budget and inner folds of 2 or more, got {budget} and {inner}.")
    folder = Path(out) if out else RUNS / f"tuned-{settings.name}"
    with one_writer(folder):
        _check_folder(folder)
        if where is None:
            make_default_cohort(progress)
        said = command or python_call("tune", config, data)
        run = Run(folder, settings, RunFacts(said, str((where or DEFAULT_COHORT).resolve())))
        todo = _jobs(run, wanted, tuple(search), budget, inner, progress, jobs)
        return TuningOutcome(folder, _tune(run, todo, progress, jobs))


def check_search(config: RunConfig, methods: Sequence[str], search: Sequence[str]) -> list[str]:
    """Return the methods to search; what stands in the way is said before anything slow is loaded.

    Raises
    ------
    MMQError
        If a name is unknown, nothing is left to search, or Optuna is not installed.
    """
    from mmq_tf.tuning.search import check_optuna
    from mmq_tf.tuning.space import check_names

    found = check_names(config, methods, search)
    check_optuna()
    return found


def _jobs(
    run: Run,
    methods: Sequence[str],
    only: tuple[str, ...],
    budget: int,
    inner: int,
    progress: WorkProgress,
    workers: int,
) -> list[TuningJob]:
    """Return one search a method, fold and seed, the networks first, once everything is checked."""
    from mmq_tf.datasets.manifest.dataset import check_classes
    from mmq_tf.training.run import check_folds
    from mmq_tf.training.run_streams import SIMULATED_NOTE, load_streams
    from mmq_tf.tuning.job import TuningJob, inner_folds

    dataset = run.dataset
    check_classes(dataset, run.config.data.task, run.config.classes)
    if dataset.simulated:
        progress.note(SIMULATED_NOTE)
    streams, _ = load_streams(run, workers, progress)
    outer = run.jobs(streams)
    check_folds(outer)
    inside = {job.name: inner_folds(job, dataset, inner) for job in outer}
    _claim(run, streams, inner, only)
    return [TuningJob(job, method, inside[job.name], budget, only) for method in methods for job in outer]


def _tune(run: Run, jobs: Sequence[TuningJob], progress: WorkProgress, workers: int) -> ResultsFile:
    from mmq_tf.reports.tuning_report import conclude_tuning
    from mmq_tf.training.workers import run_jobs

    done = sum(job.done for job in jobs)
    with progress.folding(len(jobs), done, jobs[0].budget, "trials"):
        run_jobs(jobs, workers, progress.on_epoch, progress.on_fold)
    table = conclude_tuning(run, jobs)
    progress.on_results(table)
    return table


def _check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than searches."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise MMQError(f"{folder} is a file or a link, not a folder of searches; name another --out.")
    if folder.is_dir():
        check_plain(folder, MMQError)
        if any(folder.iterdir()) and not (folder / TUNING_NAME).is_file():
            raise MMQError(f"{folder} holds other files than those of `mmq-tf tune`; name another --out.")


def _claim(run: Run, streams: Sequence[Stream], inner: int, only: Sequence[str]) -> None:
    """Write down what this search is of; where that is written, check that it is the same."""
    from mmq_tf.features.token_streams import streams_digest
    from mmq_tf.tuning.space import searched_methods, space_of
    from mmq_tf.utils.atomic_files import write_text

    config = run.config
    facts: dict[str, Any] = {
        "config_sha256": hashlib.sha256(config.to_toml().encode()).hexdigest(),
        "streams_sha256": streams_digest(streams),
        "inner_folds": inner,
        "searched": {
            method: {name: str(values) for name, values in space_of(method, config, only).items()}
            for method in searched_methods(config)
        },
    }
    path = run.folder / TUNING_NAME
    if not path.is_file():
        run.folder.mkdir(parents=True, exist_ok=True)
        write_text(run.folder / "config.toml", config.to_toml())
        write_text(path, json.dumps(facts, indent=1) + "\n")
        return
    try:
        known = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MMQError(f"{path} cannot be read ({error}); name another --out.") from error
    names = {
        "config_sha256": "another configuration",
        "streams_sha256": "other recordings",
        "inner_folds": "another number of inner folds",
        "searched": "other settings",
    }
    for key, what in names.items():
        if not isinstance(known, dict) or known.get(key) != facts[key]:
            raise MMQError(f"{run.folder} holds a search of {what}; name another --out.")
