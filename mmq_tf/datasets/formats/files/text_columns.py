# SPDX-License-Identifier: Apache-2.0
"""Text columns of the tables that `mmq_tf.datasets.formats.files.tables` reads: labels, names, dates."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.room import check_room

from mmq_tf.datasets.formats.files.table_form import (
    MAX_VALUES,
    TextForm,
    as_utf8,
    blocks,
    check_shape,
    form_of,
    inner_text,
    positions,
)
from mmq_tf.errors import MMQError

POINTER_BYTES, WORD_BYTES = 16, 56
"""What each place of a word takes, in a block and in the whole, and what a word takes beside its letters."""


def read_words(
    path: Path, columns: Sequence[str] | None = None, *, beginning: bool = False
) -> tuple[dict[str, np.ndarray], int]:
    """Read columns of a table as text, without the spaces around it.

    Parameters
    ----------
    path : Path
        A table as `mmq_tf.datasets.formats.files.tables.read_table` takes it.
    columns : sequence of str, optional
        Names of those wanted; all of them if left out.
    beginning : bool
        Read only the first megabytes.

    Returns
    -------
    columns : dict of str to numpy.ndarray
        Text (dtype object) ``[rows]`` by name.
    first_row : int
        Row of the file, from 1, that holds the first values.

    Raises
    ------
    MMQError
        As `read_table`.
    """
    form = form_of(path)
    wanted = positions(path, form, columns)
    parts: list[list[np.ndarray]] = []
    rows = size = 0
    for block in blocks(path, form, False):
        rows += check_shape(path, block, form, form.first_row + rows)
        if rows * len(wanted) > MAX_VALUES:
            raise MMQError(f"{path}: expected at most {MAX_VALUES} values; there are more.")
        known: dict[str, str] = {}
        parts.append([_decoded(words, form.delimiter, known) for words in _parse(block, form, wanted)])
        size += sum(map(len, known.values())) + WORD_BYTES * len(known)
        check_room(path, size + POINTER_BYTES * rows * len(wanted))
        if beginning:
            break
    if not rows:
        raise MMQError(f"{path}: expected rows from row {form.first_row} on; there are none.")
    return {
        form.names[at]: np.concatenate([part[i] for part in parts]) for i, at in enumerate(wanted)
    }, form.first_row


def _parse(block: bytes, form: TextForm, wanted: Sequence[int]) -> list[np.ndarray]:
    import pandas

    frame = pandas.read_csv(
        io.BytesIO(block),
        sep=form.delimiter,
        header=None,
        names=list(range(len(form.names))),
        usecols=list(wanted),
        dtype=object,
        index_col=False,
        na_filter=False,
        skipinitialspace=True,
        skip_blank_lines=False,
        quoting=csv.QUOTE_NONE,
        low_memory=False,
    )
    return [frame[at].to_numpy(dtype=object) for at in wanted]


def _decoded(words: np.ndarray, delimiter: str, known: dict[str, str]) -> np.ndarray:
    """Mend UTF-8 that was taken for an 8-bit code page, and drop spaces at its ends."""
    for word in set(words).difference(known):
        known[word] = as_utf8(inner_text(word, delimiter)).strip()
    return np.array([known[word] for word in words], dtype=object)
