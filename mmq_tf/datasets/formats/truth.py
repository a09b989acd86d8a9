# SPDX-License-Identifier: Apache-2.0
"""What a simulator knows of a recording: artefacts, dropouts, heart beats and skin responses."""

from __future__ import annotations

from dataclasses import dataclass


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
