# SPDX-License-Identifier: Apache-2.0
"""Your own recordings, described by a ``mmq-tf.toml`` in their folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mmq_tf.datasets.base import SIMULATED_NAME, Dataset, check_known
from mmq_tf.datasets.formats.detect import files_of, form_of, read_as
from mmq_tf.datasets.manifest.paths import Key, check_names, fill, find_conditions, find_files
from mmq_tf.datasets.manifest.schema import FILE_NAME, TABLES, DatasetManifest, FilesPart, read_manifest
from mmq_tf.datasets.manifest.trials import is_labelled, known_trials, placed, table_trials
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording, Trial

MANIFEST_NAME = "manifest"


def manifest_dataset(folder: Path) -> Dataset:
    """Return the data set that the ``mmq-tf.toml`` in `folder` describes.

    Parameters
    ----------
    folder : Path
        Holds the manifest and, in it or below, the files.

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
    dataset = Dataset(
        name=MANIFEST_NAME,
        title=f"SIMULATED: {manifest.title}" if manifest.simulated else manifest.title,
        licence=manifest.licence,
        attribution=manifest.attribution,
        obtain=f"described by {FILE_NAME} in its folder",
        tasks={name: task.classes for name, task in manifest.tasks.items()},
        label_kind=manifest.label_kind,
        modalities=_modalities(manifest),
        list_subjects=partial(list_subjects, manifest),
        source_files=partial(source_files, manifest),
        load_subject=partial(load_subject, manifest),
        simulated=manifest.simulated,
        stimulus_locked=manifest.stimulus_locked,
        notes=("SIMULATED: no person was measured.",) if manifest.simulated else (),
    )
    return dataset.in_folder(folder)


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
    """Names of the recordings there are files of."""
    return [_name(manifest, key) for key in _keys(manifest, folder)]


def source_files(manifest: DatasetManifest, folder: Path, subject: str) -> list[Path]:
    """List every file that one recording is made of, the manifest first."""
    key = _key(manifest, folder, subject)
    files = [folder / FILE_NAME]
    for paths in _by_condition(manifest, folder, key).values():
        for index, path in paths.items():
            form = manifest.files[index].format
            files += [path] if form in TABLES else files_of(form, path)
    return [*files, fill(folder, manifest.trials.path, key)] if manifest.trials.path else files


def load_subject(manifest: DatasetManifest, folder: Path, subject: str) -> Recording:
    """Read one recording.

    Raises
    ------
    MMQError
        If it is unknown, or one of its files is missing or wrong.
    """
    key = _key(manifest, folder, subject)
    if manifest.has_conditions:
        from mmq_tf.datasets.manifest.conditions import read_conditions

        return read_conditions(manifest, folder, key, _by_condition(manifest, folder, key))
    paths = _paths(manifest, folder, key)
    whole = manifest.files[0].format not in TABLES
    recording = (
        _of_whole_file(manifest, folder, key, paths[0]) if whole else _of_tables(manifest, folder, key, paths)
    )
    if recording.simulated and not manifest.simulated:
        raise MMQError(f"{paths[0]}: is SIMULATED; write simulated = true in {folder / FILE_NAME}.")
    return recording


def _of_tables(manifest: DatasetManifest, folder: Path, key: Key, paths: dict[int, Path]) -> Recording:
    from mmq_tf.datasets.manifest.tables import read_tables

    tables = read_tables(manifest, paths)
    recording = Recording(*key, tables.signals, source=MANIFEST_NAME)
    if manifest.trials.source == "table":
        trials = _table_trials(manifest, folder, key, recording, tables.start_s, tables.clock)
    else:
        trials = placed(tables.marked, tables.start_s, recording.duration_s, overhang_s=float("inf"))
    return replace(recording, trials=trials)


def _of_whole_file(manifest: DatasetManifest, folder: Path, key: Key, path: Path) -> Recording:
    part = manifest.files[0]
    trials = "none" if manifest.trials.source == "table" else "needed"
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
    return sorted(found)


def _of_part(manifest: DatasetManifest, folder: Path, part: FilesPart) -> Iterator[Key]:
    """Whose files a pattern means, but for our own files and others that a wide pattern happens to mean."""
    for key, path in find_files(folder, part.path).items():
        ours = [folder / FILE_NAME, folder / SIMULATED_NAME]
        ours += [fill(folder, manifest.trials.path, key)] if manifest.trials.path else []
        if path not in ours and (part.format in TABLES or form_of(path) == part.format):
            yield key


def _name(manifest: DatasetManifest, key: Key) -> str:
    return "/".join(key) if manifest.has_sessions else key[0]


def _key(manifest: DatasetManifest, folder: Path, subject: str) -> Key:
    keys = {_name(manifest, key): key for key in _keys(manifest, folder)}
    check_known(folder, subject, list(keys))
    return keys[subject]


def _by_condition(manifest: DatasetManifest, folder: Path, key: Key) -> dict[str, dict[int, Path]]:
    """One recording's files by condition (``""`` where there is none) and the index of their entry."""
    if not manifest.has_conditions:
        return {"": _paths(manifest, folder, key)}
    names = {name for part in manifest.files for name in find_conditions(folder, part.path, key)}
    return {name: _paths(manifest, folder, key, name) for name in sorted(names)}


def _paths(manifest: DatasetManifest, folder: Path, key: Key, condition: str = "") -> dict[int, Path]:
    """One recording's files by the index of their entry in ``files``."""
    paths: dict[int, Path] = {}
    for index, part in enumerate(manifest.files):
        path = fill(folder, part.path.replace("{condition}", condition), key)
        if path.exists():
            paths[index] = path
        elif not part.optional:
            raise MMQError(
                f"{path}: not found, though there is another file of {_name(manifest, key)}; add it, or write"
                f" optional = true at files.{index} where recordings may lack it."
            )
    return paths


__all__ = ["FILE_NAME", "MANIFEST_NAME", "check_classes", "manifest_dataset"]
