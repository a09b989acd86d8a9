# SPDX-License-Identifier: Apache-2.0
"""Columns of a CSV, Parquet or npz file, by name, after a look at how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmq_bridge.recordings.room import check_room

from mmq_tf.datasets.formats.files.table_form import LOST, MAX_VALUES
from mmq_tf.datasets.formats.files.tables import read_names, read_table
from mmq_tf.datasets.formats.files.text_columns import read_words
from mmq_tf.errors import MMQError
from mmq_tf.utils.npz_files import npz_names, read_npz
from mmq_tf.utils.sizes.parquet import parquet_bytes

FIRST_ROWS = 200_000
BATCH_ROWS = 2**16


@dataclass(frozen=True, eq=False)
class Columns:
    """What was read of one file.

    Parameters
    ----------
    path : Path
        The file.
    arrays : dict of str to numpy.ndarray
        ``[rows]`` or, from npz, ``[rows, channels]``: float64, text (dtype object or U) or datetime64.
    first_row : int
        What rows are counted from in errors.
    zoned : frozenset of str
        Columns of dates that are in UTC.
    order : numpy.ndarray, optional
        int64 ``[rows]``: place in the file of each row, where they were put in another order.
    """

    path: Path
    arrays: Mapping[str, np.ndarray]
    first_row: int
    zoned: frozenset[str] = frozenset()
    order: np.ndarray | None = None

    def place(self, name: str, index: int) -> str:
        """Name the file, row and column of one value, for an error."""
        row = index if self.order is None else int(self.order[index])
        return f"{self.path}: row {self.first_row + row}, column {name}"

    def in_order(self, order: np.ndarray) -> Columns:
        """Return the rows in another order."""
        return replace(self, arrays={name: each[order] for name, each in self.arrays.items()}, order=order)

    def without_first_row(self) -> Columns:
        """Return the rows but for the first."""
        arrays = {name: each[1:] for name, each in self.arrays.items()}
        return replace(self, arrays=arrays, first_row=self.first_row + 1)

    def renamed(self, names: Mapping[str, str]) -> Columns:
        """Return the columns under other names, by which those of the file are given."""
        arrays = {name: self.arrays[own] for name, own in names.items() if own in self.arrays}
        return replace(
            self, arrays=arrays, zoned=frozenset(name for name, own in names.items() if own in self.zoned)
        )

    def numbers(self, name: str) -> np.ndarray:
        """Return a column of numbers, float64; refuse infinity and text, naming the row.

        Raises
        ------
        MMQError
            If a value is no number.
        """
        values = self.arrays[name]
        if values.dtype.kind not in "fiub":
            raise MMQError(
                f"{self.place(name, 0)}: expected numbers; got {values.dtype.kind!r} ({values[0]!r})."
            )
        infinite = np.argwhere(np.isinf(values))
        if infinite.size:
            raise MMQError(
                f"{self.place(name, int(infinite[0][0]))}: expected a finite number; got infinity."
            )
        return values.astype(np.float64, copy=False)


def column_names(path: Path, form: str) -> tuple[str, ...]:
    """Names of the columns a file has.

    Raises
    ------
    MMQError
        If it cannot be read.
    """
    if form == "csv":
        return read_names(path)
    if form == "npz":
        return npz_names(path)
    return tuple(_parquet(path).schema_arrow.names)


def read_columns(path: Path, form: str, numbers: Sequence[str], words: Sequence[str] = ()) -> Columns:
    """Read some columns of a file.

    Parameters
    ----------
    path : Path
        The file.
    form : str
        ``csv``, ``parquet`` or ``npz``.
    numbers, words : sequence of str
        Columns wanted as numbers, and those a CSV file is to give as text. The other formats know by
        themselves.

    Raises
    ------
    MMQError
        If a column is missing, the file is broken or too large, or a number is none.
    """
    there = column_names(path, form)
    wanted = tuple(dict.fromkeys((*numbers, *words)))
    missing = next((name for name in wanted if name not in there), None)
    if missing is not None:
        raise MMQError(f"{path}: has no column {missing!r}; there are {', '.join(there[:40])}.")
    if form == "parquet":
        return _read_parquet(path, wanted)
    if form == "npz":
        return _read_npz(path, wanted)
    arrays: dict[str, np.ndarray] = {}
    first_row = 1
    if numbers:
        table = read_table(path, tuple(dict.fromkeys(numbers)))
        arrays, first_row = dict(table.columns), table.first_row
    if words:
        text, first_row = read_words(path, tuple(dict.fromkeys(words)))
        arrays = {**arrays, **text}
    return Columns(path, arrays, first_row)


def first_rows(path: Path, form: str) -> Columns:
    """Read the beginning of every column; numbers as float64 wherever a CSV column holds nothing else.

    Raises
    ------
    MMQError
        If the file cannot be read.
    """
    if form == "npz":
        return _read_npz(path, column_names(path, form))
    if form == "parquet":
        return _read_parquet(path, column_names(path, form), FIRST_ROWS)
    words, first_row = read_words(path, beginning=True)
    return Columns(path, {name: _as_numbers(column) for name, column in words.items()}, first_row)


def _as_numbers(words: np.ndarray) -> np.ndarray:
    try:
        return np.array([float(word.replace(",", ".")) if word not in LOST else np.nan for word in words])
    except ValueError:
        return words


def _parquet(path: Path, dictionaries: Sequence[str] = ()):  # noqa: ANN202 (pyarrow is an extra)
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MMQError(f"{path}: Parquet needs an extra: pip install 'mmq-tf[parquet]'") from error
    try:
        return pyarrow.parquet.ParquetFile(path, read_dictionary=list(dictionaries))
    except (OSError, pyarrow.ArrowException) as error:
        raise MMQError(f"{path}: cannot be read as Parquet ({_short(error)}).") from error


def _read_parquet(path: Path, wanted: Sequence[str], rows: int | None = None) -> Columns:
    import pyarrow

    file = _parquet(path)
    count = min(file.metadata.num_rows, rows or MAX_VALUES)
    if not 0 < count * len(wanted) <= MAX_VALUES:
        raise MMQError(
            f"{path}: expected 1 to {MAX_VALUES} values; it has {count} rows of {len(wanted)} columns."
        )
    check_room(path, parquet_bytes(path, file.metadata, wanted, count))
    try:
        arrays = {name: _parquet_column(path, name, count) for name in wanted}
    except (OSError, pyarrow.ArrowException) as error:
        raise MMQError(f"{path}: cannot be read as Parquet ({_short(error)}).") from error
    schema = file.schema_arrow
    zoned = frozenset(name for name in wanted if getattr(schema.field(name).type, "tz", None))
    return Columns(path, arrays, 1, zoned)


def _parquet_column(path: Path, name: str, rows: int) -> np.ndarray:
    """Read the first rows of one column, a batch at a time; a word that comes often is one object."""
    import pyarrow

    kind = _parquet(path).schema_arrow.field(name).type
    is_text = pyarrow.types.is_dictionary(kind) or pyarrow.types.is_string(kind)
    is_text = is_text or pyarrow.types.is_large_string(kind)
    file = _parquet(path, [name] if is_text else [])
    values = np.empty(0)
    done = 0
    for batch in file.iter_batches(BATCH_ROWS, columns=[name]):
        part = _parquet_part(path, name, batch.column(0))[: rows - done]
        if not done:
            values = np.empty(rows, part.dtype)
        values[done : done + len(part)] = part
        done += len(part)
        if done == rows:
            break
    return values[:done]


def _parquet_part(path: Path, name: str, column) -> np.ndarray:  # noqa: ANN001
    import pyarrow

    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        words = _parquet_part(path, name, column.dictionary)
        if words.dtype == object:
            words = np.append(words, "").astype(object)
            return words[column.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)]
        column, kind = column.cast(kind.value_type), kind.value_type
    if pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.timestamp("us")).to_numpy(zero_copy_only=False)
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return column.fill_null("").to_numpy(zero_copy_only=False).astype(object)
    if pyarrow.types.is_boolean(kind):
        column = column.cast(pyarrow.int8())
    if not pyarrow.types.is_primitive(column.type) and not pyarrow.types.is_decimal(column.type):
        raise MMQError(f"{path}: column {name} must hold numbers, text or times; it holds {kind}.")
    return column.cast(pyarrow.float64()).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)


def _read_npz(path: Path, wanted: Sequence[str]) -> Columns:
    arrays = read_npz(path, wanted, value_bytes=np.dtype(np.float64).itemsize, check=_check_array)
    return Columns(path, {name: _tall(array) for name, array in arrays.items()}, 0)


def _check_array(place: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if dtype.kind not in "fiubUM" or len(shape) not in (1, 2) or 0 in shape:
        what = "Python objects, which are never loaded" if dtype.hasobject else f"{dtype} {list(shape)}"
        raise MMQError(f"{place}: expected numbers or text [rows] or [rows, channels]; got {what}.")


def _tall(array: np.ndarray) -> np.ndarray:
    """Rows along the longer axis: nothing has more channels than samples."""
    array = array.T if array.ndim == 2 and array.shape[1] > array.shape[0] else array
    return array.astype(np.float64, copy=False) if array.dtype.kind in "fiub" else array


def _short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
