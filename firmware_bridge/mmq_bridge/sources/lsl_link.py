# SPDX-License-Identifier: Apache-2.0
"""One Lab Streaming Layer stream that is listened to."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.sources.lsl_library import load_lsl
from mmq_bridge.sources.matching import Description, Fit, find_fits
from mmq_bridge.sources.session import Arrival
from mmq_bridge.sources.stream_names import stream_keys

OPEN_S = 5.0
"""How long a stream may take to describe itself, and to open."""

PULL_SAMPLES = 4096
MAX_TEXT = 80
SAME_CLOCK_S = 0.02
"""Programs of one machine share its clock: less than this is the noise of the estimate (4 ms seen)."""

SIMULATED = "simulated"
"""Element of a stream's description that says whether it was measured on anybody."""


@dataclass
class Link:
    """A stream, open, and the sensors it serves.

    Attributes
    ----------
    name, source_id, host, kind : str
        As the stream says.
    fits : list of Fit
        Sensors it serves.
    problems : list of str
        Why it does not serve others that it names.
    simulated : bool
        Whether it says so.
    """

    name: str
    source_id: str
    host: str
    fits: list[Fit]
    problems: list[str]
    simulated: bool
    _inlet: Any
    kind: str = ""
    _correction_s: float = 0.0

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything by which it may be picked."""
        return stream_keys(self.name, self.source_id, self.kind, self.host)

    @property
    def identity(self) -> tuple[str, ...]:
        """What a stream that was lost has in common with itself when it returns."""
        return (self.source_id,) if self.source_id else (self.name, self.host)

    @classmethod
    def open(cls, info: Any, front_end: FrontEnd) -> Link:
        """Ask a resolved stream for its description and subscribe to it where it serves a sensor.

        Raises
        ------
        RuntimeError
            When the stream is gone or does not answer.
        """
        inlet = load_lsl().StreamInlet(info, recover=False)
        full = inlet.info(OPEN_S)
        fits, problems = find_fits(front_end, describe(full))
        simulated = full.desc().child_value(SIMULATED) == "true"
        name, source_id = plain(full.name()), plain(full.source_id())
        kind, host = plain(full.type()), plain(full.hostname())
        link = cls(name, source_id, host, fits, problems, simulated, inlet, kind)
        if fits:
            inlet.open_stream(OPEN_S)
            link._correct(OPEN_S)
        return link

    def pull(self) -> list[Arrival]:
        """Return what came in, its stamps on this machine's clock.

        Raises
        ------
        RuntimeError
            When the stream is lost.
        """
        samples, stamps_s = self._inlet.pull_chunk(timeout=0.0, max_samples=PULL_SAMPLES, as_numpy=True)
        if not len(stamps_s):
            return []
        self._correct(0.0)
        stamps_s = np.asarray(stamps_s, np.float64) + self._correction_s
        return [Arrival(fit.modality, fit.take(samples), stamps_s) for fit in self.fits]

    def _correct(self, timeout_s: float) -> None:
        """Take LSL's newest estimate of the clocks' difference; until there is one, none is assumed."""
        with contextlib.suppress(load_lsl().util.TimeoutError):
            estimate_s = self._inlet.time_correction(timeout_s)
            is_noise = self.host == socket.gethostname() and abs(estimate_s) < SAME_CLOCK_S
            self._correction_s = 0.0 if is_noise else estimate_s


def plain(text: str) -> str:
    """Return what came over the network fit for a terminal: short, without control characters.

    Examples
    --------
    >>> plain("Band" + chr(27) + "[2J")
    'Band?[2J'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_TEXT])


def describe(info: Any) -> Description:
    """Return what a stream's full information says, as strings without None."""
    count = info.channel_count()

    def each(values: list[str | None] | None) -> tuple[str, ...]:
        texts = tuple(plain(value or "") for value in values or ())
        return texts if len(texts) == count else ("",) * count

    return Description(
        plain(info.name()),
        plain(info.type()),
        info.nominal_srate(),
        each(info.get_channel_labels()),
        each(info.get_channel_units()),
        each(info.get_channel_types()),
    )
