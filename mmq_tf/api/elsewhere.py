# SPDX-License-Identifier: Apache-2.0
"""Judge a finished run, or a bundle, on labelled people of another data set: nothing is fitted on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmq_tf import pretrained
from mmq_tf.api.finished_runs import Evaluation, finished_folds, finished_run, methods_of
from mmq_tf.api.training import DEFAULT_COHORT, checked_config, cluster_of, python_call
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.protocols import PROTOCOLS
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.datasets import Dataset
    from mmq_tf.evaluation.judge_bundle import ShippedModel
    from mmq_tf.features.windows import Stream
    from mmq_tf.training.cluster import RayCluster
    from mmq_tf.training.run import Run

EVALUATIONS = Path("evaluations")
"""Where the evaluations of bundles go: a bundle's own folder holds nothing but the bundle."""


def evaluate_on(
    judged: Run | str | Path,
    on: str | Path | RunConfig,
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    protocols: Sequence[str] = (),
    methods: Sequence[str] = (),
    neural: bool = False,
    overrides: Sequence[str] = (),
    progress: WorkProgress = SILENT,
    jobs: int = 1,
    cluster: str | None = None,
    gpus_per_job: float = 0.0,
    command: str = "",
) -> Evaluation:
    """Judge a finished run, or a bundle as it is shipped, on all people of another data set.

    Of a run every fold's network and baselines judge them; of a bundle its int8 network, run by the C core.

    Parameters
    ----------
    judged : Run, str or Path
        A finished run or its folder, a bundle's folder, or the name of a pretrained bundle.
    on : str, Path or RunConfig
        A preset's name, a TOML file or a configuration, which says how the people are read, enrolled and cut;
        or the folder of a ``mmq-tf.toml``, or that file: they are then read, enrolled and cut as what is
        judged was trained, and enrol in the first trial named as its rest.
    data : str or Path, optional
        Folder of the recordings; not needed where `on` is a ``mmq-tf.toml``.
    out : str or Path, optional
        Folder to write, by default ``on-NAME`` in the run, and ``evaluations/BUNDLE-on-NAME`` for a bundle.
    protocols : sequence of str
        Some of A to E; without any, all sensors and each one gone.
    methods, neural
        As in `mmq_tf.evaluate`; of a run only.
    overrides : sequence of str
        ``KEY=VALUE``, each changes one value of `on`.
    progress, jobs, cluster, gpus_per_job, command
        As in `mmq_tf.evaluate`.

    Returns
    -------
    Evaluation

    Raises
    ------
    MMQError, BridgeError
        If what is judged is neither or not whole, was trained on these people, or does not fit them.
    """
    from mmq_tf.training.run import Run

    if unknown := sorted(set(protocols) - set(PROTOCOLS)):
        raise MMQError(f"protocols: expected some of {', '.join(PROTOCOLS)}; got {unknown[0]!r}.")
    wanted = tuple(protocol for protocol in PROTOCOLS if protocol in protocols)
    given = None if out is None else Path(out)
    command = command or python_call("evaluate", judged, data)
    bundle = None if isinstance(judged, Run) else bundle_folder_of(judged)
    engine = cluster_of(cluster, gpus_per_job, progress)
    if bundle is None:
        run = finished_run(judged if isinstance(judged, Run) else Path(judged))
        names = methods_of(run.config, methods, neural=neural)
        there, folder = other_set(on, data, [run.config], overrides)
        return _judged_run(run, there, folder, given, wanted, names, command, progress, jobs, engine)
    if cluster is not None:
        raise MMQError(
            f"{bundle} is a bundle: it is one network, judged in one process; leave out --cluster."
        )
    if methods or neural:
        raise MMQError(f"{bundle} is a bundle: it has no training people, so no other method can be fitted.")
    from mmq_tf.evaluation.judge_bundle import ShippedModel

    shipped = ShippedModel.open(bundle)
    configs = [shipped.config(task) for task in shipped.manifest.decision.tasks]
    there, folder = other_set(on, data, configs, overrides)
    return _judged_bundle(shipped, there, folder, given, wanted, command, progress, jobs)


