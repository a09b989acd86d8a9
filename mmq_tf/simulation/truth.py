# SPDX-License-Identifier: Apache-2.0
"""What is known of a simulation without running it: its classes, and what it tells of a recording."""

from __future__ import annotations

from dataclasses import dataclass

CLASSES = ("rest", "stress")
DEFAULT_MODALITIES = ("ppg", "eda", "temp", "acc")


@dataclass(frozen=True)
class Interval:
    """A stretch of one modality that is not what the body sent."""

    modality: str
    start_s: float
    stop_s: float
    kind: str
    snr_db: float | None = None


@dataclass(frozen=True)
class Truth:
    """What the simulator knows: artefacts, dropouts, and when beats (R waves) and SCRs came, in seconds."""

    artefacts: tuple[Interval, ...] = ()
    dropouts: tuple[Interval, ...] = ()
    beats_s: tuple[float, ...] = ()
    scr_s: tuple[float, ...] = ()
