# SPDX-License-Identifier: Apache-2.0
"""A recording in numbers: each sensor's samples and presence, its absences, its best and worst stretches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from mmq_bridge.core_binding.quality_flags import Reason

from mmq_tf.recording import Signal, Trial
from mmq_tf.reports.recording_page.traces import percentiles
from mmq_tf.reports.recording_page.view import RecordingView, samples_between

ZOOM_S = {"eeg": 10, "eog": 10, "emg": 10, "ecg": 15, "ppg": 30, "resp": 60, "eda": 60, "temp": 60, "acc": 30}
"""Seconds of a view at full resolution: enough of what the sensor is there for, few enough to see each one
(rhythms, beats, breaths, skin conductance responses, steps)."""


@dataclass(frozen=True)
class SensorNumbers:
    """One signal in numbers: shares are 0..1, values in the signal's unit, NaN where everything is lost.

    `present` is the share of its tokens, `reasons` the share of tokens each reason was given for; both are of
    judged modalities only. `low` and `high` hold 90 % of the samples.
    """

    signal: Signal
    start_s: float
    stop_s: float
    lost: float
    least: float
    low: float
    high: float
    greatest: float
    present: float | None = None
    reasons: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Absence:
    """A run of tokens in which a modality is absent, and the reasons given, the most frequent first."""

    modality: str
    start_s: float
    stop_s: float
    reasons: tuple[str, ...]


def sensor_numbers(view: RecordingView, modality: str) -> SensorNumbers:
    """Measure one signal in what is looked at."""
    signal = view.recording.signals[modality]
    start_s, samples = samples_between(signal, view.from_s, view.to_s)
    lost = float(np.isnan(samples).mean()) if samples.size else 1.0
    least, low, high, greatest = [math.nan] * 4
    if lost < 1:
        low, high = percentiles(samples, (5, 95))
        least, greatest = float(np.fmin.reduce(samples, None)), float(np.fmax.reduce(samples, None))
    stop_s = start_s + samples.shape[1] / signal.sampling_rate_hz
    numbers = SensorNumbers(signal, start_s, stop_s, lost, least, low, high, greatest)
    if modality not in view.judged:
        return numbers
    presence, reasons = view.presence_of(modality)
    present = float(presence.mean()) if len(presence) else math.nan
    return replace(numbers, present=present, reasons=reason_shares(reasons))


def reason_shares(reasons: np.ndarray) -> dict[str, float]:
    """Return the share of tokens each reason was given for, of those given at all, in the core's order."""
    if not len(reasons):
        return {}
    shares = {str(reason.name).lower(): float(np.mean((reasons & reason) != 0)) for reason in Reason}
    return {name: share for name, share in shares.items() if share > 0}


def trial_presence(view: RecordingView, trial: Trial, modality: str) -> float:
    """Share of a trial's whole tokens in which a judged modality is present; NaN where it has none."""
    first, last = (
        math.ceil(trial.start_s / view.token_s - 1e-9),
        math.floor(trial.stop_s / view.token_s + 1e-9),
    )
    whole = replace(view, from_s=first * view.token_s, to_s=last * view.token_s)
    presence, _ = whole.presence_of(modality)
    return float(presence.mean()) if len(presence) else math.nan


def absences(view: RecordingView) -> list[Absence]:
    """List every run of absent tokens of every judged modality in what is looked at, the longest first."""
    found = []
    first = view.tokens.start
    for modality in view.judged:
        presence, reasons = view.presence_of(modality)
        edges = np.flatnonzero(np.diff(np.concatenate([[True], presence, [True]]).astype(np.int8)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            shares = reason_shares(reasons[start:stop])
            names = tuple(sorted(shares, key=lambda name: -shares[name]))
            found.append(Absence(modality, *_seconds(view, first + start, first + stop), names))
    return sorted(found, key=lambda absence: absence.start_s - absence.stop_s)


def _seconds(view: RecordingView, first: int, last: int) -> tuple[float, float]:
    return max(view.from_s, first * view.token_s), min(view.to_s, last * view.token_s)


def stretches(view: RecordingView, modality: str) -> dict[str, tuple[float, float]]:
    """Choose two stretches of a judged modality to see at full resolution.

    One of those with most tokens present, the one with the median range, so a typical one; and of those with
    fewest the one with the greatest range. A stretch of which half or more is lost shows nothing and is not
    chosen unless there is no other.

    Returns
    -------
    dict of str to (start_s, stop_s)
        By what is said of them; empty where what is looked at is shorter than two of them.
    """
    presence, _ = view.presence_of(modality)
    width = max(1, math.ceil(ZOOM_S[modality] / view.token_s))
    if len(presence) < 2 * width:
        return {}
    lost, spread = _lost_and_range(view, modality)
    windows = np.lib.stride_tricks.sliding_window_view
    share, missing = windows(presence, width).mean(axis=1), windows(lost, width).mean(axis=1)
    ranges = windows(spread, width).max(axis=1)
    usable = missing < 0.5 if (missing < 0.5).any() else np.ones(len(missing), bool)
    good = np.flatnonzero(usable & (share == share[usable].max()))
    bad = np.flatnonzero(usable & (share == share[usable].min()))
    best = good[np.argsort(ranges[good], kind="stable")[len(good) // 2]]
    worst = bad[np.argmax(ranges[bad])]
    differ = share[best] != share[worst]
    names = ("most tokens present", "fewest tokens present") if differ else ("typical", "greatest range")
    starts = ((view.tokens.start + int(first)) * view.token_s for first in (best, worst))
    return {name: (start, start + width * view.token_s) for name, start in zip(names, starts, strict=True)}


def _lost_and_range(view: RecordingView, modality: str) -> tuple[np.ndarray, np.ndarray]:
    """Share of lost samples and greatest range of a channel, of each token looked at: float ``[n]`` each."""
    token_s, tokens = view.token_s, view.tokens
    signal = view.recording.signals[modality]
    lost, spread = np.ones(tokens.stop - tokens.start), np.zeros(tokens.stop - tokens.start)
    for row, k in enumerate(range(tokens.start, tokens.stop)):
        samples = samples_between(signal, k * token_s, (k + 1) * token_s)[1]
        if samples.size and not (missing := np.isnan(samples)).all():
            lost[row] = missing.mean()
            spread[row] = np.nan_to_num(np.fmax.reduce(samples, 1) - np.fmin.reduce(samples, 1)).max()
    return lost, spread


def percent(share: float) -> str:
    """Write a share as a percentage that never rounds something to nothing, or less than all to all.

    Examples
    --------
    >>> percent(0.667), percent(1.0), percent(0.9996), percent(0.0004), percent(0)
    ('67 %', '100 %', '99.9 %', '0.1 %', '0 %')
    """
    if 0 < share < 0.1 or 0.99 < share < 1:
        return f"{min(max(100 * share, 0.1), 99.9):.1f} %"
    return f"{100 * share:.0f} %"
