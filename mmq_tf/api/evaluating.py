# SPDX-License-Identifier: Apache-2.0
"""Judge a run under missing and broken sensors: what `mmq-tf evaluate` and `mmq_tf.evaluate` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmq_tf.api.training import DEFAULT_COHORT, checked_config, new_run, python_call, train_run
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.protocols import PROTOCOLS
from mmq_tf.training.run_folder import DONE_NAME, FACTS_NAME, RUNS
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.evaluation.sweep import SweepJob
    from mmq_tf.features.windows import Stream
    from mmq_tf.metrics.results_table import ResultsFile
    from mmq_tf.training.fold import FoldJob
    from mmq_tf.training.run import Run

NULL_METHOD = "forest"
"""Whose labels are moved for the null."""
FOLDER = "evaluation"


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
        """The page to look at; of another data set, which has none, the table."""
        page = self.folder / "report.html"
        return page if page.is_file() else self.folder / "results.md"


def evaluate(
    run_or_config: Run | str | Path | RunConfig,
    data: str | Path | None = None,
    *,
    on: str | Path | RunConfig | None = None,
    out: str | Path | None = None,
    protocols: Sequence[str] = PROTOCOLS,
    methods: Sequence[str] = (),
    neural: bool = False,
    ablations: bool = False,
    null_network: bool = False,
    overrides: Sequence[str] = (),
    plots: str | Path | None = None,
    progress: WorkProgress = SILENT,
    jobs: int = 1,
    command: str = "",
) -> Evaluation:
    """Judge a run and every baseline as sensors go missing and break, as `mmq-tf evaluate` does.

    What is done stays done, by fold and method: an interrupted evaluation resumes when it is called again.

    Parameters
    ----------
    run_or_config : Run, str, Path or RunConfig
        A finished run or its folder; or a preset's name, a TOML file or a configuration, which is trained
        first.
    data : str or Path, optional
        Folder of the recordings, of a configuration or of `on`.
    on : str, Path or RunConfig, optional
        Judge a finished run on all people of another data set instead: a preset's name, a TOML file or a
        configuration, which says how that set is read, enrolled and cut. Nothing is fitted on it; `protocols`
        do not apply.
    out : str or Path, optional
        Folder to write: of the evaluation (by default ``evaluation/`` or ``on-NAME/`` in the run), of a
        configuration's run (by default ``runs/NAME``).
    protocols : sequence of str
        Some of A (whole sensors), B (blocks), C (single tokens), D (each sensor, every subset) and E
        (artefacts).
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
        run = finished_run(run_or_config if isinstance(run_or_config, Run) else _run_folder(run_or_config))
        names = _methods_of(run.config, methods, neural=neural)
        there = checked_config(on, None if data is None else Path(data), overrides)
        return _transferred(run, there, Path(data or DEFAULT_COHORT), given, names, command, progress, jobs)
    if isinstance(run_or_config, Run) or (
        isinstance(run_or_config, str | Path) and Path(run_or_config).is_dir()
    ):
        run = finished_run(run_or_config if isinstance(run_or_config, Run) else Path(run_or_config))
        folder = given or run.folder / FOLDER
    else:
        config = checked_config(run_or_config, None if data is None else Path(data), overrides)
        _methods_of(config, methods)  # said before anything is trained
        run = _trained(config, None if data is None else Path(data), given, progress, jobs, command)
        folder = run.folder / FOLDER
    if run.dataset.simulated:
        progress.note(SIMULATED_NOTE)
    names = _methods_of(run.config, methods, neural=neural, ablations=ablations)
    nulls = [NULL_METHOD] if NULL_METHOD in names else []
    nulls += [run.config.model.name] if null_network else []
    found = sweep_jobs(run, folder, protocols, progress, jobs, names, [shifted_name(name) for name in nulls])
    judge_folds(found, progress, jobs)
    figures = None if plots is None else Path(plots)
    table = conclude(run, found, folder, command, figures)
    parts = set(names) & set(ABLATIONS)
    return Evaluation(
        folder, table, conclude_ablations(run, found, folder, command, figures) if parts else None
    )


def _run_folder(given: str | Path | RunConfig) -> Path:
    """Return the folder of a run; only a finished run is judged on another data set."""
    if not isinstance(given, str | Path) or not Path(given).is_dir():
        raise MMQError(f"{given}: expected the folder of a finished run, to judge it on another data set.")
    return Path(given)


def _transferred(
    run: Run,
    there: RunConfig,
    data: Path,
    out: Path | None,
    baselines: Sequence[str],
    command: str,
    progress: WorkProgress,
    workers: int,
) -> Evaluation:
    """Judge a run's folds on another data set."""
    from mmq_tf.datasets import open_dataset
    from mmq_tf.datasets.manifest.dataset import check_classes
    from mmq_tf.evaluation.transfer import TransferJob, check_transfer, streams_as_read
    from mmq_tf.features.enrolment_at_rest import left_out
    from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
    from mmq_tf.features.token_cache import TokenSettings
    from mmq_tf.reports.transfer_report import conclude_transfer
    from mmq_tf.training.run_streams import SIMULATED_NOTE
    from mmq_tf.training.workers import run_jobs

    check_transfer(run, there, data)
    dataset = open_dataset(there.source, data)
    check_classes(dataset, there.data.task, there.classes)
    if dataset.simulated or run.dataset.simulated:
        progress.note(SIMULATED_NOTE)
    folds = finished_folds(run, progress, workers)
    clean = run.config.artefacts.model_copy(update={"variants": 0})
    settings = TokenSettings(run.config.front_end, clean, run.config.seeds[0])
    done = prepare_dataset(there.source, data, settings, jobs=workers, progress=progress)
    streams = load_prepared(there.source, data, settings, done)
    judged = streams_as_read(streams, run.config, there)
    folder = out or run.folder / f"on-{there.name}"
    jobs = [TransferJob(fold, there, tuple(judged), folder, tuple(baselines)) for fold in folds]
    with progress.folding(len(jobs), sum(job.done for job in jobs), len(jobs[0].methods), "methods"):
        run_jobs(jobs, workers, progress.on_epoch, progress.on_fold)
    table = conclude_transfer(run, dataset, jobs, command, left_out(streams, judged))
    progress.on_results(table)
    return Evaluation(folder, table)


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


def _trained(
    config: RunConfig, data: Path | None, out: Path | None, progress: WorkProgress, jobs: int, command: str
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
        run = new_run(config, data, out, progress, command=command, final=False)
    if (out / DONE_NAME).is_file():
        return run
    run, folds = begin_run(run, jobs, progress)
    train_run(run, folds, progress, final=run.facts.final, workers=jobs)
    return run


def _methods_of(
    config: RunConfig, methods: Sequence[str], *, neural: bool = False, ablations: bool = False
) -> list[str]:
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


def judge_folds(jobs: Sequence[SweepJob], progress: WorkProgress = SILENT, workers: int = 1) -> None:
    """Predict with every method of every fold that is not judged yet."""
    from mmq_tf.training.workers import run_jobs

    steps = len((*jobs[0].methods, *jobs[0].nulls))
    with progress.folding(len(jobs), sum(job.done for job in jobs), steps, "methods"):
        run_jobs(jobs, workers, progress.on_epoch, progress.on_fold)
