# SPDX-License-Identifier: Apache-2.0
"""Decisions as a Lab Streaming Layer marker stream."""

from __future__ import annotations

from mmq_bridge.sources.lsl_library import load_lsl


class MarkerOutlet:
    """A stream of type ``Markers``: one string a decision, at the time of its window's end.

    Parameters
    ----------
    name : str
        Of the stream.
    source_id : str
        The same for the same bundle, so that a recorder finds the stream again.

    Raises
    ------
    BridgeError
        When pylsl is not there.
    """

    def __init__(self, name: str, source_id: str) -> None:
        lsl = load_lsl()
        info = lsl.StreamInfo(name, "Markers", 1, lsl.IRREGULAR_RATE, "string", source_id)
        self._outlet = lsl.StreamOutlet(info)

    def push(self, text: str, stamp_s: float) -> None:
        """Send one marker with its time on LSL's clock of this machine."""
        self._outlet.push_sample([text], stamp_s)
