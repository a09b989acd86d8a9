# SPDX-License-Identifier: Apache-2.0
"""Shares collected recording by recording, as rows and a file of the results contract."""

from __future__ import annotations

import shlex
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.metrics.significance import bootstrap_intervals
from mmq_tf.version import __version__


class ShareTable:
    """Shares by (method, condition, metric) and subject, averaged over subjects at the end."""

    def __init__(self) -> None:
        self._shares: dict[tuple[str, str, str], dict[str, list[np.ndarray]]] = defaultdict(dict)

    def add(self, key: tuple[str, str, str], subject: str, values: Any) -> None:
        """Add what was found in one recording: 0/1 (or shares), NaN where nothing could be said."""
        values = np.asarray(values, np.float64)
        if np.isfinite(values).any():
            self._shares[key].setdefault(subject, []).append(values[np.isfinite(values)])

    def rows(self) -> tuple[ResultRow, ...]:
        """Mean over subjects with its bootstrap interval, where there are several."""
        return tuple(self._row(key, by) for key, by in self._shares.items())

    def _row(self, key: tuple[str, str, str], by_subject: dict[str, list[np.ndarray]]) -> ResultRow:
        shares = np.array([[np.concatenate(parts).mean() for parts in by_subject.values()]])
        mean, low, high = (round(float(x[0]), 4) for x in bootstrap_intervals(shares))
        several = shares.shape[1] > 1
        method, condition, metric = key
        return ResultRow(
            method=method, condition=condition, metric=metric, mean=mean,
            low=low if several else None, high=high if several else None, n=shares.shape[1],
        )  # fmt: skip


def conclude(
    table: ShareTable,
    name: str,
    subjects: Mapping[str, Collection[str]],
    seed: int,
    notes: tuple[str, ...],
    results: Path | None,
) -> None:
    """Print every row and write them all where asked.

    Parameters
    ----------
    table : ShareTable
    name : str
        Of the results where no file is asked for; otherwise the file's.
    subjects : mapping
        Who was measured, by data set.
    seed : int
    notes : tuple of str
    results : Path, optional
        JSON file, with the table beside it.
    """
    people = ", ".join(f"{source} {len(found)}" for source, found in subjects.items())
    output = ResultsFile(
        name=results.stem if results else name,
        command=shlex.join(["python", *sys.argv]),
        version=__version__,
        data=f"subjects: {people}",
        simulated=False,
        split="subjects the thresholds were not chosen on",
        normalisation="none",
        seeds=(seed,),
        machine=machine_description(),
        rows=table.rows(),
        notes=notes,
    )
    for row in output.rows:
        click.echo(f"{row.metric:12s} {row.method:28s} {row.condition:50s} {row.mean:7.3f} ({row.n})")
    if results:
        write_results(results, output)
