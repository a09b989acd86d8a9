# SPDX-License-Identifier: Apache-2.0
"""Who is simulated: a person's baselines, gains and reactivities, drawn from published spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Person:
    """One simulated person; a `*_reaction` is the change at an arousal of 1 (a full laboratory stressor).

    Where the numbers come from
    ---------------------------
    Chosen to have the direction and the order of magnitude that reviews and textbooks describe; none is
    fitted to, or quoted from, one study. Heart rate about 70 bpm at rest and some 10 bpm more under mental
    stress (the Trier Social Stress Test, Kirschbaum et al. 1993, is the usual stressor); breathing about 15
    per minute and a few more; RMSSD lower by a fifth to a third (Castaldo et al. 2015 review it). SCRs a few
    per minute at rest and several times that under stress, skin conductance from tenths of a uS to more
    than 10 uS over people (Boucsein, Electrodermal Activity, 2012). Finger skin cooler by about a degree,
    pulse amplitude smaller by a tenth to a third, as vessels narrow (Allen 2007 on the pulse wave). About 17
    blinks a minute (Bentivoglio et al. 1997) of 100 to 400 uV; a resting muscle has a few uV.
    """

    heart_rate: float
    heart_reaction: float
    sinus_arrhythmia: float
    vagal_reaction: float
    breath_rate: float
    breath_reaction: float
    pulse_amplitude: float
    pulse_arrival_s: float
    vessel_reaction: float
    motion_on_pulse: float
    r_wave_mv: float
    skin_conductance_us: float
    sweat_reaction: float
    sweat_drift: float
    scr_rate: float
    scr_reaction: float
    skin_degc: float
    cooling: float
    warming: float
    restlessness: float
    motion_reaction: float
    alpha_uv: float
    alpha_reaction: float
    theta_reaction: float
    beta_reaction: float
    blink_rate: float
    blink_uv: float
    muscle_uv: float
    muscle_reaction: float


def draw_person(rng: np.random.Generator) -> Person:
    """Draw one person.

    Reactions spread so widely that some people hardly respond through one system, and a few the other way
    round (individual response specificity, Engel, Psychophysiology 1972).
    """
    return Person(
        heart_rate=float(np.clip(rng.normal(70, 9), 50, 95)),
        heart_reaction=rng.normal(11.0, 4.5),
        sinus_arrhythmia=float(np.exp(rng.normal(np.log(3.5), 0.4))),
        vagal_reaction=rng.normal(0.25, 0.15),
        breath_rate=float(np.clip(rng.normal(15, 2), 9, 22)),
        breath_reaction=rng.normal(2.3, 1.5),
        pulse_amplitude=float(np.exp(rng.normal(np.log(90), 0.35))),
        pulse_arrival_s=rng.uniform(0.18, 0.26),
        vessel_reaction=rng.normal(0.2, 0.1),
        motion_on_pulse=float(np.exp(rng.normal(np.log(400), 0.5))),
        r_wave_mv=float(np.exp(rng.normal(0, 0.25))),
        skin_conductance_us=float(np.clip(np.exp(rng.normal(np.log(1.3), 0.8)), 0.25, 15)),
        sweat_reaction=rng.normal(0.3, 0.15),
        sweat_drift=rng.normal(0.06, 0.15),
        scr_rate=float(np.exp(rng.normal(np.log(2.0), 0.4))),
        scr_reaction=float(np.clip(rng.normal(4.5, 2.2), -1, 12)),
        skin_degc=rng.normal(32.3, 1.3),
        cooling=rng.normal(0.65, 0.35),
        warming=rng.normal(0.35, 0.3),
        restlessness=float(np.exp(rng.normal(np.log(2.2), 0.5))),
        motion_reaction=rng.normal(0.5, 0.5),
        alpha_uv=float(np.exp(rng.normal(np.log(7), 0.4))),
        alpha_reaction=rng.normal(0.2, 0.12),
        theta_reaction=rng.normal(0.15, 0.1),
        beta_reaction=rng.normal(0.12, 0.1),
        blink_rate=float(np.clip(rng.normal(17, 1.5), 13, 22)),
        blink_uv=float(np.exp(rng.normal(np.log(200), 0.25))),
        muscle_uv=float(np.exp(rng.normal(np.log(4), 0.3))),
        muscle_reaction=rng.normal(0.7, 0.3),
    )
