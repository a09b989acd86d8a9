# SPDX-License-Identifier: Apache-2.0
"""Seconds and memory of `mmq-tf prepare` on a SIMULATED data set of DEAP's size, in DEAP's own format.

python benchmarks/prepare.py --results results/prepare_cost.json
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click

from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__

SAMPLED_EVERY_S = 0.1
STEPS = {
    "cold": ("nothing is in the cache", ()),
    "rerun": ("nothing has changed", ()),
    "eda-changed": ("one value of the front end's eda", ("front_end.modalities.eda.max_step_per_s=9",)),
    "eeg-changed": ("one value of the front end's eeg", ("front_end.modalities.eeg.max_flat_s=3",)),
    "window-changed": ("the length of a window", ("front_end.tokens=10",)),
}
"""What has changed since `cold`, and the overrides that change it."""


def tree_bytes(root: int) -> int:
    """Sum the proportional set sizes (shared pages count once) of a process and its descendants."""
    total, todo = 0, [root]
    while todo:
        process = todo.pop()
        try:
            todo += [
                int(child)
                for task in Path(f"/proc/{process}/task").iterdir()
                for child in (task / "children").read_text().split()
            ]
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
        except OSError:  # it has just ended
            continue
    return total


def measure(command: list[str], cache: Path) -> tuple[float, int, str]:
    """Run a command; return its seconds, the most memory seen of all its processes, and its last line."""
    began, peak = time.monotonic(), 0
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "MMQ_CACHE": str(cache), "COLUMNS": "200"},
    )
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(SAMPLED_EVERY_S):
            peak = max(peak, tree_bytes(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    printed, _ = process.communicate()
    ended.set()
    watcher.join()
    if process.returncode:
        raise MMQError(f"{shlex.join(command)} ended with {process.returncode}.")
    return time.monotonic() - began, peak, printed.strip().splitlines()[-1]


def measure_steps(data: Path, work: Path, jobs: int) -> list[ResultRow]:
    """Prepare, then again for each step of `STEPS`."""
    rows = []
    for step, (_, overrides) in STEPS.items():
        cache = work / "cache"
        if step not in ("cold", "rerun"):
            cache = work / step
            shutil.copytree(work / "cache", cache)
        command = [
            sys.executable,
            "-m",
            "mmq_tf",
            "prepare",
            "deap",
            "--data",
            str(data),
            "--jobs",
            str(jobs),
        ]
        command += [part for override in overrides for part in ("--set", override)]
        seconds, peak, said = measure(command, cache)
        click.echo(f"{step}: {seconds:.1f} s, peak {peak / 2**20:.0f} MiB; {said}")
        rows.append(
            ResultRow(method="prepare", condition=step, metric="seconds", mean=round(seconds, 1), n=1)
        )
        rows.append(ResultRow(method="prepare", condition=step, metric="peak_bytes", mean=peak, n=1))
    return rows


@click.command()
@click.option("--subjects", default=32, show_default=True)
@click.option("--jobs", default=2, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), help="Needs 4 GB.  [default: a temporary folder]")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, .md beside).")
def main(subjects: int, jobs: int, work: Path | None, results: Path | None) -> None:
    """Write SIMULATED recordings in DEAP's format, prepare them, and measure."""
    with tempfile.TemporaryDirectory(prefix="prepare-", dir=work) as folder:
        data = Path(folder) / "deap"
        simulate = ["simulate", "--layout", "deap", "--subjects", str(subjects), "--out", str(data)]
        subprocess.run([sys.executable, "-m", "mmq_tf", *simulate], check=True)
        size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
        rows = measure_steps(data, Path(folder), jobs)
    if results is None:
        return
    changes = "; ".join(f"{step}: {what}" for step, (what, _) in STEPS.items())
    table = ResultsFile(
        name=results.stem,
        command=shlex.join(["python", "benchmarks/prepare.py", *sys.argv[1:]]),
        version=__version__,
        data=f"{subjects} subjects in the format of DEAP (preprocessed, Python), {size / 2**30:.2f} GiB",
        simulated=True,
        split="none",
        normalisation="none",
        seeds=(),
        machine=machine_description(),
        rows=tuple(rows),
        notes=(
            f"{jobs} jobs; preset deap with its corrupted variants. {changes}.",
            "seconds: wall clock of the whole command. peak_bytes: the largest sum of the proportional set"
            f" sizes of all its processes, looked at every {SAMPLED_EVERY_S:g} s. The files had just been"
            " written, so they came from the page cache where it held them.",
        ),
    )
    write_results(results, table)


if __name__ == "__main__":
    main()
