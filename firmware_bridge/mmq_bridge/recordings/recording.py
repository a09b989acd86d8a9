# SPDX-License-Identifier: Apache-2.0
"""Signal, trial, recording: what every loader returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.modalities import MODALITIES

MAX_RATE_HZ = 100_000.0
MAX_DURATION_S = 14 * 86_400.0
"""Longer than any wearable session: a start or a rate that makes one is a mistake in the file."""


@dataclass(frozen=True, eq=False)
class Signal:
    """Samples of one modality.

    Parameters
    ----------
    modality : str
        One of `MODALITIES`.
    samples : numpy.ndarray
        float32 ``[channels, n]``, C-contiguous, in `unit`; a lost sample is NaN, infinity is refused.
    sampling_rate_hz : float
        Samples a second; positive and finite.
    unit : str
        For instance ``"uV"``, ``"mV"``, ``"uS"``, ``"degC"``, ``"g"``, ``"a.u."``.
    channels : tuple of str
        One name a row of `samples`, all different.
    start_s : float
        Time of the first sample, in seconds from the recording's start.

    Raises
    ------
    BridgeError
        If any of the above does not hold.
    """

    modality: str
    samples: np.ndarray
    sampling_rate_hz: float
    unit: str
    channels: tuple[str, ...]
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise BridgeError(
                f"Signal: modality must be one of {', '.join(MODALITIES)}; got {self.modality!r}."
            )
        _check_samples(self.modality, self.samples)
        _check_rate(self.modality, self.sampling_rate_hz)
        if not _is_number(self.start_s):
            raise BridgeError(
                f"Signal {self.modality}: start_s must be a finite number; got {self.start_s!r}."
            )
        if not isinstance(self.unit, str) or not self.unit:
            raise BridgeError(f"Signal {self.modality}: unit must be a non-empty string; got {self.unit!r}.")
        names = tuple(self.channels)
        if len(names) != self.samples.shape[0] or len(set(names)) != len(names):
            raise BridgeError(
                f"Signal {self.modality}: expected {self.samples.shape[0]} different channel names,"
                f" one a row of samples; got {names!r}."
            )
        object.__setattr__(self, "channels", names)
        object.__setattr__(self, "sampling_rate_hz", float(self.sampling_rate_hz))
        object.__setattr__(self, "start_s", float(self.start_s))

    @property
    def duration_s(self) -> float:
        """Samples divided by rate, in seconds."""
        return self.samples.shape[1] / self.sampling_rate_hz

    @property
    def stop_s(self) -> float:
        """End of the last sample's period, in seconds from the recording's start."""
        return self.start_s + self.duration_s


@dataclass(frozen=True)
class Trial:
    """A stretch of one condition; the unit that may never be cut across a split.

    Parameters
    ----------
    start_s, stop_s : float
        Seconds from the recording's start, ``start_s < stop_s``; the trial is ``[start_s, stop_s)``.
    labels : dict of str to str
        Class by task name, for instance ``{"stress": "rest"}``; empty where nothing is to be learned.
    ratings : dict of str to float
        The numbers the labels came from, where the person gave some, for instance ``{"valence": 7.1}``.
    stimulus : str
        What was shown, under the same name for everyone who saw it; empty where it was not the same.
    stimulus_s : float
        How long it had been shown when the trial begins. Not part of the text form, whose digest tells
        whether a run's recordings are still the same.

    Raises
    ------
    BridgeError
        If the times are not finite and increasing, a label is not a non-empty string, a rating is not a
        finite number, or the stimulus began after the trial.
    """

    start_s: float
    stop_s: float
    labels: Mapping[str, str]
    ratings: Mapping[str, float] = field(default_factory=dict)
    stimulus: str = ""
    stimulus_s: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        if not (_is_number(self.start_s) and _is_number(self.stop_s) and self.stop_s > self.start_s):
            raise BridgeError(
                f"Trial: expected finite start_s < stop_s; got start_s={self.start_s!r} and"
                f" stop_s={self.stop_s!r}."
            )
        for task, label in dict(self.labels).items():
            if not (isinstance(task, str) and task and isinstance(label, str) and label):
                raise BridgeError(
                    f"Trial at {self.start_s:g} s: labels must map task names to class names;"
                    f" got {task!r}: {label!r}."
                )
        for scale, rating in dict(self.ratings).items():
            if not (isinstance(scale, str) and scale and _is_number(rating)):
                raise BridgeError(
                    f"Trial at {self.start_s:g} s: ratings must map scale names to finite numbers;"
                    f" got {scale!r}: {rating!r}."
                )
        if not (_is_number(self.stimulus_s) and self.stimulus_s >= 0):
            raise BridgeError(
                f"Trial at {self.start_s:g} s: stimulus_s must be a finite number of at least 0; got"
                f" {self.stimulus_s!r}."
            )
        object.__setattr__(self, "labels", dict(self.labels))
        object.__setattr__(self, "ratings", {scale: float(value) for scale, value in self.ratings.items()})


@dataclass(frozen=True, eq=False)
class Recording:
    """One subject's session.

    Parameters
    ----------
    subject, session : str
        Who and which session; not empty.
    signals : dict of str to Signal
        By modality, kept in the order of `MODALITIES`; an absent sensor is an absent key.
    trials : tuple of Trial
        In time order, not overlapping, each inside the recording.
    source : str
        Name of the data set.
    simulated : bool
        True where no person was measured; everything made from it says SIMULATED.
    digest : str
        Hex SHA-256 of what the recording was made from; part of every cache key.
    started_unix_s : float, optional
        When it began, in Unix seconds, where the files say so. No part of what makes two recordings equal.

    Raises
    ------
    BridgeError
        If any of the above does not hold.
    """

    subject: str
    session: str
    signals: Mapping[str, Signal]
    trials: tuple[Trial, ...] = ()
    source: str = ""
    simulated: bool = False
    digest: str = ""
    started_unix_s: float | None = field(default=None, repr=False)
    _stop_s: float = field(init=False, repr=False, default=0.0)

    def __post_init__(self) -> None:
        for name in ("subject", "session"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise BridgeError(f"Recording: {name} must be a non-empty string; got {value!r}.")
            object.__setattr__(self, name, readable_name(value))
        signals = _ordered(self.subject, self.signals)
        object.__setattr__(self, "signals", signals)
        object.__setattr__(self, "_stop_s", max(signal.stop_s for signal in signals.values()))
        if self.duration_s > MAX_DURATION_S:
            raise BridgeError(
                f"Recording of {self.subject}: expected at most {MAX_DURATION_S / 86400:g} days;"
                f" its signals end at {self.duration_s:g} s, so a start time or a rate must be wrong."
            )
        object.__setattr__(self, "trials", _checked_trials(self.subject, tuple(self.trials), self.duration_s))

    @property
    def duration_s(self) -> float:
        """Time from the recording's start (t = 0) to the end of its last signal, in seconds."""
        return self._stop_s

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities there are, in the order of `MODALITIES`."""
        return tuple(self.signals)


def readable_name(name: str) -> str:
    r"""Return a file's name as text: bytes that are not UTF-8 (old Windows archives) are read as Latin-1.

    Examples
    --------
    >>> readable_name("M\udcfcller"), readable_name("Müller")
    ('Müller', 'Müller')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("latin-1")
    return name


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and math.isfinite(value)


