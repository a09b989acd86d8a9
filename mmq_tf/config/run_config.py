# SPDX-License-Identifier: Apache-2.0
"""Every run is one validated TOML file: presets, `--set` overrides and their errors.

An unknown key or an impossible value is an error that names the key, never a silent default.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import tomli_w
from mmq_bridge.front_end.front_end import FrontEnd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.datasets import MANIFEST_NAME, get_dataset
from mmq_tf.errors import MMQError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """Which recordings, and which of their labels is learned.

    `classes` are given only for the data set ``manifest``, whose tasks stand in the folder's own
    ``mmq-tf.toml``.
    """

    dataset: str
    task: str
    classes: tuple[str, ...] = ()


class WindowsConfig(_Section):
    """How windows are cut: `front_end.tokens` long, inside one trial, one every `stride_s` seconds."""

    stride_s: float = Field(default=15.0, gt=0)


class NormalisationConfig(_Section):
    """What a device may know of a new wearer; see `mmq_bridge.front_end.front_end.Normalisation`."""

    mode: Literal["population", "enrolment", "running"] = "population"
    enrolment_s: float = Field(default=0.0, ge=0)
    prior_tokens: float = Field(default=12.0, gt=0)
    clip: float = Field(default=5.0, gt=0)

    @model_validator(mode="after")
    def _enrolment_has_a_length(self) -> NormalisationConfig:
        if (self.mode == "enrolment") != (self.enrolment_s > 0):
            raise ValueError("enrolment_s must be above 0 exactly when mode is 'enrolment'")
        return self


class ModelConfig(_Section):
    """The network and the name of its size; for ablations, without some of its parts (see `MMQNet`).

    `members` networks are trained side by side and their logits averaged (see `mmq_tf.model.Ensemble`).
    `rebuilt_penalty` was chosen on Stress-Predict's subjects S02 to S14 (see results/log.md).
    """

    name: Literal["mmqnet", "mhacl"] = "mmqnet"
    size: Literal["nano", "small", "base"] = "nano"
    members: int = Field(default=1, ge=1, le=16)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    queries: tuple[Literal["modality", "category", "interference"], ...] = (
        "modality",
        "category",
        "interference",
    )
    learned_mask: bool = True
    rebuilt_penalty: float = Field(default=2.0, ge=0, le=16)


class MissingConfig(_Section):
    """What training hides (see `mmq_tf.augmentation.missingness`), and what is hidden in turn when judging.

    Whole tokens up to `max_rate`, in all but `complete_share` of the windows; and single channels of sensors
    that have several, such as EEG's electrodes, up to `max_channel_rate` in every window (chosen on eegmat's
    subjects 00 to 11, see results/log.md).

    Each sensor alone is always one of the latter; `conditions` names further ones and the modalities they
    hide, for example ``wrist-only = ["ecg", "emg", "resp"]``.
    """

    max_rate: float = Field(default=0.9, ge=0, lt=1)
    complete_share: float = Field(default=0.2, ge=0, le=1)
    max_channel_rate: float = Field(default=0.7, ge=0, lt=1)
    conditions: dict[str, tuple[str, ...]] = {}

    @model_validator(mode="after")
    def _conditions_have_names_of_their_own(self) -> MissingConfig:
        for name in self.conditions:
            if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or name == "full" or name.startswith("no-"):
                raise ValueError(
                    f"conditions: {name!r} must be small letters, digits and hyphens, and neither 'full' nor "
                    "begin with 'no-'"
                )
        return self


class ArtefactsConfig(_Section):
    """Artefacts added to raw training signals, so that interference queries can be taught."""

    variants: int = Field(default=2, ge=0, le=16)
    share: float = Field(default=0.3, gt=0, lt=1)
    snr_db: tuple[float, float] = (0.0, 10.0)
    used_share: float = Field(default=0.3, ge=0, le=1)


class SplitConfig(_Section):
    """Subjects stay apart. `folds` is a number of folds of subjects, or "loso" for one subject a fold."""

    unit: str = "subjects"
    folds: int | Literal["loso"] = 5
    validation_share: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _is_honest(self) -> SplitConfig:
        if self.unit != "subjects":
            raise ValueError(
                f"a split by {self.unit!r} puts one person on both sides and measures memory, not "
                "recognition; only unit = 'subjects' is offered"
            )
        if isinstance(self.folds, int) and self.folds < 2:
            raise ValueError("folds must be at least 2, or 'loso'")
        return self


class TrainingConfig(_Section):
    """Optimiser, augmentation and stopping. The epoch is chosen on validation subjects.

    `feature_noise` and `feature_shift` are standard deviations, in those of the normalised features, of what
    is added to each token and to each whole window. A share `channels_in_common` of both variances is the
    same in all channels of a sensor, so that averaging over channels does not undo it. `teacher_share` is how
    much of the label comes from `mmq_tf.training.distillation`. The defaults were chosen on Stress-Predict's
    validation subjects pooled over folds, which is not nested, `channels_in_common` on eegmat's subjects 00
    to 11: see results/log.md.
    """

    epochs: int = Field(default=40, ge=1)
    patience: int = Field(default=15, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    feature_noise: float = Field(default=0.6, ge=0)
    feature_shift: float = Field(default=1.0, ge=0)
    channels_in_common: float = Field(default=0.5, ge=0, le=1)
    teacher_share: float = Field(default=0.5, ge=0, le=1)


class PretrainingConfig(_Section):
    """Stage 1 of ME-MHACL (`mmq-tf pretrain`), and how a training that starts from it begins.

    A batch holds `seconds` moments and `pairs` offspring in each of their two groups; a share `one_sided` of
    the pairs is shown on one side of the cut only, so that no person is in both groups. `frozen_epochs` are
    those of ``mmq-tf train --init`` in which the encoder stays as it was pretrained. `input` is what encoders
    read: front-end tokens, or raw windows, from which only stage 1 and its probe are offered.
    """

    input: Literal["tokens", "raw"] = "tokens"
    seconds: int = Field(default=8, ge=2)
    pairs: int = Field(default=2, ge=1)
    one_sided: float = Field(default=1.0, ge=0, le=1)
    temperature: float = Field(default=0.1, gt=0)
    projection: int = Field(default=64, ge=1)
    epochs: int = Field(default=30, ge=1)
    steps: int = Field(default=50, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    frozen_epochs: int = Field(default=5, ge=0)


class RunConfig(_Section):
    """One run, whole."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    data: DataConfig
    front_end: FrontEnd
    windows: WindowsConfig = WindowsConfig()
    normalisation: NormalisationConfig = NormalisationConfig()
    model: ModelConfig = ModelConfig()
    losses: LossWeights = Field(default_factory=LossWeights)
    missing: MissingConfig = MissingConfig()
    artefacts: ArtefactsConfig = ArtefactsConfig()
    split: SplitConfig = SplitConfig()
    training: TrainingConfig = TrainingConfig()
    pretraining: PretrainingConfig = PretrainingConfig()
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)

    @model_validator(mode="after")
    def _fits_its_data(self) -> RunConfig:
        check_task(self.data)
        if self.front_end.normalisation or self.front_end.quantisation:
            raise ValueError(
                "front_end.normalisation and front_end.quantisation are measured, never configured"
            )
        known = set(self.front_end.modality_names)
        for name, hidden in self.missing.conditions.items():
            if not hidden or not set(hidden) < known:
                raise ValueError(
                    f"missing.conditions.{name} must hide some, not all, of {', '.join(sorted(known))}; "
                    f"got {', '.join(hidden) or 'none'}"
                )
        if len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise ValueError("seeds must be different numbers from 0 upwards")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the task, in the order of their integer labels."""
        return self.data.classes or get_dataset(self.data.dataset).tasks[self.data.task]

    def to_toml(self) -> str:
        """Return this configuration as TOML that `load_config` reads back to an equal one."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def check_task(data: DataConfig) -> None:
    """Check that the data set has the task, or, where only its folder knows, that the classes are given."""
    if data.dataset == MANIFEST_NAME:
        if len(set(data.classes)) < 2 or len(set(data.classes)) != len(data.classes):
            raise ValueError(
                "data.classes must name at least two different classes, as the folder's mmq-tf.toml does"
            )
        return
    tasks = get_dataset(data.dataset).tasks
    if data.task not in tasks:
        raise ValueError(f"data.task {data.task!r} is not a task of {data.dataset}: {sorted(tasks)}")
    if data.classes:
        raise ValueError(f"data.classes are those of {data.dataset} itself; leave them out")


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    folder = resources.files("mmq_tf") / "presets"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def load_config(source: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration of a preset name or a TOML file, with `key=value` overrides applied.

    Parameters
    ----------
    source
        A name from `preset_names`, or the path of a TOML file.
    overrides
        Dotted keys and TOML values, for example ``training.epochs=5`` or ``model.size="small"``.
        ``front_end=FILE.json`` takes the whole front end from a file, as `mmq-tf clean` writes it.

    Raises
    ------
    MMQError
        If there is no such preset or file, it is not TOML, or a key or value is not allowed.
    BridgeError
        If the file of a front end cannot be read.
    """
    text, where = _read_source(str(source))
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MMQError(f"{where} is not valid TOML: {error}.") from error
    for override in overrides:
        _apply_override(values, override)
    if isinstance(values.get("front_end"), str):
        values["front_end"] = FrontEnd.load(values["front_end"]).without_filters()
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise MMQError(f"{where}: {describe_validation(error)}") from error


def describe_validation(error: ValidationError) -> str:
    """Return the first problem of a validation error as one sentence."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the configuration"
    if first["type"] == "extra_forbidden":
        return f"unknown key {key}; remove it or correct its spelling."
    message = first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], dict) else f" (got {first['input']!r})"
    return f"{key}: {message[:1].lower()}{message[1:]}{given}."


def _read_source(source: str) -> tuple[str, str]:
    if source in preset_names():
        return (resources.files("mmq_tf") / "presets" / f"{source}.toml").read_text(
            "utf-8"
        ), f"preset {source}"
    path = Path(source)
    try:
        return path.read_text("utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(preset_names())
        raise MMQError(f"{source!r} is neither a preset ({names}) nor a readable TOML file.") from error


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not separator or not all(parts):
        raise MMQError(f"--set {override!r} is not of the form key=value, for example training.epochs=5.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a string: --set model.size=small
    section = values
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise MMQError(f"--set {override!r}: {part} is a value, not a section.")
    section[parts[-1]] = value
