# SPDX-License-Identifier: Apache-2.0
"""Everything that decides what a network learns from given windows, and the sections of a run it shares."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from mmq_bridge.front_end.feature_layout import FeatureLayout
from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator, model_validator

from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.datasets.protocol_limits import EnrolmentFrom, Limits

MAX_EPOCHS = 100_000
MAX_SEED = 2**32 - 1
"""Largest seed that every generator of random numbers takes."""


class ConfigSection(BaseModel):
    """A part of a configuration: unknown keys are errors, values stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class JoinedSetConfig(ConfigSection):
    """One of the data sets that a run joins; a name alone in place of a table stands for all defaults.

    `name` is what its people's names begin with, `folder` where it lies in the joint folder; both are the
    data set's own name by default. `task` is the joint task by default; `classes` says which joint class each
    of its classes is, by default the one of the same name. The others are what its protocol allows where the
    run would take more (see `mmq_tf.datasets.protocol_limits.Limits`).
    """

    dataset: str
    name: str = Field(default="", pattern=r"^\w*$")
    folder: str = ""
    task: str = ""
    classes: dict[str, str] = {}
    enrolment_s: float | None = Field(default=None, gt=0)
    enrolment_from: EnrolmentFrom | None = None
    window_s: float | None = Field(default=None, gt=0)
    stride_s: float | None = Field(default=None, gt=0)

    @property
    def called(self) -> str:
        """Its name in the joined data set."""
        return self.name or self.dataset

    def limits(self) -> Limits:
        """Return what its protocol allows."""
        names = ("enrolment_s", "window_s", "stride_s", "enrolment_from")
        return Limits(**{name: value for name in names if (value := getattr(self, name)) is not None})


class DataConfig(ConfigSection):
    """Which recordings, and which of their labels is learned.

    `classes` are given only for the data set ``manifest``, whose tasks stand in the folder's own
    ``mmq-tf.toml``, and for joined ones, where they are those of the first set by default.

    `sets` joins data sets, the home set first: `dataset` is then the name of what they are together, and
    ``--data`` the folder that holds theirs. `weights` says how much the training windows of each set count
    together, whatever their number, the home set's being 1; without it every window counts 1.
    """

    dataset: str
    task: str
    classes: tuple[str, ...] = ()
    sets: tuple[JoinedSetConfig, ...] = ()
    weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}

    @field_validator("sets", mode="before")
    @classmethod
    def _names_stand_for_tables(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"dataset": one} if isinstance(one, str) else one for one in value]

    @field_serializer("sets")
    def _said_alone(self, sets: tuple[JoinedSetConfig, ...]) -> list[dict[str, Any]]:
        return [one.model_dump(exclude_defaults=True) for one in sets]


WITHOUT_LINE = ("model.line=false", "model.line_gate=false", "model.line_steps=false")
"""Changes of a configuration that take the line out of it, and what goes with it alone."""