def _check_samples(modality: str, samples: np.ndarray) -> None:
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 2:
        is_array = isinstance(samples, np.ndarray)
        got = f"{samples.dtype} {list(samples.shape)}" if is_array else type(samples).__name__
        raise BridgeError(f"Signal {modality}: samples must be a float32 array [channels, n]; got {got}.")
    if 0 in samples.shape:
        raise BridgeError(
            f"Signal {modality}: expected at least one channel and one sample; got {list(samples.shape)}."
        )
    if np.isinf(samples).any():
        channel, index = np.argwhere(np.isinf(samples))[0]
        raise BridgeError(
            f"Signal {modality}: samples must be finite, or NaN where lost; got infinity at sample {index}"
            f" of channel {channel}."
        )


def _check_rate(modality: str, rate: float) -> None:
    if not _is_number(rate) or not 0 < rate <= MAX_RATE_HZ:
        raise BridgeError(
            f"Signal {modality}: sampling_rate_hz must be above 0 and at most {MAX_RATE_HZ:g}; got {rate!r}."
        )


def _ordered(subject: str, signals: Mapping[str, Signal]) -> dict[str, Signal]:
    if not signals:
        raise BridgeError(f"Recording of {subject}: expected at least one signal; got none.")
    for name, signal in signals.items():
        if not isinstance(signal, Signal) or signal.modality != name:
            got = signal.modality if isinstance(signal, Signal) else type(signal).__name__
            raise BridgeError(
                f"Recording of {subject}: signals[{name!r}] must be a Signal of that modality; got {got!r}."
            )
        if signal.start_s < 0:
            raise BridgeError(
                f"Recording of {subject}: signal {name} must not start before the recording (t = 0);"
                f" got start_s={signal.start_s:g}."
            )
    return {name: signals[name] for name in MODALITIES if name in signals}


def _checked_trials(subject: str, trials: tuple[Trial, ...], stop_s: float) -> tuple[Trial, ...]:
    slack_s = 1e-6  # rounding of start + n / rate
    previous = 0.0
    for number, trial in enumerate(trials):
        if trial.start_s < -slack_s or trial.stop_s > stop_s + slack_s:
            raise BridgeError(
                f"Recording of {subject}: trial {number} must lie inside the recording, 0 to {stop_s:g} s;"
                f" got {trial.start_s:g} to {trial.stop_s:g} s."
            )
        if trial.start_s < previous - slack_s:
            raise BridgeError(
                f"Recording of {subject}: trials must be in time order without overlap; trial {number} starts"
                f" at {trial.start_s:g} s, before {previous:g} s."
            )
        previous = trial.stop_s
    return trials
