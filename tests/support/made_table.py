# SPDX-License-Identifier: Apache-2.0
"""A results table of made-up rows."""

from collections.abc import Iterable

from mmq_tf.metrics.results_table import ResultRow, ResultsFile


def made_table(rows: Iterable[ResultRow], *, data: str = "d", simulated: bool = False) -> ResultsFile:
    """Return a table that holds the rows; what says how they were measured is a letter each."""
    return ResultsFile(
        name="t",
        command="c",
        version="0",
        data=data,
        simulated=simulated,
        split="s",
        normalisation="n",
        seeds=(0,),
        machine="m",
        rows=tuple(rows),
    )
