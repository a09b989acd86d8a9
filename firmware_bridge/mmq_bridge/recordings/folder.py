# SPDX-License-Identifier: Apache-2.0
"""A recording as an open, plain folder: one ``.npy`` a signal and a ``recording.json``, without pickle."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.modalities import MODALITIES
from mmq_bridge.recordings.files import existing_folder, read_bytes
from mmq_bridge.recordings.recording import Recording, Signal, Trial
from mmq_bridge.validation import StrictModel, first_problem

JSON_NAME = "recording.json"
MAX_JSON_BYTES = 32 * 2**20
MAX_NPY_BYTES = 2 * 2**30


class SignalFile(StrictModel):
    """What ``recording.json`` says of one ``<modality>.npy``."""

    sampling_rate_hz: float
    unit: str
    channels: tuple[str, ...]
    samples: int = Field(gt=0)
    start_s: float = 0.0


class TrialFile(StrictModel):
    """One trial."""

    start_s: float
    stop_s: float
    labels: dict[str, str]
    ratings: dict[str, float] = {}
    stimulus: str = ""
    stimulus_s: float = 0.0


class IntervalFile(StrictModel):
    """One artefact or dropout."""

    modality: str
    start_s: float
    stop_s: float
    kind: str
    snr_db: float | None = None


class TruthFile(StrictModel):
    """What a simulator knows."""

    artefacts: tuple[IntervalFile, ...] = ()
    dropouts: tuple[IntervalFile, ...] = ()
    beats_s: tuple[float, ...] = ()
    scr_s: tuple[float, ...] = ()


class RecordingFile(StrictModel):
    """The whole of ``recording.json``."""

    format: Literal["mmq-recording"] = "mmq-recording"
    format_version: Literal[1] = 1
    note: str = ""
    simulated: bool
    subject: str
    session: str
    source: str
    signals: dict[str, SignalFile]
    trials: tuple[TrialFile, ...] = ()
    truth: TruthFile | None = None
    parameters: dict[str, str | int | float | bool | tuple[str, ...]] = {}


def read_recording_folder(folder: Path | str) -> Recording:
    """Read a recording from its folder, without a digest.

    Raises
    ------
    BridgeError
        If a file is missing, broken or not what ``recording.json`` says.
    """
    path = existing_folder(folder, "a recording")
    content = read_description(path / JSON_NAME)
    signals = {}
    for name, described in content.signals.items():
        if name not in MODALITIES:
            raise BridgeError(
                f"{path / JSON_NAME}: signals must be named {', '.join(MODALITIES)}; got {name!r}."
            )
        shape = (len(described.channels), described.samples)
        samples = read_npy(path / f"{name}.npy", shape)
        try:
            signals[name] = Signal(
                name,
                samples,
                described.sampling_rate_hz,
                described.unit,
                described.channels,
                described.start_s,
            )
        except BridgeError as error:
            raise BridgeError(f"{path / JSON_NAME}: {error}") from error
    try:
        trials = tuple(Trial(**vars(trial)) for trial in content.trials)
        return Recording(
            content.subject,
            content.session,
            signals,
            trials,
            source=content.source,
            simulated=content.simulated,
        )
    except BridgeError as error:
        raise BridgeError(f"{path / JSON_NAME}: {error}") from error


def recording_files(folder: Path) -> list[Path]:
    """List the files a recording's folder is made of, its description first."""
    return [folder / JSON_NAME, *sorted(folder.glob("*.npy"))]


def read_description(path: Path) -> RecordingFile:
    """Read a ``recording.json``.

    Raises
    ------
    BridgeError
        If it cannot be read or is not what `RecordingFile` asks for.
    """
    data = read_bytes(path, MAX_JSON_BYTES)
    try:
        return RecordingFile.model_validate_json(data)
    except ValidationError as error:
        found = first_problem(error)
        got = "" if found.kind == "json_invalid" else f"; got {str(found.given)[:60]!r}"
        raise BridgeError(f"{path}: {found.place or 'the file'}: {found.message}{got}.") from error


def read_npy(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read a float32 array ``[channels, samples]`` of a shape known beforehand.

    The header is read and compared with the wanted shape and the file's size before anything is allocated.

    Raises
    ------
    BridgeError
        If the file is missing, holds Python objects, or another type, order, shape or number of bytes.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise BridgeError(
                    f"{path}: expected NumPy format version 1.0; got {version[0]}.{version[1]}."
                )
            got, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
    except OSError as error:
        raise BridgeError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except BridgeError:
        raise
    except (ValueError, TypeError, SyntaxError, TokenError, EOFError) as error:
        raise BridgeError(
            f"{path}: expected a .npy file; its header cannot be read ({str(error)[:100]})."
        ) from error
    if dtype != np.dtype("<f4") or fortran:
        what = "Python objects, which are never loaded" if dtype.hasobject else f"{dtype.str} {list(got)}"
        raise BridgeError(
            f"{path}: expected float32 in C order; got {what}{' in Fortran order' if fortran else ''}."
        )
    if got != shape:
        raise BridgeError(
            f"{path}: expected [channels, samples] = {list(shape)} as {JSON_NAME} says; got {list(got)}."
        )
    expected = start + 4 * shape[0] * shape[1]
    if size != expected or size > MAX_NPY_BYTES:
        raise BridgeError(
            f"{path}: expected {expected} bytes (at most {MAX_NPY_BYTES}); the file has {size}."
        )
    return np.load(path, allow_pickle=False)
