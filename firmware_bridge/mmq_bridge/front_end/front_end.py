# SPDX-License-Identifier: Apache-2.0
"""`FrontEnd`: the versioned description of how samples become tokens, shared by training and device."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from mmq_bridge.atomic_files import replaced_file
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.default_settings import modality_defaults
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.feature_names import look_back_names, modality_feature_names
from mmq_bridge.front_end.filter_design import design_filters
from mmq_bridge.front_end.modalities import WAVE_MODALITIES
from mmq_bridge.front_end.modality_constraints import check_modality
from mmq_bridge.front_end.settings import (
    NEW_IN_VERSION_2,
    Band,
    ModalityFrontEnd,
    Normalisation,
    Quantisation,
    SpatialFilter,
    enrolment_tokens,
    look_back_tokens,
)
from mmq_bridge.validation import StrictModel, first_problem, parse_json

__all__ = [
    "Band",
    "FrontEnd",
    "ModalityFrontEnd",
    "Normalisation",
    "Quantisation",
    "SpatialFilter",
    "modality_feature_names",
]

FRONTEND_VERSION = 3
"""The newest that can be read."""
DEFAULT_VERSION = 3
"""What a new front end gets when it does not say."""
MAX_FILE_BYTES = 4_000_000
MAX_TOKENS = 512


class FrontEnd(StrictModel):
    """The versioned contract between sensors and model.

    Parameters
    ----------
    frontend_version : int
        A changed formula is a new version. A file of version 1 keeps its meaning and its digest: it gets none
        of the rules and defaults that came with version 2. Version 3 has the settings of version 2.
    token_s : float
        Seconds a token covers.
    tokens : int
        Tokens in a window (T).
    modalities : dict of str to ModalityFrontEnd
        In the order of the model's inputs; keys left out take the modality's defaults.
    grace_s : float
        How long a closing token waits for a silent sensor, in s.
    normalisation, quantisation : optional
        Filled in by training and export.

    Examples
    --------
    >>> fe = FrontEnd.wearable({"ppg": 64, "eda": 4, "temp": 4, "acc": 32})
    >>> fe.modality_names
    ('ppg', 'eda', 'temp', 'acc')
    >>> fe.feature_names[0]
    'ppg.heart_rate'
    >>> FrontEnd.from_json(fe.to_json()) == fe
    True
    """

    frontend_version: int = Field(default=DEFAULT_VERSION, strict=True, ge=1, le=FRONTEND_VERSION)
    token_s: float = Field(default=5.0, ge=0.5, le=60)
    tokens: int = Field(default=12, ge=1, le=MAX_TOKENS)
    modalities: dict[str, ModalityFrontEnd] = Field(min_length=1, max_length=16)
    grace_s: float = Field(default=2.0, ge=0, le=60)
    normalisation: Normalisation | None = None
    quantisation: Quantisation | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        version = data.get("frontend_version", DEFAULT_VERSION)
        if isinstance(version, (int, float)) and version > FRONTEND_VERSION:
            raise ValueError(
                f"it was written by a newer mmq-tf (frontend_version {version}; this one reads up to "
                f"{FRONTEND_VERSION}): update mmq-tf"
            )
        if not isinstance(data.get("modalities"), Mapping):
            return data
        version = version if isinstance(version, int) else DEFAULT_VERSION
        filled = {name: _with_defaults(name, given, version) for name, given in data["modalities"].items()}
        return {**data, "modalities": filled}

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, modality in self.modalities.items():
            check_modality(name, modality, self.token_s, self.frontend_version)
        if self.normalisation is not None:
            self._check_normalisation(self.normalisation)
        return self

    def _check_normalisation(self, given: Normalisation) -> None:
        if self.frontend_version < 3 and given.enrolment_least is not None:
            raise ValueError("normalisation.enrolment_least needs frontend_version 3: older ones count time")
        check_look_back(given.look_back_s, self.token_s, self.frontend_version)
        count = self.measured_layout.n_features
        if len(given.mean) != count:
            raise ValueError(f"normalisation has {len(given.mean)} means, but there are {count} features")

    @classmethod
    def wearable(
        cls,
        rates_hz: Mapping[str, float],
        channels: Mapping[str, tuple[str, ...]] | None = None,
        **settings: Any,
    ) -> Self:
        """Build a front end from rates alone, everything else at its default.

        Parameters
        ----------
        rates_hz : mapping of str to float
            Sampling rate by modality, in Hz, in the order of the model's inputs.
        channels : mapping, optional
            Channel names by modality where they differ from the default.
        **settings
            Any other field of `FrontEnd`, for example ``token_s``.

        Raises
        ------
        BridgeError
            When a value is impossible.
        """
        chosen = channels or {}
        parts = {
            name: {"sampling_rate_hz": rate, **({"channels": tuple(chosen[name])} if name in chosen else {})}
            for name, rate in rates_hz.items()
        }
        return cls._build({"modalities": parts, **settings}, "front end")

    @classmethod
    def _build(cls, data: Any, where: str) -> Self:
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise BridgeError(f"{where}: {_sentence(error)}") from error

    @property
    def modality_names(self) -> tuple[str, ...]:
        """Modalities in the order of the model's inputs."""
        return tuple(self.modalities)

    @property
    def measured_layout(self) -> FeatureLayout:
        """How the features that are measured, raw tokens, belong to the modalities: without look-backs."""
        return self.layout(look_backs=False)

    @property
    def feature_layout(self) -> FeatureLayout:
        """How a window's features belong to the modalities: its look-backs are the last of each."""
        return self.layout(look_backs=self.look_back_tokens > 0)

    def layout(self, *, look_backs: bool) -> FeatureLayout:
        """Return how features belong to the modalities, with look-backs or without."""
        names = {name: modality_feature_names(name, modality) for name, modality in self.modalities.items()}
        if look_backs:
            for name, modality in self.modalities.items():
                names[name] += look_back_names(name, modality)
        return FeatureLayout(
            self.tokens,
            {name: len(own) for name, own in names.items()},
            tuple(feature for own in names.values() for feature in own),
        )

    @property
    def look_back_tokens(self) -> int:
        """Present tokens that look-backs reach back over; 0 where there are none."""
        given = self.normalisation
        return look_back_tokens(given.look_back_s, self.token_s) if given and given.look_back_s else 0

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A window's features in the order of the model's inputs, like ``eeg.Fz.de_alpha``."""
        return self.feature_layout.feature_names

    @property
    def feature_slices(self) -> dict[str, slice]:
        """Where each modality's features lie in a window's feature vector."""
        return self.feature_layout.feature_slices

    @property
    def n_features(self) -> int:
        """Length F of a window's feature vector."""
        return self.feature_layout.n_features

    @property
    def window_s(self) -> float:
        """Seconds a window covers."""
        return self.token_s * self.tokens

    @property
    def enrolment_tokens(self) -> int:
        """Tokens the enrolment lasts, the last one counted whole; 0 where the normalisation has none.

        This is the only place that computes it: training, export, `Device` and the C spec take it from here.

        Examples
        --------
        >>> fe = FrontEnd.wearable({"temp": 4}, token_s=5)
        >>> norm = Normalisation(mode="enrolment", mean=(33,) * 3, std=(1,) * 3, enrolment_s=62)
        >>> fe.enrolment_tokens, fe.with_normalisation(norm).enrolment_tokens
        (0, 13)
        """
        given = self.normalisation
        if given is None or given.mode != "enrolment":
            return 0
        return enrolment_tokens(given.enrolment_s, self.token_s)

    @property
    def counts_evidence(self) -> bool:
        """Whether the enrolment counts present tokens, as from version 3 on, rather than all that pass."""
        return self.frontend_version >= 3 and self.enrolment_tokens > 0

    @property
    def enrolment_least(self) -> int:
        """Present tokens below which a modality is normalised by the population; 0 where none are counted."""
        if not self.counts_evidence or self.normalisation is None:
            return 0
        given = self.normalisation.enrolment_least
        return min(math.ceil(self.enrolment_tokens / 4) if given is None else given, self.enrolment_tokens)

    @property
    def least_enrolment_s(self) -> float:
        """Shortest enrolment in s that `with_shorter_enrolment` takes; 0 where there is none.

        As many tokens as the population counts (`prior_tokens`), and never more than a quarter of the whole.
        """
        given, tokens = self.normalisation, self.enrolment_tokens
        return 0.0 if given is None else math.ceil(min(given.prior_tokens, tokens / 4)) * self.token_s

    def with_shorter_enrolment(self, enrolment_s: float) -> Self:
        """Return a copy that enrols for a shorter time than the model was trained with.

        Parameters
        ----------
        enrolment_s : float
            In s, from `least_enrolment_s` to the model's own.

        Raises
        ------
        BridgeError
            When it is outside of these, or the normalisation has no enrolment.
        """
        given = self.normalisation
        if given is None or given.mode != "enrolment":
            raise BridgeError("enrolment: this model has none, so it cannot be shortened; leave it out.")
        least, most = self.least_enrolment_s, given.enrolment_s
        if not least <= enrolment_s <= most:
            raise BridgeError(
                f"enrolment: expected {least:g} to {most:g} s, as the model was trained with {most:g} s, got "
                f"{enrolment_s:g} s."
            )
        return self.with_enrolment(float(enrolment_s))

    def with_enrolment(self, enrolment_s: float) -> Self:
        """Return a copy that enrols for so many seconds; what a modality needs at least stays as it is."""
        given, change = self.normalisation, {"enrolment_s": enrolment_s}
        if given is None or enrolment_s == given.enrolment_s:
            return self
        if self.counts_evidence:
            change["enrolment_least"] = self.enrolment_least
        return self.with_normalisation(given.model_copy(update=change))

    def with_look_back(self, tokens: int) -> Self:
        """Return a copy whose look-backs reach back over so many present tokens; 0 for none.

        Raises
        ------
        BridgeError
            When it has no enrolment, or there can be no such look-back.
        """
        given = self.normalisation
        if given is None or tokens == self.look_back_tokens:
            return self
        return self.with_normalisation(given.model_copy(update={"look_back_s": tokens * self.token_s}))

    def digest(self) -> str:
        """SHA-256 (hex) of what raw features depend on: everything but normalisation and quantisation.

        Filter coefficients follow from the rest, so they do not count either.
        """
        left_out = {
            "modalities": {
                name: self._unknown(modality) | {"filters"} for name, modality in self.modalities.items()
            }
        }
        content = self.model_dump(
            mode="json", exclude=left_out | {"normalisation": True, "quantisation": True}
        )
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def to_json(self) -> str:
        """JSON text; floats keep every digit."""
        left_out = {
            name: self._unknown(modality) | (set() if modality.filters else {"filters"})
            for name, modality in self.modalities.items()
        }
        without: dict[str, Any] = {"modalities": left_out}
        if self.normalisation:
            optional = {"enrolment_least": None, "look_back_s": 0.0}
            without["normalisation"] = {
                name for name, unset in optional.items() if getattr(self.normalisation, name) == unset
            }
        return self.model_dump_json(indent=2, exclude=without) + "\n"

    def _unknown(self, modality: ModalityFrontEnd) -> set[str]:
        """Fields that a modality of this front end's version, or without extra features, does not have."""
        fields = set() if self.frontend_version > 1 else set(NEW_IN_VERSION_2)
        return fields if modality.extra_features else fields | {"extra_features"}

    @classmethod
    def from_json(cls, text: str, where: str = "front end") -> Self:
        """Read JSON text.

        Parameters
        ----------
        text : str
            What `to_json` wrote.
        where : str
            File name for the error message.

        Raises
        ------
        BridgeError
            When it is not JSON, has an unknown key or an impossible value.
        """
        try:
            data = parse_json(text)
        except (ValueError, RecursionError) as error:
            raise BridgeError(f"{where}: expected JSON, got {error}: write it with FrontEnd.save") from error
        return cls._build(data, where)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write JSON, whole or not at all."""
        with replaced_file(Path(path)) as temporary:
            temporary.write_text(self.to_json(), "utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file written by `save`.

        Raises
        ------
        BridgeError
            When the file is absent, too large, not UTF-8 or not a front end.
        """
        try:
            with open(path, "rb") as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
            if len(content) > MAX_FILE_BYTES:
                raise BridgeError(
                    f"{path}: expected at most {MAX_FILE_BYTES} bytes of JSON: this is no front end"
                )
            text = content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BridgeError(f"{path}: cannot be read as a front end ({error}): check the path") from error
        return cls.from_json(text, str(path))

    def with_normalisation(self, normalisation: Normalisation | None) -> Self:
        """Return a copy with other normalisation."""
        return self._build({**dict(self), "normalisation": normalisation}, "front end")

    def with_filters(self) -> Self:
        """Return a copy that carries its filters' coefficients, so that a device needs no SciPy.

        Raises
        ------
        BridgeError
            When SciPy is not installed, or the settings make a filter that is not stable.
        """
        modalities = {
            name: {**dict(modality), "filters": design_filters(name, modality)}
            for name, modality in self.modalities.items()
            if name in WAVE_MODALITIES
        }
        return self._build({**dict(self), "modalities": {**self.modalities, **modalities}}, "front end")

    @property
    def extra_names(self) -> tuple[str, ...]:
        """Names of the features that Python computes and a device cannot, like ``ppg.sd1``."""
        return tuple(f"{name}.{extra}" for name, m in self.modalities.items() for extra in m.extra_features)

    def check_deployable(self) -> None:
        """Refuse what a device cannot compute.

        Raises
        ------
        BridgeError
            When there are extra features.
        """
        if self.extra_names:
            raise BridgeError(
                f"front end: {self.extra_names[0]} is computed in Python, which a device cannot do; train "
                "without extra_features to deploy."
            )

    def without_extra_features(self) -> Self:
        """Return the front end as the core knows it: without extra features, and without normalisation."""
        modalities = {
            name: modality.model_copy(update={"extra_features": {}})
            for name, modality in self.modalities.items()
        }
        return self.model_copy(update={"modalities": modalities, "normalisation": None, "quantisation": None})

    def without_filters(self) -> Self:
        """Return a copy without coefficients: they are designed from the settings where they are needed."""
        modalities = {
            name: modality.model_copy(update={"filters": None}) for name, modality in self.modalities.items()
        }
        return self.model_copy(update={"modalities": modalities})

    def with_quantisation(self, quantisation: Quantisation | None) -> Self:
        """Return a copy with other quantisation."""
        return self._build({**dict(self), "quantisation": quantisation}, "front end")


def check_look_back(look_back_s: float, token_s: float, version: int) -> None:
    """Check that a front end of this version can have a look-back of so many seconds.

    Raises
    ------
    ValueError
        When it cannot.
    """
    if look_back_s and version < 3:
        raise ValueError(
            f"normalisation.look_back_s needs frontend_version 3, which counts present tokens, got {version}"
        )
    look_back_tokens(look_back_s, token_s)


def _with_defaults(name: str, given: Any, version: int) -> Any:
    rate, unit = (
        (given.get(key) for key in ("sampling_rate_hz", "unit")) if isinstance(given, Mapping) else (0, None)
    )
    rate = rate if isinstance(rate, (int, float)) and 0 < rate < 1e9 else 0.0
    defaults = modality_defaults(name, rate, version, unit if isinstance(unit, str) else None)
    return {**defaults, **given} if isinstance(given, Mapping) else given


def _sentence(error: ValidationError) -> str:
    """Write the first complaint as one sentence: place, what is wrong, what came."""
    found = first_problem(error)
    got = f", got {str(found.given)[:60]!r}" if isinstance(found.given, (str, int, float)) else ""
    return f"{found.place + ': ' if found.place else ''}{found.reason}{got}"
