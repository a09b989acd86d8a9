# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of the quality rules: why each token of a recording is absent, from the rules' definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mmq_bridge.core_binding.quality_flags import Reason
from mmq_bridge.front_end import filter_design as filters
from mmq_bridge.front_end.feature_names import output_names
from mmq_bridge.front_end.front_end import FrontEnd, ModalityFrontEnd
from mmq_bridge.front_end.modalities import WAVE_MODALITIES
from mmq_bridge.front_end.modality_constraints import SETTLED_S
from mmq_bridge.reference import shape as reference_shape
from mmq_bridge.reference.filters import band_passed
from mmq_bridge.reference.path import Stretch, bridge_frames, edges, held_rows, lost_samples, runs, stretches
from mmq_bridge.reference.pulse import SHORTEST_SKEWNESS, skewness

if TYPE_CHECKING:
    from mmq_bridge.core_binding.native import SignalLike

BAD_WEIGHT = 0.25
NEAR = 1e-3
SPOILING = Reason.SATURATED | Reason.STEP | Reason.STRONG
DOUBTFUL = 3
FILL_WEIGHT = 2.0  # resp: what a filled loss may have put into the band, in its shares of the token


@dataclass(frozen=True)
class Verdicts:
    """What the rules say of each token.

    Attributes
    ----------
    reasons : ndarray of int, shape (n, M)
        `Reason` bits of the modality; 0 where it is present.
    outputs : tuple of ndarray of int, shape (n, outputs)
        The same for each output of each modality.
    certain : ndarray of bool, shape (n, M)
        False where the twin does not judge the waveform, because filters restarted inside the token, or
        where a number lies within 0.1 % of its limit.
    """

    reasons: np.ndarray
    outputs: tuple[np.ndarray, ...]
    certain: np.ndarray


def quality(
    front_end: FrontEnd, signals: Mapping[str, SignalLike], lead_off: Mapping[str, np.ndarray] | None = None
) -> Verdicts:
    """Apply every quality rule to a whole recording.

    Parameters
    ----------
    front_end : FrontEnd
    signals : mapping
        Every modality from second 0, all equally long, NaN where a sample is lost.
    lead_off : mapping of str to ndarray of bool, optional
        As the samples: where the driver says the lead is off.

    Returns
    -------
    Verdicts
    """
    parts = []
    for name, modality in front_end.modalities.items():
        off = None if lead_off is None else lead_off.get(name)
        samples = np.asarray(signals[name].samples, dtype=np.float32)
        parts.append(_modality(name, modality, samples, off, front_end.token_s, front_end.frontend_version))
    n = min(len(part[0]) for part in parts)
    reasons, outputs, certain = zip(*parts, strict=True)
    return Verdicts(
        np.stack([column[:n] for column in reasons], axis=1),
        tuple(table[:n] for table in outputs),
        np.stack([column[:n] for column in certain], axis=1),
    )


