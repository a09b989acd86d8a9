# SPDX-License-Identifier: Apache-2.0
"""Train a run from a configuration: what `mmq-tf train` and `mmq_tf.train` do."""

from __future__ import annotations

import pickle
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import DONE_NAME, RUNS
from mmq_tf.utils.one_writer import one_writer
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    import keras

    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.metrics.results_table import ResultsFile
    from mmq_tf.training.cluster import RayCluster
    from mmq_tf.training.fold import CallbacksOf, FoldJob
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
    cluster: str | None = None,
    gpus_per_job: float = 0.0,
    final: bool | None = None,
    force: bool = False,
    resume: bool = False,
    skip_bad: bool = False,
    init: str | Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | CallbacksOf = (),
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
        Folds trained side by side, each in a process of its own and on one thread, as on the command line; 1
        trains in this process, on its threads.
    cluster : str, optional
        Train the folds on a Ray cluster that this machine belongs to, instead of here: ``HOST:PORT`` of its
        head, or ``auto``. Its nodes must share the run folder. `jobs` then prepares recordings alone.
    gpus_per_job : float
        With `cluster`: the share of a GPU, or number of whole ones, that each fold gets.
    final : bool, optional
        Then train on all subjects, for the folds' median epoch: the network to export, which the folds judge.
        By default so; a resumed run does as it was started.
    force : bool
        Replace the run in `out`; a finished one stays until the new one is.
    resume : bool
        Continue the run in `out`, which must be one of the same configuration and data.
    skip_bad : bool
        Leave bad recordings out; by default they stop the run.
    init : str or Path, optional
        Start from the encoders in this folder of `mmq-tf pretrain`.
    callbacks : sequence of keras.callbacks.Callback, or callable
        Called as in `keras.Model.fit`; their logs have ``val_auroc`` too. The same objects serve one fold
        after the other, so they need ``jobs=1`` and no cluster; a function that is given a fold's name
        (``"fold 0 seed 3"``, or ``"all subjects"``) returns each its own. What they keep is not part of
        a run that resumes.

    Returns
    -------
    Run
        Finished: its ``folder`` holds the models, ``results.json`` and ``report.html``.

    Raises
    ------
    MMQError
        If the configuration, the recordings, the folder or a callback cannot be used.

    Examples
    --------
    ::

        run = mmq_tf.train("stress-predict", "data/sp", callbacks=[keras.callbacks.EarlyStopping("loss")])
        run.folder / "report.html"
    """
    from mmq_tf.training.run import Run
    from mmq_tf.training.run_streams import begin_run

    if resume and out is None:
        raise MMQError("train: resume=True continues the run in `out`; name that folder.")
    settings = checked_config(config, None if data is None else Path(data), overrides)
    own = _callbacks_of(callbacks, jobs if cluster is None else 2)
    engine = cluster_of(cluster, gpus_per_job, progress)
    if resume and out is not None:
        run = Run.resumed(Path(out))
        if run.config != settings or (data is not None and run.data_folder != Path(data).resolve()):
            raise MMQError(f"{out} holds a run of another configuration or data folder; name another out.")
        if (run.home / DONE_NAME).is_file() and run.folder == run.home:
            return run
    else:
        run = new_run(
            settings,
            None if data is None else Path(data),
            None if out is None else Path(out),
            progress,
            command=python_call("train", config, data),
            final=final is not False,
            force=force,
            skip_bad=skip_bad,
            init=None if init is None else Path(init),
        )
    with one_writer(run.home):
        run, folds = begin_run(run, jobs, progress, callbacks=own)
        train_run(run, folds, progress, final=bool(final) or run.facts.final, workers=jobs, cluster=engine)
        return run.in_place()


def _callbacks_of(given: Sequence[keras.callbacks.Callback] | CallbacksOf, jobs: int) -> CallbacksOf | None:
    """Return what gives a fold's callbacks, None where there are none."""
    from mmq_tf.training.callbacks import check_callbacks

    if isinstance(given, Sequence):
        found = check_callbacks(given)
        if found and jobs > 1:
            raise MMQError(
                "train: with jobs above 1 each fold needs callbacks of its own; give a function of a fold's "
                "name."
            )
        return (lambda name: found) if found else None
    if jobs > 1:
        try:
            pickle.dumps(given)
        except Exception as error:  # pickle, and what is pickled, raise many kinds
            raise MMQError(
                f"train: with jobs above 1 the function of callbacks must be importable ({error}); define it "
                "in a module."
            ) from error
    return given


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


