"""Cohorts of simulated people: written by ``mmq-tf simulate``, read as the data set ``simulated``."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from mmq_tf.datasets.base import Dataset
from mmq_tf.datasets.folder import JSON_NAME, load_recording, load_truth, save_recording, to_json
from mmq_tf.datasets.simulator import CLASSES, DEFAULT_MODALITIES, Settings, Truth, simulate
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording

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
    _check_free(out, replace)
    temporary = out.with_name(f".{out.name}.part-{os.getpid()}")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        _write(temporary, subjects, settings, on_subject)
        if out.exists():
            shutil.rmtree(out)
        temporary.replace(out)
    except OSError as error:
        raise MMQError(
            f"{out}: could not be written ({error.strerror or error}); nothing half-written is left."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def _write(folder: Path, subjects: int, settings: Settings, on_subject: Callable[[str], None]) -> None:
    folder.mkdir(parents=True)
    for index in range(subjects):
        recording, truth = simulate(settings, index)
        parameters = {**asdict(settings), "index": index}
        save_recording(recording, folder / recording.subject, truth, parameters)
        on_subject(recording.subject)
    (folder / "README.txt").write_text(README, "utf-8")
    cohort = {"format": "mmq-cohort", "simulated": True, "subjects": subjects, "settings": asdict(settings)}
    (folder / COHORT_NAME).write_text(to_json(cohort), "utf-8")


def _check_free(out: Path, replace: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / COHORT_NAME).is_file():
        raise MMQError(f"{out}: something else is there; name a folder that does not exist.")
    if not replace:
        raise MMQError(f"{out}: a simulated cohort is there already; use --force to replace it.")


def list_subjects(folder: Path) -> list[str]:
    """Every folder that holds a ``recording.json``."""
    return [
        path.parent.name for path in folder.glob(f"*/{JSON_NAME}") if not path.parent.name.startswith(".")
    ]


def load_subject(folder: Path, subject: str) -> Recording:
    """Read one simulated subject.

    Raises
    ------
    MMQError
        If there is none of that name, a file is broken, or the recording is not a simulated one.
    """
    _check_known(folder, subject)
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
    _check_known(Path(folder), subject)
    return load_truth(Path(folder) / subject)


def _check_known(folder: Path, subject: str) -> None:
    known = sorted(list_subjects(folder))
    if subject not in known:
        raise MMQError(f"{folder}: no simulated subject {subject!r}; there are {', '.join(known) or 'none'}.")


SIMULATED = Dataset(
    name="simulated",
    title="SIMULATED cohort",
    licence="none needed: made by this toolkit, no person was measured",
    attribution="mmq-tf simulate",
    tasks={"stress": CLASSES},
    label_kind="condition of a simulation; SIMULATED",
    modalities=DEFAULT_MODALITIES,
    list_subjects=list_subjects,
    load_subject=load_subject,
    simulated=True,
    notes=("SIMULATED: a result on these recordings says nothing about people.",),
)
