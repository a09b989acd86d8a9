# SPDX-License-Identifier: Apache-2.0
"""Which channels of a live stream are which sensor of the front end, by what the stream says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmq_bridge.front_end.front_end import FrontEnd, ModalityFrontEnd
from mmq_bridge.front_end.modalities import BANK_MODALITIES
from mmq_bridge.front_end.modality_aliases import rows_by_modality
from mmq_bridge.front_end.units import UNITS, front_end_unit, unit_factor
from mmq_bridge.sources.timeline import RATE_TOLERANCE


@dataclass(frozen=True)
class Description:
    """What a stream says of itself.

    Attributes
    ----------
    name, type : str
        Of the stream.
    rate_hz : float
        Nominal rate; 0 where it has none.
    labels, units, types : tuple of str
        One a channel, empty where nothing is said.
    """

    name: str
    type: str
    rate_hz: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """Channels of a stream that are one sensor.

    Attributes
    ----------
    modality : str
    rows : tuple of int
        Channels of the stream, in the front end's order.
    factors : tuple of float
        What brings each of them to the front end's unit.
    """

    modality: str
    rows: tuple[int, ...]
    factors: tuple[float, ...]

    def take(self, samples: np.ndarray) -> np.ndarray:
        """Return float32 [rows, n] in the front end's unit of a stream's samples [n, channels]."""
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is lost to the core
            scaled = samples[:, list(self.rows)] * np.asarray(self.factors)
            return np.ascontiguousarray(scaled.T, np.float32)


class _Misfit(Exception):
    """Why a stream cannot be the sensor that it names."""


def find_fits(front_end: FrontEnd, stream: Description) -> tuple[list[Fit], list[str]]:
    """Return the sensors a stream serves, and for each it names but cannot serve a sentence that says why.

    Channels are found by the front end's names, without regard to case. A stream that names none of its
    channels is taken in its own order when their number is right, and so are a single channel and the axes of
    accelerometers, whatever they are called: features do not depend on the order of axes. Counters, time
    stamps and the like that a stream carries are no channels; see `mmq_bridge.front_end.modality_aliases`.
    """
    fits, problems = [], []
    wanted = {name.lower() for part in front_end.modalities.values() for name in part.channels}
    # what the front end asks for by its name is what somebody said it is
    labels = ["" if label.strip().lower() in wanted else label for label in stream.labels]
    for modality, rows in rows_by_modality(stream.types, stream.type, stream.name, labels).items():
        if modality not in front_end.modalities:
            continue
        try:
            fits.append(_fit(modality, front_end.modalities[modality], stream, rows))
        except _Misfit as misfit:
            problems.append(f"stream {stream.name!r} is no {modality} for this bundle: {misfit}")
    return fits, problems


def _fit(modality: str, wanted: ModalityFrontEnd, stream: Description, rows: Sequence[int]) -> Fit:
    if not abs(stream.rate_hz / wanted.sampling_rate_hz - 1) <= RATE_TOLERANCE:  # NaN is none either
        got = f"{stream.rate_hz:g} Hz" if stream.rate_hz else "a stream without a rate"
        raise _Misfit(f"expected {wanted.sampling_rate_hz:g} Hz, got {got}; set the device to that rate.")
    chosen = _rows(modality, wanted.channels, stream, rows)
    return Fit(modality, chosen, tuple(_factor(modality, wanted.unit, stream.units[row]) for row in chosen))


def _rows(modality: str, names: tuple[str, ...], stream: Description, rows: Sequence[int]) -> tuple[int, ...]:
    by_label = {stream.labels[row].strip().lower(): row for row in rows}
    if all(name.lower() in by_label for name in names):
        return tuple(by_label[name.lower()] for name in names)
    by_place = len(names) == 1 or modality == "acc" or not any(stream.labels[row] for row in rows)
    if by_place and len(rows) == len(names):
        return tuple(rows)
    labels = ", ".join(stream.labels[row] or "?" for row in rows)
    where = " by their names" if modality in BANK_MODALITIES else ""
    raise _Misfit(
        f"expected the channels {', '.join(names)}{where}, got {len(rows)} ({labels:.80}); "
        "name them so, or leave the others out."
    )


def _factor(modality: str, wanted: str, unit: str) -> float:
    """Return what brings a unit to the front end's; a stream that names none is taken to be in it."""
    unit = UNITS.get(unit.strip().lower(), unit.strip())
    if not unit or unit == wanted:
        return 1.0
    try:
        if wanted == front_end_unit(modality):
            return unit_factor(modality, unit)
    except ValueError:
        pass
    raise _Misfit(f"expected {wanted}, got {unit!r}; correct the unit in the device's settings.")
