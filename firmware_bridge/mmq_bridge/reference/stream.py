# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of the core's path from a whole recording to raw tokens. See `reference.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end import filter_design as filters
from mmq_bridge.front_end.enrolment import enrolment_end, learnt_tokens
from mmq_bridge.front_end.feature_layout import LOOK_BACK
from mmq_bridge.front_end.front_end import FrontEnd, ModalityFrontEnd, Normalisation
from mmq_bridge.front_end.modalities import OUTPUT_FEATURES
from mmq_bridge.reference import bands as reference
from mmq_bridge.reference import breath as reference_breath
from mmq_bridge.reference import pulse as reference_pulse
from mmq_bridge.reference import slow as reference_slow
from mmq_bridge.reference.filters import averaged, band_passed
from mmq_bridge.reference.path import FILLED, Stretch, edges, stretches

if TYPE_CHECKING:
    from mmq_bridge.core_binding.native import SignalLike


def reference_tokens(front_end: FrontEnd, signals: Mapping[str, SignalLike]) -> np.ndarray:
    """Compute the raw features of a recording in float64.

    Parameters
    ----------
    front_end : FrontEnd
        With the same float32 filter coefficients as the core; all arithmetic is float64.
    signals : mapping
        Every modality of the front end, from second 0, without lost samples; from version 3 on ecg, ppg and
        resp may have losses (NaN) that the core fills: of all channels, up to 2 s, not at the edges.

    Returns
    -------
    ndarray, shape (n, F)
        float64, NaN where a feature cannot be measured. Quality rules are not applied.

    Raises
    ------
    BridgeError
        When a signal starts later, lacks samples beyond that or is missing.
    """
    parts = []
    for name, modality in front_end.modalities.items():
        source = signals.get(name)
        fills = front_end.frontend_version >= 3 and name in FILLED
        if source is None or source.start_s != 0 or not (fills or np.isfinite(source.samples).all()):
            raise BridgeError(f"{name}: the reference needs a signal from second 0 without lost samples")
        samples = np.asarray(source.samples, dtype=np.float64)
        parts.append(_MAKE[name](name, modality, samples, front_end.token_s))
    return np.concatenate([part[: min(map(len, parts))] for part in parts], axis=1)


def _whole(name: str, modality: ModalityFrontEnd, samples: np.ndarray) -> list[Stretch]:
    """One stretch an output: nothing is lost, or all that is lost is filled."""
    found = stretches(name, modality, samples, strict=bool(np.isnan(samples).any()))
    if any(len(parts) != 1 or parts[0].places[0] >= modality.decimate for parts in found):
        raise BridgeError(f"{name}: the reference needs every sample inside minimum and maximum")
    return [parts[0] for parts in found]


