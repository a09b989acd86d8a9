# SPDX-License-Identifier: Apache-2.0
"""One simulated subject: blocks of rest and stress, a body that lives through them, sensors that fail.

Everything made here is SIMULATED and says so. A person has baselines, gains and reactivities; a slow arousal
follows the blocks with habituation, recovery and a will of its own, and moves heart, breath, sweat glands,
vessels, muscles and cortex, more in one person through one of them than through another. Movement, artefacts
and dropouts come with their exact times.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

import numpy as np

from mmq_tf.augmentation.artefacts import ARTEFACTS_VERSION, KINDS, corrupt
from mmq_tf.datasets.formats.truth import Interval, Truth
from mmq_tf.datasets.simulated import CLASSES, DEFAULT_MODALITIES
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial
from mmq_tf.simulation.simulator import physiology
from mmq_tf.simulation.simulator.body import RATE_HZ, Body, live
from mmq_tf.simulation.simulator.sensors import SENSORS

SIMULATOR_VERSION = 1
"""Changes with anything in this package that changes a sample."""

FIRST_REST_S = 180.0
"""The first block is rest of at least this length, so that an enrolment fits into it."""

BLOCK_S = 120.0
MIN_MINUTES, MAX_MINUTES = 7.0, 240.0


@dataclass(frozen=True)
class Settings:
    """What a simulated cohort is made from.

    Raises
    ------
    MMQError
        If a value is out of range.
    """

    seed: int = 0
    minutes: float = 15.0
    modalities: tuple[str, ...] = DEFAULT_MODALITIES
    artefacts: bool = True

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise MMQError(f"simulate: seed must be 0 or more; got {self.seed}.")
        if not MIN_MINUTES <= self.minutes <= MAX_MINUTES:
            raise MMQError(
                f"simulate: minutes must lie between {MIN_MINUTES:g} (rest for {FIRST_REST_S:g} s, stress,"
                f" rest) and {MAX_MINUTES:g}; got {self.minutes:g}."
            )
        unknown = [name for name in self.modalities if name not in RATE_HZ]
        if unknown or not self.modalities or len(set(self.modalities)) != len(self.modalities):
            names = ", ".join(RATE_HZ)
            raise MMQError(
                f"simulate: modalities must be different ones of {names}; got {self.modalities!r}."
            )


def simulate(settings: Settings, index: int) -> tuple[Recording, Truth]:
    """Simulate one subject.

    Parameters
    ----------
    settings : Settings
        Of the cohort.
    index : int
        Number of the subject from 0; the same seed and number always give the same person.

    Returns
    -------
    Recording
        `simulated` is True; trials are the blocks, task ``stress``.
    Truth
        Artefacts, dropouts, beats and SCRs.
    """

    def generator(part: str) -> np.random.Generator:
        """Give every part its own stream, so that adding a modality does not change the others."""
        return np.random.default_rng([settings.seed, index, *part.encode()])

    trials = _blocks(settings.minutes, generator("blocks"))
    body = live(trials, generator)
    signals = {name: SENSORS[name](body) for name in settings.modalities}
    truth = Truth(beats_s=_beats(body), scr_s=tuple(body.time_s[body.scr].tolist()))
    if settings.artefacts:
        signals, truth = _spoil(signals, truth, body)
    made_from = {
        **asdict(settings),
        "index": index,
        "simulator": SIMULATOR_VERSION,
        "artefact_shapes": ARTEFACTS_VERSION,
    }
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    recording = Recording(
        f"sim-{index + 1:02d}", "1", signals, trials, source="simulated", simulated=True, digest=digest
    )
    return recording, truth


def _blocks(minutes: float, rng: np.random.Generator) -> tuple[Trial, ...]:
    """Begin with rest of at least `FIRST_REST_S`, then stress and rest in turn, about `BLOCK_S` each."""
    total_s = int(minutes * 60)
    first_s = int(min(max(FIRST_REST_S, 0.22 * total_s), 300))
    count = max(2, round((total_s - first_s) / BLOCK_S))
    share = rng.uniform(0.85, 1.15, count)
    edges = first_s + np.round(np.cumsum(share) / share.sum() * (total_s - first_s)).astype(int)
    edges = [0, first_s, *edges.tolist()]
    return tuple(
        Trial(float(start), float(stop), {"stress": CLASSES[number % 2]})
        for number, (start, stop) in enumerate(zip(edges, edges[1:], strict=False))
    )


def _beats(body: Body) -> tuple[float, ...]:
    return tuple(np.round(physiology.crossings(body.time_s, body.heart_cycles), 4).tolist())


def _spoil(signals: dict[str, Signal], truth: Truth, body: Body) -> tuple[dict[str, Signal], Truth]:
    """Add artefacts (about one in four minutes a sensor) and dropouts (one in ten), and keep their times."""
    artefacts = [
        Interval("ppg", start, stop, "movement") for start, stop in body.motion_s if "ppg" in signals
    ]
    dropouts = []
    spoiled = {}
    for name, signal in signals.items():
        rng = body.generator("spoil " + name)
        for start_s, stop_s in _times(signal.duration_s, 240.0, (5.0, 20.0), rng):
            kind, snr_db = str(rng.choice(KINDS[name])), round(float(rng.uniform(-5, 8)), 2)
            signal = corrupt(signal, kind=kind, snr_db=snr_db, start_s=start_s, stop_s=stop_s, rng=rng)
            artefacts.append(Interval(name, start_s, stop_s, kind, snr_db))
        samples = signal.samples.copy()
        for start_s, stop_s in _times(signal.duration_s, 600.0, (10.0, 60.0), rng):
            edges = np.array([start_s, stop_s]) * signal.sampling_rate_hz
            samples[:, slice(*np.ceil(edges).astype(int))] = np.nan
            dropouts.append(Interval(name, start_s, stop_s, "dropout"))
        spoiled[name] = replace(signal, samples=samples)
    return spoiled, replace(truth, artefacts=tuple(artefacts), dropouts=tuple(dropouts))


def _times(
    duration_s: float, mean_gap_s: float, length_s: tuple[float, float], rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Draw stretches that do not overlap, in order, with exponential gaps."""
    drawn, at_s = [], 0.0
    while True:
        start_s = at_s + rng.exponential(mean_gap_s)
        at_s = start_s + rng.uniform(*length_s)
        if at_s >= duration_s:
            return drawn
        drawn.append((round(start_s, 3), round(at_s, 3)))
