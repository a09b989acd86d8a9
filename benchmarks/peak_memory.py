# SPDX-License-Identifier: Apache-2.0
"""Memory that opening a file takes: files that are small on disk and huge once opened, and honest ones.

python benchmarks/peak_memory.py --results results/peak_memory.json
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from methods.memory_bombs import FREE_BYTES, HONEST, KERAS, PLAIN
from mmq_bridge.recordings.room import FREE_BYTES as CONTENT_BYTES
from mmq_bridge.recordings.room import TIMES

from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__


def measured(names: list[str]) -> list[dict[str, Any]]:
    """Open files in processes of their own, forked from one that has the libraries."""
    with tempfile.TemporaryDirectory(prefix="peak-") as folder:
        command = [sys.executable, "-m", "methods.memory_bombs", folder, *names]
        home = Path(__file__).parent
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, cwd=home, env=quiet, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows_of(found: dict[str, Any]) -> list[ResultRow]:
    """Return the numbers of one file."""
    kept = found["peak"] <= TIMES * found["bytes"] + FREE_BYTES
    values = {
        "bytes": found["bytes"],
        "peak_bytes": found["peak"],
        "grown_mib": round(found["grown"] / 2**20, 1),
        "refused": int(bool(found["said"])),
        "within": int(kept),
    }
    return [
        ResultRow(method=found["name"], condition="opened", metric=metric, mean=value, n=1)
        for metric, value in values.items()
    ]


@click.command()
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, .md beside).")
def main(results: Path | None) -> None:
    """Open every file and measure."""
    found = measured([*PLAIN, *HONEST]) + measured([*KERAS])
    for one in found:
        click.echo(f"{one['name']}: {one['bytes']:,} bytes, peak {one['peak'] >> 20} MiB; {one['said']}")
    if results is None:
        return
    table = ResultsFile(
        name=results.stem,
        command=shlex.join(["python", "benchmarks/peak_memory.py", *sys.argv[1:]]),
        version=__version__,
        data="files written by the benchmark",
        simulated=True,
        split="none",
        normalisation="none",
        seeds=(),
        machine=machine_description(),
        rows=tuple(row for one in found for row in rows_of(one)),
        notes=(
            "Each file is opened in a process of its own, forked from one that has loaded the libraries."
            " peak_bytes: the most resident memory of that process (VmHWM), libraries included; grown_mib:"
            " how much more that is than before the file was opened.",
            f"refused: 1 where the file was refused, by one sentence that names its size. within: 1 where the"
            f" peak is at most {TIMES} times the file and {FREE_BYTES >> 20} MiB. What a file's content may"
            f" take is {TIMES} times the file and {CONTENT_BYTES >> 20} MiB.",
        ),
    )
    write_results(results, table)


if __name__ == "__main__":
    main()
