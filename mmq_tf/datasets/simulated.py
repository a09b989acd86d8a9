# SPDX-License-Identifier: Apache-2.0
"""Cohorts of simulated people: written by ``mmq-tf simulate``, read as the data set ``simulated``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mmq_tf.datasets.base import Dataset, check_known
from mmq_tf.datasets.formats.folder import (
    JSON_NAME,
    load_recording,
    load_truth,
    recording_files,
    save_recording,
    to_json,
)
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording
from mmq_tf.simulation.truth import CLASSES, DEFAULT_MODALITIES, Truth
from mmq_tf.utils.atomic_files import check_free, folder_written_whole

if TYPE_CHECKING:
    from mmq_tf.simulation.simulator import Settings

logger = logging.getLogger(__name__)

COHORT_NAME = "cohort.json"
MAX_SUBJECTS = 1000
README = """SIMULATED recordings made by `mmq-tf simulate`. No person was measured, and no result on them says
anything about people. One folder a subject: recording.json (units, trials, ground truth of artefacts,
dropouts, beats and SCRs) and one float32 .npy [channels, samples] a sensor; a lost sample is NaN.
"""


def write_cohort(
    out: Path | str,
    subjects: int,
    settings: Settings,
    *,
    replace: bool = False,
    on_subject: Callable[[str], None] = lambda subject: None,
) -> Path:
    """Simulate a cohort and write it, whole or not at all.

    Parameters
    ----------
    out : path
        Folder to make.
    subjects : int
        1 to 1000.
    settings : Settings
        Seed, length, modalities.
    replace : bool
        Replace an older simulated cohort there.
    on_subject : callable
        Called with each subject's name when it is written, for progress.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    MMQError
        If something else is there, a number is out of range, or the disk is full; nothing half-written stays.
    """
    if not 1 <= subjects <= MAX_SUBJECTS:
        raise MMQError(f"simulate: subjects must be 1 to {MAX_SUBJECTS}; got {subjects}.")
    out = Path(out).resolve()
    check_free(out, COHORT_NAME, replace)
    with folder_written_whole(out) as temporary:
        _write(temporary, subjects, settings, on_subject)
    return out


def _write(folder: Path, subjects: int, settings: Settings, on_subject: Callable[[str], None]) -> None:
    from mmq_tf.simulation.simulator import simulate  # its filters load slowly, and reading needs none

    for index in range(subjects):
        recording, truth = simulate(settings, index)
        parameters = {**asdict(settings), "index": index}
        save_recording(recording, folder / recording.subject, truth, parameters)
        on_subject(recording.subject)
    (folder / "README.txt").write_text(README, "utf-8")
    cohort = {"format": "mmq-cohort", "simulated": True, "subjects": subjects, "settings": asdict(settings)}
    (folder / COHORT_NAME).write_text(to_json(cohort), "utf-8")


def list_subjects(folder: Path) -> list[str]:
    """Every folder that holds a ``recording.json``."""
    return [
        path.parent.name for path in folder.glob(f"*/{JSON_NAME}") if not path.parent.name.startswith(".")
    ]


def source_files(folder: Path, subject: str) -> list[Path]:
    """List the files of one subject's folder."""
    check_known(folder, subject, list_subjects(folder))
    return recording_files(folder / subject)


def load_subject(folder: Path, subject: str) -> Recording:
    """Read one simulated subject.

    Raises
    ------
    MMQError
        If there is none of that name, a file is broken, or the recording is not a simulated one.
    """
    check_known(folder, subject, list_subjects(folder))
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
    check_known(Path(folder), subject, list_subjects(Path(folder)))
    return load_truth(Path(folder) / subject)


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
