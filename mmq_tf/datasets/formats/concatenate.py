# SPDX-License-Identifier: Apache-2.0
"""Pieces that were published apart, put one after the other into one recording with lost samples between."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mmq_bridge.recordings.room import check_spread

from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.breaks import GAP_S
from mmq_tf.recording import MAX_DURATION_S, Signal

GRID_S = 60.0
"""Every piece's zero lies on a multiple of this, so on a token's edge for any whole part of a minute."""

PAUSE_S = 60.0
"""A piece's zero comes at least this long after the piece before has ended: the longest context of a default
front end (respiration), so that no feature of a trial knows of the piece before."""


@dataclass(frozen=True)
class Piece:
    """Signals of one moment, by modality; `zero_s` is what is to fall on the grid (a trial's start)."""

    signals: Mapping[str, Signal]
    zero_s: float = 0.0

    @property
    def stop_s(self) -> float:
        """End of the last signal, in the piece's own time."""
        return max(signal.stop_s for signal in self.signals.values())


def join_pieces(pieces: Sequence[Piece]) -> tuple[dict[str, Signal], list[float]]:
    """Join pieces in time.

    Parameters
    ----------
    pieces : sequence of Piece
        Each modality has the same rate, unit and channels wherever it occurs; a piece may lack one.

    Returns
    -------
    signals : dict of str to Signal
        From t = 0; NaN where no piece lies.
    offsets_s : list of float
        What to add to a piece's own time.

    Raises
    ------
    MMQError
        If there is no piece, or a modality differs between pieces in rate, unit or channels.
    """
    if not pieces:
        raise MMQError("join_pieces: expected at least one piece; got none.")
    offsets: list[float] = []
    earliest_s = 0.0  # of the next piece's zero
    for number, piece in enumerate(pieces):
        if number:
            stop_s = offsets[-1] + pieces[number - 1].stop_s
            earliest_s = stop_s + max(PAUSE_S, GAP_S + piece.zero_s)
        zero_s = math.ceil(max(earliest_s, piece.zero_s) / GRID_S - 1e-9) * GRID_S
        offsets.append(zero_s - piece.zero_s)
    names = dict.fromkeys(name for piece in pieces for name in piece.signals)
    return {name: _joined(name, pieces, offsets) for name in names}, offsets


def join_by_time(pieces: Sequence[Piece], starts_s: Sequence[float]) -> tuple[dict[str, Signal], list[float]]:
    """Join pieces of one clock, with their real pauses between them.

    Parameters
    ----------
    pieces : sequence of Piece
        As for `join_pieces`.
    starts_s : sequence of float
        When each piece's own t = 0 was.

    Returns
    -------
    signals : dict of str to Signal
        t = 0 is the earliest of `starts_s`. Each signal begins with its first sample; NaN between pieces.
    offsets_s : list of float
        What to add to a piece's own time.

    Raises
    ------
    MMQError
        If two overlap, they are further apart than any recording lasts, or a modality differs.
    """
    zero_s = min(starts_s)
    offsets = [start - zero_s for start in starts_s]
    order = sorted(range(len(pieces)), key=offsets.__getitem__)
    for one, other in zip(order, order[1:], strict=False):
        if offsets[other] < offsets[one] + pieces[one].stop_s:
            raise MMQError(
                f"one begins {offsets[other]:g} s after the first, before another has ended at"
                f" {offsets[one] + pieces[one].stop_s:g} s; they must follow each other."
            )
    if offsets[order[-1]] > MAX_DURATION_S:
        raise MMQError(
            f"they lie {offsets[order[-1]]:g} s apart; at most {MAX_DURATION_S:g} s are one recording."
        )
    names = dict.fromkeys(name for piece in pieces for name in piece.signals)
    return {name: _joined(name, pieces, offsets, own_start=True) for name in names}, offsets


def _joined(
    name: str, pieces: Sequence[Piece], offsets: Sequence[float], *, own_start: bool = False
) -> Signal:
    """Join one modality; with `own_start` its grid begins with its first sample, else with t = 0."""
    parts = [
        (piece.signals[name], at) for piece, at in zip(pieces, offsets, strict=True) if name in piece.signals
    ]
    first = parts[0][0]
    for signal, _ in parts:
        for what in ("sampling_rate_hz", "unit", "channels"):
            if getattr(signal, what) != getattr(first, what):
                raise MMQError(
                    f"{name}: every piece must have the same {what}; got {getattr(first, what)!r} and"
                    f" {getattr(signal, what)!r}."
                )
    rate = first.sampling_rate_hz
    zero_s = min(at + signal.start_s for signal, at in parts) if own_start else 0.0
    starts = [round((at + signal.start_s - zero_s) * rate) for signal, at in parts]
    total = max(start + signal.samples.shape[1] for start, (signal, _) in zip(starts, parts, strict=True))
    held = sum(signal.samples.nbytes for signal, _ in parts)
    check_spread(name, held, 4 * len(first.channels) * total)
    samples = np.full((len(first.channels), total), np.nan, np.float32)
    for start, (signal, _) in zip(starts, parts, strict=True):
        samples[:, start : start + signal.samples.shape[1]] = signal.samples
    return Signal(name, samples, rate, first.unit, first.channels, zero_s)