def _modality(
    name: str,
    modality: ModalityFrontEnd,
    samples: np.ndarray,
    off: np.ndarray | None,
    token_s: float,
    version: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tokens = edges(samples.shape[1], modality.sampling_rate_hz, token_s)
    lost = lost_samples(modality, samples, off)
    off = np.zeros_like(lost) if off is None else off
    rows = zip(samples, lost, off, held_rows(name, modality, lost, version >= 3), strict=True)
    strict = version >= 3
    channels = np.stack([_channel(name, modality, *row, tokens, token_s, strict) for row in rows], axis=1)
    outputs = inherited(name, modality, channels)
    certain = np.ones(outputs.shape, bool)
    if name in WAVE_MODALITIES:
        cuts: list[set[int]] = [set() for _ in samples]
        while True:
            parts = stretches(name, modality, samples, off, cuts, strict=strict)
            judged, certain = _shapes(name, modality, parts, outputs, tokens, strict)
            seen = judged if modality.spatial is None else channels
            if not (version >= 2 and _add_first(cuts, spoilt(seen), tokens)):
                break
        outputs = judged
    bad = outputs != 0
    absent = bad.sum(axis=1) > modality.max_bad_share * outputs.shape[1]
    reasons = np.where(absent, np.bitwise_or.reduce(outputs, axis=1), 0)
    return reasons, outputs, np.asarray(certain.all(axis=1))


def spoilt(seen: np.ndarray) -> np.ndarray:
    """Mark the tokens after which a channel's filters start anew, from its reasons [n, channels].

    After one that filled them with something else than the signal, and after each that follows until one is
    good.

    Examples
    --------
    >>> step, band = int(Reason.STEP), int(Reason.BAND)
    >>> spoilt(np.array([[band], [step], [band], [0], [band]])).ravel()
    array([False,  True,  True, False, False])
    """
    out = np.zeros(seen.shape, bool)
    for k, row in enumerate(seen & ~int(Reason.UNJUDGED)):
        out[k] = (row != 0) & (((row & SPOILING) != 0) | (out[k - 1] if k else False))
    return out


def _add_first(cuts: list[set[int]], spoilt: np.ndarray, tokens: list[tuple[int, int]]) -> bool:
    """Add the earliest cut that is missing; whether there was one: what follows has to be judged anew."""
    for (_, stop), row in zip(tokens, spoilt, strict=True):
        missing = [c for c in np.flatnonzero(row) if stop not in cuts[c]]
        for c in missing:
            cuts[c].add(stop)
        if missing:
            return True
    return False


def _shapes(
    name: str,
    modality: ModalityFrontEnd,
    stretched: list[list[Stretch]],
    inherited_reasons: np.ndarray,
    tokens: list[tuple[int, int]],
    strict: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Judge the waveform of every token that nothing else is wrong with: reasons and certainty [n, outputs].

    Where the twin is not certain it cannot know whether the core starts its filters anew, either: what
    follows is not certain for `DOUBTFUL` tokens.
    """
    outputs, certain = inherited_reasons.copy(), np.ones(inherited_reasons.shape, bool)
    for o, parts in enumerate(stretched):
        for k, token in enumerate(tokens):
            if outputs[k, o] == 0:
                outputs[k, o], certain[k, o] = _shape(name, modality, parts, token, strict)
    for k, o in np.argwhere(~certain):
        certain[k : k + 1 + DOUBTFUL, o] = False
    return outputs, certain


def _channel(
    name: str,
    modality: ModalityFrontEnd,
    x: np.ndarray,
    lost: np.ndarray,
    off: np.ndarray,
    alive: np.ndarray,
    tokens: list[tuple[int, int]],
    token_s: float,
    strict: bool,
) -> np.ndarray:
    """Judge each token of one channel: lost, range, lead-off, saturated, flat, step."""
    ranged = lost & ~off & np.isfinite(x)
    saturated = ~lost & ((x <= np.float32(modality.rail_low)) | (x >= np.float32(modality.rail_high)))
    longest = filters.frames(modality.max_flat_s, modality.sampling_rate_hz)
    flat = flat_runs(x, lost, alive, longest if strict else None) > longest
    hold = filters.frames(modality.hold_s, modality.sampling_rate_hz)
    over = max(hold, bridge_frames(name, modality)) if strict else 0
    steps = _steps(x, lost, over) > modality.max_step_per_s / modality.sampling_rate_hz
    due, out = token_s * modality.sampling_rate_hz, np.zeros(len(tokens), int)
    for k, (a, b) in enumerate(tokens):
        good = int((~lost[a:b]).sum())
        if good == 0 or due - good > modality.max_lost_share * due + 0.5:
            out[k] |= _loss(due - good, int(ranged[a:b].sum()), int((off & lost)[a:b].sum()))
        if saturated[a:b].sum() > modality.max_saturated_share * good:
            out[k] |= Reason.SATURATED
        if modality.max_flat_s and (flat[a:b].any() or flat[max(0, a - 1) : a].any()):
            out[k] |= Reason.FLAT
        if modality.max_step_per_s and steps[a:b].any():
            out[k] |= Reason.STEP
    return out


def _loss(lost: float, ranged: int, off: int) -> int:
    why = (Reason.RANGE if ranged else 0) | (Reason.LEAD_OFF if off else 0)
    return why | (Reason.LOST if not why or lost - ranged - off > 0.5 else 0)


def flat_runs(x: np.ndarray, lost: np.ndarray, alive: np.ndarray, longest: int | None = None) -> np.ndarray:
    """Count how many equal good samples in a row end at each sample; a held loss does not break a run.

    Nor, with `longest`, does any loss of at most so many samples (version 3).

    Examples
    --------
    >>> x, none = np.array([1.0, 1.0, 2.0, 2.0, 2.0]), np.zeros(5, bool)
    >>> flat_runs(x, none, ~none)
    array([1, 2, 1, 2, 3])
    >>> lost = np.array([False, True, False, False, False])
    >>> x = np.ones(5)
    >>> flat_runs(x, lost, ~lost), flat_runs(x, lost, ~lost, 1)
    (array([1, 0, 1, 2, 3]), array([1, 0, 2, 3, 4]))
    """
    out, run, last, gone = np.zeros(len(x), int), 0, np.nan, 0
    for i in range(len(x)):
        gone = gone + 1 if lost[i] else 0
        if not alive[i] and (longest is None or gone > longest):
            run, last = 0, np.nan
        elif not lost[i]:
            run = run + 1 if x[i] == last else 1
            last = x[i]
        out[i] = run if alive[i] else 0
    return out


def _steps(x: np.ndarray, lost: np.ndarray, over: int) -> np.ndarray:
    """Return how far each sample is from its neighbour before it, in the unit; 0 where either is lost.

    Over losses of at most `over` samples: from the last good one, shared by the samples between.

    Examples
    --------
    >>> x, lost = np.array([1.0, 9.0, 7.0, 8.0]), np.array([False, True, False, False])
    >>> _steps(x, lost, 0), _steps(x, lost, 1)
    (array([0., 0., 0., 1.]), array([0., 0., 3., 1.]))
    """
    wide = np.where(lost, np.nan, x.astype(np.float64))
    steps = np.nan_to_num(np.abs(np.diff(wide, prepend=np.nan)))
    for a, b in runs(lost):
        if a > 0 and b < len(x) and b - a <= over:
            steps[b] = abs(wide[b] - wide[a - 1]) / (b - a + 1)
    return steps


def inherited(name: str, modality: ModalityFrontEnd, channels: np.ndarray) -> np.ndarray:
    """Pass the channels' reasons [n, channels] on to the outputs [n, outputs].

    An output has its own channel's; an accelerometer those of its three; with a spatial matrix those of all
    channels it mixes, once the bad ones hold over 25 % of its absolute weights.
    """
    if name == "acc":
        return np.bitwise_or.reduce(channels.reshape(len(channels), -1, 3), axis=2)
    if modality.spatial is None:
        return channels.copy()
    out = np.zeros((len(channels), len(output_names(name, modality))), int)
    for o, row in enumerate(np.abs(np.array(modality.spatial.matrix, np.float32))):
        bad = (channels != 0) @ row > BAD_WEIGHT * row.sum()
        out[bad, o] = np.bitwise_or.reduce(channels[bad][:, row > 0], axis=1)
    return out


def _shape(
    name: str, modality: ModalityFrontEnd, parts: list[Stretch], token: tuple[int, int], strict: bool
) -> tuple[int, bool]:
    """Judge the waveform of one output's token: the reasons, and whether they are certain."""
    covering = [part for part in parts if len(part.between(*token))]
    if len(covering) != 1:
        return 0, False
    whole, why, certain = covering[0].good(*token), 0, _is_covered(modality, covering[0], token)
    for limit, value, reason in _below(name, modality, covering[0], token, strict):
        if limit is not None and np.isnan(value):
            why |= Reason.UNJUDGED if strict else 0
        elif limit is not None:
            why |= reason if value < limit else 0
            certain &= abs(value - limit) > NEAR * abs(limit)
    if modality.max_deviation:
        value = reference_shape.deviation(whole)
        why |= Reason.STRONG if value > modality.max_deviation else 0
        certain &= abs(value - modality.max_deviation) > NEAR * modality.max_deviation
    return int(why), bool(certain)


def _is_covered(modality: ModalityFrontEnd, part: Stretch, token: tuple[int, int]) -> bool:
    """Say whether the stretch began before the token and goes on to its end, to a decimated sample."""
    step = modality.decimate
    return bool(part.places[0] <= token[0] + step and part.places[-1] >= token[1] - step)


def _below(
    name: str, modality: ModalityFrontEnd, part: Stretch, token: tuple[int, int], strict: bool
) -> list[tuple[float | None, float, Reason]]:
    """List lower limits (None: off) with what the token has: (limit, value, reason)."""
    whole = part.good(*token)
    rules = [(modality.min_deviation or None, reference_shape.deviation(whole), Reason.WEAK)]
    if name in ("ecg", "ppg", "resp"):
        pulse = modality.bands[0]
        row = filters.band_pass(pulse.low_hz, pulse.high_hz, modality.rate_hz)
        wave = replace(part, samples=band_passed(row, part.samples))
        peaks = reference_shape.kurtosis(wave.good(*token))
        rules.append((modality.min_kurtosis or None, peaks, Reason.KURTOSIS))
        share = reference_shape.band_share(wave.good(*token), whole)
        since = int((part.places < token[1]).sum()) / modality.rate_hz
        settled = name != "resp" or since >= SETTLED_S
        rules.append((modality.min_band_share or None, share if settled else np.nan, Reason.BAND))
        filled = 1 - len(whole) / len(part.between(*token))
        if strict and name == "resp" and filled > 0 and share >= modality.min_band_share:
            value = share - FILL_WEIGHT * filled if settled else np.nan
            rules.append((modality.min_band_share or None, value, Reason.UNJUDGED))
        if name == "ppg":
            rules += _pulse_rules(modality, wave, token, strict)
    return rules


def _pulse_rules(
    modality: ModalityFrontEnd, wave: Stretch, token: tuple[int, int], strict: bool
) -> list[tuple[float | None, float, Reason]]:
    plan = filters.beat_plan("ppg", modality)
    step = plan.spectrum_decimate
    known = wave.known[::step]
    slow = Stretch(wave.places[::step], np.where(known, wave.samples[::step], np.nan), known, known)
    now, past = slow.good(*token), slow.between(-1, token[1])
    n = max(len(slow.between(*token)), 3 * plan.high_lag)
    n = min(n, len(past)) if strict else n
    skew = skewness(now) if len(now) >= SHORTEST_SKEWNESS else np.nan
    repeats = np.nan
    if plan.high_lag < n <= len(past):
        repeats = reference_shape.regularity(past[-n:], plan.low_lag, plan.high_lag)
    return [
        (modality.min_regularity or None, repeats, Reason.IRREGULAR),
        (modality.min_skewness, skew, Reason.SKEWED),
    ]
