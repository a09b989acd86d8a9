# SPDX-License-Identifier: Apache-2.0
"""Made-up signals for the front end's tests."""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import Bridge, extract_tokens
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.modality_constraints import SETTLED_S
from mmq_bridge.reference.stream import reference_tokens

WRIST = {"ppg": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
ALL = {"eeg": 250.0, "ecg": 250.0, **WRIST, "eog": 128.0, "emg": 500.0, "resp": 32.0}


@dataclass
class Plain:
    """The least a signal needs."""

    samples: np.ndarray
    sampling_rate_hz: float
    start_s: float = 0.0


def pulse_train(t: np.ndarray, width_s: float, beats_s: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((t[:, None] - beats_s[None, :]) / width_s) ** 2).sum(axis=1)


def one_channel(name: str, t: np.ndarray, beats_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(len(t))
    scalp = (
        10 * noise * np.sqrt(np.minimum(1.0, 128 * t[1]))
    )  # at high rates an amplifier's noise has no such steps
    if name == "eeg":
        return scalp + 20 * np.sin(2 * np.pi * 10 * t)
    if name == "eog":
        return scalp + 150 * pulse_train(t, 0.1, np.arange(2.0, t[-1], 3.7))
    if name == "emg":
        return (30 + 20 * np.sin(2 * np.pi * 0.2 * t)) * noise
    if name == "ecg":
        return pulse_train(t, 0.012, beats_s) + 0.02 * noise
    if name == "ppg":
        return 50 * pulse_train(t, 0.1, beats_s) + 0.5 * noise
    if name == "eda":
        return 2 + 0.3 * pulse_train(t, 2.0, np.arange(7.0, t[-1], 11.0)) + 0.001 * noise
    if name == "temp":
        return 33 + 0.001 * t + 0.01 * noise
    if name == "resp":
        breaths = 2 * np.pi * (0.25 * t + 0.3 * np.sin(0.2 * t))
        return (100 + 20 * np.sin(0.13 * t)) * np.sin(breaths) + 2 * noise
    return 0.5 + 0.05 * noise  # acc


def made_up(
    seconds: float, rates: dict[str, float], seed: int = 0, channels: dict[str, int] | None = None
) -> dict[str, Plain]:
    """Every modality with plausible values: 75 beats a minute with variation, skin responses, movement."""
    rng = np.random.default_rng(seed)
    beats = np.cumsum(0.8 + 0.03 * rng.standard_normal(int(seconds / 0.8) + 2))
    out = {}
    for name, rate in rates.items():
        t = np.arange(int(seconds * rate)) / rate
        count = (channels or {}).get(name, 3 if name == "acc" else 1)
        rows = [one_channel(name, t, beats, rng) for _ in range(count)]
        out[name] = Plain(np.array(rows).astype(np.float32), rate)
    return out


def numbered(channels: dict[str, int]) -> dict[str, tuple[str, ...]]:
    """Names for so many channels."""
    return {name: tuple(f"c{i}" for i in range(count)) for name, count in channels.items()}


def tokens_in_chunks(
    front_end: FrontEnd, signals: dict[str, Plain], chunk_s: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Push in chunks of the given lengths (repeated), pop every token."""
    bridge, rows, presence = Bridge(front_end), [], []
    stop = max(s.start_s + s.samples.shape[1] / s.sampling_rate_hz for s in signals.values())
    now, i = 0.0, 0
    while now < stop:
        after = now + chunk_s[i % len(chunk_s)]
        for name, s in signals.items():
            rate, n = s.sampling_rate_hz, s.samples.shape[1]
            places = [np.ceil((x - s.start_s) * rate - 1e-6) for x in (now, after)]
            first, last = (int(np.clip(place, 0, n)) for place in places)
            if last > first:
                bridge.push(name, s.samples[:, first:last], s.start_s + first / s.sampling_rate_hz)
        now, i = after, i + 1
        while (token := bridge.pop_token()) is not None:
            rows.append(token[0])
            presence.append(token[1])
    return np.array(rows), np.array(presence)


def unsettled(front_end: FrontEnd, name: str) -> int:
    """How many tokens close before breathing can be judged: 10 s of frames, from version 3 on."""
    part = front_end.modalities[name]
    if name != "resp" or front_end.frontend_version < 3 or not part.min_band_share:
        return 0
    frames = math.ceil(SETTLED_S * part.rate_hz)
    return math.ceil(frames * part.decimate / part.sampling_rate_hz / front_end.token_s) - 1


# Tolerances of firmware_bridge/core/README.md.
ABSOLUTE = {
    "heart_rate": 1e-3, "sdnn": 1e-3, "rmssd": 1e-3, "pnn50": 1e-6, "amplitude": 2e-4,
    "amplitude_variation": 1e-3, "accepted_share": 1e-5, "skewness": 1e-3, "spectral_rate": 1e-2,
    "spectral_purity": 1e-4,
    "eda.tonic": 1e-5, "eda.slope": 1e-4, "phasic_deviation": 1e-3, "scr_count": 1e-4, "scr_amplitude": 1e-4,
    "eda.deviation": 1e-3, "temp.level": 1e-4, "temp.slope": 1e-4, "temp.deviation": 1e-3,
    "magnitude_deviation": 1e-3, "jerk": 1e-4, "tilt_x": 1e-5, "tilt_y": 1e-5, "tilt_z": 1e-5,
    "tilt_change": 1e-3, "active_share": 1e-6,
    "resp.rate": 1e-3, "resp.depth": 1e-4, "rate_variability": 1e-3, "depth_variability": 1e-3,
    "rms": 1e-5, "mean_frequency": 2e-3,
}  # fmt: skip
BANK_TOLERANCE = 1e-4  # of the greatest value: eeg, eog, emg without electrode offset


def any_shape(front_end: FrontEnd) -> FrontEnd:
    """The same front end with the rules of waveforms off, so that every token can be compared."""
    content = front_end.model_dump(exclude={"normalisation", "quantisation"})
    for part in content["modalities"].values():
        part |= {"min_kurtosis": 0.0, "min_band_share": 0.0, "min_regularity": 0.0, "min_skewness": None}
        part |= {"min_deviation": 0.0, "max_deviation": 0.0}
    return FrontEnd.model_validate(content)


def tolerance(name: str, wanted: np.ndarray) -> float:
    modality, feature = name.split(".")[0], name.split(".")[-1]
    if feature.startswith(("de_", "psd_")):
        return BANK_TOLERANCE * float(np.nanmax(np.abs(wanted)))
    return ABSOLUTE.get(feature) or ABSOLUTE[f"{modality}.{feature}"]


def compare(front_end: FrontEnd, signals: dict, least_present: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Check every feature of every present token; return the twin's features and the greatest differences."""
    stream = extract_tokens(front_end, signals)
    wanted = reference_tokens(front_end, signals)
    assert len(wanted) == len(stream.features)
    got, worst = stream.features.astype(np.float64), np.zeros(front_end.n_features)
    for m, (name, part) in enumerate(front_end.feature_slices.items()):
        present = stream.presence[:, m]
        assert present[unsettled(front_end, name) :].mean() > least_present
        np.testing.assert_array_equal(np.isnan(got[present, part]), np.isnan(wanted[present, part]))
        difference = np.abs(got[present, part] - wanted[present, part])
        worst[part] = np.nan_to_num(difference).max(axis=0)
    return wanted, worst


def check(front_end: FrontEnd, signals: dict, least_present: float = 0.9) -> np.ndarray:
    wanted, worst = compare(front_end, signals, least_present)
    for name, column, difference in zip(front_end.feature_names, wanted.T, worst, strict=True):
        assert difference <= tolerance(name, column), name
    return wanted


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The helpers above, since test modules cannot import each other."""
    return SimpleNamespace(
        Plain=Plain,
        WRIST=WRIST,
        ALL=ALL,
        made_up=made_up,
        tokens_in_chunks=tokens_in_chunks,
        numbered=numbered,
        compare=compare,
        check=check,
        any_shape=any_shape,
        unsettled=unsettled,
    )
