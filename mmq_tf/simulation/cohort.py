# SPDX-License-Identifier: Apache-2.0
"""Cohorts of simulated people, written to be read as the data set ``simulated``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from mmq_tf.datasets.formats.folder import save_recording, to_json
from mmq_tf.errors import MMQError
from mmq_tf.simulation.simulator import Settings, simulate
from mmq_tf.utils.atomic_files import check_free, folder_written_whole

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
    for index in range(subjects):
        recording, truth = simulate(settings, index)
        parameters = {**asdict(settings), "index": index}
        save_recording(recording, folder / recording.subject, truth, parameters)
        on_subject(recording.subject)
    (folder / "README.txt").write_text(README, "utf-8")
    cohort = {"format": "mmq-cohort", "simulated": True, "subjects": subjects, "settings": asdict(settings)}
    (folder / COHORT_NAME).write_text(to_json(cohort), "utf-8")
