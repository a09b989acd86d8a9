# SPDX-License-Identifier: Apache-2.0
"""Normalisation statistics from training subjects; the C core applies them, here and on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from mmq_bridge.front_end.enrolment import evidence
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
    )


def enrolled_at_rest(
    streams: Sequence[Stream], settings: NormalisationConfig, token_s: float
) -> list[Stream]:
    """Return the streams with the limits that `rest_class` sets; without one they are as they were.

    Raises
    ------
    MMQError
        If a recording has no trial of that name, or none that holds a whole token.
    """
    if settings.rest_class is None:
        return list(streams)
    return [_at_rest(stream, settings.rest_class, token_s) for stream in streams]


def _at_rest(stream: Stream, rest_class: str, token_s: float) -> Stream:
    rests = [trial for trial in stream.trials if rest_class in trial.labels.values()]
    if not rests:
        names = sorted({label for trial in stream.trials for label in trial.labels.values()})
        raise MMQError(
            f"subject {stream.subject}: no trial is named {rest_class!r} (normalisation.rest_class), only "
            f"{', '.join(names) or 'none'}; name another class, or choose normalisation.mode running or "
            "population."
        )
    first = math.ceil(rests[0].start_s / token_s - 1e-9)
    last = math.floor(rests[0].stop_s / token_s + 1e-9)
    if last <= first:
        raise MMQError(
            f"subject {stream.subject}: its first {rest_class!r} trial, from {rests[0].start_s:g} to "
            f"{rests[0].stop_s:g} s, is too short to enrol in; leave the recording out, or name another "
            "normalisation.rest_class."
        )
    most = last - first
    if stream.front_end.frontend_version >= 3:
        most = int(evidence(stream.front_end.modality_names, stream.presence[first:last]).max(initial=0))
        if not most:
            raise MMQError(
                f"subject {stream.subject}: nothing but temp and acc was measured in its first "
                f"{rest_class!r} trial; leave the recording out, or name another normalisation.rest_class."
            )
    length_s = min(stream.limits.enrolment_s, most * token_s)
    limits = replace(stream.limits, enrolment_start_s=first * token_s, enrolment_s=length_s)
    worn = np.arange(len(stream.presence))[:, None] >= first
    variants = tuple(replace(one, presence=one.presence & worn) for one in stream.variants)
    return replace(stream, limits=limits, presence=stream.presence & worn, variants=variants)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over rows of the finite values; NaN where a column has none."""
    finite = np.isfinite(values)
    count = finite.sum(0)
    total = np.where(finite, values, 0.0).sum(0, dtype=np.float64)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
