# SPDX-License-Identifier: Apache-2.0
"""Your own recordings, described by a ``mmq-tf.toml`` in their folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from mmq_tf.datasets.base import SIMULATED_NAME, Dataset, Published, check_known
from mmq_tf.datasets.formats.concatenate import Piece, join_pieces
from mmq_tf.datasets.formats.detect import files_of, form_of, read_as
from mmq_tf.datasets.manifest.paths import Key, check_names, fill, find_conditions, find_files
from mmq_tf.datasets.manifest.schema import FILE_NAME, TABLES, DatasetManifest, FilesPart, read_manifest
from mmq_tf.datasets.manifest.trials import is_labelled, known_trials, placed, table_trials
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording, Trial

logger = logging.getLogger(__name__)

MANIFEST_NAME = "manifest"


def manifest_dataset(folder: Path, *, repair: bool = False) -> Dataset:
    """Return the data set that the ``mmq-tf.toml`` in `folder` describes.

    Parameters
    ----------
    folder : Path
        Holds the manifest and, in it or below, the files.
    repair : bool
        Read what is whole of files that were cut short, as if each entry of ``files`` said so.

    Returns
    -------
    Dataset
        Subjects are ``"P01"``, or ``"P01/morning"`` where the paths have ``{session}``.

    Raises
    ------
    MMQError
        If there is no manifest or it is wrong; the key is named.
    """
    manifest = read_manifest(folder)
    if repair:
        parts = tuple(part.model_copy(update={"repair": True}) for part in manifest.files)
        manifest = manifest.model_copy(update={"files": parts})
    return _dataset(MANIFEST_NAME, manifest).in_folder(folder)


def described_dataset(path: Path) -> Dataset:
    """Return a published data set that a manifest apart from its files describes; its name is the file's.

    Raises
    ------
    MMQError
        If the manifest is wrong; the key is named.
    """
    return _dataset(path.stem, read_manifest(path.parent, path))


def _dataset(name: str, manifest: DatasetManifest) -> Dataset:
    return Dataset(
        name=name,
        title=f"SIMULATED: {manifest.title}" if manifest.simulated else manifest.title,
        licence=manifest.licence,
        attribution=manifest.attribution,
        obtain=manifest.obtain,
        tasks={task: part.classes for task, part in manifest.tasks.items()},
        label_kind=manifest.label_kind,
        modalities=_modalities(manifest),
        list_subjects=partial(list_subjects, manifest),
        source_files=partial(source_files, manifest, own=name != MANIFEST_NAME),
        load_subject=partial(load_subject, manifest, source=name),
        published=manifest.published and Published(**manifest.published.model_dump()),
        enrolment_session=manifest.enrolment_session,
        simulated=manifest.simulated,
        stimulus_locked=manifest.stimulus_locked,
        notes=(*(("SIMULATED: no person was measured.",) if manifest.simulated else ()), *manifest.notes),
    )


def check_classes(dataset: Dataset, task: str, classes: Sequence[str]) -> None:
    """Check that a run's task and classes are those of its data set.

    Raises
    ------
    MMQError
        If they differ in a name or in order.
    """
    if task not in dataset.tasks:
        raise MMQError(
            f"data.task {task!r} is not a task of {dataset.title}; its tasks are {', '.join(dataset.tasks)}."
        )
    if tuple(classes) != tuple(dataset.tasks[task]):
        raise MMQError(
            f"data.classes must be those of the task {task!r} in the folder's {FILE_NAME},"
            f" {list(dataset.tasks[task])}, in that order; got {list(classes)}."
        )


def list_subjects(manifest: DatasetManifest, folder: Path) -> list[str]:
    """Names of the recordings there are files of; what `left_out` names is said in a warning."""
    names = {_name(manifest, key): key for key in _keys(manifest, folder)}
    for name, reason in manifest.left_out.items():
        if name in names:
            _say(f"{folder}: {name} is left out: {reason}")
        elif manifest.published is None:
            _say(f"{folder}: left_out names {name}, of whom there are no files")
    there = {name: key for name, key in names.items() if name not in manifest.left_out}
    judged = [name for name, key in there.items() if key[1] != manifest.enrolment_session]
    people = {there[name][0] for name in judged}
    for key in there.values():
        if key[0] not in people:
            _say(f"{folder}: {manifest.name_of(key[0])} was enrolled and has no other session")
    return judged


@cache
def _say(message: str) -> None:
    """Warn once: recordings are listed more than once in a run."""
    logger.warning("%s", message)


def source_files(manifest: DatasetManifest, folder: Path, subject: str, *, own: bool = False) -> list[Path]:
    """List every file that one recording is made of: conditions in the order of the tasks' values.

    The manifest is the first, unless it lies elsewhere (`own`).
    """
    key = _key(manifest, folder, subject)
    files = [] if own else [folder / FILE_NAME]
    values = [value for task in manifest.tasks.values() for value in task.values or task.classes]
    order = {name: at for at, name in reversed(list(enumerate(values)))}
    for one in _with_enrolment(manifest, folder, key):
        found = _by_condition(manifest, folder, one)
        for name in sorted(found, key=lambda name: (order.get(name, len(values)), name)):
            for index, path in found[name].items():
                form = manifest.files[index].format
                files += [path] if form in TABLES else files_of(form, path)
    return [*files, fill(folder, manifest.trials.path, key)] if manifest.trials.path else files


def load_subject(
    manifest: DatasetManifest, folder: Path, subject: str, *, source: str = MANIFEST_NAME
) -> Recording:
    """Read one recording, and before it the session in which the person was enrolled, if there is one.

    Raises
    ------
    MMQError
        If it is unknown, or one of its files is missing or wrong.
    """
    key = _key(manifest, folder, subject)
    *enrolment, recording = (
        _read(manifest, folder, one, labelled=one == key) for one in _with_enrolment(manifest, folder, key)
    )
    for before in enrolment:
        recording = _enrolled(folder, before, recording)
    return replace(recording, subject=manifest.name_of(key[0]), source=source)


def _with_enrolment(manifest: DatasetManifest, folder: Path, key: Key) -> list[Key]:
    """Return the keys a recording is made of, in their order: of the person's enrolment, if any, and its own.

    Raises
    ------
    MMQError
        If the person has no session of enrolment.
    """
    if manifest.enrolment_session is None:
        return [key]
    enrolment = (key[0], manifest.enrolment_session)
    if enrolment not in _keys(manifest, folder):
        raise MMQError(
            f"{folder}: {manifest.name_of(key[0])} has no session {manifest.enrolment_session!r}, which"
            " enrolment_session names; add its files, or name the person's recordings in left_out."
        )
    return [enrolment, key]


def _enrolled(folder: Path, before: Recording, recording: Recording) -> Recording:
    """Put a session of enrolment before a recording, a minute and a token's edge apart."""
    try:
        signals, offsets = join_pieces([Piece(before.signals), Piece(recording.signals)])
    except MMQError as error:
        names = f"{before.session} and {recording.session} of {recording.subject}"
        raise MMQError(f"{folder}: the sessions {names}: {error}") from error
    shift_s = offsets[1]
    trials = tuple(
        replace(one, start_s=one.start_s + shift_s, stop_s=one.stop_s + shift_s) for one in recording.trials
    )
    return replace(recording, signals=signals, trials=trials)


