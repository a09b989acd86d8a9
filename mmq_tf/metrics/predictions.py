# SPDX-License-Identifier: Apache-2.0
"""The prediction file of a run: every probability, so that anyone can recompute every number."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, Self

import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.utils.atomic_files import written_whole

COLUMNS = ("method", "condition", "seed", "fold", "subject", "session", "trial", "start_s", "label")
_PREFIX = "prob_"
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Predictions:
    """Columns of equal length N, one row a (method, condition, seed, window).

    Probabilities and starts are rounded to six digits on construction, so that the numbers in memory are
    those in the file, and what is computed from either is the same to the last digit.

    Attributes
    ----------
    classes : tuple of str
        The K class names of the one task these predictions are of.
    method, condition, subject, session : str ``[N]``
    seed, fold, trial : int ``[N]``
    start_s : float64 ``[N]``
        Window start, seconds from the recording's start.
    label : int ``[N]``
        The true class, 0..K-1.
    probabilities : float64 ``[N, K]``
    """

    classes: tuple[str, ...]
    method: np.ndarray
    condition: np.ndarray
    seed: np.ndarray
    fold: np.ndarray
    subject: np.ndarray
    session: np.ndarray
    trial: np.ndarray
    start_s: np.ndarray
    label: np.ndarray
    probabilities: np.ndarray

    def __post_init__(self) -> None:
        for name in ("method", "condition", "subject", "session"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.str_))
        for name in ("seed", "fold", "trial", "label"):
            object.__setattr__(self, name, np.asarray(getattr(self, name)).astype(np.int64))
        for name in ("start_s", "probabilities"):
            object.__setattr__(self, name, np.round(np.asarray(getattr(self, name), np.float64), 6) + 0.0)
        self._check()

    def _check(self) -> None:
        if self.probabilities.ndim != 2 or self.probabilities.shape[1] != len(self.classes):
            raise MMQError(
                f"probabilities: expected one column for each of {len(self.classes)} classes, "
                f"got shape {self.probabilities.shape}."
            )
        for name in COLUMNS:
            if getattr(self, name).shape != (len(self),):
                raise MMQError(f"{name}: expected {len(self)} values, got shape {getattr(self, name).shape}.")
        wrong = bad_row(self.label, self.probabilities)
        if wrong is not None:
            raise MMQError(f"predictions: row {wrong[0]} {wrong[1]}.")

    def __len__(self) -> int:
        return len(self.probabilities)

    def select(self, rows: np.ndarray) -> Self:
        """Keep some rows, by a bool mask ``[N]`` or by indices."""
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "classes"}
        return type(self)(classes=self.classes, **columns)

    @classmethod
    def concatenate(cls, parts: Sequence["Predictions"]) -> Self:
        """Put predictions of the same classes one after the other.

        Raises
        ------
        MMQError
            When there is none, or their classes differ.
        """
        if not parts:
            raise MMQError("parts: expected at least one set of predictions, got none.")
        for part in parts:
            if part.classes != parts[0].classes:
                raise MMQError(f"parts: expected classes {parts[0].classes} in each, got {part.classes}.")
        names = [f.name for f in fields(cls) if f.name != "classes"]
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(classes=parts[0].classes, **columns)

    def limits(self, limits: Mapping[tuple[str, int, int], float]) -> np.ndarray:
        """Give each row the confidence below which its decision is withheld, float64 ``[N]``.

        Parameters
        ----------
        limits : mapping
            (method, seed, fold) -> confidence; 0, so never, for those that are not named.
        """
        keys = zip(self.method.tolist(), self.seed.tolist(), self.fold.tolist(), strict=True)
        return np.array([limits.get(key, 0.0) for key in keys], np.float64)

    @classmethod
    def of_windows(
        cls,
        *,
        classes: Sequence[str],
        method: str,
        condition: str,
        seed: int,
        fold: int,
        subject: np.ndarray,
        session: np.ndarray,
        trial: np.ndarray,
        start_s: np.ndarray,
        label: np.ndarray,
        probabilities: np.ndarray,
    ) -> Self:
        """Make the rows of one method under one condition; windows of unknown label (-1) are left out."""
        known = np.asarray(label) >= 0
        count = int(known.sum())
        return cls(
            classes=tuple(classes),
            method=np.full(count, method),
            condition=np.full(count, condition),
            seed=np.full(count, seed),
            fold=np.full(count, fold),
            subject=np.asarray(subject)[known],
            session=np.asarray(session)[known],
            trial=np.asarray(trial)[known],
            start_s=np.asarray(start_s)[known],
            label=np.asarray(label)[known],
            probabilities=np.asarray(probabilities)[known],
        )


def bad_row(label: np.ndarray, probabilities: np.ndarray) -> tuple[int, str] | None:
    """Find the first row that cannot be a prediction, and say what is wrong with it."""
    classes = probabilities.shape[1]
    checks: tuple[tuple[np.ndarray, str], ...] = (
        (~((label >= 0) & (label < classes)), f"has a label that is not one of the {classes} classes"),
        (~((probabilities >= 0) & (probabilities <= 1)).all(axis=1), "has a probability outside 0..1"),
        (np.abs(probabilities.sum(axis=1) - 1) > 1e-3, "has probabilities that do not sum to 1"),
    )
    for broken, reason in checks:
        if broken.any():
            return int(np.argmax(broken)), reason
    return None


def write_predictions(path: str | Path, predictions: Predictions) -> Path:
    """Write predictions as CSV: the columns of `COLUMNS`, the label by its class name, then ``prob_<class>``.

    Raises
    ------
    MMQError
        When the file cannot be written; nothing half-written is left.
    """
    path = Path(path)
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *(_PREFIX + name for name in predictions.classes)])
        for start in range(0, len(predictions), _ROWS_AT_ONCE):
            table.writerows(_text_rows(predictions, slice(start, start + _ROWS_AT_ONCE)))
    return path


def _text_rows(predictions: Predictions, rows: slice) -> Iterator[tuple]:
    columns = [getattr(predictions, name)[rows].tolist() for name in COLUMNS[:-2]]
    columns.append([f"{start:.6f}".rstrip("0").rstrip(".") for start in predictions.start_s[rows].tolist()])
    columns.append([predictions.classes[k] for k in predictions.label[rows].tolist()])
    columns += [[f"{p:.6f}" for p in column] for column in predictions.probabilities[rows].T.tolist()]
    return zip(*columns, strict=True)


def read_predictions(path: str | Path, *, first: str | tuple[str, ...] | None = None) -> Predictions:
    """Read and check a file of `write_predictions`.

    Parameters
    ----------
    path : path
    first : str or tuple of str, optional
        Read only the rows that the file begins with whose condition begins with this, or one of these; the
        rest is not looked at.

    Raises
    ------
    MMQError
        Naming the file and row: absent, no header, a column missing, a value that is no number, an unknown
        label, or probabilities that cannot be.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            classes = _classes(path, next(table, []))
            wanted = (
                table
                if first is None
                else takewhile(lambda row: row[1:2] and row[1].startswith(first), table)
            )
            parts, line = [], 2
            while rows := list(islice(wanted, _ROWS_AT_ONCE)):
                parts.append(_parse(path, classes, rows, line))
                line += len(rows)
    except OSError as error:
        raise MMQError(f"{path}: could not be read ({error.strerror or error}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise MMQError(f"{path}: is not a CSV text file ({error}); was it changed?") from error
    return Predictions.concatenate(parts) if parts else _parse(path, classes, [], 2)


def _classes(path: str | Path, header: list[str]) -> tuple[str, ...]:
    names = header[len(COLUMNS) :]
    classes = tuple(name[len(_PREFIX) :] for name in names)
    fits = tuple(header[: len(COLUMNS)]) == COLUMNS and all(name.startswith(_PREFIX) for name in names)
    if not fits or len(classes) < 2 or len(set(classes)) < len(classes):
        raise MMQError(
            f"{path}, row 1: expected {','.join(COLUMNS)} and two or more prob_<class>, "
            f"got {','.join(header)}."
        )
    return classes


def _parse(path: str | Path, classes: tuple[str, ...], rows: list[list[str]], line: int) -> Predictions:
    width = len(COLUMNS) + len(classes)
    for index, row in enumerate(rows):
        if len(row) != width:
            raise MMQError(
                f"{path}, row {line + index}: expected {width} values, got {len(row)}; was it cut short?"
            )
    text = (
        dict(zip(COLUMNS, zip(*rows, strict=True), strict=False)) if rows else {name: () for name in COLUMNS}
    )
    number = {name: i for i, name in enumerate(classes)}
    values: dict[str, Any] = {name: text[name] for name in ("method", "condition", "subject", "session")}
    for name in ("seed", "fold", "trial"):
        values[name] = _numbers(path, name, text[name], line, int)
    values["start_s"] = _numbers(path, "start_s", text["start_s"], line, _finite)
    values["label"] = _numbers(path, "label", text["label"], line, number.__getitem__)
    columns = list(zip(*(row[len(COLUMNS) :] for row in rows), strict=True)) if rows else [()] * len(classes)
    shares = [
        _numbers(path, _PREFIX + c, column, line, _finite) for c, column in zip(classes, columns, strict=True)
    ]
    values["probabilities"] = np.array(shares, np.float64).reshape(len(classes), len(rows)).T
    wrong = bad_row(np.array(values["label"], np.int64), values["probabilities"])
    if wrong is not None:
        raise MMQError(f"{path}, row {line + wrong[0]}: {wrong[1]}.")
    return Predictions(classes=classes, **values)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _numbers(
    path: str | Path, name: str, column: Sequence[str], line: int, convert: Callable[[str], float]
) -> list[float]:
    out: list[float] = []
    try:
        for text in column:
            out.append(convert(text))
    except (ValueError, KeyError):
        wanted = "one of the classes in the header" if name == "label" else "a number"
        raise MMQError(
            f"{path}, row {line + len(out)}: {name} should be {wanted}, got {column[len(out)]!r}."
        ) from None
    return out
