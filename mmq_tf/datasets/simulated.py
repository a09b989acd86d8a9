# SPDX-License-Identifier: Apache-2.0
"""The data set ``simulated``: cohorts that ``mmq-tf simulate`` wrote."""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.recordings.folder import JSON_NAME, recording_files

from mmq_tf.datasets.base import Dataset, check_known
from mmq_tf.datasets.formats.folder import load_recording, load_truth
from mmq_tf.datasets.formats.truth import Truth
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording

CLASSES = ("rest", "stress")
DEFAULT_MODALITIES = ("ppg", "eda", "temp", "acc")


def list_subjects(folder: Path) -> list[str]:
    """Every folder that holds a ``recording.json``."""
    return [
        path.parent.name for path in folder.glob(f"*/{JSON_NAME}") if not path.parent.name.startswith(".")
    ]


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the files of one subject's folder."""
    _check_there(folder, subject)
    return recording_files(folder / subject)


def load_subject(folder: Path, subject: str) -> Recording:
    """Read one simulated subject.

    Raises
    ------
    MMQError
        If there is none of that name, a file is broken, or the recording is not a simulated one.
    """
    _check_there(folder, subject)
    recording = load_recording(folder / subject)
    if not recording.simulated:
        raise MMQError(
            f"{folder / subject / JSON_NAME}: expected a simulated recording; it says it was measured."
        )
    return recording


def ground_truth(folder: Path | str, subject: str) -> Truth:
    """Artefacts, dropouts, beats and SCRs of one simulated subject.

    Raises
    ------
    MMQError
        As `load_subject`.
    """
    _check_there(Path(folder), subject)
    return load_truth(Path(folder) / subject)


def _check_there(folder: Path, subject: str) -> None:
    """Check one subject; the others are listed only where it is not there, as a cohort may hold thousands."""
    is_name = subject == Path(subject).name and not subject.startswith(".")
    if not (is_name and (folder / subject / JSON_NAME).is_file()):
        check_known(folder, subject, list_subjects(folder))


SIMULATED = Dataset(
    name="simulated",
    title="SIMULATED cohort",
    licence="none needed: made by this toolkit, no person was measured",
    attribution="mmq-tf simulate",
    obtain="mmq-tf simulate --out DIR",
    tasks={"stress": CLASSES},
    label_kind="condition of a simulation; SIMULATED",
    modalities=DEFAULT_MODALITIES,
    list_subjects=list_subjects,
    source_files=source_files,
    load_subject=load_subject,
    simulated=True,
    notes=("SIMULATED: a result on these recordings says nothing about people.",),
)