def _read(manifest: DatasetManifest, folder: Path, key: Key, *, labelled: bool) -> Recording:
    """Read one recording; without labels those in its files do not matter."""
    if manifest.has_conditions:
        from mmq_tf.datasets.manifest.conditions import read_conditions

        files = _by_condition(manifest, folder, key)
        return read_conditions(manifest, folder, key, files, labelled=labelled)
    paths = _paths(manifest, folder, key)
    whole = manifest.files[0].format not in TABLES
    recording = (
        _of_whole_file(manifest, folder, key, paths[0], labelled=labelled)
        if whole
        else _of_tables(manifest, folder, key, paths, labelled=labelled)
    )
    if recording.simulated and not manifest.simulated:
        raise MMQError(f"{paths[0]}: is SIMULATED; write simulated = true in {folder / FILE_NAME}.")
    return recording


def _of_tables(
    manifest: DatasetManifest, folder: Path, key: Key, paths: dict[int, Path], *, labelled: bool
) -> Recording:
    from mmq_tf.datasets.manifest.tables import read_tables

    tables = read_tables(manifest, paths, labelled=labelled)
    recording = Recording(*key, tables.signals, source=MANIFEST_NAME)
    if not labelled:
        return recording
    if manifest.trials.source == "table":
        trials = _table_trials(manifest, folder, key, recording, tables.start_s, tables.clock)
    else:
        trials = placed(tables.marked, tables.start_s, recording.duration_s, overhang_s=float("inf"))
    return replace(recording, trials=trials)


