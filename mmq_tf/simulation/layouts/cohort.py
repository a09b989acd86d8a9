# SPDX-License-Identifier: Apache-2.0
"""A whole SIMULATED cohort in a published layout, marked as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.base import SIMULATED_NAME
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts import LAYOUTS, LOCKED_LAYOUTS
from mmq_tf.utils.atomic_files import check_free, folder_written_whole

TEXT = """SIMULATED recordings in the layout of {title}, made by
`mmq-tf simulate --layout {name}` ({subjects} subjects, seed {seed}, {length}). No person was measured, and
nothing of the published recordings is in these files: no result on them says anything about people.
This file marks the folder: as long as it is here, everything made from the folder says SIMULATED.
"""


def write_layout(
    name: str,
    out: Path | str,
    subjects: int,
    seed: int,
    *,
    short: bool = True,
    locked: bool = False,
    replace: bool = False,
    on_subject: Callable[[str], None] = lambda subject: None,
) -> Path:
    """Write a SIMULATED cohort in the layout of the data set `name`, whole or not at all.

    Parameters
    ----------
    name : str
        One of `LAYOUTS`.
    out : path
        Folder to make.
    subjects : int
        At least 1 and at most as many as the publisher names.
    seed : int
        Same seed, same cohort.
    short : bool
        Shorten what the layout lets be shortened.
    locked : bool
        Let a stimulus stir everyone alike, second by second; one of `LOCKED_LAYOUTS` only.
    replace : bool
        Replace an older SIMULATED cohort there.
    on_subject : callable
        Called with each subject's name when it is written, for progress.

    Returns
    -------
    Path
        `out`, with `SIMULATED_NAME` in it.

    Raises
    ------
    MMQError
        If there is no such layout, something else is there, a number is out of range, or the disk is full;
        nothing half-written stays.
    """
    writers = LOCKED_LAYOUTS if locked else LAYOUTS
    if name not in writers:
        kind = "locked layout" if locked else "layout"
        raise MMQError(f"simulate: {kind} must be one of {', '.join(sorted(writers))}; got {name!r}.")
    dataset = get_dataset(name)
    most = len(dataset.published.subjects) if dataset.published else subjects
    if not 1 <= subjects <= most:
        raise MMQError(f"simulate: subjects in the layout of {name} must be 1 to {most}; got {subjects}.")
    out = Path(out).resolve()
    check_free(out, SIMULATED_NAME, replace)
    length = ("shortened" if short else "at full length") + (", locked to the stimulus" if locked else "")
    text = TEXT.format(title=dataset.title, name=name, subjects=subjects, seed=seed, length=length)
    with folder_written_whole(out) as temporary:
        (temporary / SIMULATED_NAME).write_text(text, "utf-8")
        for subject in writers[name](temporary, subjects, seed, short):
            on_subject(subject)
    return out
