# SPDX-License-Identifier: Apache-2.0
"""A bundle judged as it is shipped on labelled people: its front end, its int8 network in the C core."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from mmq_bridge.decision.bundle_files import read_front_end, read_model
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.decision.model import DecisionModel
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import NormalisationConfig, RunConfig
from mmq_tf.config.training_spec import DataConfig
from mmq_tf.datasets import MANIFEST_NAME, Dataset
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.judge_fold import predict_views
from mmq_tf.evaluation.kept_predictions import KeptPredictions
from mmq_tf.evaluation.transfer import Conditions, check_alike, shared_modalities
from mmq_tf.features.token_streams import streams_digest
from mmq_tf.features.windows import Stream, WindowSet, build_windows
from mmq_tf.metrics.calibration import apply_temperature
from mmq_tf.training.fit import Progress
from mmq_tf.version import __version__

METHOD = "int8"
"""What tables call the network of a bundle."""


@dataclass(frozen=True)
class ShippedModel:
    """What a bundle decides with, each file checked by digest.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    front_end : FrontEnd
    model : DecisionModel
        Its int8 network, run by the C core where the bundle has a plan for it.
    """

    folder: Path
    manifest: Manifest
    front_end: FrontEnd
    model: DecisionModel = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> ShippedModel:
        """Open a bundle.

        Raises
        ------
        BridgeError
            If it is none, is not complete or was changed.
        """
        manifest = Manifest.load(folder)
        front_end = read_front_end(manifest, folder)
        model = read_model(manifest, folder, "int8", None, front_end.tokens, stacklevel=2)
        return cls(folder, manifest, front_end, model)

    def task_for(self, classes: Sequence[str], task: str) -> str:
        """Return the task with these classes, the one of this name where several have them.

        Raises
        ------
        MMQError
            If there is none.
        """
        tasks = self.manifest.decision.tasks
        found = [name for name in tasks if set(tasks[name]) == set(classes)]
        if not found:
            known = "; ".join(f"{name}: {', '.join(names)}" for name, names in tasks.items())
            raise MMQError(
                f"{self.folder} decides {known}; {task} of the people to judge has the classes "
                f"{', '.join(classes)}; the classes must have the same names."
            )
        return task if task in found else found[0]

    def config(self, task: str) -> RunConfig:
        """Return what of a run's configuration a bundle knows: classes, sensors, normalisation."""
        norm = self.front_end.normalisation
        settings = NormalisationConfig()
        if norm is not None:
            settings = NormalisationConfig(
                mode=norm.mode,
                enrolment_s=norm.enrolment_s,
                prior_tokens=norm.prior_tokens,
                clip=norm.clip,
                enrolment_least=norm.enrolment_least,
                look_back_s=norm.look_back_s,
            )
        return RunConfig(
            name=re.sub(r"[^\w.-]+", "-", self.manifest.name),
            data=DataConfig(
                dataset=MANIFEST_NAME, task=task, classes=tuple(self.manifest.decision.tasks[task])
            ),
            front_end=self.front_end.without_filters()
            .with_normalisation(None)
            .model_copy(update={"quantisation": None}),
            normalisation=settings,
        )


def check_shipped(shipped: ShippedModel, there: RunConfig, dataset: Dataset, people: Sequence[str]) -> None:
    """Check that a bundle can be judged on these people.

    Parameters
    ----------
    shipped : ShippedModel
    there : RunConfig
        How they are read.
    dataset : Dataset
        Whose they are.
    people : sequence of str
        As `Dataset.subjects` gives them.

    Raises
    ------
    MMQError
        If it was trained on them, has another task or none of their sensors, or they do not say where to
        enrol.
    """
    trained = set(shipped.manifest.train_subjects)
    same_set = (shipped.manifest.data.name, shipped.manifest.data.title) == (dataset.name, dataset.title)
    for person in people:
        name = person.partition("/")[0]
        if f"{dataset.name}-{name}" in trained or (same_set and name in trained):
            raise MMQError(
                f"{shipped.folder} was trained on {name} of {dataset.title}; name people it has not seen."
            )
    task = shipped.task_for(there.classes, there.data.task)
    check_alike(shipped.config(task), there, shipped.folder)


@dataclass(frozen=True)
class BundleJob(KeptPredictions):
    """Everything a worker needs to judge a bundle.

    Attributes
    ----------
    bundle : Path
    there : RunConfig
        How the people judged are read.
    streams : tuple of Stream
        Theirs, from `mmq_tf.evaluation.transfer.streams_as_read`.
    folder : Path
        Of the results.
    protocols : tuple of str
        See `mmq_tf.evaluation.transfer.Conditions`.
    """

    bundle: Path
    there: RunConfig
    streams: tuple[Stream, ...]
    folder: Path
    protocols: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.bundle.name

    def run(self, on_epoch: Progress) -> None:
        """Predict under every condition."""
        shipped = ShippedModel.open(self.bundle)
        task = shipped.task_for(self.there.classes, self.there.data.task)
        classes = shipped.manifest.decision.tasks[task]
        test = build_windows(
            self.streams, shipped.front_end, self.there.data.task, classes, self.there.windows.stride_s
        )
        here = shipped.config(task)
        conditions = Conditions(
            here.front_end.modality_names,
            shared_modalities(here, self.there),
            {},
            self.protocols,
            self.folder / "masks.npz",
        )
        parts = predict_views(
            METHOD,
            lambda windows: probabilities(shipped, task, windows),
            test,
            conditions.views(test, shipped.front_end.token_s),
            layout=shipped.front_end.feature_layout,
            classes=classes,
        )
        self.keep(parts)
        on_epoch(1, {})

    @property
    def path(self) -> Path:
        """Where the predictions are kept."""
        return self.folder / "predictions.csv"

    @cached_property
    def key(self) -> str:
        """Digest of the bundle's manifest, the recordings, how they are read, and the protocols."""
        digest = hashlib.sha256((self.bundle / "manifest.json").read_bytes())
        for part in (__version__, streams_digest(self.streams), self.there.to_toml(), *self.protocols):
            digest.update(part.encode() + b"\n")
        digest.update(repr([stream.limits for stream in self.streams]).encode())
        return digest.hexdigest()


def probabilities(shipped: ShippedModel, task: str, windows: WindowSet) -> np.ndarray:
    """Return a bundle's class probabilities float64 [N, C] of windows, at its own temperature."""
    temperature = shipped.manifest.decision.temperature.get(task, 1.0)
    pairs = zip(windows.features, windows.presence, strict=True)
    logits = [shipped.model.predict(features, presence)[task] for features, presence in pairs]
    return apply_temperature(np.array(logits, np.float32), temperature)
