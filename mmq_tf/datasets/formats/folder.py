# SPDX-License-Identifier: Apache-2.0
"""A recording as an open, plain folder: one ``.npy`` a signal and a ``recording.json``, without pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from mmq_bridge.validation import StrictModel
from pydantic import Field, ValidationError

from mmq_tf.datasets.base import existing_folder, read_bytes
from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.datasets.formats.truth import Interval, Truth
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording, Signal, Trial

JSON_NAME = "recording.json"
MAX_JSON_BYTES = 32 * 2**20
MAX_NPY_BYTES = 2 * 2**30
SIMULATED_NOTE = "SIMULATED: no person was measured."


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


def save_recording(
    recording: Recording,
    folder: Path,
    truth: Truth | None = None,
    parameters: dict[str, str | int | float | bool | tuple[str, ...]] | None = None,
) -> None:
    """Write a recording into a new folder.

    Parameters
    ----------
    recording : Recording
        What to write.
    folder : Path
        Must not exist; the caller writes into a temporary place and renames it at the end.
    truth : Truth, optional
        What the simulator knows.
    parameters : dict, optional
        What it was made from.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be made.
    """
    folder.mkdir(parents=True)
    for name, signal in recording.signals.items():
        with (folder / f"{name}.npy").open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": signal.samples.shape}
            np.lib.format.write_array_header_1_0(file, header)
            # not ndarray.tofile, which hides the cause when the disk is full
            file.write(np.ascontiguousarray(signal.samples, "<f4").data)
    content = {
        "note": SIMULATED_NOTE if recording.simulated else "",
        "simulated": recording.simulated,
        "subject": recording.subject,
        "session": recording.session,
        "source": recording.source,
        "signals": {name: _describe(signal) for name, signal in recording.signals.items()},
        "trials": [vars(trial) for trial in recording.trials],
        "truth": None if truth is None else _describe_truth(truth),
        "parameters": parameters or {},
    }
    text = RecordingFile.model_validate(content).model_dump_json(indent=1)
    (folder / JSON_NAME).write_text(text + "\n", "utf-8")


def load_recording(folder: Path | str) -> Recording:
    """Read a recording that `save_recording` wrote.

    Raises
    ------
    MMQError
        If a file is missing, broken or not what ``recording.json`` says.
    """
    path = existing_folder(folder, "a recording")
    content = _read_json(path / JSON_NAME)
    signals = {}
    for name, described in content.signals.items():
        if name not in MODALITIES:
            raise MMQError(
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
        except MMQError as error:
            raise MMQError(f"{path / JSON_NAME}: {error}") from error
    try:
        trials = tuple(Trial(**vars(trial)) for trial in content.trials)
        return Recording(
            content.subject,
            content.session,
            signals,
            trials,
            source=content.source,
            simulated=content.simulated,
            digest=source_digest("recording 1", recording_files(path)),
        )
    except MMQError as error:
        raise MMQError(f"{path / JSON_NAME}: {error}") from error


def recording_files(folder: Path) -> list[Path]:
    """List the files a recording's folder is made of, its description first."""
    return [folder / JSON_NAME, *sorted(folder.glob("*.npy"))]


def load_truth(folder: Path | str) -> Truth:
    """Read what the simulator knew of a recording.

    Raises
    ------
    MMQError
        If the recording has none, because it was measured.
    """
    path = Path(folder) / JSON_NAME
    content = _read_json(path)
    if content.truth is None:
        raise MMQError(f"{path}: expected the ground truth of a simulated recording; it has none.")
    artefacts, dropouts = (
        tuple(Interval(**vars(interval)) for interval in intervals)
        for intervals in (content.truth.artefacts, content.truth.dropouts)
    )
    return Truth(artefacts, dropouts, content.truth.beats_s, content.truth.scr_s)


def read_npy(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read a float32 array ``[channels, samples]`` of a shape known beforehand.

    The header is read and held against the wanted shape and the file's size before anything is allocated.

    Raises
    ------
    MMQError
        If the file is missing, holds Python objects, or another type, order, shape or number of bytes.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise MMQError(f"{path}: expected NumPy format version 1.0; got {version[0]}.{version[1]}.")
            got, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except MMQError:
        raise
    except (ValueError, TypeError, SyntaxError, EOFError) as error:
        raise MMQError(
            f"{path}: expected a .npy file; its header cannot be read ({str(error)[:100]})."
        ) from error
    if dtype != np.dtype("<f4") or fortran:
        what = "Python objects, which are never loaded" if dtype.hasobject else f"{dtype.str} {list(got)}"
        raise MMQError(
            f"{path}: expected float32 in C order; got {what}{' in Fortran order' if fortran else ''}."
        )
    if got != shape:
        raise MMQError(
            f"{path}: expected [channels, samples] = {list(shape)} as {JSON_NAME} says; got {list(got)}."
        )
    expected = start + 4 * shape[0] * shape[1]
    if size != expected or size > MAX_NPY_BYTES:
        raise MMQError(f"{path}: expected {expected} bytes (at most {MAX_NPY_BYTES}); the file has {size}.")
    return np.load(path, allow_pickle=False)


def _read_json(path: Path) -> RecordingFile:
    data = read_bytes(path, MAX_JSON_BYTES)
    try:
        return RecordingFile.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        got = "" if first["type"] == "json_invalid" else f"; got {str(first['input'])[:60]!r}"
        raise MMQError(f"{path}: {place}: {first['msg']}{got}.") from error


def _describe(signal: Signal) -> dict[str, object]:
    return {
        "sampling_rate_hz": signal.sampling_rate_hz,
        "unit": signal.unit,
        "channels": signal.channels,
        "samples": signal.samples.shape[1],
        "start_s": signal.start_s,
    }


def _describe_truth(truth: Truth) -> dict[str, object]:
    return {
        "artefacts": [vars(interval) for interval in truth.artefacts],
        "dropouts": [vars(interval) for interval in truth.dropouts],
        "beats_s": truth.beats_s,
        "scr_s": truth.scr_s,
    }


def to_json(content: dict[str, object]) -> str:
    """Render plain data the same way every time."""
    return json.dumps(content, indent=1, sort_keys=True) + "\n"
