"""Made-up signals for the front end's tests."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from firmware_bridge.frontend import FrontEnd
from firmware_bridge.native import Bridge

WRIST = {"ppg": 64.0, "eda": 4.0, "temp": 4.0, "acc": 32.0}
ALL = {"eeg": 250.0, "ecg": 250.0, **WRIST}


@dataclass
class Plain:
    """The least a signal needs."""

    samples: np.ndarray
    sampling_rate_hz: float
    start_s: float = 0.0


def pulse_train(t: np.ndarray, width_s: float, beats_s: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((t[:, None] - beats_s[None, :]) / width_s) ** 2).sum(axis=1)


def made_up(seconds: float, rates: dict[str, float], seed: int = 0) -> dict[str, Plain]:
    """Every modality with plausible values: 75 beats a minute with variation, skin responses, movement."""
    rng = np.random.default_rng(seed)
    beats = np.cumsum(0.8 + 0.03 * rng.standard_normal(int(seconds / 0.8) + 2))
    out = {}
    for name, rate in rates.items():
        n = int(seconds * rate)
        t = np.arange(n) / rate
        noise = rng.standard_normal(n)
        if name == "eeg":
            x = 10 * noise + 20 * np.sin(2 * np.pi * 10 * t)
        elif name == "ecg":
            x = pulse_train(t, 0.012, beats) + 0.02 * noise
        elif name == "ppg":
            x = 50 * pulse_train(t, 0.1, beats) + 0.5 * noise
        elif name == "eda":
            x = 2 + 0.3 * pulse_train(t, 2.0, np.arange(7.0, seconds, 11.0)) + 0.001 * noise
        elif name == "temp":
            x = 33 + 0.001 * t + 0.01 * noise
        else:
            x = np.array([0.1, 0.2, 0.97])[:, None] + 0.05 * rng.standard_normal((3, n))
        out[name] = Plain(np.atleast_2d(x).astype(np.float32), rate)
    return out


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


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The helpers above, since test modules cannot import each other."""
    return SimpleNamespace(
        Plain=Plain, WRIST=WRIST, ALL=ALL, made_up=made_up, tokens_in_chunks=tokens_in_chunks
    )
