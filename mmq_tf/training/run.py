# SPDX-License-Identifier: Apache-2.0
"""A run, whole: its folder, its folds, the model to export."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from mmq_tf.config.run_config import RunConfig, load_config
from mmq_tf.datasets import Dataset, open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.set_weights import weighted_by_set
from mmq_tf.features.short_enrolments import ShortEnrolments
from mmq_tf.features.token_streams import streams_digest, without_enrolment_artefacts
from mmq_tf.features.windows import Stream, WindowSet, build_windows, window_starts
from mmq_tf.recording import Recording
from mmq_tf.training.fit import fit_network, new_network
from mmq_tf.training.fold import CallbacksOf, FoldJob, network_seed, write_model
from mmq_tf.training.line import LineChoice
from mmq_tf.training.personal_tables import HEAD_NAME, write_head
from mmq_tf.training.pretrained_encoder import Start
from mmq_tf.training.run_folder import (
    FACTS_NAME,
    RunFacts,
    facts_digest,
    is_finished,
    is_pending,
    next_folder,
    replace_run,
)
from mmq_tf.training.splits import Fold, dataset_folds, joined_folds
from mmq_tf.training.workers import OnEpoch
from mmq_tf.utils.atomic_files import folder_written_whole, write_text, written_whole
from mmq_tf.version import __version__

MODEL_FILES = ("model.keras", "frontend.json", "validation.npz")
GATE_WINDOWS = 2000
ALL_SUBJECTS = "all subjects"
"""What progress and callbacks call the final training."""


class FoldPlace(NamedTuple):
    """One fold of one seed, and its folder."""

    fold: Fold
    index: int
    seed: int
    folder: Path


@dataclass(frozen=True)
class Run:
    """A run folder and what it was asked to do; `begun` once the folder says so too.

    `home` is the folder's name when the run is finished: another one while an older run has that name.
    """

    folder: Path
    config: RunConfig
    facts: RunFacts
    begun: bool = False
    force: bool = False

    @property
    def home(self) -> Path:
        """Where the run is when it is finished."""
        name = self.folder.name
        is_next = self.facts.replaces and name.startswith(".") and name.endswith(".new")
        return self.folder.with_name(name[1:-4]) if is_next else self.folder

    @property
    def data_folder(self) -> Path:
        """Where the recordings are."""
        return Path(self.facts.data_folder)

    @property
    def dataset(self) -> Dataset:
        """The data set as it lies in the run's data folder."""
        return open_dataset(self.config.source, self.data_folder)

    @property
    def start(self) -> Start | None:
        """What the networks start from, where they do not start from nothing."""
        if not self.facts.init:
            return None
        config = self.config
        return Start(Path(self.facts.init), config.data.dataset, config.pretraining.frozen_epochs)

    @classmethod
    def plan(
        cls,
        folder: Path,
        config: RunConfig,
        command: str,
        data_folder: Path,
        *,
        final: bool,
        force: bool,
        skip_bad: bool = False,
        init: Path | None = None,
    ) -> Run:
        """Return a run that is to be made in `folder`; nothing is written before `begin`.

        Raises
        ------
        MMQError
            If the folder already holds something and `force` is off, or holds something else than a run.
        """
        folder = folder if folder.name else folder.resolve()
        _check_place(folder, force=force)
        facts = RunFacts(
            command,
            str(data_folder.resolve()),
            final,
            skip_bad,
            init=str(init.resolve()) if init else "",
            config_sha256=_digest(config.to_toml().encode()),
        )
        return cls(folder, config, facts, force=force)

    @classmethod
    def resumed(cls, home: Path) -> Run:
        """Return the run that is to be finished in `home`, as `open` does.

        That may be one that was begun to take the place of a finished one.
        """
        return cls.open(next_folder(home) if is_pending(home) else home)

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Return a run that was begun.

        Raises
        ------
        MMQError
            If the folder is not a run, or its configuration is not the one it was begun with.
        """
        facts = RunFacts.read(folder)
        config = load_config(folder / "config.toml")
        if facts.config_sha256 and facts.config_sha256 != _digest((folder / "config.toml").read_bytes()):
            raise MMQError(
                f"{folder / 'config.toml'} was changed after the run began, so its folds would not belong "
                "together; undo the change, or start a new run with that file and another --out."
            )
        return cls(folder, config, facts, begun=True)

    def begin(self, streams: Sequence[Stream], left_out: Sequence[str] = ()) -> Run:
        """Write the folder of a new run; of an opened one, check that the recordings are still the same.

        `left_out` says which bad recordings are not among the streams, and why.

        Raises
        ------
        MMQError
            If the folder cannot be written, or the recordings or their features have changed.
        """
        digest = streams_digest(streams)
        if not self.begun:
            facts = replace(self.facts, streams_sha256=digest, left_out="\n".join(left_out))
            return self._written(facts)
        if self.facts.streams_sha256 and self.facts.streams_sha256 != digest:
            raise MMQError(
                f"{self.data_folder}: the recordings, or the front end that reads them, have changed since "
                f"{self.folder} began; start a new run with another --out."
            )
        return self

    def _written(self, facts: RunFacts) -> Run:
        """Write the folder of a new run; a finished one that it replaces stays until `in_place`."""
        _check_place(self.folder, force=self.force)  # somebody may have been faster
        folder = self.folder
        if is_finished(folder):
            facts, folder = replace(facts, replaces=facts_digest(folder)), next_folder(folder)
            _check_place(folder, force=True)
        with folder_written_whole(folder) as temporary:
            write_text(temporary / "config.toml", self.config.to_toml())
            facts.write(temporary)
        return replace(self, folder=folder, facts=facts, begun=True)

    def in_place(self) -> Run:
        """Give a finished run its name, and return it from there."""
        home = self.home
        replace_run(home)
        return replace(self, folder=home)

    def fold_places(self, subjects: Sequence[str]) -> list[FoldPlace]:
        """Return every fold of every seed; the first seed's folders carry the fold's number alone."""
        config = self.config
        groups, share = self.dataset.grouped(subjects), config.split.validation_share
        if config.split.by == "dataset":
            folds = dataset_folds(groups, share, 0)
        else:
            folds = joined_folds(groups, config.split.folds, share, 0)
        return [
            FoldPlace(
                fold, index, seed, self.folder / "folds" / (f"{index:02d}" + (f"-seed{seed}" if n else ""))
            )
            for n, seed in enumerate(config.seeds)
            for index, fold in enumerate(folds)
        ]

    def jobs(
        self,
        streams: Sequence[Stream],
        *,
        tensorboard: bool = False,
        callbacks: CallbacksOf | None = None,
    ) -> list[FoldJob]:
        """Return one job per fold and seed."""
        return [
            FoldJob(
                config=self.config,
                classes=self.config.classes,
                fold=place.fold,
                index=place.index,
                seed=place.seed,
                folder=place.folder,
                streams=tuple(streams),
                tensorboard=tensorboard,
                start=self.start,
                callbacks=callbacks,
            )
            for place in self.fold_places([stream.subject for stream in streams])
        ]


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _check_place(folder: Path, *, force: bool) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise MMQError(f"{folder} is a file or a link, not a run folder; name another --out.")
    if folder.is_dir() and any(folder.iterdir()):
        if not ((folder / "config.toml").is_file() and (folder / FACTS_NAME).is_file()):
            raise MMQError(f"{folder} holds other files than a run's, so it stays; name another --out.")
        if not force:
            raise MMQError(
                f"{folder} already holds a run; use --resume to go on, --force to start anew, "
                "or another --out."
            )


def check_folds(jobs: Sequence[FoldJob]) -> None:
    """Check, before anything is trained, that every fold can be trained, chosen and judged.

    Raises
    ------
    MMQError
        If a fold's training or validation subjects have labelled windows of fewer than two classes, or its
        test subjects have none at all.
    """
    config, streams = jobs[0].config, jobs[0].streams
    normalisation = fit_normalisation(streams, config.normalisation, config.front_end.token_s)
    front_end = config.front_end.with_normalisation(normalisation)
    found: dict[str, set[str]] = {}
    for stream in streams:
        stride_s, tokens = config.windows.stride_s, len(stream.features)
        table = window_starts(stream.trials, front_end, stride_s, tokens, stream.limits, stream.presence)
        labels = {stream.trials[trial].labels.get(config.data.task) for _, trial in table}
        found.setdefault(stream.subject, set()).update(label for label in labels if label is not None)
    for job in jobs:
        for side, least in (("train", 2), ("validation", 2), ("test", 1)):
            classes = set().union(*(found[subject] for subject in getattr(job.fold, side)))
            if len(classes) < least:
                raise MMQError(
                    f"fold {job.index}: its {side} subjects have labelled windows ({front_end.window_s:g} s, "
                    f"after the enrolment) of {len(classes)} classes where {least} are needed; use fewer "
                    "folds, more subjects, or a shorter front_end.tokens or normalisation.enrolment_s."
                )


def read_fold(folder: Path) -> dict[str, Any]:
    """Return what a finished fold folder recorded about itself.

    Raises
    ------
    MMQError
        If that cannot be read.
    """
    path = folder / "metrics.json"
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MMQError(
            f"{path} is damaged ({error}); delete it, and --resume makes this fold again."
        ) from error
    if not isinstance(facts, dict) or not {"history", "decision"} <= facts.keys():
        raise MMQError(f"{path} is damaged; delete it, and --resume makes this fold again.")
    return facts


def copy_first_fold(run: Run, jobs: Sequence[FoldJob]) -> dict[str, Any]:
    """Make the first fold's model the run's, so that its test subjects stay unseen by what is exported."""
    first = jobs[0]
    own = (HEAD_NAME,) if (first.folder / HEAD_NAME).is_file() else ()
    for name in (*MODEL_FILES, *own):
        with written_whole(run.folder / name) as temporary:
            shutil.copyfile(first.folder / name, temporary)
    facts = read_fold(first.folder)
    keys = ("exported_model", "train_subjects", "validation_subjects", "test_subjects", "decision")
    return {key: facts[key] for key in keys}


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
    seed = network_seed(first.seed, len(jobs))
    short = ShortEnrolments.of(config.normalisation, seed)
    windows = build_windows(
        streams, front_end, config.data.task, first.classes, config.windows.stride_s, short
    )
    windows = weighted_by_set(windows, config.data.weights, config.set_order)
    model = new_network(config.training_spec, len(first.classes), seed)
    held = first.start.into(model.net, None, first.folder.name) if first.start else None
    state = run.folder / "final.npz"
    fit_network(
        model,
        windows,
        None,
        config.training_spec,
        seed,
        state,
        lambda epoch, m: on_epoch(ALL_SUBJECTS, epoch, m),
        epochs=epochs,
        callbacks=first.callbacks(ALL_SUBJECTS) if first.callbacks else (),
        before_epoch=held,
        line=_median_line([fold["history"].get("line") for fold in facts]),
    )
    write_model(run.folder, model, front_end, _sample(windows, GATE_WINDOWS))
    write_head(run.folder, windows, front_end.feature_layout, config.data.task, first.classes)
    state.unlink(missing_ok=True)
    subjects = sorted({stream.subject for stream in streams})
    return {
        "exported_model": f"all {len(subjects)} subjects, {epochs} epochs (the folds' median)",
        "train_subjects": subjects,
        "validation_subjects": [],
        "test_subjects": [],
        "decision": _median_decision([fold["decision"] for fold in facts]),
    }


def _median_decision(decisions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    merged = dict(decisions[0])
    for key in ("temperature", "min_confidence"):
        merged[key] = {task: median(d[key][task] for d in decisions) for task in merged[key]}
    return merged


def _median_line(choices: Sequence[dict[str, float] | None]) -> LineChoice | None:
    """Return the median of what the folds chose for their lines; None where they have none."""
    found = [choice for choice in choices if choice]
    return LineChoice(**{key: median(one[key] for one in found) for key in found[0]}) if found else None


def _sample(windows: WindowSet, count: int) -> WindowSet:
    return windows.take(np.sort(np.random.default_rng(0).permutation(len(windows))[:count]))


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
    dataset = run.dataset
    facts = {
        "name": run.config.name,
        "version": __version__,
        "command": run.facts.command,
        "model": run.config.model.model_dump(include={"name", "size", "members"}),
        "tasks": {run.config.data.task: list(run.config.classes)},
        "data": dataset.facts,
        "folds": folds,
        "seeds": list(run.config.seeds),
        **model_facts,
        "results": list(rows),
    }
    write_text(run.folder / "metrics.json", json.dumps(facts, indent=1))
