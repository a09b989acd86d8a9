# SPDX-License-Identifier: Apache-2.0
"""Which clip CASE showed when, for its raw files, which do not say: from the two tables of its metadata."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.files import read_bytes

from mmq_tf.errors import MMQError

CLIPS = {
    "amusing-1": 1,
    "amusing-2": 2,
    "boring-1": 3,
    "boring-2": 4,
    "relaxed-1": 5,
    "relaxed-2": 6,
    "scary-1": 7,
    "scary-2": 8,
    "startVid": 10,
    "bluVid": 11,
    "endVid": 12,
}
"""Numbers by name, as CASE's own script s01_extractViddata.m gives them."""

NOTHING = 0
"""What is shown after the end of the sequence."""

ORDER_FILE, DURATION_FILE = METADATA_FILES = ("metadata/seqs_order.txt", "metadata/videos_duration.txt")
MAX_BYTES = 2**20


def clips_shown(folder: Path, subject: int, time_s: np.ndarray) -> np.ndarray:
    """Look up the number of the clip shown at each time.

    Parameters
    ----------
    folder : Path
        Holds ``metadata``.
    subject : int
        From 1.
    time_s : numpy.ndarray
        ``[n]`` from the beginning of the sequence.

    Returns
    -------
    numpy.ndarray
        int64 ``[n]``, one of `CLIPS` or `NOTHING`.

    Raises
    ------
    MMQError
        If a table is missing or broken, or lacks the subject or a clip's length.
    """
    lengths_s = _lengths_s(folder / DURATION_FILE)
    order = _order(folder / ORDER_FILE, subject)
    missing = next((name for name in order if name not in lengths_s), None)
    if missing is not None:
        raise MMQError(
            f"{folder / DURATION_FILE}: no row of the clip {missing!r}, which subject {subject} saw."
        )
    ends_s = np.cumsum([lengths_s[name] for name in order])
    numbers = np.array([*(CLIPS[name] for name in order), NOTHING])
    return numbers[np.searchsorted(ends_s, time_s, side="right")]


def _lengths_s(path: Path) -> dict[str, float]:
    lengths: dict[str, float] = {}
    for row, fields in enumerate(_rows(path)[1:], start=2):
        try:
            name, milliseconds = fields[0], float(fields[1])
        except (IndexError, ValueError):
            name, milliseconds = "", math.nan
        if name not in CLIPS or not 0 < milliseconds < 1e7:
            raise MMQError(
                f"{path}: row {row} must be the name of a clip and its length in ms; got {fields[:3]!r}."
            )
        lengths[name] = milliseconds / 1000
    return lengths


def _order(path: Path, subject: int) -> list[str]:
    """One column per subject, named by a word and the subject's number."""
    head, *rows = _rows(path)
    column = next((i for i, name in enumerate(head) if re.fullmatch(rf"\D*0*{subject}", name)), None)
    if column is None:
        raise MMQError(f"{path}: row 1 has no column of subject {subject}; there are {', '.join(head[:30])}.")
    order = [fields[column] if column < len(fields) else "" for fields in rows]
    bad = next((row for row, name in enumerate(order, start=2) if name not in CLIPS), None)
    if bad is not None or not order:
        got = repr(order[bad - 2]) if bad else "no rows"
        raise MMQError(f"{path}: row {bad or 2}, column {head[column]}, must name a clip; got {got}.")
    return order


def _rows(path: Path) -> list[list[str]]:
    """Fields of each row without quotes; blank rows and blank fields at a row's end are dropped."""
    text = read_bytes(path, MAX_BYTES).decode("utf-8-sig", "replace")
    try:
        rows = [[field.strip() for field in row] for row in csv.reader(text.splitlines(), delimiter="\t")]
    except csv.Error as error:
        raise MMQError(f"{path}: cannot be read as a table with tabs ({error}).") from error
    for row in rows:
        while row and not row[-1]:
            row.pop()
    rows = [row for row in rows if row]
    if not rows:
        raise MMQError(f"{path}: expected a table; the file is empty.")
    return rows
