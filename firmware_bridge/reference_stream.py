"""Float64 twin of the core's path from a whole, loss-free recording to raw tokens. See `reference.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from firmware_bridge import filters, reference, reference_slow
from firmware_bridge.errors import BridgeError
from firmware_bridge.frontend import FrontEnd, ModalityFrontEnd, Normalisation, modality_feature_names

if TYPE_CHECKING:
    from firmware_bridge.native import SignalLike


def reference_tokens(front_end: FrontEnd, signals: Mapping[str, SignalLike]) -> np.ndarray:
    """Compute the raw features of a recording in float64.

    Parameters
    ----------
    front_end : FrontEnd
        With the same float32 filter coefficients as the core; all arithmetic is float64.
    signals : mapping
        Every modality of the front end, from second 0, without lost samples.

    Returns
    -------
    ndarray, shape (n, F)
        float64, NaN where a feature cannot be measured. Quality rules are not applied.

    Raises
    ------
    BridgeError
        When a signal starts later, lacks samples or is missing.
    """
    parts = []
    for name, modality in front_end.modalities.items():
        source = signals.get(name)
        if source is None or source.start_s != 0 or not np.isfinite(source.samples).all():
            raise BridgeError(f"{name}: the reference needs a signal from second 0 without lost samples")
        samples = np.asarray(source.samples, dtype=np.float64)
        make = {"eeg": _eeg, "ecg": _pulse, "ppg": _pulse, "acc": _acc}.get(name, _slow)
        parts.append(make(name, modality, samples, front_end.token_s))
    return np.concatenate([part[: min(map(len, parts))] for part in parts], axis=1)


def edges(n: int, rate_hz: float, token_s: float) -> list[tuple[int, int]]:
    """First sample and one past the last of each whole token."""
    count = int(n / rate_hz / token_s + 1e-6)
    places = [int(np.ceil(k * token_s * rate_hz - 0.0625)) for k in range(count + 1)]
    return list(zip(places[:-1], places[1:], strict=True))


def decimated(modality: ModalityFrontEnd, samples: np.ndarray) -> np.ndarray:
    """Baseline removed, anti-alias filtered and decimated samples, shape (channels, n)."""
    alpha, rows = filters.baseline_alpha(modality), filters.anti_alias(modality.decimate)
    clean = np.stack([reference.remove_baseline(x, alpha) for x in samples])
    return reference.filtered(rows, clean)[:, :: modality.decimate]


def _decimated_edges(modality: ModalityFrontEnd, n: int, token_s: float) -> list[tuple[int, int]]:
    step = modality.decimate
    return [(-(-a // step), -(-b // step)) for a, b in edges(n, modality.sampling_rate_hz, token_s)]


def _eeg(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    clean, plan = decimated(modality, samples), filters.segment_plan(modality, token_s)
    passes = [filters.band_pass(b.low_hz, b.high_hz, modality.rate_hz) for b in modality.bands]
    banks = [reference.filtered(rows, clean) for rows in passes]
    rows = []
    for a, b in _decimated_edges(modality, samples.shape[1], token_s):
        row: list[float] = []
        for channel in range(len(clean)):
            row += [reference.differential_entropy(bank[channel, a:b]) for bank in banks]
            row += list(
                reference.log_power_density(clean[channel, a:b], modality.rate_hz, plan.bins, plan.size)
            )
        rows.append(row)
    return np.array(rows).reshape(len(rows), -1)


def pulse_beats(
    name: str, modality: ModalityFrontEnd, samples: np.ndarray
) -> tuple[np.ndarray, reference.Beats]:
    """Band-passed pulse signal at the decimated rate, and all its beats."""
    band, plan = modality.bands[0], filters.beat_plan(name, modality)
    rows = filters.band_pass(band.low_hz, band.high_hz, modality.rate_hz)
    wave = reference.filtered(rows, decimated(modality, samples)[0])
    found = reference.find_beats(
        wave, plan.peak_window, plan.beat_window, plan.refractory, plan.offset, rectify=name == "ppg"
    )
    return wave, found


def _pulse(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    wave, found = pulse_beats(name, modality, samples)
    plan, rate = filters.beat_plan(name, modality), modality.rate_hz
    context, half = max(2, filters.frames(modality.context_s, rate)), plan.beat_window // 2
    rows = []
    for start, end in _decimated_edges(modality, samples.shape[1], token_s):
        known = (found.known_at + half < end) & (end - np.round(found.places) <= context)
        values = reference.heart_rate_variability(found.intervals[known] / rate, context / rate)
        level, variation = reference.pulse_amplitude(found.amplitudes[known])
        values |= {"amplitude": level, "amplitude_variation": variation}
        if name == "ppg":
            values |= _spectrum(wave[:end], start, plan, rate)
        rows.append([values[key.split(".")[-1]] for key in modality_feature_names(name, modality)])
    return np.array(rows)


def _spectrum(wave: np.ndarray, start: int, plan: filters.BeatPlan, rate_hz: float) -> dict[str, float]:
    step = plan.spectrum_decimate
    out: dict[str, float] = dict.fromkeys(("spectral_rate", "spectral_purity"), float("nan"))
    token, slow = wave[-(-start // step) * step :: step], wave[::step][-plan.spectrum_samples :]
    enough = len(token) >= reference.SHORTEST_SKEWNESS
    out["skewness"] = reference.skewness(token) if enough else float("nan")
    if len(slow) == plan.spectrum_samples:
        out["spectral_rate"], out["spectral_purity"] = reference.spectral_pulse(
            slow, rate_hz / step, plan.fft_size, plan.low_bin, plan.high_bin
        )
    return out


def _slow(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    make = reference_slow.eda_features if name == "eda" else reference_slow.temp_features
    x, context = samples[0], max(2, filters.frames(modality.context_s, modality.rate_hz))
    return np.array(
        [
            list(make(x[a:b], x[max(0, b - context) : b], modality.sampling_rate_hz).values())
            for a, b in edges(len(x), modality.sampling_rate_hz, token_s)
        ]
    )


def _acc(name: str, modality: ModalityFrontEnd, samples: np.ndarray, token_s: float) -> np.ndarray:
    rows, tilt = [], None
    for a, b in edges(samples.shape[1], modality.sampling_rate_hz, token_s):
        before = samples[:, a - 1] if a else None
        values = reference_slow.acc_features(samples[:, a:b], before, tilt, modality.sampling_rate_hz)
        tilt = np.array([values[f"tilt_{axis}"] for axis in "xyz"])
        tilt = None if np.isnan(tilt).any() else tilt
        rows.append(list(values.values()))
    return np.array(rows)


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
