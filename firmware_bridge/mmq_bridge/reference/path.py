# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of the way from raw samples, losses included, to what features and rules are computed from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mmq_bridge.front_end import filter_design as filters
from mmq_bridge.front_end.feature_names import output_names
from mmq_bridge.front_end.front_end import ModalityFrontEnd
from mmq_bridge.reference.filters import averaged, filtered, mixed, remove_baseline


def edges(n: int, rate_hz: float, token_s: float) -> list[tuple[int, int]]:
    """First sample and one past the last of each whole token."""
    count = int(n / rate_hz / token_s + 1e-6)
    places = [int(np.ceil(k * token_s * rate_hz - 0.0625)) for k in range(count + 1)]
    return list(zip(places[:-1], places[1:], strict=True))


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return first index and one past the last of every run of True.

    Examples
    --------
    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    changes = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in changes.reshape(-1, 2)]


def lost_samples(
    modality: ModalityFrontEnd, samples: np.ndarray, off: np.ndarray | None = None
) -> np.ndarray:
    """Mark what is lost: NaN, infinite, out of range, or taken while the lead was off; bool, as `samples`."""
    good = (samples >= np.float32(modality.minimum)) & (samples <= np.float32(modality.maximum))
    return ~good if off is None else ~good | off


def held(modality: ModalityFrontEnd, lost: np.ndarray) -> np.ndarray:
    """Mark the samples of one channel that the filters see: the good ones, and losses short enough to hold.

    A longer loss is held for its first `hold_s`; before the first good sample there is nothing to hold.
    """
    alive = ~lost
    hold = filters.frames(modality.hold_s, modality.sampling_rate_hz)
    for a, b in runs(lost):
        alive[a : min(b, a + hold)] = a > 0
    return alive


@dataclass(frozen=True)
class Stretch:
    """Decimated samples of one output between two restarts of its filters.

    Attributes
    ----------
    places : ndarray of int
        Number of the raw frame that completed each.
    samples : ndarray
        Without baseline, in the modality's unit.
    """

    places: np.ndarray
    samples: np.ndarray

    def between(self, first: int, stop: int) -> np.ndarray:
        """Return the samples completed by frames `first` to `stop` - 1."""
        return self.samples[(self.places >= first) & (self.places < stop)]


def _split(parts: list[tuple[int, int]], cuts: Collection[int]) -> list[tuple[int, int]]:
    """Cut runs at some places.

    Examples
    --------
    >>> _split([(0, 5), (7, 9)], {3, 7})
    [(0, 3), (3, 5), (7, 9)]
    """
    out = []
    for a, b in parts:
        places = [a, *sorted(cut for cut in cuts if a < cut < b), b]
        out += list(zip(places[:-1], places[1:], strict=True))
    return out


def _conditioned(
    name: str, modality: ModalityFrontEnd, x: np.ndarray, parts: list[tuple[int, int]]
) -> np.ndarray:
    """Baseline and prefilter of one channel, started anew with every part; 0 elsewhere."""
    rows, alpha = filters.prefilter(name, modality), filters.baseline_alpha(modality)
    out = np.zeros(len(x))
    last = np.maximum.accumulate(np.where(np.isfinite(x), np.arange(len(x)), 0))
    for a, b in parts:
        out[a:b] = filtered(rows, remove_baseline(x[last[a:b]], alpha))
    return out


def stretches(
    name: str,
    modality: ModalityFrontEnd,
    samples: np.ndarray,
    off: np.ndarray | None = None,
    cuts: Sequence[Collection[int]] | None = None,
) -> list[list[Stretch]]:
    """Cut a recording into what each output sees (eeg, eog, emg, ecg, ppg, resp).

    Parameters
    ----------
    name : str
        Modality.
    modality : ModalityFrontEnd
    samples : ndarray, shape (channels, n)
        From second 0, NaN where lost.
    off : ndarray of bool, shape (channels, n), optional
        Where the driver says the lead is off.
    cuts : sequence of collections of int, optional
        For each channel, frames with which its filters start anew.

    Returns
    -------
    list of list of Stretch
        For each output, oldest first. With a spatial matrix a stretch ends only where all channels are gone.
    """
    lost = lost_samples(modality, samples, off)
    alive = np.stack([held(modality, row) for row in lost])
    x = np.where(lost, np.nan, np.asarray(samples, dtype=np.float64))
    parts = [_split(runs(a), cut) for a, cut in zip(alive, cuts or [()] * len(alive), strict=True)]
    clean = np.stack([_conditioned(name, modality, row, part) for row, part in zip(x, parts, strict=True)])
    matrix = None if modality.spatial is None else np.array(modality.spatial.matrix, np.float32)
    clean, fed = mixed(matrix, clean), runs(np.asarray(alive.any(axis=0)))
    if name == "resp":
        return [
            [_mean_stretch(clean[o], a, b, modality.decimate) for a, b in parts[o]] for o in range(len(clean))
        ]
    kept = np.concatenate([np.arange(a, b, modality.decimate) for a, b in fed] or [np.zeros(0, int)])
    out = []
    for o in range(len(output_names(name, modality))):
        places = [kept[(kept >= a) & (kept < b)] for a, b in (fed if matrix is not None else parts[o])]
        out.append([Stretch(where, clean[o, where]) for where in places])
    return out


def _mean_stretch(x: np.ndarray, a: int, b: int, factor: int) -> Stretch:
    means = averaged(x[a:b], factor)
    return Stretch(a + factor * (1 + np.arange(len(means))) - 1, means)
