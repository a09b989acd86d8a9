# SPDX-License-Identifier: Apache-2.0
"""A simulated person's slow states: arousal, heart, breath, movement, sweat glands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mmq_tf.recording import Trial
from mmq_tf.simulation.simulator import physiology
from mmq_tf.simulation.simulator.person import Person, draw_person

RATE_HZ = {
    "eeg": 128.0,
    "ecg": 256.0,
    "ppg": 64.0,
    "eda": 4.0,
    "resp": 16.0,
    "temp": 4.0,
    "acc": 32.0,
    "eog": 128.0,
    "emg": 1000.0,
}
"""Default rate of each sensor."""

CHANNELS = {
    "eeg": ("AF7", "AF8", "TP9", "TP10"),
    "ecg": ("ecg",),
    "ppg": ("ppg",),
    "eda": ("eda",),
    "resp": ("resp",),
    "temp": ("temp",),
    "acc": ("x", "y", "z"),
    "eog": ("hEOG", "vEOG"),
    "emg": ("emg",),
}
"""Default channels of each sensor; only eeg and emg can have others."""

MOTION_RATE_HZ = 32.0
STEP_S = 0.25
"""Step of the slow states."""

Generator = Callable[[str], np.random.Generator]


@dataclass(frozen=True, eq=False)
class Body:
    """States of one person.

    Parameters
    ----------
    person : Person
        Whose states these are.
    time_s, arousal, heart_cycles, breath_cycles, scr : numpy.ndarray
        ``[n]``, one value each `STEP_S`; cycles are whole at each beat or breath, `scr` is True where
        one begins.
    blinks_s : numpy.ndarray
        When the eyes close, in seconds.
    motion : numpy.ndarray
        ``[3, m]`` in g at `MOTION_RATE_HZ`.
    motion_s : list of (start_s, stop_s)
        When the person moved.
    generator : callable
        Gives every part its own stream of random numbers, so that adding a modality does not change another.
    rates_hz, channels : mapping
        Of each sensor; what happens in the body does not depend on them.
    """

    person: Person
    time_s: np.ndarray
    arousal: np.ndarray
    heart_cycles: np.ndarray
    breath_cycles: np.ndarray
    blinks_s: np.ndarray
    motion: np.ndarray
    motion_s: list[tuple[float, float]]
    scr: np.ndarray
    generator: Generator
    rates_hz: Mapping[str, float]
    channels: Mapping[str, tuple[str, ...]]

    def at(self, modality: str, values: np.ndarray, lag_s: float = 0.0) -> np.ndarray:
        """Interpolate a state ``[n]`` to the samples of a modality, `lag_s` later."""
        return np.interp(self.clock(modality) - lag_s, self.time_s, values)

    def clock(self, modality: str) -> np.ndarray:
        """Return the time of each sample of a modality, ``[n]`` in seconds."""
        rate = self.rates_hz[modality]
        return np.arange(round((self.time_s[-1] + STEP_S) * rate)) / rate


def live(
    trials: tuple[Trial, ...],
    generator: Generator,
    rates_hz: Mapping[str, float] = RATE_HZ,
    channels: Mapping[str, tuple[str, ...]] = CHANNELS,
    response: np.ndarray | None = None,
) -> Body:
    """Let arousal follow the blocks and the body follow arousal.

    `response` ``[n]``, one value each `STEP_S`, is arousal that a stimulus adds.
    """
    person = draw_person(generator("person"))
    time = np.arange(0, trials[-1].stop_s, STEP_S)
    arousal = _arousal(time, trials, generator("arousal")) + (0.0 if response is None else response)
    motion, motion_s = _motion(person, time, arousal, generator("motion"))
    breath = _breath(person, arousal, generator("breath"))
    heart = _heart(person, time, arousal, breath, motion, generator("heart"))
    rate = np.clip(person.scr_rate + person.scr_reaction * arousal, 0.3, 25) / 60
    scr = physiology.events(rate, STEP_S, generator("scr"))
    blinks = _blinks(person, time, arousal, generator("blinks"))
    return Body(
        person, time, arousal, heart, breath, blinks, motion, motion_s, scr, generator, rates_hz, channels
    )


def _arousal(time: np.ndarray, trials: tuple[Trial, ...], rng: np.random.Generator) -> np.ndarray:
    """0 is calm, 1 a full laboratory stressor; every block has its own level, and rest is not always calm."""
    goal = np.zeros(time.size)
    effort = 1.0
    for trial in trials:
        stressed = trial.labels["stress"] == "stress"
        level = effort * rng.uniform(0.65, 1.35) if stressed else rng.uniform(0.0, 0.25)
        effort *= 0.93 if stressed else 1.0  # habituation to repeated stressors
        goal[(time >= trial.start_s) & (time < trial.stop_s)] = level
    # Onset within seconds, recovery over a minute or so: orders of magnitude (Linden et al. 1997 review it).
    arousal = physiology.lagged(goal, STEP_S, 12.0, 40.0)
    return arousal + physiology.wandering(time.size, STEP_S, 60.0, 0.14, rng)


def _motion(
    person: Person, time: np.ndarray, arousal: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    rate = MOTION_RATE_HZ
    fast = np.arange(int((time[-1] + STEP_S) * rate)) / rate
    per_minute = person.restlessness * np.clip(
        1 + person.motion_reaction * np.interp(fast, time, arousal), 0.2, 4
    )
    begins = physiology.events(per_minute / 60, 1 / rate, rng)
    return physiology.movement(begins, np.exp(rng.normal(-2.4, 0.9, fast.size)), rate, rng)


def _blinks(person: Person, time: np.ndarray, arousal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blinks come at random, at least half a second apart, somewhat more often with arousal."""
    per_minute = np.clip(person.blink_rate * (1 + 0.1 * arousal), 8, 30)
    mean_gap_s = 60 / np.interp(np.arange(0, time[-1] + 1), time, per_minute)
    times, at_s = [], 0.0
    while True:
        at_s += 0.5 + rng.exponential(max(mean_gap_s[int(at_s)] - 0.5, 0.1))
        if at_s > time[-1]:
            return np.array(times)
        times.append(at_s)


def _breath(person: Person, arousal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    per_minute = person.breath_rate + person.breath_reaction * arousal
    per_minute += physiology.wandering(arousal.size, STEP_S, 20.0, 1.3, rng)
    return physiology.phase(np.clip(per_minute, 5, 40) / 60, STEP_S, rng.random())


def _heart(
    person: Person,
    time: np.ndarray,
    arousal: np.ndarray,
    breath: np.ndarray,
    motion: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Beats: breathing and the 0.1 Hz wave of blood pressure modulate them, stress withdraws the vagus."""
    rate = person.heart_rate + person.heart_reaction * arousal
    rate += physiology.wandering(time.size, STEP_S, 40.0, 2.2, rng)
    vagal = person.sinus_arrhythmia * np.clip(1 - person.vagal_reaction * arousal, 0.2, 1.5)
    rate += vagal * np.sin(2 * np.pi * breath)
    rate += 1.5 * np.sin(2 * np.pi * 0.1 * time + rng.uniform(0, 2 * np.pi))
    fast = np.arange(motion.shape[1]) / MOTION_RATE_HZ
    effort = np.minimum(12 * np.interp(time, fast, np.abs(motion).sum(0)), 12)
    rate += physiology.lagged(effort, STEP_S, 4.0, 15.0)
    return physiology.phase(np.clip(rate, 40, 180) / 60, STEP_S, rng.random())
