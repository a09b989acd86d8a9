# SPDX-License-Identifier: Apache-2.0
"""Train a run from a configuration: what `mmq-tf train` and `mmq_tf.train` do."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import DONE_NAME, RUNS
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.metrics.results_table import ResultsFile
    from mmq_tf.training.fold import FoldJob
    from mmq_tf.training.run import Run

DEFAULT_COHORT = Path("cohort")
DEFAULT_SUBJECTS = 12
GOLDEN_S = 120.0


def train(
    config: str | Path | RunConfig,
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    progress: WorkProgress = SILENT,
    jobs: int = 1,
    final: bool = False,
    force: bool = False,
    resume: bool = False,
    skip_bad: bool = False,
    init: str | Path | None = None,
) -> Run:
    """Train MMQ-Net and every baseline on folds of subjects, as `mmq-tf train` does.

    Parameters
    ----------
    config : str, Path or RunConfig
        A preset's name, a TOML file, or a configuration.
    data : str or Path, optional
        Folder of the recordings. Only the data set ``simulated`` goes without: its SIMULATED cohort is made
        in ``./cohort``, if it is not there.
    out : str or Path, optional
        Run folder; by default ``runs/NAME-TIME``.
    overrides : sequence of str
        ``KEY=VALUE``, each changes one value of the configuration.
    progress : WorkProgress
        What is called while recordings are prepared and folds are trained.
    jobs : int
        Folds trained side by side, each in a process of its own; 1 trains in this process.
    final : bool
        Then train on all subjects, for the folds' median epoch, to export that.
    force : bool
        Replace the run in `out`.
    resume : bool
        Continue the run in `out`, which must be one of the same configuration and data.
    skip_bad : bool
        Leave bad recordings out; by default they stop the run.
    init : str or Path, optional
        Start from the encoders in this folder of `mmq-tf pretrain`.

    Returns
    -------
    Run
        Finished: its ``folder`` holds the models, ``results.json`` and ``report.html``.

    Raises
    ------
    MMQError
        If the configuration, the recordings or the folder cannot be used.
    """
    from mmq_tf.training.run import Run
    from mmq_tf.training.run_streams import begin_run

    settings = checked_config(config, None if data is None else Path(data), overrides)
    if resume:
        if out is None:
            raise MMQError("train: resume=True continues the run in `out`; name that folder.")
        run = Run.open(Path(out))
        if run.config != settings or (data is not None and run.data_folder != Path(data).resolve()):
            raise MMQError(f"{out} holds a run of another configuration or data folder; name another out.")
        if (run.folder / DONE_NAME).is_file():
            return run
    else:
        run = new_run(
            settings,
            None if data is None else Path(data),
            None if out is None else Path(out),
            progress,
            final=final,
            force=force,
            skip_bad=skip_bad,
            init=None if init is None else Path(init),
        )
    run, folds = begin_run(run, jobs, progress)
    train_run(run, folds, progress, final=final or run.facts.final, workers=jobs)
    return run


def checked_config(
    source: str | Path | RunConfig, data: Path | None, changes: Sequence[str] = ()
) -> RunConfig:
    """Return the configuration; what is wrong with it is said before anything slow is loaded.

    Raises
    ------
    MMQError
        If it is none, or its recordings are not where `data` says.
    """
    from mmq_tf.config.run_config import RunConfig, load_config

    if isinstance(source, RunConfig):
        if changes:
            raise MMQError("train: overrides change a preset or a file; change a RunConfig beforehand.")
        config = source
    else:
        config = load_config(source, changes)
    if data is None and config.data.dataset != "simulated":
        raise MMQError(f"{config.data.dataset} needs its recordings: give their folder with --data DIR.")
    if data is not None and not data.is_dir():
        raise MMQError(f"--data {data} is not a folder.")
    return config


def new_run(
    config: RunConfig,
    data: Path | None,
    out: Path | None,
    progress: WorkProgress = SILENT,
    *,
    final: bool,
    force: bool = False,
    skip_bad: bool = False,
    init: Path | None = None,
) -> Run:
    """Plan a run in `out` (by default a new folder), after making the cohort that no `data` stands for."""
    from mmq_tf.training.pretrained_encoder import TOKENS_ONLY, check_start
    from mmq_tf.training.run import Run

    if config.pretraining.input == "raw":
        raise MMQError(f"pretraining.input is 'raw', but {TOKENS_ONLY}.")
    if init is not None:
        check_start(init)
    run = Run.plan(
        out or RUNS / f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}",
        config,
        typed_command(),
        data or DEFAULT_COHORT,
        final=final,
        force=force,
        skip_bad=skip_bad,
        init=init,
    )
    if data is None:
        make_default_cohort(progress)
    return run


def typed_command() -> str:
    """Return what was typed, for the run's facts."""
    return shlex.join(["mmq-tf", *sys.argv[1:]])


def make_default_cohort(progress: WorkProgress = SILENT) -> None:
    """Simulate the cohort that is used where no data are given, unless it is there."""
    from mmq_tf.simulation.cohort import write_cohort
    from mmq_tf.simulation.simulator import Settings

    if not DEFAULT_COHORT.exists():
        progress.note(f"Simulating a cohort in {DEFAULT_COHORT}/ (SIMULATED data).")
        write_cohort(DEFAULT_COHORT, DEFAULT_SUBJECTS, Settings())


def train_run(
    run: Run, jobs: Sequence[FoldJob], progress: WorkProgress = SILENT, *, final: bool, workers: int
) -> ResultsFile:
    """Do everything a run still lacks, folds, model, table and report; return the table."""
    from mmq_tf.evaluation.judge_fold import JudgedFold
    from mmq_tf.reports.run_report import conclude
    from mmq_tf.training.run import copy_first_fold, train_final, write_golden, write_metrics
    from mmq_tf.training.workers import run_jobs

    todo = [JudgedFold(job) for job in jobs]
    done = sum(job.done for job in todo)
    with progress.folding(len(todo), done, run.config.training.epochs):
        run_jobs(todo, workers, progress.on_epoch, progress.on_fold)
        facts = train_final(run, jobs, progress.on_epoch) if final else copy_first_fold(run, jobs)
    golden = (facts["test_subjects"] or facts["train_subjects"])[0]
    names = run.dataset.subjects(run.data_folder)
    golden = next(name for name in names if name.partition("/")[0] == golden)  # of several sessions the first
    write_golden(run, run.dataset.load(run.data_folder, golden), GOLDEN_S)
    table = conclude(run, jobs)
    write_metrics(run, facts, [row.model_dump() for row in table.rows], len(jobs) // len(run.config.seeds))
    return table


def one_thread_a_worker() -> None:
    """Keep the training backend to one thread per process, before it is first imported."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
