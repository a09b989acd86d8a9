# SPDX-License-Identifier: Apache-2.0
"""One recording in several files, each of which is a condition that its path names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from mmq_tf.datasets.formats.concatenate import Piece, join_by_time, join_pieces
from mmq_tf.datasets.formats.detect import read_as
from mmq_tf.datasets.manifest.labels import class_of, value_of
from mmq_tf.datasets.manifest.paths import Key
from mmq_tf.datasets.manifest.schema import TABLES, DatasetManifest
from mmq_tf.datasets.manifest.tables import RELATIVE, read_tables
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Trial

logger = logging.getLogger(__name__)


def read_conditions(
    manifest: DatasetManifest,
    folder: Path,
    key: Key,
    files: Mapping[str, Mapping[int, Path]],
    *,
    labelled: bool = True,
) -> Recording:
    """Read one recording's conditions and join them.

    Parameters
    ----------
    manifest : DatasetManifest
        With ``trials.source = "path"``.
    folder : Path
        Where its files lie.
    key : Key
        Subject and session.
    files : mapping of str to mapping of int to Path
        File by condition and by the index of its entry in ``files``.
    labelled : bool
        Without it the conditions are no trials, whatever they are called.

    Returns
    -------
    Recording
        With the real pauses between the conditions where all times have a date; else in the order of their
        names, a minute apart, with a warning. Each condition is a trial, without a label where a task ignores
        it.

    Raises
    ------
    MMQError
        If a condition is unknown to a task, a file is broken, or two overlap.
    """
    labels = {name: _labels(manifest, folder, name) for name in files} if labelled else {}
    pieces, starts, dated = [], [], []
    for paths in files.values():
        piece, start_s, clock = _read(manifest, paths)
        pieces.append(piece)
        starts.append(start_s)
        dated.append(clock)
    where = f"{folder}: the conditions {', '.join(files)} of {'/'.join(key)}"
    if len(set(dated)) > 1:
        raise MMQError(f"{where}: some have times with a date, some have none; give all the same way.")
    try:
        if dated[0] == RELATIVE and len(pieces) > 1:
            logger.warning("%s have no dates: joined in the order of their names, a minute apart", where)
            signals, offsets = join_pieces(pieces)
        else:
            signals, offsets = join_by_time(pieces, starts)
    except MMQError as error:
        raise MMQError(f"{where}: {error}") from error
    stop_s = max(signal.stop_s for signal in signals.values())  # on its grid, up to half a sample earlier
    trials = [
        Trial(at, min(at + piece.stop_s, stop_s), labels[name])
        for name, piece, at in zip(files, pieces, offsets, strict=True)
        if labelled
    ]
    return Recording(*key, signals, tuple(sorted(trials, key=lambda one: one.start_s)), source="manifest")


def _labels(manifest: DatasetManifest, folder: Path, condition: str) -> dict[str, str]:
    labels = {}
    for name, task in manifest.tasks.items():
        try:
            found = class_of(task, value_of(condition))
        except ValueError as error:
            raise MMQError(f"{folder}: the condition of task {name} {error}.") from error
        if found is not None:
            labels[name] = found
    return labels


def _read(manifest: DatasetManifest, paths: Mapping[int, Path]) -> tuple[Piece, float, str]:
    """Return one condition's signals from t = 0, when that was, and on which clock."""
    part = manifest.files[0]
    if part.format in TABLES:
        tables = read_tables(manifest, paths)
        return Piece(tables.signals), tables.start_s, tables.clock
    recording, start_s = read_as(
        part.format, paths[0], part.modalities, part.units, part.markers, trials="none", repair=part.repair
    )
    return Piece(recording.signals), start_s or 0.0, RELATIVE if start_s is None else "unix"
