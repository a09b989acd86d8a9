# SPDX-License-Identifier: Apache-2.0
"""Sensors of a board that BrainFlow knows.

Run here with BrainFlow's synthetic board only; other boards were not tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.sources.matching import Description, Fit, find_fits
from mmq_bridge.sources.session import Arrival

SYNTHETIC = "synthetic"
ROWS = {
    **{name: f"{name}_channels" for name in ("eeg", "eog", "emg", "ecg", "ppg", "eda")},
    "temp": "temperature_channels",
    "acc": "accel_channels",
}
"""Where a board's description lists the rows of a modality."""

UNITS: Mapping[str, str] = dict.fromkeys(("eeg", "eog", "emg", "ecg"), "uV")
"""What BrainFlow brings to one unit for all boards; of the others a board's own documentation tells."""


@dataclass(frozen=True)
class _Preset:
    """Rows of a board that come at one rate."""

    number: int
    stamps: int
    fits: tuple[tuple[Fit, tuple[int, ...]], ...]


class BoardSource:
    """A board of BrainFlow as a `LiveSource`.

    Parameters
    ----------
    front_end : FrontEnd
    board : str
        ``synthetic``, or a name of BrainFlow's ``BoardIds``, with settings of ``BrainFlowInputParams`` behind
        it: ``MUSE_2_BOARD``, ``CYTON_BOARD,serial_port=/dev/ttyUSB0``.
    tell : callable
        Takes a sentence for people.

    Raises
    ------
    BridgeError
        When BrainFlow is not there, does not know the board or a setting, cannot start it, or no row of it
        serves the front end.
    """

    def __init__(self, front_end: FrontEnd, board: str, tell: Callable[[str], None]) -> None:
        brainflow = _load()
        name, _, settings = board.partition(",")
        self._error = brainflow.BrainFlowError
        self._preset_of = brainflow.BrainFlowPresets
        board_id = _board_id(brainflow, name)
        self.simulated = board_id == brainflow.BoardIds.SYNTHETIC_BOARD
        self._presets = _presets(brainflow.BoardShim, board_id, front_end, tell)
        self._rejected: set[str] = set()
        brainflow.BoardShim.disable_board_logger()
        self._board: Any = brainflow.BoardShim(board_id, _parameters(brainflow, settings))
        self._tell = tell
        try:
            self._board.prepare_session()
            self._board.start_stream()
        except self._error as error:
            raise BridgeError(
                f"board {name}: expected it to start, got: {str(error)[:90]}; see that it is on, in reach, "
                "and used by no other program."
            ) from error
        for modality in filter(self._modalities().__contains__, front_end.modalities):
            tell(f"{modality}: from board {name}")

    @property
    def connected(self) -> Collection[str]:
        """Modalities the board gives."""
        return self._modalities() - self._rejected

    def now_s(self) -> float:
        """BrainFlow's clock: Unix time."""
        return time.time()

    def poll(self) -> list[Arrival]:
        """Return what came in since the last call; from a board that fails nothing more comes."""
        try:
            return self._pull()
        except self._error as error:
            self._tell(f"board: {str(error)[:90]}; its sensors count as missing from now on")
            self._rejected |= self._modalities()
            self._presets = ()
            return []

    def _pull(self) -> list[Arrival]:
        arrivals = []
        for preset in self._presets:
            data = self._board.get_board_data(preset=self._preset_of(preset.number))
            for fit, rows in preset.fits:
                if data.shape[1] and fit.modality not in self._rejected:
                    samples = fit.take(data[list(rows)].T)
                    arrivals.append(Arrival(fit.modality, samples, data[preset.stamps].astype(np.float64)))
        return arrivals

    def reject(self, modality: str) -> None:
        """Leave a modality for good."""
        self._rejected.add(modality)

    def close(self) -> None:
        """Stop the board."""
        if self._board is not None and self._board.is_prepared():
            self._board.stop_stream()
            self._board.release_session()
        self._board = None  # its end would also end another session with such a board

    def _modalities(self) -> set[str]:
        return {fit.modality for preset in self._presets for fit, _ in preset.fits}


def _load() -> ModuleType:
    try:
        from brainflow import board_shim
    except (ImportError, OSError) as error:
        raise BridgeError(
            "board: expected brainflow, which is not installed; install it with: "
            "pip install 'mmq-bridge[brainflow]'"
        ) from error
    return board_shim


def _board_id(brainflow: ModuleType, name: str) -> int:
    names = [board.name for board in brainflow.BoardIds]
    wanted = "SYNTHETIC_BOARD" if name.lower() == SYNTHETIC else name.upper()
    if wanted not in names or wanted == "NO_BOARD":
        raise BridgeError(
            f"board {name!r:.40}: expected {SYNTHETIC} or a name of BrainFlow's BoardIds, such as "
            "CYTON_BOARD or MUSE_2_BOARD."
        )
    return brainflow.BoardIds[wanted].value


def _parameters(brainflow: ModuleType, settings: str) -> Any:
    """Return BrainFlow's input parameters from ``key=value,key=value``."""
    parameters = brainflow.BrainFlowInputParams()
    for item in filter(None, settings.split(",")):
        key, _, value = item.partition("=")
        known = vars(parameters)
        try:
            setattr(parameters, key, int(value) if isinstance(known[key], int) else value)
        except (KeyError, ValueError):
            raise BridgeError(
                f"board setting {item!r:.60}: expected KEY=VALUE with a key of {', '.join(known)}."
            ) from None
    return parameters


def _presets(
    shim: Any, board_id: int, front_end: FrontEnd, tell: Callable[[str], None]
) -> tuple[_Preset, ...]:
    """Return what of each preset serves the front end; the first preset that gives a modality counts."""
    presets: list[_Preset] = []
    served: set[str] = set()
    problems: list[str] = []
    for number in sorted(shim.get_board_presets(board_id)):
        content = shim.get_board_descr(board_id, number)
        fits = []
        for modality, key in ROWS.items():
            rows = tuple(content.get(key, ()))
            if rows and modality in front_end.modalities and modality not in served:
                found, why = find_fits(front_end, _describe(content, modality, rows))
                fits += [(fit, rows) for fit in found]
                problems += why
        served |= {fit.modality for fit, _ in fits}
        if fits:
            presets.append(_Preset(number, int(content["timestamp_channel"]), tuple(fits)))
    for problem in problems:
        tell(problem)
    if not presets:
        raise BridgeError(
            f"board: expected any of {', '.join(front_end.modality_names)} as the bundle takes them, got: "
            + ("; ".join(problems) or "none of them.")
        )
    return tuple(presets)


def _describe(content: Mapping[str, Any], modality: str, rows: tuple[int, ...]) -> Description:
    labels = [f"{modality}{number}" for number in range(1, len(rows) + 1)]
    if modality == "eeg" and len(str(content.get("eeg_names", "")).split(",")) == len(rows):
        labels = str(content["eeg_names"]).split(",")
    units = (UNITS.get(modality, ""),) * len(rows)
    rate_hz = float(content["sampling_rate"])
    return Description(str(content["name"]), modality, rate_hz, tuple(labels), units, ("",) * len(rows))
