# SPDX-License-Identifier: Apache-2.0
"""Sensor faults: what breaks a stretch of a recording, and which quality rule claims to see it.

A fault takes a stretch of one modality, either its samples (a dead sensor, noise instead of a pulse) or the
way they are delivered (a gap, a clock that jumps back, the driver's lead-off flag). Unlike the artefacts of
`mmq_tf.augmentation.artefacts`, which a model should bear, these are what the quality rules must turn into
absence; `methods.fault_trials` injects and judges them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from mmq_bridge.front_end.settings import ModalityFrontEnd

from mmq_tf.augmentation.artefact_shapes import band_noise

SampleFault = Callable[[np.ndarray, float, ModalityFrontEnd, np.random.Generator], np.ndarray]
"""From a stretch ``[channels, n]``, its rate (Hz), the settings and a generator to the broken stretch."""


@dataclass(frozen=True)
class Block:
    """Samples as a driver hands them over: ``[channels, frames]``, the first frame's time, lead-off bits."""

    samples: np.ndarray
    time_s: float
    lead_off: int = 0


@dataclass(frozen=True)
class Fault:
    """A way a sensor fails.

    Attributes
    ----------
    name : str
    rules : dict of str to tuple of str
        By modality the rules (names of `mmq_bridge.core_binding.quality_flags`) that claim it; a modality
        that is not here cannot have the fault or no rule claims to see it within a token.
    samples : callable, optional
        Breaks the samples.
    delivery : callable, optional
        Breaks blocks inside the stretch: from (blocks, settings, generator) to blocks.
    at_once : bool
        The fault is a moment, not a stretch: only its first moment counts.
    tolerated : bool
        No fault at all but the roughness of a radio: presence must not change.
    """

    name: str
    rules: Mapping[str, tuple[str, ...]]
    samples: SampleFault | None = None
    delivery: Callable[[list[Block], ModalityFrontEnd, np.random.Generator], list[Block]] | None = None
    at_once: bool = False
    tolerated: bool = False


def _nan(x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator) -> np.ndarray:
    return np.full_like(x, np.nan)


def _dead(x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator) -> np.ndarray:
    """Every channel keeps its first value."""
    return np.repeat(x[:, :1], x.shape[1], axis=1)


def _railed(x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator) -> np.ndarray:
    """At the upper rail with a little noise inwards of the range's end: not flat, not out of range."""
    room = settings.maximum - settings.rail_high
    return settings.rail_high + room * rng.uniform(0.0, 0.9, x.shape)


def _out_of_range(
    x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator
) -> np.ndarray:
    span = settings.maximum - settings.minimum
    return settings.maximum + span * rng.uniform(0.1, 0.2, x.shape)


OPEN_INPUT = {"eeg": 0.14, "eog": 0.14, "ecg": 0.0015, "ppg": 0.02}
"""Standard deviation of an input with nothing attached: noise of an ADS1299 (1 uVpp, 0.14 uV rms) and ADS1292
(8 uVpp) by their datasheets, in uV and mV; one step of an E4's PPG."""


def _open_input(
    x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator
) -> np.ndarray:
    """Noise of the amplifier alone; an open EDA circuit conducts nothing."""
    if settings.unit == "uS":
        return rng.uniform(0.0, 0.005, x.shape)
    noise = {"uV": OPEN_INPUT["eeg"], "mV": OPEN_INPUT["ecg"]}.get(settings.unit, OPEN_INPUT["ppg"])
    return rng.normal(0.0, noise, x.shape)


def _noise_instead(
    x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator
) -> np.ndarray:
    """White noise with the mean and the deviation of what it replaces."""
    mean, deviation = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    return mean + np.maximum(deviation, 1e-6) * rng.normal(size=x.shape)


def _strong_noise(
    x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator
) -> np.ndarray:
    """Add the noise of a loose electrode: 1 to 45 Hz, 2.5 mV in uV, 25 mV in mV."""
    return x + _noise(x, rate, (1.0, 45.0), LOOSE[settings.unit], rng)


def _sway(x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator) -> np.ndarray:
    """Add the swings of a pulled cable, as strong but 0.5 to 1 Hz: no step between neighbours."""
    return x + _noise(x, rate, (0.5, 1.0), LOOSE[settings.unit], rng)


LOOSE = {"uV": 2500.0, "mV": 25.0}
"""Root mean square of what a loose electrode adds."""


