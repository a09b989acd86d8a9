# SPDX-License-Identifier: Apache-2.0
"""What each sensor makes of a simulated body."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmq_tf.augmentation.artefact_shapes import band_noise
from mmq_tf.recording import Signal
from mmq_tf.simulation.simulator import physiology
from mmq_tf.simulation.simulator.body import MOTION_RATE_HZ, STEP_S, Body

EEG_NEIGHBOURS = 8
"""Electrodes that share activity; also how many are computed at once, which bounds memory."""


def _ppg(body: Body) -> Signal:
    """Wrist pulse in arbitrary units, as large as an E4 sends it (standard deviation 30 to 80)."""
    person, rng = body.person, body.generator("ppg")
    wave = physiology.pulse(body.at("ppg", body.heart_cycles, person.pulse_arrival_s))
    breath = np.sin(2 * np.pi * body.at("ppg", body.breath_cycles))
    squeeze = np.clip(1 - person.vessel_reaction * body.at("ppg", body.arousal), 0.2, 2)
    drift = np.exp(body.at("ppg", physiology.wandering(body.time_s.size, STEP_S, 60.0, 0.15, rng)))
    samples = person.pulse_amplitude * squeeze * drift * wave * (1 + 0.06 * breath) + 6 * breath
    shaken = body.at("ppg", body.time_s * 0)
    for axis, gain in zip(_moved(body, "ppg"), rng.normal(0, 1, 3), strict=True):
        shaken += gain * person.motion_on_pulse * axis
    return _signal(
        body, "ppg", samples + shaken + rng.normal(0, 0.06 * person.pulse_amplitude, samples.size), "a.u."
    )


def _ecg(body: Body) -> Signal:
    rng = body.generator("ecg")
    samples = body.person.r_wave_mv * physiology.ecg(body.at("ecg", body.heart_cycles))
    samples *= 1 + 0.05 * np.sin(2 * np.pi * body.at("ecg", body.breath_cycles))
    samples += 0.04 * np.sin(2 * np.pi * body.at("ecg", body.breath_cycles))
    return _signal(body, "ecg", samples + rng.normal(0, 0.015, samples.size), "mV")


def _eda(body: Body) -> Signal:
    """Tonic level times a slow wandering, and SCRs that are larger where the level is."""
    person, rng = body.person, body.generator("eda")
    slow = person.sweat_reaction * physiology.lagged(body.arousal, STEP_S, 15.0, 80.0)
    wander = physiology.wandering(body.time_s.size, STEP_S, 150.0, 0.1, rng)
    slow += physiology.lagged(wander, STEP_S, 10.0, 10.0)  # sweat fills ducts: no steps faster than an SCR
    slow += person.sweat_drift * body.time_s / body.time_s[-1]
    tonic = person.skin_conductance_us * np.exp(slow)
    height = 0.10 * person.skin_conductance_us**0.7 * np.exp(rng.normal(0, 0.6, body.time_s.size))
    height *= np.clip(1 + 0.3 * body.arousal, 0.3, 3)
    phasic = physiology.skin_conductance_responses(body.scr, height, 1 / STEP_S)
    samples = body.at("eda", tonic + phasic)
    return _signal(body, "eda", np.maximum(samples + rng.normal(0, 0.0012, samples.size), 0.02), "uS")


def _temp(body: Body) -> Signal:
    """Finger or wrist skin: vessels close in a minute or two, the strap warms, the thermometer has steps."""
    person, rng = body.person, body.generator("temp")
    cooling = physiology.lagged(person.cooling * body.arousal, STEP_S, 70.0, 110.0)
    level = person.skin_degc - cooling + physiology.wandering(body.time_s.size, STEP_S, 200.0, 0.12, rng)
    level += person.warming * (1 - np.exp(-body.time_s / 400))
    samples = body.at("temp", level) + rng.normal(0, 0.008, body.at("temp", level).size)
    return _signal(body, "temp", np.round(samples / 0.02) * 0.02, "degC")


def _acc(body: Body) -> Signal:
    """Gravity in the wrist's posture, movement and noise; within 2 g, in steps of 1/64 g."""
    rng = body.generator("acc")
    rate, n = body.rates_hz["acc"], body.clock("acc").size
    changes = np.concatenate([[0], np.sort(rng.integers(0, n, rng.poisson(n / rate / 100)))])
    axes = rng.normal(size=(changes.size, 3)) * 0.35 + rng.normal(size=3)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    posture = axes[np.searchsorted(changes, np.arange(n), side="right") - 1].T
    samples = posture + _moved(body, "acc") + rng.normal(0, 0.006, (3, n))
    return _signal(body, "acc", np.clip(np.round(samples * 64) / 64, -2, 2), "g")


