# SPDX-License-Identifier: Apache-2.0
"""Every run is one validated TOML file: presets, `--set` overrides and their errors.

An unknown key or an impossible value is an error that names the key, never a silent default.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import tomli_w
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.front_end import FrontEnd, check_look_back
from mmq_bridge.front_end.settings import MAX_LOOK_BACK_S
from mmq_bridge.validation import first_problem
from pydantic import Field, ValidationError, model_validator

from mmq_tf.config.data_source import check_task, classes_of, set_order, source_of
from mmq_tf.config.keys import config_keys
from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.config.preset_files import preset_names, preset_text
from mmq_tf.config.training_spec import (
    MAX_EPOCHS,
    MAX_SEED,
    ArtefactsConfig,
    ConfigSection,
    DataConfig,
    MissingConfig,
    ModelConfig,
    TrainingConfig,
    TrainingSpec,
)
from mmq_tf.datasets import DATASETS, Joint
from mmq_tf.datasets.protocol_limits import EnrolmentFrom
from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_DURATION_S
from mmq_tf.utils.suggestion import did_you_mean

logger = logging.getLogger(__name__)
SHORTEST_STRIDE_S = 0.5  # the shortest token: windows begin with one
ENROLMENT_ONLY = (
    "enrolment_s", "rest_class", "enrolment_from", "enrolment_least", "short_share", "look_back_s"
)  # fmt: skip
"""Keys of `NormalisationConfig` that go with mode ``enrolment`` only."""


class WindowsConfig(ConfigSection):
    """How windows are cut: `front_end.tokens` long, inside one trial, one every `stride_s` seconds."""

    stride_s: float = Field(default=15.0, ge=SHORTEST_STRIDE_S, le=MAX_DURATION_S)


class NormalisationConfig(ConfigSection):
    """What a device may know of a new wearer; see `mmq_bridge.front_end.front_end.Normalisation`.

    With `rest_class` a recording enrols in its first trial that has this label, in any task: what lies before
    is not used, as if the device had been put on then, and the enrolment ends with that trial at the latest.
    Without it the enrolment is the first `enrolment_s` seconds, whatever is done in them. With
    `enrolment_from` the enrolment is apart from what is judged, as with a device that was enrolled on another
    day: in the first half of that trial (``rest_half``: all else is judged, what comes before it too), or in
    that trial of another session of the same person (``other_visit``: people without one are left out).

    From front-end version 3 on `enrolment_s` counts present tokens; with fewer than `enrolment_least` of them
    (by default a quarter) a modality is normalised by the population. A share `short_share` of the training
    windows is then as after a shorter enrolment, in which some modalities had too little. With `look_back_s`
    above 0 windows also hold look-backs.
    """

    mode: Literal["population", "enrolment", "running"] = "population"
    enrolment_s: float = Field(default=0.0, ge=0)
    prior_tokens: float = Field(default=12.0, gt=0)
    clip: float = Field(default=5.0, gt=0)
    rest_class: str | None = Field(default=None, min_length=1)
    enrolment_from: EnrolmentFrom | None = None
    enrolment_least: int | None = Field(default=None, ge=1, le=1_000_000)
    short_share: float | None = Field(default=None, gt=0, le=1)
    look_back_s: float = Field(default=0.0, ge=0, le=MAX_LOOK_BACK_S)

    @model_validator(mode="after")
    def _enrolment_has_a_length(self) -> NormalisationConfig:
        if (self.mode == "enrolment") != (self.enrolment_s > 0):
            raise ValueError("enrolment_s must be above 0 exactly when mode is 'enrolment'")
        if self.rest_class is not None and self.mode != "enrolment":
            raise ValueError("rest_class says where to enrol, so it goes with mode 'enrolment' only")
        if self.enrolment_from is not None and self.rest_class is None:
            raise ValueError("enrolment_from needs rest_class, the name of the trials to enrol in")
        if self.short_share is not None and self.mode != "enrolment":
            raise ValueError("short_share draws short enrolments, so it goes with mode 'enrolment' only")
        if self.look_back_s and self.mode != "enrolment":
            raise ValueError("look_back_s needs mode 'enrolment': its past must begin at rest")
        return self


class SplitConfig(ConfigSection):
    """Subjects stay apart. `folds` is a number of folds of subjects, or "loso" for one subject a fold.

    With `by` ``dataset`` each fold tests the people of one of the joined data sets, and `folds` has no
    meaning.
    """

    unit: str = "subjects"
    by: Literal["dataset"] | None = None
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


class PretrainingConfig(ConfigSection):
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
    epochs: int = Field(default=30, ge=1, le=MAX_EPOCHS)
    steps: int = Field(default=50, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    frozen_epochs: int = Field(default=5, ge=0)


class RunConfig(ConfigSection):
    """One run, whole. `notes` are sentences that every table of results of this configuration carries."""

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
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_its_data(self) -> RunConfig:
        check_task(self.data)
        if self.front_end.normalisation or self.front_end.quantisation:
            raise ValueError(
                "front_end.normalisation and front_end.quantisation are measured, never configured"
            )
        for key in ("enrolment_least", "short_share"):
            if getattr(self.normalisation, key) is not None and self.front_end.frontend_version < 3:
                raise ValueError(f"normalisation.{key} needs front_end.frontend_version 3")
        if self.split.by == "dataset" and len(self.set_order) < 2:
            raise ValueError("split.by = 'dataset' leaves out one of several joined data sets; join some")
        version, token_s = self.front_end.frontend_version, self.front_end.token_s
        check_look_back(self.normalisation.look_back_s, token_s, version)
        known = set(self.front_end.modality_names)
        for name, hidden in self.missing.conditions.items():
            if not hidden or not set(hidden) < known:
                raise ValueError(
                    f"missing.conditions.{name} must hide some, not all, of {', '.join(sorted(known))}; "
                    f"got {', '.join(hidden) or 'none'}"
                )
        if len(set(self.seeds)) != len(self.seeds) or not 0 <= min(self.seeds) <= max(self.seeds) <= MAX_SEED:
            raise ValueError(f"seeds must be different numbers from 0 to {MAX_SEED}")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the task, in the order of their integer labels."""
        return classes_of(self.data)

    @property
    def source(self) -> str | Joint:
        """The data set as `mmq_tf.datasets.open_dataset` takes it."""
        return source_of(self.data)

    @property
    def set_order(self) -> tuple[str, ...]:
        """Names of the joined data sets, the home set first; empty where nothing is joined."""
        return set_order(self.data)

    @property
    def feature_layout(self) -> FeatureLayout:
        """How a window's features belong to the modalities, look-backs included."""
        return self.front_end.layout(look_backs=self.normalisation.look_back_s > 0)

    @property
    def training_spec(self) -> TrainingSpec:
        """What this run's networks learn, from windows of its front end."""
        return TrainingSpec(
            layout=self.feature_layout,
            data=self.data,
            model=self.model,
            losses=self.losses,
            missing=self.missing,
            artefacts=self.artefacts,
            training=self.training,
        )

    def to_toml(self) -> str:
        """Return this configuration as TOML that `load_config` reads back to an equal one."""
        values = self.model_dump(mode="json", exclude_none=True)
        for name in ("sets", "weights"):
            if not values["data"][name]:
                del values["data"][name]
        return tomli_w.dumps(values)


