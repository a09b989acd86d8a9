# SPDX-License-Identifier: Apache-2.0
"""Golden vectors: a front end, a script of calls, and where the samples come from."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmq_bridge.core_binding.decision import Rules
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.core_binding.network import Network
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation, Quantisation
from mmq_bridge.front_end.head_tables import MAX_COMPONENTS, HeadTables
from mmq_bridge.targets.faults import faulty
from mmq_bridge.targets.recorded import RECORDED
from mmq_bridge.targets.script import Operation, counted_packets, pushes, uniform
from mmq_bridge.targets.simulated import PlainSignal, simulate

QUANTISATION = Quantisation(scale=5.0 / 127.0, zero_point=-3)
"""A model that takes z in -5 to 5; the zero point is off 0, so that it is exercised."""
DIGITS = 4
"""Statistics are rounded to so many digits: the last bits of a mean depend on NumPy's order of adding."""
HEAD_STATISTICS = 40
"""Features a personal head reads, besides the first one of each modality; fewer where there are fewer."""
PACKET_FRAMES = 8
"""Longest radio packet: two of them fit where packets may change places."""


class DeployedLike(Protocol):
    """A network and the rules of its decisions; see `mmq_bridge.targets.deployed.Deployed`."""

    @property
    def network(self) -> Network:
        """The network for the library that Python loads."""
        ...

    @property
    def rules(self) -> Rules:
        """Of its int8 logits."""
        ...

    @property
    def arena_bytes(self) -> int:
        """Of the network, a multiple of 4."""
        ...

    def sources(self, name: str) -> dict[str, str]:
        """Return network and rules as C files by name."""
        ...


@dataclass(frozen=True)
class Vector:
    """One front end and what it is fed with.

    Attributes
    ----------
    name : str
        A C name, and the script's file name.
    front_end : FrontEnd
        Normalised and quantised.
    operations : tuple of Operation
    simulated : bool
    deployed : DeployedLike or None
        The network and rules that decide; made up where there are none.
    """

    name: str
    front_end: FrontEnd
    operations: tuple[Operation, ...]
    simulated: bool
    deployed: DeployedLike | None = None

    @property
    def head(self) -> HeadTables:
        """A personal head that reads features of all modalities; its numbers are made up."""
        front_end = self.front_end
        slices = front_end.feature_slices
        owners = np.concatenate([[m] * (s.stop - s.start) for m, s in enumerate(slices.values())])
        evenly = np.arange(HEAD_STATISTICS) * front_end.n_features // HEAD_STATISTICS
        columns = np.unique([*evenly, *(part.start for part in slices.values())])
        size = len(columns)
        numbers = np.round(2.0 * uniform((MAX_COMPONENTS + 2) * size, 11) - 1.0, DIGITS).reshape(-1, size)
        return HeadTables(
            task="made up",
            tokens=front_end.tokens,
            n_modalities=len(front_end.modalities),
            n_features=front_end.n_features,
            column=tuple(columns.tolist()),
            owner=tuple(owners[columns].tolist()),
            centre=tuple(numbers[0].tolist()),
            scale=tuple((2.0 * numbers[1]).tolist()),
            component=tuple(map(tuple, numbers[2:].tolist())),
        )


def front_end(parts: Mapping[str, Mapping[str, Any]], **settings: Any) -> FrontEnd:
    """Build a front end from settings by modality."""
    return FrontEnd.model_validate({"modalities": parts, **settings})


def with_statistics(
    plain: FrontEnd, operations: Sequence[Operation], mode: str = "population", **settings: Any
) -> FrontEnd:
    """Fill in normalisation, from the tokens of the script itself, and quantisation."""
    bridge, rows = Bridge(plain), []
    for operation in operations:
        if operation.samples is None or not math.isfinite(operation.time_s):
            continue
        if operation.first_index is not None:
            bridge.push_counted(
                plain.modality_names[operation.modality], operation.samples, operation.first_index
            )
        elif abs(operation.time_s) < 3600:  # what is meant to be refused is left out
            bridge.push(plain.modality_names[operation.modality], operation.samples, operation.time_s)
        while (token := bridge.pop_token()) is not None:
            present = np.repeat(
                token[1], [s.stop - s.start for s in plain.measured_layout.feature_slices.values()]
            )
            rows.append(np.where(present, token[0].astype(np.float64), np.nan))
    mean, std = _statistics(np.array(rows))
    normalisation = Normalisation.model_validate({"mode": mode, "mean": mean, "std": std, **settings})
    return plain.with_normalisation(normalisation).with_quantisation(QUANTISATION)


def _statistics(tokens: np.ndarray) -> tuple[list[float], list[float]]:
    mean, std = [], []
    for column in tokens.T:
        values = column[np.isfinite(column)]
        centre, spread = (values.mean(), values.std()) if len(values) else (0.0, 1.0)
        mean.append(float(f"{centre:.{DIGITS}g}"))
        std.append(float(f"{spread if spread > 1e-6 else 1.0:.{DIGITS}g}"))
    return mean, std


