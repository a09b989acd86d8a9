# SPDX-License-Identifier: Apache-2.0
"""What SIMULATED people share in DEAP's locked layout, second by second, and what is each one's own.

Every video stirs everyone alike: it adds arousal, which the whole body follows, and makes a few sources of
the EEG wax and wane. What the video stands for sets the mean of one of these, and a label follows it. Beside
them every person's brain has rhythms of its own: more sources, each stronger, of no use to a label. The
sources' patterns are everyone's, so what people share can be told from what they do not without a label.

All numbers are chosen, not measured: a label lies in a weak direction among many strong ones.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mmq_tf.datasets import deap
from mmq_tf.datasets.deap_protocol import VIDEOS
from mmq_tf.simulation.simulator import physiology
from mmq_tf.simulation.simulator.body import STEP_S

AROUSAL_LEVEL, AROUSAL_SD, MEMORY_S = 0.35, 1.5, 8.0
"""In units of a full laboratory stressor: what a video rated 2.5 above the middle adds throughout, standard
deviation of what it adds by the second; and how long anything a video does lasts."""

SHARED_SOURCES, SHARED_LEVEL, SHARED_SD = 3, 0.06, 0.045
"""Sources that follow the video: how many. Of the logarithm of the amplitude where a pattern is 1: the mean
that the first one has for a video rated 2.5 above the middle, and the standard deviation of all."""

OWN_SOURCES, OWN_SD, OWN_MEMORY_S = 12, 0.15, 45.0
"""Sources of a person's own rhythm, their standard deviation likewise, and how long that lasts."""

EDGES_HZ = (4.0, 8.0, 14.0, 31.0, 45.0)
"""Between two of these a source has one pattern over the electrodes."""

STEPS = round(deap.SHAPES["data"][2] / deap.RATE_HZ / STEP_S)
"""Of a video, `STEP_S` each, the seconds before it begins included."""

ONSET = round(deap.BASELINE_S / STEP_S)


def added_arousal(seed: int, level: np.ndarray) -> np.ndarray:
    """Draw the arousal that each video adds in everyone, ``[40, STEPS]``.

    Parameters
    ----------
    seed : int
        Of the cohort.
    level : numpy.ndarray
        ``[40]``, what each video stands for: -1 to 1.
    """
    rng = np.random.default_rng([seed, 41])
    course = [physiology.wandering(STEPS, STEP_S, MEMORY_S, AROUSAL_SD, rng) for _ in range(VIDEOS)]
    return _from_onset(AROUSAL_LEVEL * level[:, None] + np.stack(course))


def source_courses(seed: int, index: int, level: np.ndarray, videos: np.ndarray) -> np.ndarray:
    """Draw how a person's sources wax and wane, ``[SHARED_SOURCES + OWN_SOURCES, 40 STEPS]``.

    Parameters
    ----------
    seed, index : int
        Of the cohort, and number of the person in it. The shared courses follow from the seed alone.
    level : numpy.ndarray
        ``[40]``, what each video stands for: -1 to 1.
    videos : numpy.ndarray
        int ``[40]``, numbers of the videos from 0, in the order in which the person saw them.
    """
    rng = np.random.default_rng([seed, 42])
    shared = np.stack(
        [
            [physiology.wandering(STEPS, STEP_S, MEMORY_S, SHARED_SD, rng) for _ in range(VIDEOS)]
            for _ in range(SHARED_SOURCES)
        ]
    )
    shared[0] += SHARED_LEVEL * level[:, None]
    seen = _from_onset(shared)[:, videos].reshape(SHARED_SOURCES, -1)
    rng = np.random.default_rng([seed, 43, index])
    own = [physiology.wandering(seen.shape[1], STEP_S, OWN_MEMORY_S, OWN_SD, rng) for _ in range(OWN_SOURCES)]
    return np.concatenate([seen, own])


def follow_sources(eeg: np.ndarray, rate_hz: float, courses: np.ndarray, seed: int) -> np.ndarray:
    """Let the amplitude of an EEG follow sources in each band; what lies in no band is left out.

    Parameters
    ----------
    eeg : numpy.ndarray
        float32 ``[channels, n]``.
    rate_hz : float
    courses : numpy.ndarray
        ``[sources, steps]``, one value each `STEP_S`.
    seed : int
        Of the cohort: the patterns are everyone's.

    Returns
    -------
    numpy.ndarray
        float32 ``[channels, n]``.
    """
    n = eeg.shape[1]
    bands = list(pairwise(EDGES_HZ))
    patterns = np.random.default_rng([seed, 44]).normal(size=(len(bands), len(eeg), len(courses)))
    from scipy.fft import irfft, rfft, rfftfreq

    frequency = rfftfreq(n, 1 / rate_hz)
    clock_s, step_s = np.arange(n) / rate_hz, np.arange(courses.shape[1]) * STEP_S
    followed = np.zeros_like(eeg)
    for channel, samples in enumerate(eeg):
        spectrum = np.asarray(rfft(samples))
        for (low, high), pattern in zip(bands, patterns[:, channel], strict=True):
            wave = irfft(spectrum * ((frequency >= low) & (frequency < high)), n)
            followed[channel] += np.exp(np.interp(clock_s, step_s, pattern @ courses)) * wave
    return followed


def _from_onset(courses: np.ndarray) -> np.ndarray:
    courses[..., :ONSET] = 0.0
    return courses