def _noise(
    x: np.ndarray, rate: float, band: tuple[float, float], size: float | np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    noise = band_noise(x.shape[0], x.shape[1], rate, band, rng)
    return size * noise / noise.std(axis=1, keepdims=True)


def _mains(x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator) -> np.ndarray:
    """Only 50 Hz is left (2 mV in uV, else four times the signal's deviation), as under a lost reference."""
    time = np.arange(x.shape[1]) / rate
    size = 2000.0 if settings.unit == "uV" else 4.0 * np.maximum(x.std(axis=1, keepdims=True), 1e-6)
    phase = rng.uniform(0, 2 * np.pi)
    return x.mean(axis=1, keepdims=True) + size * np.sin(2 * np.pi * 50.0 * time + phase)


def _motion(x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator) -> np.ndarray:
    """Movement of 0.5 to 8 Hz with ten times the signal's deviation, added."""
    size = 10.0 * np.maximum(x.std(axis=1, keepdims=True), 1e-6)
    return x + _noise(x, rate, (0.5, 8.0), size, rng)


STEPS = {"uV": (3000.0, 0.5), "mV": (8.0, 0.5), "uS": (5.0, math.inf), "degC": (4.0, math.inf)}
"""Jump of an electrode pop and the time constant (s) of its decay; EDA and temperature stay there."""


def _step(x: np.ndarray, rate: float, settings: ModalityFrontEnd, rng: np.random.Generator) -> np.ndarray:
    size, tau = STEPS[settings.unit]
    time = np.arange(x.shape[1]) / rate
    return x + rng.choice([-1.0, 1.0] if math.isfinite(tau) else [1.0]) * size * np.exp(-time / tau)


def _gap(blocks: list[Block], settings: ModalityFrontEnd, rng: np.random.Generator) -> list[Block]:
    return []


def _lead_off(blocks: list[Block], settings: ModalityFrontEnd, rng: np.random.Generator) -> list[Block]:
    return [replace(block, lead_off=(1 << len(block.samples)) - 1) for block in blocks]


def _clock_back(blocks: list[Block], settings: ModalityFrontEnd, rng: np.random.Generator) -> list[Block]:
    """Let the driver's clock jump back by a minute."""
    return [replace(block, time_s=block.time_s - 60.0) for block in blocks]


def _jitter(blocks: list[Block], settings: ModalityFrontEnd, rng: np.random.Generator) -> list[Block]:
    """Time stamps are off by up to 0.4 of a sample's period."""
    period = 1.0 / settings.sampling_rate_hz
    return [replace(b, time_s=b.time_s + period * rng.uniform(-0.4, 0.4)) for b in blocks]


def _overlap(blocks: list[Block], settings: ModalityFrontEnd, rng: np.random.Generator) -> list[Block]:
    """Every block comes twice."""
    return [copy for block in blocks for copy in (block, block)]


_BIO = ("eeg", "eog", "ecg", "ppg", "resp")
_ALL = (*_BIO, "eda", "temp", "acc")

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("nan", dict.fromkeys(_ALL, ("lost",)), _nan),
        Fault("gap", dict.fromkeys(_ALL, ("lost",)), delivery=_gap),
        Fault("clock-back", dict.fromkeys(_ALL, ("lost",)), delivery=_clock_back),
        Fault("lead-off", dict.fromkeys(_ALL, ("lead_off",)), delivery=_lead_off),
        Fault("dead", dict.fromkeys((*_BIO, "eda"), ("flat",)), _dead),
        Fault("railed", dict.fromkeys(_ALL, ("saturated",)), _railed),
        Fault("out-of-range", dict.fromkeys(_ALL, ("range",)), _out_of_range),
        Fault("step", dict.fromkeys(("eeg", "eog", "ecg", "eda", "temp"), ("step",)), _step, at_once=True),
        Fault(
            "open-input",
            {
                "eeg": ("weak",),
                "eog": ("weak",),
                "ecg": ("weak",),
                "ppg": ("band", "irregular"),
                "eda": ("range",),
            },
            _open_input,
        ),
        Fault(
            "noise-instead",
            {"ecg": ("kurtosis", "band"), "ppg": ("band", "irregular"), "resp": ("band",)},
            _noise_instead,
        ),
        Fault("strong-noise", dict.fromkeys(("eeg", "eog", "ecg"), ("step",)), _strong_noise),
        Fault("sway", dict.fromkeys(("eeg", "eog", "ecg"), ("strong",)), _sway),
        Fault(
            "mains",
            {"eeg": ("step",), "eog": ("step",), "ecg": ("kurtosis", "band"), "ppg": ("band",)},
            _mains,
        ),
        Fault("motion", {"ppg": ("band", "irregular")}, _motion),
        Fault("jitter", dict.fromkeys(_ALL, ()), delivery=_jitter, tolerated=True),
        Fault("overlap", dict.fromkeys(_ALL, ()), delivery=_overlap, tolerated=True),
    )
}
"""Every fault by name."""