def _resp(body: Body) -> Signal:
    rng = body.generator("resp")
    samples = np.sin(2 * np.pi * body.at("resp", body.breath_cycles)) * (
        1 - 0.15 * body.at("resp", body.arousal)
    )
    return _signal(body, "resp", samples + rng.normal(0, 0.03, samples.size), "a.u.")


def _eeg(body: Body) -> Signal:
    """Scalp: alpha falls, theta and beta rise with load (Klimesch, Brain Res Rev 29, 1999)."""
    person, rng = body.person, body.generator("eeg")
    arousal = body.at("eeg", body.arousal)
    gains = {
        "delta": np.full(arousal.size, 5.0),
        "theta": 4.0 * np.clip(1 + person.theta_reaction * arousal, 0.3, 3),
        "alpha": person.alpha_uv * np.clip(1 - person.alpha_reaction * arousal, 0.2, 2),
        "beta": 2.5 * np.clip(1 + person.beta_reaction * arousal, 0.3, 3),
    }
    samples = np.empty((len(body.channels["eeg"]), arousal.size), np.float32)
    for first in range(0, len(samples), EEG_NEIGHBOURS):
        group = samples[first : first + EEG_NEIGHBOURS]
        group[:] = physiology.eeg(gains, len(group), body.rates_hz["eeg"], rng)
    return _signal(body, "eeg", samples, "uV")


def _eog(body: Body) -> Signal:
    """Gaze across and upwards; the lower pair sees the blinks, the pair beside the eyes little of them."""
    person, rng = body.person, body.generator("eog")
    clock, rate = body.clock("eog"), body.rates_hz["eog"]
    height = person.blink_uv * np.exp(rng.normal(0, 0.15, body.blinks_s.size))
    blinks = physiology.blinks(body.blinks_s, height, clock.size, rate)
    across = physiology.gaze(clock, rate, 3.5, rng) + 0.08 * blinks
    upwards = physiology.gaze(clock, rate, 1.0, rng) + blinks
    return _signal(body, "eog", np.stack([across, upwards]) + rng.normal(0, 3, (2, clock.size)), "uV")


def _emg(body: Body) -> Signal:
    """Muscles: a tone that follows arousal, each its own, and contractions while the person moves."""
    person, rng = body.person, body.generator("emg")
    moving = np.zeros(body.time_s.size)
    for start_s, stop_s in body.motion_s:
        moving[(body.time_s >= start_s) & (body.time_s < stop_s)] = 1.0
    effort = 5 * physiology.lagged(moving, STEP_S, 0.3, 0.5)
    rate, names = body.rates_hz["emg"], body.channels["emg"]
    samples = np.empty((len(names), body.clock("emg").size), np.float32)
    for muscle in samples:
        own = physiology.wandering(body.time_s.size, STEP_S, 15.0, 0.15, rng)
        tone = np.exp(person.muscle_reaction * body.arousal + own) + effort * rng.uniform(0.5, 1.5)
        wave = band_noise(1, muscle.size, rate, (20.0, min(450.0, 0.48 * rate)), rng)[0]
        muscle[:] = person.muscle_uv * body.at("emg", tone) * wave / wave.std()
    return _signal(body, "emg", samples, "uV")


def _moved(body: Body, modality: str) -> np.ndarray:
    """Movement ``[3, n]`` in g at the samples of a modality."""
    fast = np.arange(body.motion.shape[1]) / MOTION_RATE_HZ
    clock = body.clock(modality)
    return np.stack([np.interp(clock, fast, axis) for axis in body.motion])


def _signal(body: Body, modality: str, samples: np.ndarray, unit: str) -> Signal:
    array = np.ascontiguousarray(np.atleast_2d(samples), dtype=np.float32)
    return Signal(modality, array, body.rates_hz[modality], unit, body.channels[modality])


SENSORS: dict[str, Callable[[Body], Signal]] = {
    "eeg": _eeg,
    "ecg": _ecg,
    "ppg": _ppg,
    "eda": _eda,
    "resp": _resp,
    "temp": _temp,
    "acc": _acc,
    "eog": _eog,
    "emg": _emg,
}
