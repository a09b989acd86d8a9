# SPDX-License-Identifier: Apache-2.0
"""How a recording's samples become raw windows: rates, channels, steps, and what they are normalised by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from mmq_bridge.core_binding.native import whole_tokens
from mmq_bridge.front_end.feature_layout import FeatureLayout
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation
from mmq_bridge.front_end.resampling import rate_ratio, resampled
from mmq_bridge.front_end.settings import enrolment_tokens

from mmq_tf.config.run_config import NormalisationConfig
from mmq_tf.errors import MMQError
from mmq_tf.features.token_streams import Source
from mmq_tf.model.raw_encoder import sample_sizes
from mmq_tf.recording import Signal

MOST_HZ: Mapping[str, float] = {
    "eeg": 128.0,
    "eog": 64.0,
    "emg": 128.0,
    "ecg": 128.0,
    "ppg": 64.0,
    "eda": 8.0,
    "resp": 16.0,
    "temp": 4.0,
    "acc": 32.0,
}
"""The most samples per second that raw windows keep of each modality; EEGNet's rate for EEG."""

MEASURED_SHARE = 0.5
"""Share of a step's numbers that must have been measured for it to be present."""


@dataclass(frozen=True)
class RawFrontEnd:
    """Raw windows as long as the front end's, in as many steps; one number a sample and channel.

    Parameters
    ----------
    tokens : int
        Steps in a window, T.
    token_s : float
        Seconds a step covers.
    channels : dict of str to tuple of str
        The M modalities in the front end's order, and their channels' names.
    samples : dict of str to (int, int)
        Samples a step and channels of each modality.
    normalisation : Normalisation, optional
        With one mean and deviation a channel, modality after modality.
    """

    tokens: int
    token_s: float
    channels: Mapping[str, tuple[str, ...]]
    samples: Mapping[str, tuple[int, int]]
    normalisation: Normalisation | None = None

    @classmethod
    def of(cls, front_end: FrontEnd) -> RawFrontEnd:
        """Return the raw windows of the same sensors, windows and steps as a front end's."""
        channels = {name: modality.channels for name, modality in front_end.modalities.items()}
        rates = {name: min(one.sampling_rate_hz, MOST_HZ[name]) for name, one in front_end.modalities.items()}
        samples = {
            name: (max(1, round(rates[name] * front_end.token_s)), len(names))
            for name, names in channels.items()
        }
        return cls(front_end.tokens, front_end.token_s, channels, samples)

    @property
    def modality_names(self) -> tuple[str, ...]:
        """The M modalities in order."""
        return self.feature_layout.modality_names

    @property
    def window_s(self) -> float:
        """Seconds a window covers."""
        return self.tokens * self.token_s

    @cached_property
    def feature_layout(self) -> FeatureLayout:
        """How the F numbers of a step belong to the modalities."""
        return FeatureLayout(self.tokens, sample_sizes(self.samples))

    @property
    def feature_slices(self) -> dict[str, slice]:
        """Where each modality's numbers lie among the F of a step."""
        return self.feature_layout.feature_slices

    @property
    def instants(self) -> np.ndarray:
        """When in its step each of the F numbers was measured: float64 ``[F]``, 0 to below 1."""
        parts = [np.repeat(np.arange(count) / count, wide) for count, wide in self.samples.values()]
        return np.concatenate(parts)

    def rate_hz(self, name: str) -> float:
        """Return a modality's samples per second."""
        return self.samples[name][0] / self.token_s

    def steps_of(self, source: Source) -> tuple[np.ndarray, np.ndarray]:
        """Return a recording's samples, float32 ``[n, F]``, NaN where lost, and presence, bool ``[n, M]``.

        As many steps as its token stream has.

        Raises
        ------
        MMQError
            If a signal's channels are not the front end's.
        """
        signals = source.recording.signals
        used = {name: signals[name] for name in self.samples if name in signals}
        count = whole_tokens(max((one.stop_s for one in used.values()), default=0.0), self.token_s)
        slices = self.feature_slices
        steps = np.full((count, self.feature_layout.n_features), np.nan, np.float32)
        presence = np.zeros((count, len(self.samples)), bool)
        for column, name in enumerate(self.samples):
            if name in used:
                values = self._resampled(name, used[name], count)
                presence[:, column] = np.isfinite(values).mean(axis=1) >= MEASURED_SHARE
                steps[:, slices[name]] = values
        return steps, presence

    def _resampled(self, name: str, signal: Signal, count: int) -> np.ndarray:
        """Return one modality's samples in steps, ``[count, S * C]``, a sample's channels together."""
        each, wide = self.samples[name]
        if signal.samples.shape[0] != wide:
            raise MMQError(
                f"{name}: the front end has {wide} channels, the recording {signal.samples.shape[0]}; use a "
                "front end with the recording's channels."
            )
        rate = self.rate_hz(name)
        made = resampled(signal.samples, rate_ratio(signal.sampling_rate_hz, rate))
        room = np.full((wide, count * each), np.nan, np.float32)
        first = round(signal.start_s * rate)
        part = made[:, : max(0, room.shape[1] - first)]
        room[:, first : first + part.shape[1]] = part
        return room.T.reshape(count, each * wide)

    def by_channel(self, steps: np.ndarray, name: str) -> np.ndarray:
        """Return a view ``[n, S, C]`` of one modality in steps ``[n, F]``."""
        return steps[:, self.feature_slices[name]].reshape(len(steps), *self.samples[name])

    def measured_on(
        self, people: Sequence[tuple[np.ndarray, np.ndarray]], settings: NormalisationConfig
    ) -> RawFrontEnd:
        """Return this with the channels' mean and deviation over training recordings, each weighing the same.

        As `mmq_tf.features.normalisation.fit_normalisation` does for features: the deviation is over all
        people where `settings.mode` is ``population``, else within a person, around the own mean.

        Parameters
        ----------
        people
            ``steps`` and ``presence`` of each training recording.
        settings
            What a device may know of a new wearer.
        """
        moments = np.stack([self._moments(*one) for one in people])
        mean = _mean(moments[:, 0])
        square = _mean(moments[:, 1])
        own = mean**2 if settings.mode == "population" else _mean(moments[:, 0] ** 2)
        std = np.sqrt(np.maximum(square - own, 0.0))
        std = np.where(np.isfinite(std) & (std > 1e-6), std, 1.0)
        normalisation = Normalisation(
            mode=settings.mode,
            mean=tuple(np.nan_to_num(mean).tolist()),
            std=tuple(std.tolist()),
            enrolment_s=settings.enrolment_s,
            prior_tokens=settings.prior_tokens,
            clip=settings.clip,
        )
        return replace(self, normalisation=normalisation)

    def _moments(self, steps: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """Return all channels' mean and mean square over present steps ``[2, C]``, NaN without any."""
        parts = [
            _mean(np.moveaxis(_step_moments(self.by_channel(steps, name), presence[:, column]), 1, 0))
            for column, name in enumerate(self.samples)
        ]
        return np.concatenate(parts, axis=1)

    def normalise(self, steps: np.ndarray, presence: np.ndarray) -> None:
        """Normalise a recording's steps in place, by what a device would have known at each; lost ones get 0.

        Mean and deviation are the training people's; where the mode is ``enrolment`` or ``running``, they
        shrink towards the wearer's own as the C core's do: ``(n * own + k * theirs) / (n + k)`` after n steps
        that could be learned from (those of the enrolment, or all so far), k being ``prior_tokens``.
        """
        norm = self.normalisation
        if norm is None:
            raise MMQError("raw windows: nothing was measured to normalise by; call measured_on first.")
        limit = {"population": 0, "enrolment": enrolment_tokens(norm.enrolment_s, self.token_s)}.get(
            norm.mode, len(steps)
        )
        learns = presence & (np.arange(len(steps)) < limit)[:, None]
        first = 0
        for column, name in enumerate(self.samples):
            wide = self.samples[name][1]
            theirs = np.array([one[first : first + wide] for one in (norm.mean, norm.std)])
            values = self.by_channel(steps, name)
            mean, std = _shrunk(_step_moments(values, learns[:, column]), theirs, norm.prior_tokens)
            scored = np.clip((values - mean[:, None]) / std[:, None], -norm.clip, norm.clip)
            scored[~presence[:, column]] = 0
            steps[:, self.feature_slices[name]] = np.nan_to_num(scored).reshape(len(steps), -1)
            first += wide

    def to_json(self) -> str:
        """Return it as JSON text."""
        content = {
            "input": "raw",
            "tokens": self.tokens,
            "token_s": self.token_s,
            "channels": self.channels,
            "rate_hz": {name: self.rate_hz(name) for name in self.samples},
            "normalisation": self.normalisation.model_dump(mode="json") if self.normalisation else None,
        }
        return json.dumps(content, indent=2) + "\n"


def _step_moments(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return mean and mean square float64 ``[2, n, C]`` of steps ``[n, S, C]``; NaN where nothing is seen."""
    measured = np.isfinite(values) & seen[:, None, None]
    filled = np.where(measured, values, 0).astype(np.float64)
    sums = np.stack([filled.sum(axis=1), np.square(filled).sum(axis=1)])
    count = np.broadcast_to(measured.sum(axis=1), sums.shape)
    return np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)


def _shrunk(moments: np.ndarray, theirs: np.ndarray, prior: float) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation float32 ``[n, C]`` as known at each step.

    Of what each step shows, ``[2, n, C]`` (NaN: nothing to learn), and of the training people's mean and
    deviation ``[2, C]``.
    """
    count = np.cumsum(np.isfinite(moments[0]), axis=0)
    total, square = np.cumsum(np.nan_to_num(moments), axis=1)
    spread = np.maximum(square - total**2 / np.maximum(count, 1), 0.0)
    mean = (total + prior * theirs[0]) / (count + prior)
    std = np.sqrt((spread + prior * theirs[1] ** 2) / (count + prior))
    return mean.astype(np.float32), std.astype(np.float32)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis of the finite values; NaN where there are none."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0.0).sum(axis=0)
    count = finite.sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
