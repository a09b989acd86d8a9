"""The parts of a front end: one modality's settings, the normaliser's and the quantiser's numbers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_CHANNELS = 64
MAX_BANDS = 8


class Strict(BaseModel):
    """Frozen, no unknown keys, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Band(Strict):
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


class ModalityFrontEnd(Strict):
    """How one modality's samples are cleaned, judged and turned into features.

    Every field but the rate has a default for each modality; `firmware_bridge.defaults` names its source.

    Attributes
    ----------
    sampling_rate_hz : float
        Rate of the samples as they arrive, in Hz.
    unit : str
        Unit the thresholds below are in.
    channels : tuple of str
        Channel names in the order of the sample rows.
    decimate : int
        Keep one of so many samples, after an anti-alias filter (eeg, ecg, ppg).
    baseline_s : float
        Time constant of the running baseline that is subtracted; 0 subtracts only the first sample.
    bands : tuple of Band
        eeg: the filter bank; ecg and ppg: exactly one, the pulse band.
    context_s : float
        How far back ecg, ppg, eda, temp features look, in s, from the end of their token.
    minimum, maximum : float
        A sample outside is lost, as if it were NaN.
    rail_low, rail_high : float
        A sample at or beyond a rail is saturated.
    max_saturated_share, max_lost_share : float
        A token with a greater share of such samples is absent.
    max_flat_s : float
        A token that touches a longer run of equal samples is absent; 0 switches the rule off.
    hold_s : float
        Losses up to this long repeat the last sample; longer ones restart the filters.
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
        if len(set(self.channels)) != len(self.channels):
            raise ValueError(f"channels must differ, got {self.channels}")
        for name in self.channels:
            if not name or len(name) > 32 or "." in name or not name.isprintable():
                raise ValueError(f"channel name {name!r} must be 1 to 32 printable characters without a dot")
        for band in self.bands:
            if band.high_hz >= 0.5 * self.rate_hz:
                raise ValueError(
                    f"band {band.name!r} ends at {band.high_hz} Hz, above half the decimated rate "
                    f"{self.rate_hz} Hz: decimate less or lower the band"
                )
        if len({b.name for b in self.bands}) != len(self.bands):
            raise ValueError("bands must have different names")
        return self


class Normalisation(Strict):
    """How raw features become what the model sees, with only what a device knows.

    ``population``: ``z = (x - mean) / std``. ``enrolment``: over the n present tokens of the first
    `enrolment_s` seconds ``m = (n*mean_e + k*mean) / (n + k)``, ``v = (n*var_e + k*std^2) / (n + k)``,
    ``z = (x - m) / sqrt(v)`` with k = `prior_tokens`. ``running``: the same with all past tokens and this
    one. z is clipped to +-`clip`; what is not finite becomes 0.
    """

    mode: Literal["population", "enrolment", "running"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    enrolment_s: float = Field(default=0.0, ge=0, le=86400)
    prior_tokens: float = Field(default=12.0, gt=0, le=1e6)
    clip: float = Field(default=5.0, gt=0, le=100)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean and std must be equally long, got {len(self.mean)} and {len(self.std)}")
        if any(not 1e-12 <= s <= 1e12 for s in self.std) or any(abs(m) > 1e12 for m in self.mean):
            raise ValueError("every std must lie in 1e-12 to 1e12 and every mean within +-1e12")
        if self.mode == "enrolment" and self.enrolment_s <= 0:
            raise ValueError("enrolment_s must be above 0 when mode is enrolment")
        return self


class Quantisation(Strict):
    """The model's own scale and zero point of its int8 ``features`` input (presence is 1/255, -128)."""

    scale: float = Field(gt=0)
    zero_point: int = Field(ge=-128, le=127)