def is_finished(given: str | Path) -> bool:
    """Tell whether something is a folder, or a pretrained bundle's name: no configuration."""
    return Path(given).is_dir() or bundle_folder_of(given) is not None


def bundle_folder_of(given: str | Path) -> Path | None:
    """Return the folder of a bundle, by its path or the name of a pretrained one; None where it is none."""
    from mmq_bridge.decision.manifest import MANIFEST_NAME

    folder = Path(given)
    if (folder / MANIFEST_NAME).is_file():
        return folder
    name = str(given)
    return pretrained.path(name) if name in pretrained.names() and not folder.exists() else None


def other_set(
    on: str | Path | RunConfig, data: str | Path | None, like: Sequence[RunConfig], overrides: Sequence[str]
) -> tuple[RunConfig, Path]:
    """Return how the people judged are read, and the folder of their recordings.

    Parameters
    ----------
    on, data, overrides
        As in `evaluate_on`.
    like : sequence of RunConfig
        How recordings of a ``mmq-tf.toml`` are read: as the first whose classes are those of one of its
        tasks.

    Raises
    ------
    MMQError
        If `on` is no configuration, or its recordings are not where `data` says.
    """
    own = None if not isinstance(on, str | Path) else own_folder(on)
    if own is not None:
        return _own_recordings(own, like, overrides), own
    return checked_config(on, None if data is None else Path(data), overrides), Path(data or DEFAULT_COHORT)


def own_folder(on: str | Path) -> Path | None:
    """Return the folder of own recordings: it holds a ``mmq-tf.toml``, or is that file's; None for others."""
    name = "mmq-tf.toml"
    folder = Path(on).parent if Path(on).name == name else Path(on)
    return folder if (folder / name).is_file() else None


def _own_recordings(folder: Path, like: Sequence[RunConfig], overrides: Sequence[str]) -> RunConfig:
    """Return how the recordings of a folder's ``mmq-tf.toml`` are read by a trained network."""
    import re

    from mmq_tf.config.run_config import config_of
    from mmq_tf.datasets.manifest.dataset import MANIFEST_NAME, manifest_dataset

    dataset = manifest_dataset(folder)
    fits = [
        (here, task)
        for here in like
        for task in sorted(dataset.tasks, key=lambda task: task != here.data.task)
        if set(dataset.tasks[task]) == set(here.classes)
    ]
    if not fits:
        known = "; ".join(f"{task}: {', '.join(names)}" for task, names in dataset.tasks.items())
        wanted = "; or ".join(", ".join(here.classes) for here in like)
        raise MMQError(f"{folder}: no task of its mmq-tf.toml ({known}) has the classes {wanted}.")
    here, task = fits[0]
    front_end, normalisation = here.front_end, here.normalisation.model_dump(exclude_none=True)
    there = {m: front_end.modalities[m] for m in front_end.modality_names if m in dataset.modalities}
    normalisation.pop("enrolment_from", None)
    normalisation.pop("short_share", None)
    if normalisation["mode"] == "enrolment":
        rest = normalisation.get("rest_class", REST)
        named = {label for classes in dataset.tasks.values() for label in classes}
        normalisation |= {"rest_class": rest} if rest in named else {}
        if rest not in named:
            normalisation.pop("rest_class", None)
    values = {
        "name": re.sub(r"[^\w.-]+", "-", folder.resolve().name) or "own",
        "data": {"dataset": MANIFEST_NAME, "task": task, "classes": list(dataset.tasks[task])},
        "front_end": front_end.model_copy(update={"modalities": there or front_end.modalities}),
        "windows": here.windows.model_dump(),
        "normalisation": normalisation,
    }
    return config_of(values, str(folder), overrides)


REST = "rest"
"""What a bundle's people are taken to rest in: it does not say what its training called rest."""