class ModelConfig(ConfigSection):
    """The network and the name of its size; for ablations, without some of its parts (see `MMQNet`).

    `dim`, `heads`, `blocks` and `hidden` replace the size's own width of a token, attention heads, encoder
    blocks and hidden width. With `dim` alone, `hidden` is twice as wide. The baselines' transformers follow.
    `members` networks are trained side by side and their logits averaged (see `mmq_tf.model.Ensemble`).
    `rebuilt_penalty` was chosen on Stress-Predict's subjects S02 to S14 (see results/log.md).
    `line` puts a linear read-out beside the queries (see `mmq_tf.model.line_path`). Features of quality (see
    `FeatureLayout.quality`) are then read by interference queries alone; with `quality` = "evidence" they
    count as any other, to see what a decision owes to movement that spoils a pulse. `network_share` is the
    network's share in the logit, 0 leaves the line alone; without it validation people choose.
    `line_squash` is where a feature stops counting in full for the line, in the wearer's own deviations:
    where it is small, little but the direction counts. `line_gate` lets the line's mean believe some tokens
    more than others, by what their sensor measured. `line_steps` makes the line a sum of free curves, one a
    statistic: for data of few people.
    """

    name: Literal["mmqnet", "mhacl"] = "mmqnet"
    size: Literal["nano", "small", "base"] = "nano"
    dim: int | None = Field(default=None, ge=4, le=512)
    heads: int | None = Field(default=None, ge=1, le=16)
    blocks: int | None = Field(default=None, ge=1, le=12)
    hidden: int | None = Field(default=None, ge=4, le=2048)
    members: int = Field(default=1, ge=1, le=16)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    queries: tuple[Literal["modality", "category", "interference"], ...] = (
        "modality",
        "category",
        "interference",
    )
    learned_mask: bool = True
    rebuilt_penalty: float = Field(default=2.0, ge=0, le=16)
    line: bool = False
    quality: Literal["gate", "evidence"] = "gate"
    network_share: float | None = Field(default=None, ge=0, le=1)
    line_squash: float = Field(default=1.5, ge=0.05, le=10)
    line_gate: bool = False
    line_steps: bool = False

    @model_validator(mode="after")
    def _line_stands_beside_queries(self) -> ModelConfig:
        if self.line and self.name != "mmqnet":
            raise ValueError(f"line: it stands beside mmqnet's queries, not in {self.name}: set it to false")
        if self.network_share is not None and not self.line:
            raise ValueError("network_share: it is the share beside a line, so it goes with line = true")
        for part in ("line_gate", "line_steps"):
            if getattr(self, part) and not self.line:
                raise ValueError(f"{part}: it is a part of the line, so it goes with line = true")
        return self

    @property
    def widths(self) -> dict[str, int]:
        """Widths and depths that differ from those of `size`, by the names of a network's arguments."""
        hidden = 2 * self.dim if self.hidden is None and self.dim is not None else self.hidden
        given = {"dim": self.dim, "heads": self.heads, "blocks": self.blocks, "hidden": hidden}
        return {name: value for name, value in given.items() if value is not None}


class MissingConfig(ConfigSection):
    """What training hides (see `mmq_tf.augmentation.missingness`), and what is hidden in turn when judging.

    Whole tokens up to `max_rate`, in all but `complete_share` of the windows; and single channels of sensors
    that have several, such as EEG's electrodes, up to `max_channel_rate` in every window (chosen on eegmat's
    subjects 00 to 11, see results/log.md). Of a share `look_back_share` of the windows the look-backs are
    hidden, as of a wearer whose past is not known.

    Each sensor alone is always one of the latter; `conditions` names further ones and the modalities they
    hide, for example ``wrist-only = ["ecg", "emg", "resp"]``.
    """

    max_rate: float = Field(default=0.9, ge=0, lt=1)
    complete_share: float = Field(default=0.2, ge=0, le=1)
    max_channel_rate: float = Field(default=0.7, ge=0, lt=1)
    look_back_share: float = Field(default=0.3, ge=0, le=1)
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


class ArtefactsConfig(ConfigSection):
    """Artefacts added to raw training signals, so that interference queries can be taught."""

    variants: int = Field(default=2, ge=0, le=16)
    share: float = Field(default=0.3, gt=0, lt=1)
    snr_db: tuple[float, float] = (0.0, 10.0)
    used_share: float = Field(default=0.3, ge=0, le=1)


class TrainingConfig(ConfigSection):
    """Optimiser, augmentation and stopping. The epoch is chosen on validation subjects.

    `feature_noise` and `feature_shift` are standard deviations, in those of the normalised features, of what
    is added to each token and to each whole window. A share `channels_in_common` of both variances is the
    same in all channels of a sensor, so that averaging over channels does not undo it. `teacher_share` is how
    much of the label comes from `mmq_tf.training.distillation`. The defaults were chosen on Stress-Predict's
    validation subjects pooled over folds, which is not nested, `channels_in_common` on eegmat's subjects 00
    to 11: see results/log.md.
    """

    epochs: int = Field(default=40, ge=1, le=MAX_EPOCHS)
    patience: int = Field(default=15, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    feature_noise: float = Field(default=0.6, ge=0)
    feature_shift: float = Field(default=1.0, ge=0)
    channels_in_common: float = Field(default=0.5, ge=0, le=1)
    teacher_share: float = Field(default=0.5, ge=0, le=1)


class TrainingSpec(ConfigSection):
    """Everything that decides what a network learns from given windows; `RunConfig.training_spec` is a run's.

    `layout` says how the windows' features belong to sensors, `data` which task their labels belong to.
    """

    layout: FeatureLayout
    data: DataConfig
    model: ModelConfig = ModelConfig()
    losses: LossWeights = Field(default_factory=LossWeights)
    missing: MissingConfig = MissingConfig()
    artefacts: ArtefactsConfig = ArtefactsConfig()
    training: TrainingConfig = TrainingConfig()
