# SPDX-License-Identifier: Apache-2.0
"""A finished run judged again: every method of a fold under every condition of the missing-data protocols."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmq_tf.augmentation.missingness import hide_modalities
from mmq_tf.baselines.label_shift import is_shifted, shift_labels, unshifted_name
from mmq_tf.config.run_config import RunConfig
from mmq_tf.config.training_spec import ArtefactsConfig
from mmq_tf.evaluation.judge_fold import (
    Predict,
    View,
    calibrated,
    fit_baseline,
    judge_views,
    versioned_name,
)
from mmq_tf.evaluation.masks import shared_masks
from mmq_tf.evaluation.protocols import (
    ARTEFACT_SHARE,
    MASK_SEED,
    SNR_DB,
    artefact_seed,
    condition_name,
    read_level,
    sensor_conditions,
)
from mmq_tf.evaluation.sweep_scores import FULL, write_scored
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import without_enrolment_artefacts
from mmq_tf.features.windows import Stream, WindowSet
from mmq_tf.metrics.predictions import Predictions
from mmq_tf.model.saved_network import load_network
from mmq_tf.training.fit import Progress
from mmq_tf.training.fold import FoldJob, FoldWindows, calibrate, fold_windows, train_fold
from mmq_tf.training.run import read_fold
from mmq_tf.utils.atomic_files import write_text
from mmq_tf.version import __version__


def artefact_settings(config: RunConfig) -> dict[int, TokenSettings]:
    """Return, for each signal-to-noise ratio (dB) of protocol E, how its corrupted tokens are made.

    The artefacts' times, kinds and shapes are the same at each ratio, and of another seed than training's.
    """
    seed = artefact_seed(config.seeds[0])
    return {
        snr: TokenSettings(
            config.front_end,
            ArtefactsConfig(variants=1, share=ARTEFACT_SHARE, snr_db=(float(snr), float(snr))),
            seed,
        )
        for snr in SNR_DB
    }


def evaluation_jobs(
    jobs: Sequence[FoldJob],
    corrupted: Sequence[Sequence[Stream]],
    folder: Path,
    protocols: Sequence[str],
    baselines: Sequence[str],
    nulls: Sequence[str] = (),
) -> list[SweepJob]:
    """Return one job for each fold and seed of a finished run.

    Parameters
    ----------
    jobs
        Of the run, its streams as they were trained on.
    corrupted
        For each of `SNR_DB` the same streams, each with one corrupted variant; empty without protocol E.
        The enrolment stays clean, as in training: it is done with care.
    folder : Path
        Of the evaluation.
    protocols
        Some of `PROTOCOLS`.
    baselines
        Which are fitted again and judged beside the network.
    nulls
        Which of these, or the network, are also fitted to moved labels, by `shifted_name`.
    """
    clean = jobs[0].streams
    noisy = [
        replace(stream, variants=tuple(level[place].variants[0] for level in corrupted))
        for place, stream in enumerate(clean)
    ]
    noisy = without_enrolment_artefacts(noisy, jobs[0].config.normalisation.enrolment_s)
    return [
        SweepJob(
            replace(
                job,
                streams=tuple(
                    bad if bad.subject in job.fold.test else good
                    for good, bad in zip(clean, noisy, strict=True)
                ),
            ),
            folder,
            tuple(protocols),
            tuple(baselines),
            tuple(nulls),
        )
        for job in jobs
    ]


@dataclass(frozen=True)
class SweepJob:
    """Everything one worker needs to judge one fold.

    `fold` is the fold of the run; its test streams carry the corrupted variants of protocol E, if any.
    """

    fold: FoldJob
    folder: Path
    protocols: tuple[str, ...]
    baselines: tuple[str, ...]
    nulls: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.fold.name

    @property
    def network(self) -> str:
        """What the network is called."""
        return self.fold.config.model.name

    @property
    def methods(self) -> tuple[str, ...]:
        """The network first, then the baselines."""
        return (self.network, *self.baselines)

    @property
    def done(self) -> bool:
        """Whether the predictions of every method are there, of this network and these protocols."""
        return all(self._has(method) for method in (*self.methods, *self.nulls))

    def predictions_path(self, method: str) -> Path:
        """Return where a method's predictions under every condition lie."""
        return self.folder / "folds" / self.fold.folder.name / f"{method}.csv"

    def artefact_facts(self) -> list[dict[str, Any]]:
        """Return what protocol E did to the fold's test tokens; see `artefact_facts`."""
        return json.loads(self._facts_path(self.network).read_text("utf-8"))["artefacts"]

    def run(self, on_epoch: Progress) -> None:
        """Predict with every method that is not there yet; `on_epoch` counts them.

        Each method's files are written as soon as it is done, so that a stop costs no more than the
        method at work, and a method asked for later costs no more than itself.
        """
        windows = fold_windows(self.fold)
        test, job = windows.test, self.fold
        masks = shared_masks(
            self.folder / "masks" / f"{job.index:02d}.npz", test, job.config.front_end.token_s, MASK_SEED
        )
        for count, method in enumerate((*self.methods, *self.nulls), start=1):
            if not self._has(method):
                parts = self._judge(method, windows, masks)
                write_scored(self.predictions_path(method), Predictions.concatenate(parts))
                facts: dict[str, Any] = {"key": self._key(method)}
                if method == self.network:
                    facts["artefacts"] = artefact_facts(test, job) if "E" in self.protocols else []
                write_text(self._facts_path(method), json.dumps(facts, indent=1))
            on_epoch(count, {})

    def _judge(self, method: str, windows: FoldWindows, masks: dict[str, np.ndarray]) -> list[Predictions]:
        """Return a method's predictions under every condition; of one with moved labels, with all sensors."""
        job, test = self.fold, windows.test
        if is_shifted(method):
            sides = (windows.train, windows.validation, test)
            train, validation, test = (shift_labels(side, job.seed) for side in sides)
            moved = FoldWindows(windows.front_end, train, validation, test)
            views: Iterable[View] = [(FULL, test.features, test.presence)]
            return judge_views(method, self._shifted_predictor(method, moved), test, job, views)
        if method == self.network:
            predict = calibrated(
                load_network(job.folder / "model.keras"), read_fold(job.folder)["decision"], job
            )
        else:
            predict = fit_baseline(method, windows, job).predict_windows
        return judge_views(method, predict, test, job, self.views(test, masks))

    def _shifted_predictor(self, method: str, windows: FoldWindows) -> Predict:
        """Fit a method, or train the network as in the run, on windows of moved labels."""
        base = unshifted_name(method)
        if base != self.network:
            return fit_baseline(base, windows, self.fold).predict_windows
        job = replace(self.fold, folder=self.folder / method / self.fold.folder.name)
        model, _ = train_fold(job, windows, lambda epoch, metrics: None)
        predict = calibrated(model.net, calibrate(model, windows.validation, job), job)
        shutil.rmtree(job.folder, ignore_errors=True)  # its state lets a stopped training go on
        return predict

    def _facts_path(self, method: str) -> Path:
        """Return where a method says what its predictions were made of; written last."""
        return self.predictions_path(method).with_suffix(".json")

    @cached_property
    def _network_digest(self) -> str:
        return hashlib.sha256((self.fold.folder / "model.keras").read_bytes()).hexdigest()

    def _key(self, method: str) -> str:
        """Digest of what decides a method's predictions: another one, and they are made again."""
        name = versioned_name(method)
        parts = [__version__, self._network_digest, name, *self.protocols, str(MASK_SEED), str(SNR_DB)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _has(self, method: str) -> bool:
        try:
            known = json.loads(self._facts_path(method).read_text("utf-8"))["key"]
            return known == self._key(method) and self.predictions_path(method).is_file()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def views(self, test: WindowSet, masks: dict[str, np.ndarray]) -> Iterator[View]:
        """Yield each condition with the features and presence of the test windows."""
        config = self.fold.config
        names = config.front_end.modality_names
        seen = {"full": test.presence}
        if "D" in self.protocols:
            hidden = sensor_conditions(names, config.missing.conditions)
            seen |= {name: hide_modalities(test.presence, names, gone) for name, gone in hidden.items()}
        for name, mask in masks.items():
            protocol, _ = read_level(name) or ("", 0.0)
            if protocol in self.protocols:
                seen[name] = test.presence & mask
        for condition, presence in seen.items():
            yield condition, test.features, presence
        if "E" in self.protocols:
            for snr, features, presence in zip(
                SNR_DB, test.variant_features, test.variant_presence, strict=True
            ):
                yield condition_name("E", snr), features, presence


def artefact_facts(test: WindowSet, job: FoldJob) -> list[dict[str, Any]]:
    """Count, a subject and ratio, what the artefacts of protocol E did to tokens that are clean-present.

    Of the tokens of the subject's windows: how many were ``present`` without artefacts, ``touched`` of those
    by an artefact, ``ruled_absent`` of the touched by the front end's quality rules, and ``untouched_absent``
    of the others (a bad token makes the front end start anew).
    """
    facts = []
    for snr, presence, corrupted in zip(SNR_DB, test.variant_presence, test.variant_corrupted, strict=True):
        for subject in dict.fromkeys(test.subject.tolist()):
            rows = test.subject == subject
            clean, touched, lost = test.presence[rows], corrupted[rows], ~presence[rows]
            facts.append(
                {
                    "condition": condition_name("E", snr),
                    "seed": job.seed,
                    "subject": subject,
                    "present": int(clean.sum()),
                    "touched": int((clean & touched).sum()),
                    "ruled_absent": int((clean & touched & lost).sum()),
                    "untouched_absent": int((clean & ~touched & lost).sum()),
                }
            )
    return facts
