"""A finished run judged again: every method of a fold under every condition of the missing-data protocols."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

import mmq_tf.model.mmqnet  # noqa: F401  registers the network's classes
from mmq_tf import __version__
from mmq_tf.config import ArtefactsConfig, RunConfig
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.calibration import apply_temperature
from mmq_tf.evaluation.masks import shared_masks
from mmq_tf.evaluation.predictions import Predictions, write_predictions
from mmq_tf.files import write_text
from mmq_tf.folds import MODEL_NAME, FoldJob, Predict, View, fit_baseline, fold_windows, judge_views
from mmq_tf.missing import hide_modalities
from mmq_tf.protocols import (
    ARTEFACT_SHARE,
    MASK_SEED,
    SNR_DB,
    artefact_seed,
    condition_name,
    read_level,
    sensor_conditions,
)
from mmq_tf.runs import read_fold
from mmq_tf.streams import without_enrolment_artefacts
from mmq_tf.token_cache import TokenSettings
from mmq_tf.training import Progress, predict_logits
from mmq_tf.windows import Stream, WindowSet


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

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.fold.name

    @property
    def predictions_path(self) -> Path:
        """The fold's predictions under every condition."""
        return self.folder / "folds" / f"{self.fold.folder.name}.csv"

    @property
    def facts_path(self) -> Path:
        """What the fold says about itself; written last."""
        return self.predictions_path.with_suffix(".json")

    @cached_property
    def key(self) -> str:
        """Digest of what decides the fold's predictions: another one, and they are made again."""
        model = hashlib.sha256((self.fold.folder / "model.keras").read_bytes()).hexdigest()
        parts = [__version__, model, *self.baselines, *self.protocols, str(MASK_SEED), str(SNR_DB)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def done(self) -> bool:
        """Whether the predictions are there, of this network and these protocols."""
        try:
            known = json.loads(self.facts_path.read_text("utf-8"))["key"]
            return known == self.key and self.predictions_path.is_file()
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def run(self, on_epoch: Progress) -> None:
        """Predict with every method and write the fold's two files; `on_epoch` counts methods."""
        windows = fold_windows(self.fold)
        test, job = windows.test, self.fold
        masks = shared_masks(
            self.folder / "masks" / f"{job.index:02d}.npz", test, job.config.front_end.token_s, MASK_SEED
        )
        parts = judge_views(MODEL_NAME, _calibrated_network(job), test, job, self._views(test, masks))
        on_epoch(1, {})
        for count, name in enumerate(self.baselines, start=2):
            predict = fit_baseline(name, windows, job).predict_proba
            parts += judge_views(name, predict, test, job, self._views(test, masks))
            on_epoch(count, {})
        write_predictions(self.predictions_path, Predictions.concatenate(parts))
        facts = {"key": self.key, "artefacts": artefact_facts(test, job) if "E" in self.protocols else []}
        write_text(self.facts_path, json.dumps(facts, indent=1))

    def _views(self, test: WindowSet, masks: dict[str, np.ndarray]) -> Iterator[View]:
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


def _calibrated_network(job: FoldJob) -> Predict:
    """Return the fold's network with its temperature, as `mmq_tf.folds.judge_network` uses it."""
    task = job.config.data.task
    path = job.folder / "model.keras"
    temperature = read_fold(job.folder)["decision"]["temperature"][task]
    try:
        net: Any = keras.saving.load_model(path, compile=False)
    except Exception as error:  # keras raises zip, HDF5, JSON and its own errors here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MMQError(f"{path}: cannot be loaded as a network ({reason}); train again.") from error

    def predict(features: np.ndarray, presence: np.ndarray) -> np.ndarray:
        return apply_temperature(predict_logits(net, features, presence)[task], temperature)

    return predict


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
