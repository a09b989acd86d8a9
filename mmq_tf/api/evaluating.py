# SPDX-License-Identifier: Apache-2.0
"""Judge a run under missing and broken sensors: what `mmq-tf evaluate` and `mmq_tf.evaluate` do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmq_tf.api.elsewhere import evaluate_on, is_finished
from mmq_tf.api.finished_runs import Evaluation, finished_folds, finished_run, methods_of
from mmq_tf.api.training import checked_config, cluster_of, new_run, python_call, train_run
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.protocols import PROTOCOLS
from mmq_tf.training.run_folder import DONE_NAME, FACTS_NAME, RUNS
from mmq_tf.utils.one_writer import one_writer
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.evaluation.sweep import SweepJob
    from mmq_tf.features.windows import Stream
    from mmq_tf.training.cluster import RayCluster
    from mmq_tf.training.run import Run

NULL_METHOD = "forest"
"""Whose labels are moved for the null."""
FOLDER = "evaluation"


def evaluate(
    run_or_config: Run | str | Path | RunConfig,
    data: str | Path | None = None,
    *,
    on: str | Path | RunConfig | None = None,
    out: str | Path | None = None,
    protocols: Sequence[str] | None = None,
    methods: Sequence[str] = (),
    neural: bool = False,
    ablations: bool = False,
    null_network: bool = False,
    overrides: Sequence[str] = (),
    plots: str | Path | None = None,
    progress: WorkProgress = SILENT,
    jobs: int = 1,
    cluster: str | None = None,
    gpus_per_job: float = 0.0,
    command: str = "",
) -> Evaluation:
    """Judge a run and every baseline as sensors go missing and break, as `mmq-tf evaluate` does.

    What is done stays done, by fold and method: an interrupted evaluation resumes when it is called again.

    Parameters
    ----------
    run_or_config : Run, str, Path or RunConfig
        A finished run or its folder; or a preset's name, a TOML file or a configuration, which is trained
        first. With `on` also a bundle's folder, or the name of a pretrained one.
    data : str or Path, optional
        Folder of the recordings, of a configuration or of `on`.
    on : str, Path or RunConfig, optional
        Judge a finished run, or a bundle, on all people of another data set instead; see
        `mmq_tf.api.elsewhere.evaluate_on`.
    out : str or Path, optional
        Folder to write: of the evaluation (by default ``evaluation/`` or ``on-NAME/`` in the run), of a
        configuration's run (by default ``runs/NAME``).
    protocols : sequence of str
        Some of A (whole sensors), B (blocks), C (single tokens), D (each sensor, every subset) and E
        (artefacts); by default all, and with `on` none: then all sensors, and each one gone.
    methods : sequence of str
        Further methods by name, each trained in every fold: some of `NEURAL_BASELINES` and the ablations.
    neural, ablations : bool
        All of the one kind, all of the other.
    null_network : bool
        Also train the network on time-shifted labels.
    overrides : sequence of str
        ``KEY=VALUE``, each changes one value of a configuration, or of `on`.
    plots : str or Path, optional
        Folder to which the figures go too, as SVG.
    progress : WorkProgress
    jobs : int
        Folds judged side by side, each in a process of its own.
    cluster, gpus_per_job
        Judge the folds on a Ray cluster, as `mmq_tf.train` trains them there.
    command : str
        What the results say made them; by default this call.

    Raises
    ------
    MMQError
        If the run is not finished, or the configuration, the recordings or a name cannot be used.
    """
    from mmq_tf.baselines.label_shift import shifted_name
    from mmq_tf.comparisons.ablations import ABLATIONS
    from mmq_tf.reports.ablation_report import conclude_ablations
    from mmq_tf.reports.sweep_run_report import conclude
    from mmq_tf.training.run import Run
    from mmq_tf.training.run_streams import SIMULATED_NOTE

    given = None if out is None else Path(out)
    command = command or python_call("evaluate", run_or_config, data)
    if on is not None:
        return evaluate_on(
            _finished(run_or_config),
            on,
            data,
            out=given,
            protocols=protocols or (),
            methods=methods,
            neural=neural,
            overrides=overrides,
            progress=progress,
            jobs=jobs,
            cluster=cluster,
            gpus_per_job=gpus_per_job,
            command=command,
        )
    engine = cluster_of(cluster, gpus_per_job, progress)
    protocols = PROTOCOLS if protocols is None else protocols
    if isinstance(run_or_config, Run) or (
        isinstance(run_or_config, str | Path) and Path(run_or_config).is_dir()
    ):
        run = finished_run(run_or_config if isinstance(run_or_config, Run) else Path(run_or_config))
        folder = given or run.folder / FOLDER
    else:
        config = checked_config(run_or_config, None if data is None else Path(data), overrides)
        methods_of(config, methods)  # said before anything is trained
        run = _trained(config, None if data is None else Path(data), given, progress, jobs, command, engine)
        folder = run.folder / FOLDER
    if run.dataset.simulated:
        progress.note(SIMULATED_NOTE)
    names = methods_of(run.config, methods, neural=neural, ablations=ablations)
    nulls = [NULL_METHOD] if NULL_METHOD in names else []
    nulls += [run.config.model.name] if null_network else []
    found = sweep_jobs(run, folder, protocols, progress, jobs, names, [shifted_name(name) for name in nulls])
    judge_folds(found, progress, jobs, engine and engine.sharing(run.folder, folder))
    figures = None if plots is None else Path(plots)
    table = conclude(run, found, folder, command, figures)
    parts = set(names) & set(ABLATIONS)
    return Evaluation(
        folder, table, conclude_ablations(run, found, folder, command, figures) if parts else None
    )


def _finished(given: Run | str | Path | RunConfig) -> Run | str | Path:
    """Return what may be judged on another data set: no configuration, which is not trained yet.

    Raises
    ------
    MMQError
        If it is one.
    """
    from mmq_tf.training.run import Run

    if isinstance(given, Run) or (isinstance(given, str | Path) and is_finished(given)):
        return given
    raise MMQError(
        f"{given}: expected the folder of a finished run, or a bundle, to judge it on another data set."
    )


def _trained(
    config: RunConfig,
    data: Path | None,
    out: Path | None,
    progress: WorkProgress,
    jobs: int,
    command: str,
    cluster: RayCluster | None,
) -> Run:
    """Return the finished run of a configuration: trained, resumed, or as it is there.

    Raises
    ------
    MMQError
        If `out` holds something else.
    """
    from mmq_tf.training.run import Run
    from mmq_tf.training.run_streams import begin_run

    out = out or RUNS / config.name
    if (out / FACTS_NAME).is_file():
        run = Run.open(out)
        if run.config != config or (data and run.data_folder != data.resolve()):
            raise MMQError(f"{out} holds a run of another configuration or data folder; name another --out.")
    else:
        run = new_run(config, data, out, progress, command=command, final=True)
    if (out / DONE_NAME).is_file():
        return run
    with one_writer(run.home):
        run, folds = begin_run(run, jobs, progress)
        train_run(run, folds, progress, final=run.facts.final, workers=jobs, cluster=cluster)
        return run.in_place()


def sweep_jobs(
    run: Run,
    folder: Path,
    protocols: Sequence[str],
    progress: WorkProgress = SILENT,
    workers: int = 1,
    baselines: Sequence[str] = (),
    nulls: Sequence[str] = (),
) -> list[SweepJob]:
    """Load the streams a run was trained on and, for protocol E, the same recordings with artefacts.

    Returns
    -------
    list of SweepJob
        One per fold and seed, see `mmq_tf.evaluation.sweep.evaluation_jobs`.

    Raises
    ------
    MMQError
        If a protocol is unknown, or a fold is not finished.
    """
    from mmq_tf.evaluation.sweep import artefact_settings, evaluation_jobs
    from mmq_tf.training.run_streams import load_streams

    if unknown := sorted(set(protocols) - set(PROTOCOLS)):
        raise MMQError(f"protocols: expected some of {', '.join(PROTOCOLS)}; got {unknown[0]!r}.")
    folds = finished_folds(run, progress, workers)
    corrupted: list[list[Stream]] = []
    if "E" in protocols:
        for snr, settings in artefact_settings(run.config).items():
            progress.note(f"artefacts at {snr} dB")
            corrupted.append(load_streams(run, workers, progress, settings)[0])
    wanted = tuple(protocol for protocol in PROTOCOLS if protocol in protocols)
    return evaluation_jobs(folds, corrupted, folder, wanted, baselines, nulls)


def judge_folds(
    jobs: Sequence[SweepJob],
    progress: WorkProgress = SILENT,
    workers: int = 1,
    cluster: RayCluster | None = None,
) -> None:
    """Predict with every method of every fold that is not judged yet."""
    from mmq_tf.training.workers import run_jobs

    steps = len((*jobs[0].methods, *jobs[0].nulls))
    with progress.folding(len(jobs), sum(job.done for job in jobs), steps, "methods"):
        run_jobs(jobs, workers, progress.on_epoch, progress.on_fold, cluster)
