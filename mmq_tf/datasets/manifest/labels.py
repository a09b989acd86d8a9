# SPDX-License-Identifier: Apache-2.0
"""From the values that files hold to the classes that a manifest's tasks name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmq_tf.datasets.formats.files.table_form import LOST
from mmq_tf.datasets.manifest.schema import TaskPart
from mmq_tf.errors import MMQError


def value_of(text: object) -> str:
    """Write a value the one way that values of a manifest are compared in: 1, 1.0 and 1,0 are one number.

    Examples
    --------
    >>> value_of(1.0), value_of(" 1,0 "), value_of("rest"), value_of(float("nan"))
    ('1', '1', 'rest', '')
    """
    word = str(text).strip()
    if word in LOST:
        return ""
    try:
        return format(float(word.replace(",", ".")), ".12g")
    except ValueError:
        return word


def class_of(task: TaskPart, value: str) -> str | None:
    """Class that a value means, or None where it means none.

    Raises
    ------
    ValueError
        If the task does not know the value.
    """
    if not value or value in {value_of(word) for word in task.ignore}:
        return None
    if task.high_above is not None:
        return task.classes[_number(task, value) > task.high_above]
    known = task.values if task.values is not None else {name: name for name in task.classes}
    found = next((name for word, name in known.items() if value_of(word) == value), None)
    if found is None:
        raise ValueError(
            f"must be one of {', '.join(known)}; got {value[:40]!r}. Name it in the task's values, or in"
            " ignore if it has no label"
        )
    return found


def _number(task: TaskPart, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"must be a number, since high_above is given; got {value[:40]!r}") from None
    low, high = task.range or (-np.inf, np.inf)
    if not low <= number <= high:
        raise ValueError(f"must lie in the task's range {low:g} to {high:g}; got {number:g}")
    return number


def class_codes(task: TaskPart, values: np.ndarray, place: Callable[[int], str]) -> np.ndarray:
    """Index of each row's class, -1 where it has none."""
    if values.dtype.kind == "f" and task.high_above is not None:
        _check_numbers(task, values, place)
        return np.where(np.isnan(values), -1, (values > task.high_above).astype(int))
    import pandas

    rows, distinct = pandas.factorize(values, use_na_sentinel=False)
    codes = np.empty(len(distinct), int)
    for at, word in enumerate(distinct):
        try:
            name = class_of(task, value_of(word))
        except ValueError as error:
            raise MMQError(f"{place(int(np.argmax(rows == at)))}, {error}.") from error
        codes[at] = -1 if name is None else task.classes.index(name)
    return codes[rows]


def _check_numbers(task: TaskPart, values: np.ndarray, place: Callable[[int], str]) -> None:
    low, high = task.range or (-np.inf, np.inf)
    outside = np.flatnonzero((values < low) | (values > high))
    if outside.size:
        raise MMQError(
            f"{place(int(outside[0]))}, must lie in the task's range {low:g} to {high:g}; got"
            f" {values[outside[0]]:g}."
        )
