# SPDX-License-Identifier: Apache-2.0
"""The parts of a front end: one modality's settings, the normaliser's and the quantiser's numbers."""

from __future__ import annotations

import math
import re
from typing import Literal, Self

from pydantic import Field, model_validator

from mmq_bridge.front_end.filter_coefficients import FilterCoefficients
from mmq_bridge.validation import StrictModel

MAX_CHANNELS = 64
MAX_BANDS = 8
MAX_WEIGHT = 1e6
MAX_LOOK_BACK_S = 1200.0
"""What remembers longer learns how late it is in a session."""
LOOK_BACK_SUMS = 10
"""The core's MMQ_SUMS."""

NEW_IN_VERSION_2 = (
    "notch_hz",
    "spatial",
    "max_step_per_s",
    "max_bad_share",
    "min_deviation",
    "max_deviation",
    "min_kurtosis",
    "min_band_share",
    "min_regularity",
    "min_skewness",
)
"""Fields of `ModalityFrontEnd` that a version-1 file does not have."""


class Band(StrictModel):
    """A pass band of a 4th-order Butterworth filter (two biquads).

    Attributes
    ----------
    name : str
        Part of the feature's name, for example ``alpha``.
    low_hz, high_hz : float
        Edges in Hz at -3 dB.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,23}$")
    low_hz: float = Field(gt=0)
    high_hz: float = Field(gt=0)

    @model_validator(mode="after")
    def _check_edges(self) -> Self:
        if self.high_hz <= self.low_hz:
            raise ValueError(
                f"band {self.name!r}: high_hz must exceed low_hz {self.low_hz}, got {self.high_hz}"
            )
        return self


def _check_names(what: str, names: tuple[str, ...]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f"{what}s must differ, got {names}")
    for name in names:
        if not name or len(name) > 32 or "." in name or not name.isprintable():
            raise ValueError(f"{what} name {name!r} must be 1 to 32 printable characters without a dot")


class SpatialFilter(StrictModel):
    """One fixed matrix over the channels: ``outputs = matrix @ channels`` at each sample (eeg).

    Re-referencing, EOG regression, the cleaning matrix of an ICA and the interpolation of bad channels all
    have this form; `mmq_tf.cleaning` fits it off-line, the core applies it after decimation.

    Attributes
    ----------
    method : str
        How it was fitted, for people.
    outputs : tuple of str
        Names of the rows, which replace the channels' in the features' names.
    matrix : tuple of tuple of float
        One row an output, one weight a channel, no unit.

    Examples
    --------
    >>> SpatialFilter(method="difference", outputs=("F3-F4",), matrix=((1.0, -1.0),)).outputs
    ('F3-F4',)
    """

    method: str = Field(min_length=1, max_length=200)
    outputs: tuple[str, ...] = Field(min_length=1, max_length=MAX_CHANNELS)
    matrix: tuple[tuple[float, ...], ...] = Field(min_length=1, max_length=MAX_CHANNELS)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_names("output", self.outputs)
        if len(self.matrix) != len(self.outputs):
            raise ValueError(
                f"matrix must have one row an output ({len(self.outputs)}), got {len(self.matrix)} rows"
            )
        for name, row in zip(self.outputs, self.matrix, strict=True):
            if len(row) != len(self.matrix[0]):
                raise ValueError(f"matrix rows must be equally long, got {len(row)} weights for {name!r}")
            if not any(row):
                raise ValueError(f"matrix row of output {name!r} must not be all zeros: leave the output out")
            if any(abs(weight) > MAX_WEIGHT for weight in row):
                raise ValueError(f"matrix row of output {name!r} must stay within +-{MAX_WEIGHT:g}")
        return self


class ModalityFrontEnd(StrictModel):
    """How one modality's samples are cleaned, judged and turned into features.

    Every field but the rate has a default for each modality; `mmq_bridge.front_end.default_settings` names
    its source. A rule whose limit is 0 is off.

    Attributes
    ----------
    sampling_rate_hz : float
        Rate of the samples as they arrive, in Hz.
    unit : str
        Unit the thresholds below are in.
    channels : tuple of str
        Channel names in the order of the sample rows; acc: three per sensor.
    decimate : int
        Keep one of so many samples, after an anti-alias filter (eeg, eog, emg, ecg, ppg) or as their mean
        (eda, temp, resp).
    baseline_s : float
        Time constant of the running baseline that is subtracted; 0 subtracts only the first sample.
    bands : tuple of Band
        eeg, eog, emg: the filter bank; ecg and ppg: exactly one, the pulse band; resp: one, the breath band.
    context_s : float
        How far back ecg, ppg, eda, temp, resp features look, in s, from the end of their token.
    minimum, maximum : float
        A sample outside is lost, as if it were NaN.
    rail_low, rail_high : float
        A sample at or beyond a rail is saturated.
    max_saturated_share, max_lost_share : float
        A token with a greater share of such samples is absent.
    max_flat_s : float
        A token that touches a longer run of equal samples is absent; 0 switches the rule off.
    hold_s : float
        Losses up to this long repeat the last sample; longer ones restart the channel's filters.
    notch_hz : 0, 50 or 60
        Mains frequency that a notch takes out before anything else; 0 for none.
    spatial : SpatialFilter, optional
        eeg: a matrix over the channels, after decimation.
    max_step_per_s : float
        A token with a step between neighbouring samples beyond this, in unit/s, is absent.
    max_bad_share : float
        With a greater share of bad outputs the token is absent; with fewer only their features are lost.
    min_deviation, max_deviation : float
        Standard deviation of a token's decimated samples without baseline, in the unit, below which nothing
        is attached and above which it is all artefact (eeg, eog, emg, ecg, ppg, resp).
    min_kurtosis : float
        Fourth moment over squared variance in the pulse band (ecg; 3 for Gaussian noise, 1.5 for a sine).
    min_band_share : float
        Variance in the pulse or breath band over that of the same samples (ecg, ppg, resp).
    min_regularity : float
        Greatest autocorrelation of the band-passed pulse wave at lags of 42 to 210 beats a minute (ppg).
    min_skewness : float, optional
        Skewness of the token's band-passed pulse wave (ppg); None switches the rule off.
    filters : FilterCoefficients, optional
        eeg, eog, emg, ecg, ppg, resp: what these settings were designed into, so that a device needs no
        SciPy. No part of `FrontEnd.digest`.
    extra_features : dict of str to str
        Features of one's own by name, each with the Python function ``module:function`` that computes it from
        a token's samples. They follow the modality's own. For training only: a device cannot compute them.
    """

    sampling_rate_hz: float = Field(gt=0, le=4000)
    unit: str = Field(min_length=1, max_length=16)
    channels: tuple[str, ...] = Field(min_length=1, max_length=MAX_CHANNELS)
    decimate: int = Field(default=1, ge=1, le=64)
    baseline_s: float = Field(default=0.0, ge=0, le=600)
    bands: tuple[Band, ...] = Field(default=(), max_length=MAX_BANDS)
    context_s: float = Field(default=30.0, gt=0, le=120)
    minimum: float
    maximum: float
    rail_low: float
    rail_high: float
    max_saturated_share: float = Field(default=0.25, ge=0, le=1)
    max_lost_share: float = Field(default=0.25, ge=0, le=1)
    max_flat_s: float = Field(default=0.0, ge=0, le=3600)
    hold_s: float = Field(default=0.0, ge=0, le=1)
    notch_hz: Literal[0, 50, 60] = 0
    spatial: SpatialFilter | None = None
    max_step_per_s: float = Field(default=0.0, ge=0, le=1e12)
    max_bad_share: float = Field(default=0.0, ge=0, lt=1)
    min_deviation: float = Field(default=0.0, ge=0, le=1e9)
    max_deviation: float = Field(default=0.0, ge=0, le=1e9)
    min_kurtosis: float = Field(default=0.0, ge=0, le=1000)
    min_band_share: float = Field(default=0.0, ge=0, lt=1)
    min_regularity: float = Field(default=0.0, ge=0, lt=1)
    min_skewness: float | None = Field(default=None, ge=-100, le=100)
    filters: FilterCoefficients | None = None
    extra_features: dict[str, str] = Field(default_factory=dict, max_length=64)

    @property
    def rate_hz(self) -> float:
        """Rate after decimation, in Hz."""
        return self.sampling_rate_hz / self.decimate

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.minimum < self.maximum:
            raise ValueError(f"maximum must exceed minimum {self.minimum}, got {self.maximum}")
        if not self.rail_low < self.rail_high:
            raise ValueError(f"rail_high must exceed rail_low {self.rail_low}, got {self.rail_high}")
        _check_names("channel", self.channels)
        self._check_bands()
        for name, function in self.extra_features.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
                raise ValueError(
                    f"extra_features: {name[:60]!r} must be small letters, digits and underscores"
                )
            if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", function):
                raise ValueError(
                    f"extra_features.{name} must be module:function, for example my_lab.hrv:sd1; got "
                    f"{function[:60]!r}"
                )
        if self.notch_hz and self.sampling_rate_hz <= 2.2 * self.notch_hz:
            raise ValueError(
                f"notch_hz {self.notch_hz} needs a rate above {2.2 * self.notch_hz:g} Hz: set it to 0"
            )
        if self.max_deviation and self.max_deviation <= self.min_deviation:
            raise ValueError(
                f"max_deviation must exceed min_deviation {self.min_deviation}, got {self.max_deviation}"
            )
        if self.spatial is not None and len(self.spatial.matrix[0]) != len(self.channels):
            raise ValueError(
                f"spatial.matrix rows must have one weight a channel ({len(self.channels)}), got "
                f"{len(self.spatial.matrix[0])}"
            )
        return self

    def _check_bands(self) -> None:
        for band in self.bands:
            if band.high_hz >= 0.5 * self.rate_hz:
                raise ValueError(
                    f"band {band.name!r} ends at {band.high_hz} Hz, above half the decimated rate "
                    f"{self.rate_hz} Hz: decimate less or lower the band"
                )
        if len({b.name for b in self.bands}) != len(self.bands):
            raise ValueError("bands must have different names")


class Normalisation(StrictModel):
    """How raw features become what the model sees, with only what a device knows.

    ``population``: ``z = (x - mean) / std``. ``enrolment``: over the n present tokens of the first
    `enrolment_s` seconds ``m = (n*mean_e + k*mean) / (n + k)``, ``v = (n*var_e + k*std^2) / (n + k)``,
    ``z = (x - m) / sqrt(v)`` with k = `prior_tokens`. ``running``: the same with all past tokens and this
    one. z is clipped to +-`clip`; what is not finite becomes 0.

    From front-end version 3 on `enrolment` counts evidence: each modality learns from its first present
    tokens, as many as `enrolment_s` holds, whenever they come; with fewer than `enrolment_least` of them (a
    quarter, where it is None) it is normalised by the population.

    With `look_back_s` each feature but those of `QUALITY_FEATURES` has a look-back, ``(x - p) / s``: p is its
    mean over the last `look_back_s` of tokens in which its modality was present, this one too, s the
    deviation of its z, and it is clipped as z. The mean is made of ten sums, of which the oldest is dropped
    when a new one begins. It counts tokens, not time, and is 0 before the modality was present for so long,
    the enrolment included.
    """

    mode: Literal["population", "enrolment", "running"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    enrolment_s: float = Field(default=0.0, ge=0, le=86400)
    prior_tokens: float = Field(default=12.0, gt=0, le=1e6)
    clip: float = Field(default=5.0, gt=0, le=100)
    enrolment_least: int | None = Field(default=None, ge=1, le=1_000_000)
    look_back_s: float = Field(default=0.0, ge=0, le=MAX_LOOK_BACK_S)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean and std must be equally long, got {len(self.mean)} and {len(self.std)}")
        if any(not 1e-12 <= s <= 1e12 for s in self.std) or any(abs(m) > 1e12 for m in self.mean):
            raise ValueError("every std must lie in 1e-12 to 1e12 and every mean within +-1e12")
        if self.mode == "enrolment" and self.enrolment_s <= 0:
            raise ValueError("enrolment_s must be above 0 when mode is enrolment")
        if self.look_back_s and self.mode != "enrolment":
            raise ValueError("look_back_s needs mode enrolment: its past must begin at rest")
        return self


def look_back_tokens(look_back_s: float, token_s: float) -> int:
    """Return how many tokens a look-back reaches back over.

    Raises
    ------
    ValueError
        When they are not ten times a whole number.

    Examples
    --------
    >>> look_back_tokens(600, 5), look_back_tokens(0, 5)
    (120, 0)
    """
    each = look_back_s / token_s / LOOK_BACK_SUMS
    if abs(each - round(each)) > 1e-6 or (look_back_s and round(each) < 1):
        step = LOOK_BACK_SUMS * token_s
        raise ValueError(
            f"look_back_s is made of ten sums of whole tokens of {token_s:g} s, so it must be a multiple of "
            f"{step:g} s, got {look_back_s:g} s"
        )
    return LOOK_BACK_SUMS * round(each)


def enrolment_tokens(enrolment_s: float, token_s: float) -> int:
    """Return how many tokens an enrolment of so many seconds lasts, the last one counted whole.

    Examples
    --------
    >>> enrolment_tokens(62, 5), enrolment_tokens(60, 5), enrolment_tokens(0, 5)
    (13, 12, 0)
    """
    return math.ceil(enrolment_s / token_s - 1e-9)


class Quantisation(StrictModel):
    """The model's own scale and zero point of its int8 ``features`` input (presence is 1/255, -128)."""

    scale: float = Field(gt=0)
    zero_point: int = Field(ge=-128, le=127)