def _of_whole_file(
    manifest: DatasetManifest, folder: Path, key: Key, path: Path, *, labelled: bool
) -> Recording:
    part = manifest.files[0]
    trials = "needed" if labelled and manifest.trials.source != "table" else "none"
    counts = partial(is_labelled, manifest)
    found, start_s = read_as(
        part.format,
        path,
        part.modalities,
        part.units,
        part.markers,
        trials=trials,
        counts=counts,
        repair=part.repair,
    )
    recording = replace(found, subject=key[0], session=key[1], source=MANIFEST_NAME, digest="", trials=())
    if not labelled:
        return recording
    if manifest.trials.source != "table":
        return replace(recording, trials=known_trials(manifest, path, found.trials))
    clock = "relative" if start_s is None else "unix"
    return replace(recording, trials=_table_trials(manifest, folder, key, recording, start_s or 0.0, clock))


def _table_trials(
    manifest: DatasetManifest, folder: Path, key: Key, recording: Recording, start_s: float, clock: str
) -> tuple[Trial, ...]:
    """Trials of a table; times relative to a start are counted from the recording's where that has a date."""
    path = fill(folder, str(manifest.trials.path), key)
    marked, said = table_trials(manifest, path, key, _keys(manifest, folder))
    if said not in (clock, "relative"):
        raise MMQError(
            f"{path}: trials.time_unit {manifest.trials.time_unit!r} and the times of {key[0]}'s recording"
            f" ({clock}) are on different clocks; give both the same way, or trials in s from the"
            " recording's start."
        )
    return placed(marked, start_s if said == clock else 0.0, recording.duration_s)


def _modalities(manifest: DatasetManifest) -> tuple[str, ...]:
    """Modalities of a complete recording, as far as the manifest says them."""
    named = {name for part in manifest.files for name in part.signals}
    return tuple(name for name in MODALITIES if name in named)


def _keys(manifest: DatasetManifest, folder: Path) -> list[Key]:
    found = {key for part in manifest.files for key in _of_part(manifest, folder, part)}
    check_names(folder, sorted(found))
    names: dict[str, Key] = {}
    for key in sorted(found):
        if (other := names.setdefault(_name(manifest, key), key)) != key:
            raise MMQError(
                f"{folder}: {'/'.join(other)} and {'/'.join(key)} are both called {_name(manifest, key)} by"
                " subject_name; change it."
            )
    return sorted(found)


def _of_part(manifest: DatasetManifest, folder: Path, part: FilesPart) -> Iterator[Key]:
    """Whose files a pattern means, but for our own files and others that a wide pattern happens to mean."""
    for key, path in (found for pattern in part.path for found in find_files(folder, pattern).items()):
        ours = [folder / FILE_NAME, folder / SIMULATED_NAME]
        ours += [fill(folder, manifest.trials.path, key)] if manifest.trials.path else []
        if path not in ours and (part.format in TABLES or form_of(path) == part.format):
            yield key


def _name(manifest: DatasetManifest, key: Key) -> str:
    name = manifest.name_of(key[0])
    return f"{name}/{key[1]}" if manifest.has_sessions else name


def _key(manifest: DatasetManifest, folder: Path, subject: str) -> Key:
    keys = {_name(manifest, key): key for key in _keys(manifest, folder)}
    known = [
        name
        for name, key in keys.items()
        if name not in manifest.left_out and key[1] != manifest.enrolment_session
    ]
    check_known(folder, subject, known)
    return keys[subject]


def _by_condition(manifest: DatasetManifest, folder: Path, key: Key) -> dict[str, dict[int, Path]]:
    """One recording's files by condition (``""`` where there is none) and the index of their entry."""
    if not manifest.has_conditions:
        return {"": _paths(manifest, folder, key)}
    patterns = [pattern for part in manifest.files for pattern in part.path]
    names = {name for pattern in patterns for name in find_conditions(folder, pattern, key)}
    return {name: _paths(manifest, folder, key, name) for name in sorted(names)}


def _paths(manifest: DatasetManifest, folder: Path, key: Key, condition: str = "") -> dict[int, Path]:
    """One recording's files by the index of their entry in ``files``."""
    paths: dict[int, Path] = {}
    for index, part in enumerate(manifest.files):
        places = [fill(folder, one.replace("{condition}", condition), key) for one in part.path]
        there = [path for path in places if path.exists()]
        if len(there) > 1:
            raise MMQError(
                f"{there[0]} and {there[1]} are both files of {_name(manifest, key)}; files.{index}.path must"
                " mean one of them."
            )
        if there:
            paths[index] = there[0]
        elif not part.optional:
            near = next((path for path in places if path.parent.is_dir()), places[0])
            raise MMQError(
                f"{near}: not found, though there is another file of {_name(manifest, key)}; add it, or write"
                f" optional = true at files.{index} where recordings may lack it."
            )
    return paths


__all__ = ["FILE_NAME", "MANIFEST_NAME", "check_classes", "manifest_dataset"]
