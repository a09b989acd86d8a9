# SPDX-License-Identifier: Apache-2.0
"""Pretraining of one fold of one seed on raw windows; all else is as for front-end tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mmq_tf.config.run_config import RunConfig
from mmq_tf.datasets import open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.features.token_streams import Source
from mmq_tf.model.mhacl import MHACL
from mmq_tf.pretraining.job import PROBE, PretrainJob, teach, training_only
from mmq_tf.pretraining.moments import moments
from mmq_tf.pretraining.raw_bank import RawBank, RawRecording
from mmq_tf.pretraining.raw_front_end import RawFrontEnd
from mmq_tf.pretraining.raw_probe import LabelledWindows, raw_probe
from mmq_tf.training.fit import History, Progress
from mmq_tf.training.fold import network_seed


@dataclass(frozen=True)
class RawPretrainJob(PretrainJob):
    """Everything one worker needs to make one fold's encoder of raw windows."""

    front_end_name: ClassVar[str] = "rawfrontend.json"

    def pretrained(
        self, state: Path | None, on_epoch: Progress = lambda epoch, metrics: None
    ) -> tuple[MHACL, Any, str, History]:
        """Return the network with its pretrained encoder, its `RawFrontEnd`, the rule and what happened."""
        config = self.config
        if config.normalisation.rest_class is not None:
            raise MMQError("raw windows enrol at the start only; leave out normalisation.rest_class.")
        dataset = open_dataset(config.source, self.data_folder)
        train = training_only(self.recordings(self.fold.train), self.fold)
        plain = RawFrontEnd.of(config.front_end)
        front_end = plain.measured_on([(one.steps, one.presence) for one in train], config.normalisation)
        bank = RawBank.of_recordings(train, front_end)
        together, rule = moments(
            bank.timelines, front_end.token_s, front_end.tokens, locked=dataset.stimulus_locked
        )
        seed = network_seed(self.seed, self.index)
        net = new_raw_network(config, front_end, seed)
        judge = self._raw_judge(net, bank)
        return (
            net,
            front_end,
            rule,
            teach(net.encoder, net.dim, bank, together, config, seed, state, on_epoch, judge),
        )

    def recordings(self, subjects: Sequence[str]) -> list[RawRecording]:
        """Load the samples of some subjects; no other recording is touched.

        Raises
        ------
        MMQError
            If the data set joins others, whose sensors and windows differ.
        """
        dataset = open_dataset(self.config.source, self.data_folder)
        if dataset.members:
            raise MMQError(
                f"pretraining.input: {dataset.name} joins data sets whose sensors differ, so there are no "
                "raw windows of it; use 'tokens'."
            )
        front_end = RawFrontEnd.of(self.config.front_end)
        found = []
        for name in dataset.subjects(self.data_folder):
            if name.partition("/")[0] in subjects:
                source = Source.of_subject(dataset, self.data_folder, name)
                facts = source.facts()
                found.append(RawRecording(facts.subject, facts.trials, *front_end.steps_of(source)))
        return found

    def _raw_judge(self, net: MHACL, bank: RawBank) -> Callable[[], dict[str, float]]:
        """Return the kNN probe on validation subjects; where a side has no label, nothing is asked."""
        config = self.config
        others = self.recordings(self.fold.validation)
        if not others:
            return dict
        asked_bank = RawBank.of_recordings(others, bank.front_end)
        known, asked = (
            LabelledWindows.of_bank(one, config.data.task, config.classes, config.windows.stride_s)
            for one in (bank, asked_bank)
        )
        if known is None or asked is None:
            return dict
        return lambda: {PROBE: raw_probe(net.encoder, known, asked, len(config.classes))}


def new_raw_network(config: RunConfig, front_end: RawFrontEnd, seed: int) -> MHACL:
    """Return a freshly initialised ME-MHACL that reads raw windows."""
    return MHACL.from_size(
        config.model.size,
        front_end.tokens,
        front_end.feature_layout.feature_sizes,
        {config.data.task: len(config.classes)},
        samples=front_end.samples,
        widths=config.model.widths,
        dropout=config.model.dropout,
        seed=seed,
    )
