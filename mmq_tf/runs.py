"""A run, whole: folds side by side in worker processes, the model to export, the table and the report."""

from __future__ import annotations

import json
import multiprocessing
import queue
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from mmq_tf import __version__
from mmq_tf.config import RunConfig, load_config
from mmq_tf.datasets import get_dataset
from mmq_tf.errors import MMQError
from mmq_tf.files import write_text, written_whole
from mmq_tf.folds import FoldJob, network_seed, run_fold, write_model
from mmq_tf.normalise import fit_normalisation
from mmq_tf.recording import Recording
from mmq_tf.splits import Fold, subject_folds
from mmq_tf.streams import without_enrolment_artefacts
from mmq_tf.training import fit_network, new_network
from mmq_tf.windows import Stream, WindowSet, build_windows

MODEL_FILES = ("model.keras", "frontend.json", "validation.npz")
GATE_WINDOWS = 2000

OnEpoch = Callable[[str, int, dict[str, float]], None]
OnFold = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """A run folder and what it was asked to do."""

    folder: Path
    config: RunConfig
    command: str
    data_folder: Path

    @classmethod
    def create(cls, folder: Path, config: RunConfig, command: str, data_folder: Path, *, force: bool) -> Run:
        """Make a new run folder.

        Raises
        ------
        MMQError
            If the folder already holds something and `force` is off, or holds something else than a run.
        """
        if folder.exists() and any(folder.iterdir()):
            if not force:
                raise MMQError(f"{folder} already exists; use --resume to go on, --force to start anew, or another --out.")
            if not (folder / "config.toml").is_file():
                raise MMQError(f"{folder} is not a run folder (it has no config.toml), so it is not replaced.")
            shutil.rmtree(folder)
        write_text(folder / "config.toml", config.to_toml())
        write_text(folder / "run.json", json.dumps({"command": command, "data_folder": str(data_folder)}, indent=1))
        return cls(folder, config, command, data_folder)

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Return an existing run.

        Raises
        ------
        MMQError
            If the folder is not a run.
        """
        try:
            facts = json.loads((folder / "run.json").read_text("utf-8"))
            data_folder, command = Path(facts["data_folder"]), str(facts["command"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MMQError(f"{folder} is not a run folder: its run.json cannot be read.") from error
        return cls(folder, load_config(folder / "config.toml"), command, data_folder)

    def jobs(self, streams: Sequence[Stream], *, tensorboard: bool = False) -> list[FoldJob]:
        """Return one job a fold and seed; the first seed's folders carry the fold's number alone."""
        config = self.config
        folds = subject_folds([s.subject for s in streams], config.split.folds, config.split.validation_share, 0)
        classes = get_dataset(config.data.dataset).tasks[config.data.task]
        return [
            FoldJob(
                config=config,
                classes=tuple(classes),
                fold=fold,
                index=index,
                seed=seed,
                folder=self.folder / "folds" / (f"{index:02d}" + ("" if number == 0 else f"-seed{seed}")),
                streams=tuple(streams),
                tensorboard=tensorboard,
            )
            for number, seed in enumerate(config.seeds)
            for index, fold in enumerate(folds)
        ]


def newest_run(parent: Path = Path("runs")) -> Path:
    """Return the run folder under `parent` that finished last.

    Raises
    ------
    MMQError
        If there is none.
    """
    runs = sorted(parent.glob("*/metrics.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise MMQError(f"no finished run under {parent}/; name one, or make one with `mmq-tf train`.")
    return runs[-1].parent


def run_jobs(jobs: Sequence[FoldJob], workers: int, on_epoch: OnEpoch, on_fold: OnFold) -> None:
    """Run fold jobs, several at a time; a worker that fails stops the run with its error."""
    todo = [job for job in jobs if not job.done]
    if workers <= 1 or len(todo) <= 1:
        for job in todo:
            run_fold(job, _labelled(job, on_epoch))
            on_fold(_name(job))
        return
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(workers, mp_context=context) as pool:
        messages = manager.Queue()
        pending: dict[Future[None], FoldJob] = {pool.submit(_work, job, messages): job for job in todo}
        try:
            while pending:
                finished, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                _drain(messages, on_epoch)
                for future in finished:
                    job = pending.pop(future)
                    future.result()
                    on_fold(_name(job))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _work(job: FoldJob, messages: Any) -> None:
    run_fold(job, lambda epoch, metrics: messages.put((_name(job), epoch, metrics)))


def _name(job: FoldJob) -> str:
    return f"fold {job.index} seed {job.seed}"


def _labelled(job: FoldJob, on_epoch: OnEpoch) -> Callable[[int, dict[str, float]], None]:
    return lambda epoch, metrics: on_epoch(_name(job), epoch, metrics)


def _drain(messages: Any, on_epoch: OnEpoch) -> None:
    while True:
        try:
            on_epoch(*messages.get_nowait())
        except queue.Empty:
            return


def read_fold(folder: Path) -> dict[str, Any]:
    """Return what a finished fold folder recorded about itself."""
    return json.loads((folder / "metrics.json").read_text("utf-8"))


def copy_first_fold(run: Run, jobs: Sequence[FoldJob]) -> dict[str, Any]:
    """Make the first fold's model the run's model, so that its test subjects stay unseen by what is exported."""
    first = jobs[0]
    for name in MODEL_FILES:
        with written_whole(run.folder / name) as temporary:
            shutil.copyfile(first.folder / name, temporary)
    facts = read_fold(first.folder)
    return {key: facts[key] for key in ("exported_model", "train_subjects", "test_subjects", "decision")}


def train_final(run: Run, jobs: Sequence[FoldJob], on_epoch: OnEpoch) -> dict[str, Any]:
    """Train on all subjects for as many epochs as the folds chose in the middle, and make it the run's model.

    Temperature and confidence limit are the folds' medians, since no subject is left to choose them.
    """
    first = jobs[0]
    config = run.config
    facts = [read_fold(job.folder) for job in jobs]
    epochs = max(1, round(median(fold["history"]["best_epoch"] for fold in facts)))
    normalisation = fit_normalisation(first.streams, config.normalisation, config.front_end.token_s)
    front_end = config.front_end.with_normalisation(normalisation)
    streams = without_enrolment_artefacts(first.streams, config.normalisation.enrolment_s)
    windows = build_windows(streams, front_end, config.data.task, first.classes, config.windows.stride_s)
    seed = network_seed(first.seed, len(jobs))
    model = new_network(config, len(first.classes), seed)
    state = run.folder / "final.npz"
    fit_network(
        model, windows, None, config, seed, state, lambda epoch, m: on_epoch("all subjects", epoch, m), epochs=epochs
    )
    write_model(run.folder, model, front_end, _sample(windows, GATE_WINDOWS))
    state.unlink(missing_ok=True)
    subjects = sorted({stream.subject for stream in streams})
    return {
        "exported_model": f"all {len(subjects)} subjects, {epochs} epochs (the folds' median)",
        "train_subjects": subjects,
        "test_subjects": [],
        "decision": _median_decision([fold["decision"] for fold in facts]),
    }


def _median_decision(decisions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    merged = dict(decisions[0])
    for key in ("temperature", "min_confidence"):
        merged[key] = {task: median(d[key][task] for d in decisions) for task in merged[key]}
    return merged


def _sample(windows: WindowSet, count: int) -> WindowSet:
    rows = np.sort(np.random.default_rng(0).permutation(len(windows))[:count])
    return WindowSet(
        **{
            name: getattr(windows, name)[:, rows] if name.startswith("variant") else getattr(windows, name)[rows]
            for name in WindowSet.__dataclass_fields__
        }
    )


def write_golden(run: Run, recording: Recording, seconds: float) -> None:
    """Keep the first seconds of one recording, raw, for the bundle's golden vectors."""
    arrays: dict[str, Any] = {}
    for name, signal in recording.signals.items():
        frames = int(max(0.0, seconds - signal.start_s) * signal.sampling_rate_hz)
        arrays[f"{name}_samples"] = signal.samples[:, :frames]
        arrays[f"{name}_rate"] = np.float64(signal.sampling_rate_hz)
        arrays[f"{name}_start"] = np.float64(signal.start_s)
    with written_whole(run.folder / "golden.npz") as temporary:
        np.savez_compressed(temporary, **arrays)


def write_metrics(run: Run, model_facts: dict[str, Any], rows: Sequence[dict[str, Any]], folds: int) -> None:
    """Write the run's `metrics.json`, last: a run that has it is complete."""
    dataset = get_dataset(run.config.data.dataset)
    facts = {
        "name": run.config.name,
        "version": __version__,
        "command": run.command,
        "model": {"size": run.config.model.size},
        "tasks": {run.config.data.task: list(dataset.tasks[run.config.data.task])},
        "data": {
            key: getattr(dataset, key)
            for key in ("name", "title", "licence", "attribution", "simulated", "label_kind")
        },
        "folds": folds,
        "seeds": list(run.config.seeds),
        **model_facts,
        "results": list(rows),
    }
    write_text(run.folder / "metrics.json", json.dumps(facts, indent=1))
