# SPDX-License-Identifier: Apache-2.0
"""Recording folders as `mmq_bridge` reads them, with the digest that caches go by, and their writer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.folder import (
    JSON_NAME,
    RecordingFile,
    read_description,
    read_recording_folder,
    recording_files,
)

from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.datasets.formats.truth import Interval, Truth
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal

SIMULATED_NOTE = "SIMULATED: no person was measured."


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
    recording = read_recording_folder(folder)
    return replace(recording, digest=source_digest("recording 1", recording_files(Path(folder))))


def load_truth(folder: Path | str) -> Truth:
    """Read what the simulator knew of a recording.

    Raises
    ------
    MMQError
        If the recording has none, because it was measured.
    """
    path = Path(folder) / JSON_NAME
    content = read_description(path)
    if content.truth is None:
        raise MMQError(f"{path}: expected the ground truth of a simulated recording; it has none.")
    artefacts, dropouts = (
        tuple(Interval(**vars(interval)) for interval in intervals)
        for intervals in (content.truth.artefacts, content.truth.dropouts)
    )
    return Truth(artefacts, dropouts, content.truth.beats_s, content.truth.scr_s)


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