def _judged_run(
    run: Run,
    there: RunConfig,
    data: Path,
    out: Path | None,
    protocols: tuple[str, ...],
    baselines: Sequence[str],
    command: str,
    progress: WorkProgress,
    workers: int,
    cluster: RayCluster | None,
) -> Evaluation:
    """Judge a run's folds."""
    from mmq_tf.evaluation.transfer import TransferJob, check_transfer
    from mmq_tf.reports.transfer_report import JudgedElsewhere, conclude_transfer
    from mmq_tf.training.workers import run_jobs

    check_transfer(run, there, data)
    dataset = _checked(there, data, simulated=run.dataset.simulated, progress=progress)
    folds = finished_folds(run, progress, workers)
    streams, lost = _streams(there, data, run.config, protocols, progress, workers)
    folder = out or run.folder / f"on-{there.name}"
    jobs = [TransferJob(fold, there, tuple(streams), folder, tuple(baselines), protocols) for fold in folds]
    with progress.folding(len(jobs), sum(job.done for job in jobs), len(jobs[0].methods), "methods"):
        engine = cluster and cluster.sharing(run.folder, folder)
        run_jobs(jobs, workers, progress.on_epoch, progress.on_fold, engine)
    table = conclude_transfer(JudgedElsewhere.by_run(run, jobs), dataset, command, lost)
    if not protocols:
        progress.on_results(table)
    return Evaluation(folder, table)


def _judged_bundle(
    shipped: ShippedModel,
    there: RunConfig,
    data: Path,
    out: Path | None,
    protocols: tuple[str, ...],
    command: str,
    progress: WorkProgress,
    workers: int,
) -> Evaluation:
    """Judge a bundle as it is shipped."""
    from mmq_tf.evaluation.judge_bundle import BundleJob, check_shipped
    from mmq_tf.reports.transfer_report import JudgedElsewhere, conclude_transfer
    from mmq_tf.training.workers import run_jobs

    dataset = _checked(there, data, simulated=shipped.manifest.simulated, progress=progress)
    check_shipped(shipped, there, dataset, dataset.subjects(data))
    here = shipped.config(shipped.task_for(there.classes, there.data.task))
    streams, lost = _streams(there, data, here, protocols, progress, workers)
    folder = out or EVALUATIONS / f"{shipped.folder.resolve().name}-on-{there.name}"
    job = BundleJob(shipped.folder, there, tuple(streams), folder, protocols)
    with progress.folding(1, int(job.done), 1, "networks"):
        run_jobs([job], 1, progress.on_epoch, progress.on_fold)
    table = conclude_transfer(JudgedElsewhere.by_bundle(shipped, job), dataset, command, lost)
    if not protocols:
        progress.on_results(table)
    return Evaluation(folder, table)


def _checked(there: RunConfig, data: Path, *, simulated: bool, progress: WorkProgress) -> Dataset:
    """Return the data set of the people judged, after its classes were checked."""
    from mmq_tf.datasets import open_dataset
    from mmq_tf.datasets.manifest.dataset import check_classes
    from mmq_tf.training.run_streams import SIMULATED_NOTE

    dataset = open_dataset(there.source, data)
    check_classes(dataset, there.data.task, there.classes)
    if dataset.simulated or simulated:
        progress.note(SIMULATED_NOTE)
    return dataset


def _streams(
    there: RunConfig,
    data: Path,
    here: RunConfig,
    protocols: Sequence[str],
    progress: WorkProgress,
    workers: int,
) -> tuple[list[Stream], list[str]]:
    """Return the people's token streams by the front end of what is judged, and who was left out, and why."""
    from mmq_tf.evaluation.sweep import artefact_settings
    from mmq_tf.evaluation.transfer import streams_as_read, with_artefacts
    from mmq_tf.features.enrolment_at_rest import left_out
    from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
    from mmq_tf.features.token_cache import TokenSettings

    def read(settings: TokenSettings) -> list[Stream]:
        done = prepare_dataset(there.source, data, settings, jobs=workers, progress=progress)
        return load_prepared(there.source, data, settings, done)

    clean = here.artefacts.model_copy(update={"variants": 0})
    streams = read(TokenSettings(here.front_end, clean, here.seeds[0]))
    judged = streams_as_read(streams, here, there)
    lost = left_out(streams, judged)
    if "E" in protocols:
        corrupted = []
        for snr, settings in artefact_settings(here).items():
            progress.note(f"artefacts at {snr} dB")
            corrupted.append(streams_as_read(read(settings), here, there))
        judged = with_artefacts(judged, corrupted, here.normalisation.enrolment_s)
    return judged, lost
