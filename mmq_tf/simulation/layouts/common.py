# SPDX-License-Identifier: Apache-2.0
"""The person inside every SIMULATED layout: one body on the time line a protocol asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmq_tf.datasets.simulated import CLASSES
from mmq_tf.errors import MMQError
from mmq_tf.recording import Signal, Trial
from mmq_tf.simulation.simulator import physiology
from mmq_tf.simulation.simulator.body import CHANNELS, RATE_HZ, live
from mmq_tf.simulation.simulator.sensors import SENSORS

CAN_HAVE_OTHER_CHANNELS = ("eeg", "emg")


@dataclass(frozen=True, eq=False)
class SimulatedPerson:
    """What sensors saw of one SIMULATED person, and what really happened.

    Parameters
    ----------
    signals : dict of str to Signal
        From t = 0 to the end of the last block, without artefacts or losses. Units: eeg, eog and emg uV, ecg
        mV, eda uS, temp degC, acc g, ppg and resp a.u.
    beats_s, blinks_s : numpy.ndarray
        Times of R waves and of the beginnings of blinks, in seconds.
    """

    signals: dict[str, Signal]
    beats_s: np.ndarray
    blinks_s: np.ndarray


def simulated_person(
    seed: int,
    index: int,
    blocks: Sequence[tuple[float, float, bool]],
    rates_hz: Mapping[str, float],
    channels: Mapping[str, Sequence[str]] | None = None,
    response: np.ndarray | None = None,
) -> SimulatedPerson:
    """Let one person live through blocks of calm and arousal.

    Parameters
    ----------
    seed, index : int
        Of the cohort, and number of the person in it; the same two always give the same body, whatever
        sensors are asked for: beats and blinks agree between two calls with different `rates_hz`.
    blocks : sequence of (start_s, stop_s, aroused)
        One after the other from 0, without gaps, at least 0.25 s each.
    rates_hz : dict of str to float
        The sensors wanted, and the rate at which each samples the body.
    channels : dict of str to sequence of str, optional
        Other channel names than the simulator's own for ``eeg`` (AF7, AF8, TP9, TP10) or ``emg`` (one), as
        many as wanted.
    response : numpy.ndarray, optional
        ``[n]``, arousal that what is seen adds, one value each `mmq_tf.simulation.simulator.body.STEP_S`.

    Returns
    -------
    SimulatedPerson

    Raises
    ------
    MMQError
        If the blocks leave gaps, a sensor is unknown, or other channels are asked of another sensor.
    """
    _check(blocks, rates_hz, channels or {})
    trials = tuple(
        Trial(start_s, stop_s, {"stress": CLASSES[int(aroused)]}) for start_s, stop_s, aroused in blocks
    )

    def generator(part: str) -> np.random.Generator:
        return np.random.default_rng([seed, index, *part.encode()])

    named = {modality: tuple(names) for modality, names in (channels or {}).items()}
    body = live(trials, generator, {**RATE_HZ, **rates_hz}, {**CHANNELS, **named}, response)
    signals = {modality: SENSORS[modality](body) for modality in rates_hz}
    return SimulatedPerson(signals, physiology.crossings(body.time_s, body.heart_cycles), body.blinks_s)


def _check(
    blocks: Sequence[tuple[float, float, bool]],
    rates_hz: Mapping[str, float],
    channels: Mapping[str, Sequence[str]],
) -> None:
    edges = [0.0, *(stop_s for _, stop_s, _ in blocks)]
    if not blocks or [start_s for start_s, _, _ in blocks] != edges[:-1] or min(np.diff(edges)) < 0.25:
        raise MMQError(
            "simulated_person: blocks must follow one another from 0 s without gaps, at least 0.25 s each;"
            f" got {list(blocks)[:4]!r}{' ...' if len(blocks) > 4 else ''}."
        )
    unknown = [modality for modality in rates_hz if modality not in SENSORS]
    if unknown:
        raise MMQError(f"simulated_person: sensors are {', '.join(SENSORS)}; got {unknown[0]!r}.")
    fixed = [modality for modality in channels if modality not in CAN_HAVE_OTHER_CHANNELS]
    if fixed:
        raise MMQError(
            f"simulated_person: only {' and '.join(CAN_HAVE_OTHER_CHANNELS)} can have other channels; got"
            f" {fixed[0]!r}."
        )
