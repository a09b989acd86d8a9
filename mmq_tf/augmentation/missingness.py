# SPDX-License-Identifier: Apache-2.0
"""What is hidden from a model: the missingness of training and the named cases of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

KINDS = ("modalities", "blocks", "scattered")


def training_keep(
    rng: np.random.Generator, shape: tuple[int, ...], *, max_rate: float, complete_share: float
) -> np.ndarray:
    """Draw which tokens of each sample training leaves visible.

    A `complete_share` of the samples keeps everything. Each other one draws a rate from U(0, `max_rate`) and
    one kind: whole modalities, one contiguous block a modality, or scattered tokens. At least one modality
    stays untouched where whole modalities go.

    Parameters
    ----------
    rng
        Source of all randomness.
    shape
        (samples N, tokens T, modalities M).

    Returns
    -------
    bool array [N, T, M], True where the token stays visible. Natural gaps are not known here: combine with
    `presence & keep`.
    """
    samples, tokens, modalities = shape
    rate = rng.uniform(0.0, max_rate, samples)
    kind = rng.integers(len(KINDS), size=samples)
    keep = np.stack(
        [
            keep_modalities(rng, rate, tokens, modalities),
            _keep_outside_block(rng, rate, tokens, modalities),
            keep_scattered(rng, rate, tokens, modalities),
        ]
    )[kind, np.arange(samples)]
    keep[rng.random(samples) < complete_share] = True
    return keep


def channel_keep(
    rng: np.random.Generator, samples: int, feature_channels: Sequence[str], *, max_rate: float
) -> np.ndarray:
    """Draw which features are left where single channels fail, as the front end gives 0 for a bad one.

    Each sample draws a rate from U(0, `max_rate`), and every channel of a modality that has several fails at
    that rate, independently, for the whole sample.

    Parameters
    ----------
    feature_channels
        The channel of each of the F features, ``modality`` or ``modality.channel``.

    Returns
    -------
    bool array [N, F], True where the feature stays.
    """
    channels, channel = np.unique(feature_channels, return_inverse=True)
    modality = [name.partition(".")[0] for name in channels.tolist()]
    several = np.array([modality.count(name) > 1 for name in modality])
    failed = rng.random((samples, len(channels))) < rng.uniform(0.0, max_rate, (samples, 1))
    return ~(failed & several)[:, channel]


def keep_modalities(rng: np.random.Generator, rate: np.ndarray, tokens: int, modalities: int) -> np.ndarray:
    """Draw whole modalities to hide, each at its sample's `rate` [N], but never all: bool [N, T, M]."""
    score = rng.random((len(rate), modalities))
    keep = score >= rate[:, None]
    keep[np.arange(len(rate)), score.argmax(1)] = True
    return np.repeat(keep[:, None, :], tokens, axis=1)


def keep_scattered(rng: np.random.Generator, rate: np.ndarray, tokens: int, modalities: int) -> np.ndarray:
    """Draw single tokens to hide, each at its sample's `rate` [N]: bool [N, T, M], True where kept."""
    return rng.random((len(rate), tokens, modalities)) >= rate[:, None, None]


def _keep_outside_block(
    rng: np.random.Generator, rate: np.ndarray, tokens: int, modalities: int
) -> np.ndarray:
    length = np.rint(rate * tokens).astype(int)[:, None]
    start = rng.integers(0, tokens - length + 1, size=(len(rate), modalities))
    index = np.arange(tokens)[None, :, None]
    return (index < start[:, None, :]) | (index >= (start + length)[:, None, :])


def hide_modalities(presence: np.ndarray, modality_names: Sequence[str], hidden: Sequence[str]) -> np.ndarray:
    """Return a copy of `presence` [N, T, M] in which the named modalities are absent throughout."""
    keep = np.array([name not in hidden for name in modality_names])
    return presence & keep


def named_conditions(
    modality_names: Sequence[str], others: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> dict[str, tuple[str, ...]]:
    """Return condition name to hidden modalities: `full`, `no-<modality>` for each one, then `others`."""
    single = {f"no-{name}": (name,) for name in modality_names} if len(modality_names) > 1 else {}
    return {"full": (), **single, **others}
