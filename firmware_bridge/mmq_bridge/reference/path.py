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


FILLED = ("ecg", "ppg", "resp")
BRIEF_S = 0.5  # the pulse wave's rules take a filled loss up to this long for measured
BRIDGE_S = 2.0  # losses of all channels up to this long are filled by a line, from version 3 on


def bridge_frames(name: str, modality: ModalityFrontEnd) -> int:
    """Return how many lost frames in a row version 3 fills at most."""
    return int(BRIDGE_S * modality.sampling_rate_hz) if name in FILLED else 0


def filled(
    name: str, modality: ModalityFrontEnd, lost: np.ndarray, cuts: Sequence[Collection[int]]
) -> list[tuple[int, int]]:
    """List the losses that version 3 fills: first lost frame, first good one again.

    Those that all channels have at the same time, with no restart from their beginning to the return.

    Examples
    --------
    >>> from mmq_bridge.front_end.front_end import FrontEnd
    >>> ppg = FrontEnd.wearable({"ppg": 64}).modalities["ppg"]
    >>> lost = np.zeros((1, 400), bool)
    >>> lost[0, 50:60] = lost[0, 100:102] = lost[0, 150:279] = True
    >>> filled("ppg", ppg, lost, [()])
    [(50, 60), (100, 102)]
    """
    most, out = bridge_frames(name, modality), []
    for a, b in runs(np.asarray(lost.all(axis=0))):
        together = a > 0 and b < lost.shape[1] and not lost[:, a - 1].any() and not lost[:, b].any()
        cut = any(a <= place <= b for places in cuts for place in places)
        if together and b - a <= most and not cut:
            out.append((a, b))
    return out


def held(modality: ModalityFrontEnd, lost: np.ndarray, none: np.ndarray | None = None) -> np.ndarray:
    """Mark the samples of one channel that the filters see: the good ones, and losses short enough to hold.

    A longer loss is held for its first `hold_s`; before the first good sample there is nothing to hold. Nor
    is anything held from the first of its samples on that `none` marks: all channels are lost (version 3).
    """
    alive = ~lost
    hold = filters.frames(modality.hold_s, modality.sampling_rate_hz)
    for a, b in runs(lost):
        stop = min(b, a + hold)
        if none is not None and none[a:stop].any():
            stop = a + int(np.argmax(none[a:stop]))
        alive[a:stop] = a > 0
    return alive


def held_rows(name: str, modality: ModalityFrontEnd, lost: np.ndarray, strict: bool) -> np.ndarray:
    """Apply `held` to every channel; `strict` as in `stretches`."""
    none = np.asarray(lost.all(axis=0)) if strict and name in FILLED else None
    return np.stack([held(modality, row, none) for row in lost])


@dataclass(frozen=True)
class Stretch:
    """Decimated samples of one output between two restarts of its filters.

    Attributes
    ----------
    places : ndarray of int
        Number of the raw frame that completed each; of a filled one, the first frame after the loss.
    samples : ndarray
        Without baseline, in the modality's unit.
    measured : ndarray of bool
        Whether each came from the sensor; always True before version 3.
    known : ndarray of bool
        Whether each came from the sensor or from filling a loss of up to `BRIEF_S`.
    """

    places: np.ndarray
    samples: np.ndarray
    measured: np.ndarray
    known: np.ndarray

    def good(self, first: int, stop: int) -> np.ndarray:
        """Return the measured ones of `between`."""
        return self.between(first, stop)[self.measured[(self.places >= first) & (self.places < stop)]]

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
    name: str, modality: ModalityFrontEnd, x: np.ndarray, parts: list[tuple[int, int]], zero: np.ndarray
) -> np.ndarray:
    """Baseline and prefilter of one channel, started anew with every part; 0 elsewhere.

    Where `zero` is, the sample lies on the baseline.
    """
    rows, alpha = filters.prefilter(name, modality), filters.baseline_alpha(modality)
    out = np.zeros(len(x))
    last = np.maximum.accumulate(np.where(np.isfinite(x), np.arange(len(x)), 0))
    for a, b in parts:
        y, on = np.zeros(b - a), ~zero[a:b]
        y[on] = remove_baseline(x[last[a:b][on]], alpha)
        out[a:b] = filtered(rows, y)
    return out


def stretches(
    name: str,
    modality: ModalityFrontEnd,
    samples: np.ndarray,
    off: np.ndarray | None = None,
    cuts: Sequence[Collection[int]] | None = None,
    *,
    strict: bool = False,
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
    strict : bool
        As version 3: losses are filled, and what was held or filled does not count as measured.

    Returns
    -------
    list of list of Stretch
        For each output, oldest first. With a spatial matrix a stretch ends only where all channels are gone.
    """
    lost = lost_samples(modality, samples, off)
    alive = held_rows(name, modality, lost, strict)
    x = np.where(lost, np.nan, np.asarray(samples, dtype=np.float64))
    cuts, came = cuts or [()] * len(alive), np.arange(x.shape[1])
    on_line, zero = name != "ecg", np.zeros(x.shape[1], bool)
    for a, b in filled(name, modality, lost, cuts) if strict else []:
        x[:, a:b] = np.linspace(x[:, a - 1], x[:, b], b - a + 2, axis=1)[:, 1:-1] if on_line else np.nan
        zero[a:b] = not on_line
        alive[:, a:b], came[a:b] = True, b
    parts = [_split(runs(a), cut) for a, cut in zip(alive, cuts, strict=True)]
    measured = ~lost if strict else np.ones_like(lost)
    known = np.stack([row | _brief(row, BRIEF_S * modality.sampling_rate_hz) for row in measured])
    clean = np.stack(
        [_conditioned(name, modality, row, part, zero) for row, part in zip(x, parts, strict=True)]
    )
    matrix = None if modality.spatial is None else np.array(modality.spatial.matrix, np.float32)
    clean, fed = mixed(matrix, clean), runs(np.asarray(alive.any(axis=0)))
    if name == "resp":
        return [
            [_mean_stretch(clean[o], measured[o], came, part, modality.decimate) for part in parts[o]]
            for o in range(len(clean))
        ]
    kept = np.concatenate([np.arange(a, b, modality.decimate) for a, b in fed] or [np.zeros(0, int)])
    out = []
    for o in range(len(output_names(name, modality))):
        places = [kept[(kept >= a) & (kept < b)] for a, b in (fed if matrix is not None else parts[o])]
        whole = np.ones(clean.shape[1], bool)
        real, near = (measured[o], known[o]) if matrix is None else (whole, whole)
        out.append([Stretch(came[where], clean[o, where], real[where], near[where]) for where in places])
    return out


def _brief(measured: np.ndarray, most: float) -> np.ndarray:
    """Mark the runs of samples that were not measured and are not longer than `most`."""
    out = np.zeros(len(measured), bool)
    for a, b in runs(~measured):
        out[a:b] = b - a <= most
    return out


def _mean_stretch(
    x: np.ndarray, measured: np.ndarray, came: np.ndarray, part: tuple[int, int], factor: int
) -> Stretch:
    a, b = part
    means, real = averaged(x[a:b], factor), averaged(measured[a:b].astype(float), factor) == 1
    return Stretch(came[a + factor * (1 + np.arange(len(means))) - 1], means, real, real)
