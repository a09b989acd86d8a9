# SPDX-License-Identifier: Apache-2.0
"""Which recordings a run reads, from its section ``data``: one data set, or several joined."""

from __future__ import annotations

from mmq_tf.config.training_spec import DataConfig
from mmq_tf.datasets import DATASETS, MANIFEST_NAME, Joint, get_dataset
from mmq_tf.datasets.pooled import JoinedSet


def set_order(data: DataConfig) -> tuple[str, ...]:
    """Return the names of the joined data sets, the home set first; none where nothing is joined."""
    if data.sets:
        return tuple(one.called for one in data.sets)
    if data.dataset == MANIFEST_NAME:
        return ()
    return tuple(member.called for member in get_dataset(data.dataset).members)


def classes_of(data: DataConfig) -> tuple[str, ...]:
    """Return the class names of the task, in the order of their integer labels."""
    if data.classes:
        return data.classes
    if data.sets:
        return get_dataset(data.sets[0].dataset).tasks[data.sets[0].task or data.task]
    return get_dataset(data.dataset).tasks[data.task]


def source_of(data: DataConfig) -> str | Joint:
    """Return the data set as `mmq_tf.datasets.open_dataset` takes it."""
    if not data.sets:
        return data.dataset
    classes = classes_of(data)
    sets = tuple(
        JoinedSet(
            one.dataset,
            one.called,
            one.folder or one.called,
            one.task or data.task,
            tuple((one.classes or {name: name for name in classes}).items()),
            one.limits(),
        )
        for one in data.sets
    )
    return Joint(data.dataset, data.task, classes, sets)


def _check_sets(data: DataConfig) -> None:
    """Check that the sets can be joined."""
    names = [one.called for one in data.sets]
    if data.dataset == MANIFEST_NAME or data.dataset in DATASETS:
        raise ValueError(f"data.dataset {data.dataset!r} is a data set of its own; name what data.sets join")
    if len(set(names)) != len(names) or len(names) < 2:
        raise ValueError(f"data.sets must be two or more with different names, got {', '.join(names)}")
    first = data.sets[0]
    if first.dataset == MANIFEST_NAME and not data.classes:
        raise ValueError("data.classes must be given where the first of data.sets is a manifest")
    for one in data.sets:
        task = one.task or data.task
        if one.dataset == MANIFEST_NAME:
            continue
        tasks = get_dataset(one.dataset).tasks
        if task not in tasks:
            raise ValueError(
                f"data.sets {one.called}: {task!r} is not a task of {one.dataset}: {sorted(tasks)}"
            )
        if unknown := sorted(set(one.classes) - set(tasks[task])):
            raise ValueError(
                f"data.sets {one.called}: {unknown[0]!r} is not one of its classes {tasks[task]}"
            )
    classes = classes_of(data)
    for one in data.sets:
        known = set(one.classes.values()) or set(classes)
        if not one.classes and one.dataset != MANIFEST_NAME:
            known &= set(get_dataset(one.dataset).tasks[one.task or data.task])
        if not known or known - set(classes):
            raise ValueError(
                f"data.sets {one.called}: its classes must become some of {', '.join(classes)}; say how with "
                "classes = {own = joint}"
            )


def check_task(data: DataConfig) -> None:
    """Check that the data set has the task, or, where only its folder knows, that the classes are given."""
    if data.sets:
        _check_sets(data)
    if unknown := sorted(set(data.weights) - set(set_order(data))):
        raise ValueError(
            f"data.weights: {unknown[0]!r} is none of the joined sets: {', '.join(set_order(data)) or 'none'}"
        )
    if data.sets:
        return
    if data.dataset == MANIFEST_NAME:
        if len(set(data.classes)) < 2 or len(set(data.classes)) != len(data.classes):
            raise ValueError(
                "data.classes must name at least two different classes, as the folder's mmq-tf.toml does"
            )
        return
    tasks = get_dataset(data.dataset).tasks
    if data.task not in tasks:
        raise ValueError(f"data.task {data.task!r} is not a task of {data.dataset}: {sorted(tasks)}")
    if data.classes:
        raise ValueError(f"data.classes are those of {data.dataset} itself; leave them out")