ACC_CHANNELS = ("wrist_x", "wrist_y", "wrist_z", "chest_x", "chest_y", "chest_z")
ALL_PARTS: dict[str, dict[str, Any]] = {
    "eeg": {"sampling_rate_hz": 250.0, "channels": tuple(f"E{i + 1}" for i in range(11)), "notch_hz": 50},
    "eog": {"sampling_rate_hz": 250.0, "channels": ("HEOG", "VEOG")},
    "emg": {"sampling_rate_hz": 1000.0, "channels": ("zygomaticus", "trapezius"), "notch_hz": 50},
    "ecg": {"sampling_rate_hz": 250.0, "channels": ("I", "II")},
    "ppg": {"sampling_rate_hz": 64.0, "channels": ("green", "red")},
    "resp": {"sampling_rate_hz": 32.0, "channels": ("chest", "belly")},
    "eda": {"sampling_rate_hz": 16.0, "channels": ("left", "right"), "decimate": 4},
    "temp": {"sampling_rate_hz": 4.0, "channels": ("wrist", "finger")},
    "acc": {"sampling_rate_hz": 32.0, "channels": ACC_CHANNELS},
}
"""All nine modalities, several channels each: 11 EEG channels are one vector of 8 and 3 single ones."""
FAULT_PARTS: dict[str, dict[str, Any]] = {
    "eeg": {"sampling_rate_hz": 128.0, "channels": tuple(f"E{i + 1}" for i in range(9))},
    "ecg": {"sampling_rate_hz": 125.0, "channels": ("I", "II")},
    "ppg": {"sampling_rate_hz": 64.0},
    "resp": {"sampling_rate_hz": 32.0},
    "eda": {"sampling_rate_hz": 4.0},
    "temp": {"sampling_rate_hz": 4.0},
    "acc": {"sampling_rate_hz": 32.0},
}


def _simulated(plain: FrontEnd, seconds: float, seed: int) -> dict[str, PlainSignal]:
    return {
        name: simulate(name, len(part.channels), part.sampling_rate_hz, seconds, seed + 1000 * i)
        for i, (name, part) in enumerate(plain.modalities.items())
    }


def _all_modalities() -> Vector:
    plain = front_end(ALL_PARTS, token_s=4.0, tokens=5, frontend_version=2)
    operations = pushes(plain, _simulated(plain, 60.0, 1), 2)
    normalised = with_statistics(plain, operations, "enrolment", enrolment_s=12.0)
    return Vector("simulated_all", normalised, tuple(operations), True)


def _faults() -> Vector:
    plain = front_end(FAULT_PARTS, token_s=4.0, tokens=4, frontend_version=2)
    operations = faulty(plain, _simulated(plain, 96.0, 3), 4)
    return Vector("simulated_faults", with_statistics(plain, operations, "running"), tuple(operations), True)


def _lost_packets() -> Vector:
    """Version 3: faults, and of every seven packets the last is lost."""
    plain = front_end(FAULT_PARTS, token_s=4.0, tokens=4, frontend_version=3)
    operations = [
        operation
        for k, operation in enumerate(faulty(plain, _simulated(plain, 96.0, 6), 7))
        if operation.samples is None or k % 7 != 6
    ]
    return Vector("simulated_lost", with_statistics(plain, operations, "running"), tuple(operations), True)


def _counted_packets() -> Vector:
    """Version 3: packets with a counter, lost, swapped and doubled, and an enrolment that counts evidence."""
    parts = {name: part for name, part in FAULT_PARTS.items() if name != "eeg"}
    plain = front_end(parts, token_s=4.0, tokens=4, frontend_version=3)
    operations = counted_packets(plain, _simulated(plain, 60.0, 8), 9, PACKET_FRAMES)
    normalised = with_statistics(plain, operations, "enrolment", enrolment_s=24.0)
    return Vector("simulated_counted", normalised, tuple(operations), True)


def _look_back() -> Vector:
    """Version 3: look-backs over ten sums of two tokens, and faults among them."""
    plain = front_end(FAULT_PARTS, token_s=2.0, tokens=4, frontend_version=3)
    operations = faulty(plain, _simulated(plain, 96.0, 8), 9)
    with_past = with_statistics(plain, operations, "enrolment", enrolment_s=10.0, look_back_s=40.0)
    return Vector("simulated_look_back", with_past, tuple(operations), True)


SIMULATED: tuple[Callable[[], Vector], ...] = (
    _all_modalities,
    _faults,
    _lost_packets,
    _counted_packets,
    _look_back,
)


def data_folder() -> Path:
    """Folder of the real recordings: ``MMQ_DATA``, else ``shared/data`` beside the project."""
    return Path(os.environ.get("MMQ_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))


def make_vectors(data: Path | None = None) -> list[Vector]:
    """Make every vector that can be made: real ones only where their recordings are.

    Raises
    ------
    BridgeError
        When a recording is there but cannot be read.
    """
    folder = data or data_folder()
    vectors = [make() for make in SIMULATED]
    for name, recorded in RECORDED.items():
        if not (folder / recorded.folder).is_dir():
            continue
        try:
            plain, signals = recorded.load(folder / recorded.folder)
        except (OSError, ValueError) as error:
            raise BridgeError(
                f"{folder / recorded.folder}: cannot be read ({error}): check MMQ_DATA"
            ) from error
        operations = pushes(plain, signals, 5)
        vectors.append(Vector(name, with_statistics(plain, operations), tuple(operations), False))
    return vectors
