# SPDX-License-Identifier: Apache-2.0
"""Pretraining of one fold of one seed: from the recordings of its training subjects to an encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import RunConfig
from mmq_tf.config.training_spec import TrainingSpec
from mmq_tf.datasets import open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.features.enrolment_at_rest import enrolled_at_rest
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import Source, load_stream
from mmq_tf.features.windows import Stream, WindowSet, build_windows
from mmq_tf.model.mhacl import MHACL
from mmq_tf.pretraining.contrastive_model import Contrastive
from mmq_tf.pretraining.fit import Bank, Moments, members, pretrain
from mmq_tf.pretraining.moments import moments
from mmq_tf.pretraining.probe import probe
from mmq_tf.pretraining.token_bank import TokenBank
from mmq_tf.training.fit import History, Progress, new_network
from mmq_tf.training.fold import network_seed
from mmq_tf.training.pretrained_encoder import ENCODER_NAME, FACTS_NAME
from mmq_tf.training.splits import Fold
from mmq_tf.utils.atomic_files import write_text, written_whole

PROBE = "knn_balanced_accuracy"


def training_only(streams: Sequence[Any], fold: Fold) -> Sequence[Any]:
    """Return the streams (whatever has a `subject`), once each is found to be of a training subject.

    Raises
    ------
    MMQError
        If one is not.
    """
    others = sorted({stream.subject for stream in streams} - set(fold.train))
    if others:
        side = "test" if others[0] in fold.test else "validation"
        raise MMQError(
            f"pretraining: {others[0]} is a {side} subject of this fold; only training subjects "
            f"({', '.join(fold.train)}) may be seen."
        )
    return streams


@dataclass(frozen=True)
class PretrainJob:
    """Everything one worker needs to make one fold's encoder; it loads what it may see, and no one else."""

    front_end_name: ClassVar[str] = "frontend.json"

    config: RunConfig
    data_folder: Path
    fold: Fold
    index: int
    seed: int
    folder: Path

    @property
    def done(self) -> bool:
        """Whether the folder is complete: its facts are written last."""
        return (self.folder / FACTS_NAME).is_file()

    @property
    def name(self) -> str:
        """What progress calls it."""
        return f"fold {self.index} seed {self.seed}"

    def run(self, on_epoch: Progress = lambda epoch, metrics: None) -> None:
        """Pretrain and write the folder. A finished folder is left as it is."""
        if self.done:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self.folder / "state.npz"
        net, front_end, rule, history = self.pretrained(state, on_epoch)
        with written_whole(self.folder / ENCODER_NAME) as temporary:
            net.save(temporary)
        write_text(self.folder / self.front_end_name, front_end.to_json())
        facts = {
            "dataset": self.config.data.dataset,
            "input": self.config.pretraining.input,
            "rule": rule,
            "train_subjects": self.fold.train,
            "validation_subjects": self.fold.validation,
            "test_subjects": self.fold.test,
            "seed": self.seed,
            "epochs": history.epochs,
        }
        write_text(self.folder / FACTS_NAME, json.dumps(facts, indent=1))
        state.unlink(missing_ok=True)

    def pretrained(
        self, state: Path | None, on_epoch: Progress = lambda epoch, metrics: None
    ) -> tuple[MHACL, FrontEnd, str, History]:
        """Return the network with its pretrained encoder, its front end, the rule used and what happened."""
        config = self.config
        dataset = open_dataset(config.source, self.data_folder)
        train, validation = (self.streams(side) for side in (self.fold.train, self.fold.validation))
        normalisation = fit_normalisation(train, config.normalisation, config.front_end.token_s)
        front_end = config.front_end.with_normalisation(normalisation)
        bank = TokenBank.of_streams(training_only(train, self.fold), front_end)
        together, rule = moments(
            bank.timelines, front_end.token_s, front_end.tokens, locked=dataset.stimulus_locked
        )
        seed = network_seed(self.seed, self.index)
        net = new_network(self._mhacl(), len(config.classes), seed).net
        judge = self._judge(net, front_end, train, validation)
        history = teach(net.encoder, net.dim, bank, together, config, seed, state, on_epoch, judge)
        return net, front_end, rule, history

    def streams(self, subjects: Sequence[str]) -> list[Stream]:
        """Load the token streams of some subjects; no other recording is touched."""
        dataset = open_dataset(self.config.source, self.data_folder)
        settings = token_settings(self.config)
        streams = [
            load_stream(Source.of_subject(dataset, self.data_folder, name), settings)
            for name in dataset.subjects(self.data_folder)
            if name.partition("/")[0] in subjects
        ]
        return enrolled_at_rest(streams, self.config.normalisation, self.config.front_end.token_s)

    def _mhacl(self) -> TrainingSpec:
        spec = self.config.training_spec
        return spec.model_copy(update={"model": spec.model.model_copy(update={"name": "mhacl"})})

    def _judge(
        self, net: MHACL, front_end: FrontEnd, train: Sequence[Stream], validation: Sequence[Stream]
    ) -> Callable[[], dict[str, float]]:
        """Return the kNN probe on validation subjects; where a side has no label, nothing is asked."""
        known, asked = (labelled_windows(side, front_end, self.config) for side in (train, validation))
        if known is None or asked is None:
            return dict
        return lambda: {PROBE: probe(net.encoder, known, asked, len(self.config.classes))}


def token_settings(config: RunConfig) -> TokenSettings:
    """Return how samples become tokens; stage 1 uses no corrupted variants."""
    return TokenSettings(
        config.front_end, config.artefacts.model_copy(update={"variants": 0}), config.seeds[0]
    )


def labelled_windows(streams: Sequence[Stream], front_end: FrontEnd, config: RunConfig) -> WindowSet | None:
    """Return the labelled windows of some streams, None where no trial has a label of the task."""
    task = config.data.task
    if not any(task in trial.labels for stream in streams for trial in stream.trials):
        return None
    return build_windows(streams, front_end, task, config.classes, config.windows.stride_s)


def teach(
    encoder: Any,
    dim: int,
    bank: Bank,
    together: Moments,
    config: RunConfig,
    seed: int,
    state: Path | None = None,
    on_epoch: Progress = lambda epoch, metrics: None,
    judge: Callable[[], dict[str, float]] = dict,
) -> History:
    """Teach an encoder by the configuration's settings, in place; see `fit.pretrain`."""
    settings = config.pretraining
    model = Contrastive(
        encoder,
        len(config.front_end.modality_names),
        dim,
        moments=settings.seconds,
        members=members(together, settings),
        projection=settings.projection,
        temperature=settings.temperature,
        seed=seed,
    )
    return pretrain(model, bank, together, settings, seed, state, on_epoch, judge)