def load_config(source: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration of a preset name or a TOML file, with `key=value` overrides applied.

    Parameters
    ----------
    source
        A name from `preset_names`, or the path of a TOML file.
    overrides
        Dotted keys and TOML values, for example ``training.epochs=5`` or ``model.size="small"``.
        ``front_end=FILE.json`` takes the whole front end from a file, as `mmq-tf clean` writes it. A
        ``normalisation.mode`` without enrolment leaves out what only an enrolment has.

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
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MMQError(f"{where} is not valid TOML: {error}.") from error
    return config_of(values, where, overrides)


def config_of(values: dict[str, Any], where: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration of a TOML file's content, with overrides applied to it as `load_config` does.

    Parameters
    ----------
    values : dict
        Is changed by the overrides.
    where : str
        What errors name.
    overrides : sequence of str

    Raises
    ------
    MMQError, BridgeError
        As `load_config`.
    """
    given = {_apply_override(values, override) for override in overrides}
    _spell_datasets(values.get("data"))
    if "normalisation.mode" in given and isinstance(values["normalisation"], dict):
        _leave_enrolment(values["normalisation"], given, where)
    if isinstance(values.get("front_end"), str):
        values["front_end"] = FrontEnd.load(values["front_end"]).without_filters()
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        names = [key.name for key in config_keys(RunConfig)]
        raise MMQError(f"{where}: {describe_validation(error, names)}") from error


def describe_validation(error: ValidationError, keys: Iterable[str] = ()) -> str:
    """Return the first problem of a validation error as one sentence; `keys` are those there could be."""
    found = first_problem(error)
    key = found.place or "the configuration"
    if found.unknown_key:
        meant = did_you_mean(key, keys) or " Remove it or correct its spelling."
        return f"unknown key {key}.{meant}"
    given = "" if isinstance(found.given, dict) else f" (got {found.given!r})"
    return f"{key}: {found.reason[:1].lower()}{found.reason[1:]}{given}."


def _read_source(source: str) -> tuple[str, str]:
    if source.replace("_", "-") in preset_names() and not Path(source).is_file():
        return preset_text(source), f"preset {source}"
    path = Path(source)
    try:
        return path.read_text("utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        names = preset_names()
        raise MMQError(
            f"{source!r} is neither a preset ({', '.join(names)}) nor a readable TOML file."
            f"{did_you_mean(source, names)}"
        ) from error


def _spell_datasets(data: Any) -> None:
    """Write the toolkit's own data sets with underscores, however they were spelled."""
    sections = [data, *(data.get("sets") or ())] if isinstance(data, dict) else []
    for section in sections:
        name = section.get("dataset") if isinstance(section, dict) else None
        if isinstance(name, str) and name.replace("-", "_") in DATASETS:
            section["dataset"] = name.replace("-", "_")


def _leave_enrolment(section: dict[str, Any], given: set[str], where: str) -> None:
    """Where another mode was set, leave out what only an enrolment has, unless it was given too."""
    if section.get("mode") == "enrolment":
        return
    dropped = [key for key in ENROLMENT_ONLY if key in section and f"normalisation.{key}" not in given]
    for key in dropped:
        del section[key]
    if dropped:
        logger.warning(
            "%s: normalisation.mode=%s leaves out its %s.", where, section.get("mode"), ", ".join(dropped)
        )


def _apply_override(values: dict[str, Any], override: str) -> str:
    """Set one value; return its key."""
    key, separator, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not separator or not all(parts):
        raise MMQError(f"--set {override!r} is not of the form key=value, for example training.epochs=5.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a string: --set model.size=small
    except RecursionError as error:
        raise MMQError(f"--set {key}: {text[:20]!r}... is nested too deeply; give a plain value.") from error
    section = values
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise MMQError(f"--set {override!r}: {part} is a value, not a section.")
    section[parts[-1]] = value
    return ".".join(parts)
