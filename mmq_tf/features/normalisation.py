# SPDX-License-Identifier: Apache-2.0
"""Normalisation statistics from training subjects; the C core applies them, here and on the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmq_bridge.front_end.front_end import Normalisation

from mmq_tf.config.run_config import NormalisationConfig
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import Stream


def fit_normalisation(
    streams: Sequence[Stream], settings: NormalisationConfig, token_s: float
) -> Normalisation:
    """Measure mean and standard deviation a feature over training subjects, each subject weighing the same.

    With mode `population` the deviation is over all people. With `enrolment` and `running` the device centres
    on the wearer, so the deviation is the one *within* a person: around the enrolment's mean, or around the
    person's own mean. Unmeasurable features (NaN) and absent tokens do not count.

    Raises
    ------
    MMQError
        If there is no training stream.
    """
    if not streams:
        raise MMQError("normalisation needs at least one training recording, got none.")
    enrols = settings.mode == "enrolment"
    length_s = settings.enrolment_s if enrols else 0.0
    values = [stream.measured_features() for stream in streams]
    centres = np.array(
        [
            _mean(stream.learnt_features(length_s) if enrols else v)
            for stream, v in zip(streams, values, strict=True)
        ]
    )
    ends = [stream.enrolled_from(length_s) for stream in streams]
    mean = _mean(centres)
    if settings.mode == "population":
        squares = [_mean((value - mean) ** 2) for value in values]
    else:
        own = np.where(np.isfinite(centres), centres, mean)
        squares = [_mean((v[end:] - centre) ** 2) for v, end, centre in zip(values, ends, own, strict=True)]
    std = np.sqrt(_mean(np.array(squares)))
    std = np.where(np.isfinite(std) & (std > 1e-6), std, 1.0)
    return Normalisation(
        mode=settings.mode,
        mean=tuple(float(value) for value in np.nan_to_num(mean)),
        std=tuple(float(value) for value in std),
        enrolment_s=settings.enrolment_s,
        prior_tokens=settings.prior_tokens,
        clip=settings.clip,
        enrolment_least=settings.enrolment_least,
        look_back_s=settings.look_back_s,
    )


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over rows of the finite values; NaN where a column has none."""
    finite = np.isfinite(values)
    count = finite.sum(0)
    total = np.where(finite, values, 0.0).sum(0, dtype=np.float64)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