def _bank(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    plan = filters.segment_plan(modality, token_s)
    passes = [filters.band_pass(b.low_hz, b.high_hz, modality.rate_hz) for b in modality.bands]
    rows = [[] for _ in edges(samples.shape[1], modality.sampling_rate_hz, token_s)]
    for stretch in _whole(name, modality, samples):
        banks = [replace(stretch, samples=band_passed(row, stretch.samples)) for row in passes]
        for row, (a, b) in zip(
            rows, edges(samples.shape[1], modality.sampling_rate_hz, token_s), strict=True
        ):
            token = stretch.between(a, b)
            row += [reference.differential_entropy(bank.between(a, b)) for bank in banks]
            row += list(reference.log_power_density(token, modality.rate_hz, plan.bins, plan.size))
            if name == "emg":
                row += [
                    reference.log_rms(token),
                    reference.mean_frequency(token, modality.rate_hz, plan.size),
                ]
    return np.array(rows).reshape(len(rows), -1)


def pulse_beats(
    name: str, modality: ModalityFrontEnd, samples: np.ndarray, channel: int = 0
) -> tuple[Stretch, reference_pulse.Beats]:
    """Band-passed pulse signal of one channel at the decimated rate, and all its beats."""
    band, plan = modality.bands[0], filters.beat_plan(name, modality)
    stretch = _whole(name, modality, samples)[channel]
    wave = band_passed(filters.band_pass(band.low_hz, band.high_hz, modality.rate_hz), stretch.samples)
    found = reference_pulse.find_beats(
        wave, plan.peak_window, plan.beat_window, plan.refractory, plan.offset, rectify=name == "ppg"
    )
    return replace(stretch, samples=wave), _over_losses(found, ~stretch.measured, plan.beat_window // 2)


def _over_losses(beats: reference_pulse.Beats, filled: np.ndarray, half: int) -> reference_pulse.Beats:
    """Forget the intervals with a filled sample between the beat before and when the beat was known."""
    before, intervals = np.cumsum(np.concatenate([[False], filled])), beats.intervals.copy()
    for i in range(1, len(intervals)):
        first, last = int(beats.samples[i - 1]) + 1, int(beats.known_at[i]) + half + 1
        if before[min(last, len(filled))] > before[first]:
            intervals[i] = 0.0
    return replace(beats, intervals=intervals)


def _pulse(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    tokens = edges(samples.shape[1], modality.sampling_rate_hz, token_s)
    parts = [_pulse_rows(name, modality, samples, channel, tokens) for channel in range(len(samples))]
    return np.concatenate(parts, axis=1)


def _pulse_rows(
    name: str, modality: ModalityFrontEnd, samples: np.ndarray, channel: int, tokens: list[tuple[int, int]]
) -> np.ndarray:
    stretch, found = pulse_beats(name, modality, samples, channel)
    plan, rate = filters.beat_plan(name, modality), modality.rate_hz
    context, half = max(2, filters.frames(modality.context_s, rate)), plan.beat_window // 2
    rows = []
    for first, stop in tokens:
        start, end = (int(np.searchsorted(stretch.places, place)) for place in (first, stop))
        known = (found.known_at + half < end) & (end - found.samples <= context)
        values = reference_pulse.heart_rate_variability(found.intervals[known] / rate, context / rate)
        level, variation = reference_pulse.pulse_amplitude(found.amplitudes[known])
        values |= {"amplitude": level, "amplitude_variation": variation}
        if name == "ppg":
            wave = np.where(stretch.known, stretch.samples, np.nan)
            values |= _spectrum(wave[:end], start, plan, rate)
        rows.append([values[key] for key in OUTPUT_FEATURES[name]])
    return np.array(rows)


def _spectrum(wave: np.ndarray, start: int, plan: filters.BeatPlan, rate_hz: float) -> dict[str, float]:
    """From the wave up to the token's end, NaN where it is not known."""
    step = plan.spectrum_decimate
    out: dict[str, float] = dict.fromkeys(("spectral_rate", "spectral_purity"), float("nan"))
    token, slow = wave[-(-start // step) * step :: step], wave[::step][-plan.spectrum_samples :]
    token = token[~np.isnan(token)]
    enough = len(token) >= reference_pulse.SHORTEST_SKEWNESS
    out["skewness"] = reference_pulse.skewness(token) if enough else float("nan")
    if len(slow) == plan.spectrum_samples:
        out["spectral_rate"], out["spectral_purity"] = reference_pulse.spectral_pulse(
            np.nan_to_num(slow), rate_hz / step, plan.fft_size, plan.low_bin, plan.high_bin
        )
    return out


def _slow(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    make = reference_slow.eda_features if name == "eda" else reference_slow.temp_features
    means, context = averaged(samples, modality.decimate), _context(modality)
    tokens = edges(samples.shape[1], modality.sampling_rate_hz, token_s)
    rows = []
    for a, b in [(first // modality.decimate, stop // modality.decimate) for first, stop in tokens]:
        features = [make(x[a:b], x[max(0, b - context) : b], modality.rate_hz) for x in means]
        rows.append([value for values in features for value in values.values()])
    return np.array(rows)


def _context(modality: ModalityFrontEnd) -> int:
    return max(2, filters.frames(modality.context_s, modality.rate_hz))


def _resp(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    band, tokens = modality.bands[0], edges(samples.shape[1], modality.sampling_rate_hz, token_s)
    row = filters.band_pass(band.low_hz, band.high_hz, modality.rate_hz)
    whole = _whole(name, modality, samples)
    waves = [band_passed(row, stretch.samples) for stretch in whole]
    rows = []
    for stop in [int((whole[0].places < stop).sum()) for _, stop in tokens]:
        contexts = [wave[max(0, stop - _context(modality)) : stop] for wave in waves]
        features = [reference_breath.resp_features(y, modality.rate_hz) for y in contexts]
        rows.append([value for values in features for value in values.values()])
    return np.array(rows)


def _acc(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    tokens = edges(samples.shape[1], modality.sampling_rate_hz, token_s)
    sensors = [samples[i : i + 3] for i in range(0, len(samples), 3)]
    return np.concatenate([_acc_rows(x, modality.sampling_rate_hz, tokens) for x in sensors], axis=1)


def _acc_rows(x: np.ndarray, rate_hz: float, tokens: list[tuple[int, int]]) -> np.ndarray:
    rows, tilt = [], None
    for a, b in tokens:
        values = reference_slow.acc_features(x[:, a:b], x[:, a - 1] if a else None, tilt, rate_hz)
        tilt = np.array([values[f"tilt_{axis}"] for axis in "xyz"])
        tilt = None if np.isnan(tilt).any() else tilt
        rows.append(list(values.values()))
    return np.array(rows)


_MAKE = {
    "eeg": _bank, "eog": _bank, "emg": _bank, "ecg": _pulse, "ppg": _pulse, "eda": _slow, "temp": _slow,
    "acc": _acc, "resp": _resp,
}  # fmt: skip


def normalise_measured(
    front_end: FrontEnd, rule: Normalisation, features: np.ndarray, presence: np.ndarray
) -> np.ndarray:
    """Normalise raw features in float64 by an enrolment that counts evidence (version 3).

    A look-back is ``(x - mean of x over the past) / s``, clipped, where s is the deviation that x is scored
    by, and the past are the modality's present tokens from the beginning of the ninth tenth of the look-back
    before the one this token is in: tenths count present tokens, from the first one on.

    Parameters
    ----------
    front_end : FrontEnd
        With `rule` as its normalisation.
    rule : Normalisation
    features : ndarray, shape (n, F of the measured layout)
        NaN where one could not be measured.
    presence : ndarray of bool, shape (n, M)

    Returns
    -------
    ndarray, shape (n, F)
        Look-backs included.
    """
    aim, least = front_end.enrolment_tokens, front_end.enrolment_least
    end = enrolment_end(front_end.modality_names, presence, aim)
    learnt = learnt_tokens(presence, aim)
    names = list(front_end.feature_layout.feature_names)
    out = np.zeros((len(features), len(names)))
    measured = front_end.measured_layout
    for m, part in enumerate(measured.feature_slices.values()):
        for i in range(part.start, part.stop):
            name = measured.feature_names[i]
            for k in range(len(features) if end is None else end, len(features)):
                if not presence[k, m] or not np.isfinite(features[k, i]):
                    continue
                own = features[: k + 1, i][learnt[: k + 1, m] & np.isfinite(features[: k + 1, i])]
                if learnt[: k + 1, m].sum() < least:
                    own = own[:0]
                mean, deviation = _scale(rule, i, own)
                out[k, names.index(name)] = (features[k, i] - mean) / deviation
                if name + LOOK_BACK in names:
                    past = _past(features[: k + 1, i][presence[: k + 1, m]], front_end.look_back_tokens)
                    out[k, names.index(name + LOOK_BACK)] = (features[k, i] - past.mean()) / deviation
    return np.clip(out, -rule.clip, rule.clip)


def _scale(rule: Normalisation, i: int, own: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of one feature by the population and what the wearer showed."""
    n, prior, mean, variance = len(own), rule.prior_tokens, rule.mean[i], rule.std[i] ** 2
    if n:
        mean = (n * own.mean() + prior * mean) / (n + prior)
        variance = (n * own.var() + prior * variance) / (n + prior)
    return float(mean), float(np.sqrt(variance))


def _past(present: np.ndarray, tokens: int) -> np.ndarray:
    """Return what a look-back of so many tokens is from, of a feature in all present tokens so far.

    Before there are so many, it is the newest value alone: the look-back is 0.
    """
    if len(present) < tokens:
        return present[-1:]
    tenth = tokens // 10
    recent = present[((len(present) - 1) // tenth - 9) * tenth :]
    return recent[np.isfinite(recent)]


def normalise(
    rule: Normalisation, features: np.ndarray, usable: np.ndarray, enrolment_tokens: int
) -> np.ndarray:
    """Normalise raw features in float64, see `Normalisation`.

    Parameters
    ----------
    rule : Normalisation
    features : ndarray, shape (n, F)
    usable : ndarray of bool, shape (n, F)
        Present and finite.
    enrolment_tokens : int
        Tokens the enrolment lasts.

    Examples
    --------
    >>> rule = Normalisation(mode="enrolment", mean=(0.0,), std=(1.0,), enrolment_s=10, prior_tokens=2)
    >>> x = np.array([[3.0], [5.0], [4.0]])
    >>> normalise(rule, x, np.ones((3, 1), bool), 2).round(6).ravel()
    array([0., 0., 2.])
    """
    prior_mean, prior_std = np.array(rule.mean), np.array(rule.std)
    out = np.zeros(features.shape)
    for k in range(len(features)):
        if rule.mode == "enrolment" and k < enrolment_tokens:
            continue
        stop = {"population": 0, "enrolment": enrolment_tokens, "running": k + 1}[rule.mode]
        seen = np.where(usable[:stop], features[:stop], np.nan)
        for i in np.flatnonzero(usable[k]):
            past = seen[:, i][~np.isnan(seen[:, i])]
            n, prior = len(past), rule.prior_tokens
            mean, variance = (past.mean(), past.var()) if n else (0.0, 0.0)
            m = (n * mean + prior * prior_mean[i]) / (n + prior) if n else prior_mean[i]
            v = (n * variance + prior * prior_std[i] ** 2) / (n + prior) if n else prior_std[i] ** 2
            out[k, i] = np.clip((features[k, i] - m) / np.sqrt(v), -rule.clip, rule.clip)
    return out
