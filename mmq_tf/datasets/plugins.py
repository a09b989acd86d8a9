# SPDX-License-Identifier: Apache-2.0
"""Data sets of other distributions, found by their entry points in the group ``mmq_tf.datasets``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from mmq_tf.datasets.base import Dataset
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording

GROUP = "mmq_tf.datasets"
OPTIONAL = ("format_version", "published", "simulated", "stimulus_locked", "notes")
"""Fields of `Dataset` that a plug-in may also have."""

_TEXTS = ("title", "licence", "attribution", "obtain", "label_kind")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class DatasetPlugin(Protocol):
    """What an entry point must name: a class, or a function, that gives this when called without arguments.

    A function may also return a `Dataset`. The entry point has the name of the data set. Further attributes
    are optional and mean what they mean in `Dataset`: `format_version` (raise it when the loader changes a
    sample, a time or a label), `published`, `simulated`, `stimulus_locked`, `notes`.

    Attributes
    ----------
    name : str
        Letters, digits, hyphens and underscores; the same as the entry point's.
    title, licence, attribution, obtain, label_kind : str
        As in `Dataset`.
    tasks : dict of str to sequence of str
        Class names by task, in the order of their integer labels; at least two each.
    modalities : sequence of str
        What a complete recording has; some of `mmq_tf.recording.MODALITIES`.
    """

    name: str
    title: str
    licence: str
    attribution: str
    obtain: str
    label_kind: str
    tasks: Mapping[str, Sequence[str]]
    modalities: Sequence[str]

    def subjects(self, folder: Path) -> Sequence[str]:
        """Return the names of what can be loaded from `folder`."""
        ...

    def files(self, folder: Path, subject: str) -> Sequence[Path]:
        """Return every file a subject's recording is made of; their bytes make its digest."""
        ...

    def load(self, folder: Path, subject: str) -> Recording:
        """Return one subject's recording."""
        ...


def plugin_names() -> list[str]:
    """Return the names of all entry points of the group, sorted; nothing is imported."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


@cache
def plugin_dataset(name: str) -> Dataset:
    """Import the plug-in called `name` and return its data set.

    Raises
    ------
    MMQError
        If there is none or more than one of that name, or it cannot be imported or is not what
        `DatasetPlugin` says. The plug-in and its distribution are named.
    """
    found = list(entry_points(group=GROUP, name=name))
    if len(found) != 1:
        owners = " and ".join(sorted(_distribution(entry) for entry in found)) or "no distribution"
        raise MMQError(f"data set plug-in {name!r}: expected one of that name; {owners} bring it.")
    label = plugin_label(found[0])
    try:
        return _as_dataset(found[0].load()(), name, label)
    except (Exception, SystemExit) as error:  # whatever foreign code does, other commands go on
        raise MMQError(f"{label} cannot be used: {_one_line(error)}; mend or uninstall it.") from error


def taken_name_fault(name: str) -> str:
    """Return the sentence that refuses the plug-ins whose name a data set of the toolkit has."""
    owners = ", ".join(plugin_label(entry) for entry in entry_points(group=GROUP, name=name))
    return f"{owners} is not used: a data set {name!r} exists already; its entry point needs another name."


def plugin_label(entry: EntryPoint) -> str:
    """Return a plug-in's name and distribution, for messages."""
    return f"data set plug-in {entry.name!r} of {_distribution(entry)}"


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _as_dataset(plugin: Any, name: str, label: str) -> Dataset:
    if isinstance(plugin, Dataset):
        _check(plugin, name)
        return plugin
    _check(plugin, name)
    for method in ("subjects", "files", "load"):
        if not callable(getattr(plugin, method, None)):
            raise MMQError(f"it has no method {method}")
    return Dataset(
        name=name,
        **{text: getattr(plugin, text) for text in _TEXTS},
        tasks={task: tuple(classes) for task, classes in plugin.tasks.items()},
        modalities=tuple(plugin.modalities),
        list_subjects=partial(_subjects, plugin.subjects, label),
        source_files=partial(_files, plugin.files, label),
        load_subject=partial(_recording, plugin.load, label),
        **{field: getattr(plugin, field) for field in OPTIONAL if hasattr(plugin, field)},
    )


def _check(plugin: Any, name: str) -> None:
    if getattr(plugin, "name", None) != name or not _NAME.fullmatch(name):
        raise MMQError(
            f"its name must be that of its entry point, {name!r}, of letters, digits, hyphens and"
            f" underscores; got {getattr(plugin, 'name', None)!r}"
        )
    for text in _TEXTS:
        value = getattr(plugin, text, None)
        if not isinstance(value, str) or not value.strip():
            raise MMQError(f"{text} must be a non-empty string; got {value!r}")
    tasks = getattr(plugin, "tasks", None)
    if not isinstance(tasks, Mapping) or not tasks or not all(map(_is_task, tasks.items())):
        raise MMQError(f"tasks must map names to at least two different class names; got {tasks!r}")
    modalities: Any = getattr(plugin, "modalities", None)
    if not _are_names(modalities) or not set(modalities) <= set(MODALITIES):
        raise MMQError(f"modalities must be some of {', '.join(MODALITIES)}; got {modalities!r}")


def _is_task(task: tuple[Any, Any]) -> bool:
    name, classes = task
    return isinstance(name, str) and bool(name) and _are_names(classes) and len(classes) > 1


def _are_names(values: Any) -> bool:
    """Whether it is a sequence of different, non-empty strings, one at least."""
    return (
        isinstance(values, list | tuple)
        and bool(values)
        and all(isinstance(value, str) and value for value in values)
        and len(set(values)) == len(values)
    )


def _subjects(call: Callable[..., Any], label: str, folder: Path) -> list[str]:
    names = _called(call, label, "subjects", folder)
    if names and not _are_names(list(names)):
        raise MMQError(f"{label}: subjects must give different, non-empty strings; got {list(names)[:5]!r}.")
    return list(names)


def _files(call: Callable[..., Any], label: str, folder: Path, subject: str) -> list[Path]:
    files = _called(call, label, "files", folder, subject)
    if not files:
        raise MMQError(f"{label}: files must name at least one file of subject {subject!r}; got none.")
    return [Path(file) for file in files]


def _recording(call: Callable[..., Any], label: str, folder: Path, subject: str) -> Recording:
    recording = _called(call, label, "load", folder, subject)
    if not isinstance(recording, Recording):
        raise MMQError(f"{label}: load must return a Recording; got {type(recording).__name__}.")
    return recording


def _called(call: Callable[..., Any], label: str, what: str, *arguments: object) -> Any:
    """Call a plug-in's method; what it raises, but for an `MMQError`, becomes one that names the plug-in."""
    try:
        return call(*arguments)
    except MMQError:
        raise
    except Exception as error:
        raise MMQError(f"{label}: {what} failed: {_one_line(error)}.") from error


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300].rstrip(".")
    return text if isinstance(error, MMQError) else f"{type(error).__name__}: {text}"