def check_recordings(config: RunConfig, data: Path | None) -> None:
    """Check that there are recordings in a folder, without loading anything slow.

    Raises
    ------
    MMQError
        If it holds none of the configuration's data set, or its manifest is wrong.
    """
    from mmq_tf.datasets import open_dataset

    if data is not None:
        open_dataset(config.source, data).subjects(data)


def new_run(
    config: RunConfig,
    data: Path | None,
    out: Path | None,
    progress: WorkProgress = SILENT,
    *,
    command: str,
    final: bool,
    force: bool = False,
    skip_bad: bool = False,
    init: Path | None = None,
) -> Run:
    """Plan a run in `out` (by default a new folder), after making the cohort that no `data` stands for.

    `command` is what the results say made them.
    """
    from mmq_tf.training.pretrained_encoder import TOKENS_ONLY, check_start
    from mmq_tf.training.run import Run

    if config.pretraining.input == "raw":
        raise MMQError(f"pretraining.input is 'raw', but {TOKENS_ONLY}.")
    if init is not None:
        check_start(init)
    run = Run.plan(
        out or RUNS / f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}",
        config,
        command,
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


def python_call(function: str, source: Any, data: str | Path | None) -> str:
    """Return what results say made them where Python did.

    Examples
    --------
    >>> python_call("train", "stress-predict", "data/sp")
    "mmq_tf.train('stress-predict', 'data/sp')"
    """
    named = str(source) if isinstance(source, str | Path) else getattr(source, "folder", None) or source.name
    given = [repr(str(named)), *([] if data is None else [repr(str(data))])]
    return f"mmq_tf.{function}({', '.join(given)})"


def make_default_cohort(progress: WorkProgress = SILENT) -> None:
    """Simulate the cohort that is used where no data are given, unless it is there."""
    from mmq_tf.simulation.cohort import write_cohort
    from mmq_tf.simulation.simulator import Settings

    if not DEFAULT_COHORT.exists():
        progress.note(f"Simulating a cohort in {DEFAULT_COHORT}/ (SIMULATED data).")
        write_cohort(DEFAULT_COHORT, DEFAULT_SUBJECTS, Settings())


def cluster_of(
    address: str | None, gpus_per_job: float = 0.0, progress: WorkProgress = SILENT
) -> RayCluster | None:
    """Return where jobs run if not on this machine; None where no address is given.

    Raises
    ------
    MMQError
        If Ray is not installed or nothing answers there.
    """
    if address is None:
        if gpus_per_job:
            raise MMQError("--gpus-per-job is for jobs on a cluster; give --cluster too.")
        return None
    from mmq_tf.training.cluster import RayCluster
    from mmq_tf.training.node_check import check_cluster

    check_cluster(address, gpus_per_job)
    return RayCluster(address, gpus_per_job, progress.note)


def train_run(
    run: Run,
    jobs: Sequence[FoldJob],
    progress: WorkProgress = SILENT,
    *,
    final: bool,
    workers: int,
    cluster: RayCluster | None = None,
) -> ResultsFile:
    """Do everything a run still lacks, folds, model, table and report; return the table."""
    from mmq_tf.evaluation.judge_fold import JudgedFold
    from mmq_tf.reports.run_report import conclude
    from mmq_tf.training.fold import STATE_NAME
    from mmq_tf.training.run import copy_first_fold, train_final, write_golden, write_metrics
    from mmq_tf.training.workers import run_jobs

    todo = [JudgedFold(job) for job in jobs]
    for job in jobs:
        if job.done:  # killed before it could remove that
            (job.folder / STATE_NAME).unlink(missing_ok=True)
    done = sum(job.done for job in todo)
    with progress.folding(len(todo), done, run.config.training.epochs):
        engine = cluster and cluster.sharing(run.folder, read=[run.start.run] if run.start else [])
        run_jobs(todo, workers, progress.on_epoch, progress.on_fold, engine)
        facts = train_final(run, jobs, progress.on_epoch) if final else copy_first_fold(run, jobs)
    golden = (facts["test_subjects"] or facts["train_subjects"])[0]
    names = run.dataset.subjects(run.data_folder)
    golden = next(name for name in names if name.partition("/")[0] == golden)  # of several sessions the first
    write_golden(run, run.dataset.load(run.data_folder, golden), GOLDEN_S)
    table, verdict = conclude(run, jobs)
    write_metrics(run, facts, [row.model_dump() for row in table.rows], len(jobs) // len(run.config.seeds))
    progress.on_results(table)
    if verdict:
        progress.note(verdict)
    return table
