# SPDX-License-Identifier: Apache-2.0
"""A finished run judged on the people of another data set: nothing is fitted on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.augmentation.missingness import hide_modalities, named_conditions
from mmq_tf.config.run_config import RunConfig
from mmq_tf.datasets import MANIFEST_NAME, get_dataset
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.judge_fold import View, calibrated, fit_baseline, judge_views, versioned_name
from mmq_tf.evaluation.kept_predictions import KeptPredictions
from mmq_tf.evaluation.masks import shared_masks
from mmq_tf.evaluation.protocols import MASK_SEED, MASKED, SNR_DB, condition_name, sensor_conditions
from mmq_tf.features.enrolment_at_rest import enrolled_at_rest
from mmq_tf.features.token_streams import streams_digest, without_enrolment_artefacts
from mmq_tf.features.windows import Stream, WindowSet, build_windows
from mmq_tf.metrics.predictions import Predictions
from mmq_tf.model.saved_network import load_network
from mmq_tf.training.fit import Progress
from mmq_tf.training.fold import FoldJob, FoldWindows, fold_windows
from mmq_tf.training.run import Run, read_fold
from mmq_tf.version import __version__


def check_transfer(run: Run, there: RunConfig, folder: Path) -> None:
    """Check that a run can be judged on another data set.

    Parameters
    ----------
    run : Run
        Finished.
    there : RunConfig
        How the other set is read and enrolled.
    folder : Path
        Where it lies.

    Raises
    ------
    MMQError
        If the run was trained on it, or they differ in classes, or share no sensor, or the run enrols its
        wearers and the other configuration does not say where.
    """
    here = run.config
    known = _names(here) & _names(there)
    if known and (known != {MANIFEST_NAME} or folder.resolve() == run.data_folder):
        raise MMQError(
            f"{run.folder} was trained on {', '.join(sorted(known))} itself; name a data set it has not seen."
        )
    check_alike(here, there, run.folder)


def check_alike(here: RunConfig, there: RunConfig, judged: Path) -> None:
    """Check that another data set has the classes and a sensor of what is judged, and says where to enrol.

    Parameters
    ----------
    here, there : RunConfig
        How the network was trained; how the other set is read.
    judged : Path
        What errors name.

    Raises
    ------
    MMQError
        If it does not.
    """
    if set(here.classes) != set(there.classes):
        raise MMQError(
            f"{there.name} has the classes {', '.join(there.classes)} of {there.data.task}, but {judged} "
            f"tells {', '.join(here.classes)} apart; the classes must have the same names."
        )
    if not shared_modalities(here, there):
        raise MMQError(
            f"{there.name} has none of the sensors {judged} was trained with: "
            f"{', '.join(here.front_end.modality_names)}."
        )
    if here.normalisation.mode == "enrolment" and there.normalisation.mode != "enrolment":
        raise MMQError(
            f"{judged} enrols its wearers, but {there.name} does not say where: set its "
            "normalisation.mode to enrolment, with enrolment_s and rest_class."
        )


def _names(config: RunConfig) -> set[str]:
    """Return a data set's name and those of the sets it joins."""
    name = config.data.dataset
    if config.data.sets:
        return {name, *(one.dataset for one in config.data.sets)}
    if name == MANIFEST_NAME:
        return {name}
    return {name, *(member.dataset.name for member in get_dataset(name).members)}


def shared_modalities(here: RunConfig, there: RunConfig) -> tuple[str, ...]:
    """Return the sensors that a run reads and another data set has."""
    return tuple(name for name in here.front_end.modality_names if name in there.front_end.modalities)


def streams_as_read(streams: Sequence[Stream], here: RunConfig, there: RunConfig) -> list[Stream]:
    """Return another data set's streams, of a run's front end, as its own configuration has them enrol.

    Raises
    ------
    MMQError
        As `enrolled_at_rest`.
    """
    settings = there.normalisation
    found = enrolled_at_rest(streams, settings, here.front_end.token_s)
    if settings.mode != "enrolment":
        return found
    return [
        replace(
            stream,
            limits=replace(stream.limits, enrolment_s=min(stream.limits.enrolment_s, settings.enrolment_s)),
        )
        for stream in found
    ]


def with_artefacts(
    streams: Sequence[Stream], corrupted: Sequence[Sequence[Stream]], enrolment_s: float
) -> list[Stream]:
    """Return streams with the artefacts of protocol E, all but in their enrolment.

    Parameters
    ----------
    streams
        Clean, from `streams_as_read`.
    corrupted
        For each of `SNR_DB` the same streams, read the same way, each with one corrupted variant.
    enrolment_s : float
        Of the network's normalisation, in s.
    """
    noisy = [
        replace(stream, variants=tuple(level[place].variants[0] for level in corrupted))
        for place, stream in enumerate(streams)
    ]
    return without_enrolment_artefacts(noisy, enrolment_s)


@dataclass(frozen=True)
class Conditions:
    """Under which conditions people of another data set are judged.

    Attributes
    ----------
    names, there : tuple of str
        Sensors of the network, and those of them that the other set has.
    named : mapping
        Further conditions of the run's configuration: name -> sensors that are hidden.
    protocols : tuple of str
        Some of `PROTOCOLS`. Without any, all sensors and each one gone.
    masks : Path
        Where the masks of A, B and C are kept.
    """

    names: tuple[str, ...]
    there: tuple[str, ...]
    named: Mapping[str, tuple[str, ...]]
    protocols: tuple[str, ...]
    masks: Path

    def hidden(self) -> dict[str, tuple[str, ...]]:
        """Return the conditions named by sensors that hide some, not all, of those that are there."""
        there = set(self.there)
        every = named_conditions(self.names, self.named)
        if "D" in self.protocols:
            every |= sensor_conditions(self.there)
        return {
            name: gone
            for name, gone in every.items()
            if not gone or (there & set(gone) and there - set(gone))
        }

    def views(self, test: WindowSet, token_s: float) -> Iterator[View]:
        """Yield each condition with the features and presence of the windows."""
        for condition, gone in self.hidden().items():
            yield condition, test.features, hide_modalities(test.presence, self.names, gone)
        if set(self.protocols) & set(MASKED):
            for condition, mask in shared_masks(self.masks, test, token_s, MASK_SEED).items():
                if condition.partition("-")[0] in self.protocols:
                    yield condition, test.features, test.presence & mask
        if "E" in self.protocols:
            for snr, features, presence in zip(
                SNR_DB, test.variant_features, test.variant_presence, strict=True
            ):
                yield condition_name("E", snr), features, presence


@dataclass(frozen=True)
class TransferJob(KeptPredictions):
    """Everything one worker needs to judge one fold's methods on all people of another data set.

    Attributes
    ----------
    fold : FoldJob
        Of the run, with the streams it was trained on.
    there : RunConfig
        How the other set is read: its task, stride and the least of an enrolment are used.
    streams : tuple of Stream
        Of the other set, from `streams_as_read`.
    folder : Path
        Of the results.
    baselines : tuple of str
        Which are fitted again, on the fold's own training people.
    protocols : tuple of str
        Some of `PROTOCOLS`; see `Conditions`.
    """

    fold: FoldJob
    there: RunConfig
    streams: tuple[Stream, ...]
    folder: Path
    baselines: tuple[str, ...]
    protocols: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.fold.name

    @property
    def methods(self) -> tuple[str, ...]:
        """The network first, then the baselines."""
        return (self.fold.config.model.name, *self.baselines)

    def run(self, on_epoch: Progress) -> None:
        """Predict with every method under every condition; `on_epoch` counts the methods."""
        windows = fold_windows(self.fold)
        test, parts = self.windows_there(windows), []
        for count, method in enumerate(self.methods, start=1):
            parts += self._judge(method, windows, test)
            on_epoch(count, {})
        self.keep(parts)

    def _judge(self, method: str, windows: FoldWindows, test: WindowSet) -> list[Predictions]:
        job = self.fold
        if method == job.config.model.name:
            net, decision = load_network(job.folder / "model.keras"), read_fold(job.folder)["decision"]
            predict = calibrated(net, decision, job)
        else:
            predict = fit_baseline(method, windows, job).predict_windows
        views = self.conditions.views(test, job.config.front_end.token_s)
        return judge_views(method, predict, test, job, views)

    @property
    def conditions(self) -> Conditions:
        """Under which conditions the others are judged."""
        here = self.fold.config
        return Conditions(
            here.front_end.modality_names,
            shared_modalities(here, self.there),
            here.missing.conditions,
            self.protocols,
            self.folder / "masks.npz",
        )

    def windows_there(self, windows: FoldWindows) -> WindowSet:
        """Cut the other people's windows, normalised by training people and their own enrolment."""
        return windows_of(self.streams, windows.front_end, self.there, self.fold.classes)

    @property
    def path(self) -> Path:
        """Where the predictions of this fold are kept."""
        return self.folder / "folds" / self.fold.folder.name / "predictions.csv"

    @cached_property
    def key(self) -> str:
        """Digest of the network, the recordings, how they are read, and the methods."""
        digest = hashlib.sha256()
        methods = map(versioned_name, self.methods)
        given = (__version__, streams_digest(self.streams), self.there.to_toml(), *methods, *self.protocols)
        for part in given:
            digest.update(part.encode() + b"\n")
        digest.update(repr([stream.limits for stream in self.streams]).encode())
        digest.update((self.fold.folder / "model.keras").read_bytes())
        return digest.hexdigest()


def windows_of(
    streams: Sequence[Stream], front_end: FrontEnd, there: RunConfig, classes: Sequence[str]
) -> WindowSet:
    """Cut the windows of another data set.

    Parameters
    ----------
    streams
        Of the other set, from `streams_as_read`.
    front_end : FrontEnd
        Of what is judged, with its normalisation; the least evidence of an enrolment is the other set's.
    there : RunConfig
        How the other set is read.
    classes : sequence of str
        In the order of the network.
    """
    norm, least = front_end.normalisation, there.normalisation.enrolment_least
    if norm is not None and least is not None and front_end.counts_evidence:
        front_end = front_end.with_normalisation(norm.model_copy(update={"enrolment_least": least}))
    return build_windows(streams, front_end, there.data.task, classes, there.windows.stride_s)
