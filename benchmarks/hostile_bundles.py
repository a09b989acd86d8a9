# SPDX-License-Identifier: Apache-2.0
"""Run verify, stream, companion and export on mutants of the shipped bundle; count crashes and hangs.

python benchmarks/hostile_bundles.py --mutants 10000 --results results/hostile_bundles.json
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from methods.bundle_mutants import KINDS, MutantFolder, mutant, whole_files
from methods.hostile_commands import OUTCOMES, commands, quick, run_all, warm

from mmq_tf import pretrained
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__

WHOLE_EVERY = 20
"""One mutant of so many is of the bundle with its C sources."""
NOTES = (
    "Each row is a kind of change to the shipped bundle wrist-stress, every 20th to the same bundle with "
    "its C sources. The manifest's digests were made right again, except where the manifest itself, a "
    "link or a missing file is the change. The change of mutant number n depends on the seed and n alone.",
    "mutants: how many. Then, of the five commands on each (verify, stream, stream --runtime litert, "
    "companion, export), how many ended so: accepted (exit 0: the change is harmless to that command), "
    "refused (one sentence, exit 2), contained (refused since the runtime died or did not finish in its "
    "own process), traceback, hung (over 10 s of processor time, or 120 s by the clock), crashed (ended "
    "by a signal).",
    "refused_mutants: those that at least one command refuses. longest_s: processor time of the slowest "
    "command.",
    "Commands ran in forks of one process; verify drew 8 random windows instead of 200 and had no "
    "compiler; companion read the bundle and opened its server; export wrote the bundle with its sources.",
)


def part(
    whole: list[dict[str, bytes]], numbers: Iterable[int], seed: int, folder: Path
) -> Iterator[dict[str, Any]]:
    """Yield what became of each mutant."""
    out = folder / "out"
    todo = commands(out)
    folders = [MutantFolder(folder / f"bundle{index}", files) for index, files in enumerate(whole)]
    for one in folders:  # what follows from whole models is computed once, before any fork
        warm(one.folder, todo, out)
    for number in numbers:
        which = 1 if len(whole) > 1 and number % WHOLE_EVERY == 0 else 0
        made = mutant(whole[which], seed * 1_000_003 + number)
        folders[which].become(made)
        try:
            ended = run_all(folders[which].folder, todo)
        finally:
            folders[which].heal(made)
            shutil.rmtree(out, ignore_errors=True)
        yield {
            "number": number,
            "kind": made.kind,
            "outcomes": {one.command: one.outcome for one in ended},
            "cpu_s": max(one.cpu_s for one in ended),
            "said": {one.command: one.said for one in ended},
        }


def work(whole: list[dict[str, bytes]], numbers: Iterable[int], seed: int, log: Path) -> None:
    """Write what became of each mutant into a file, a line each."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with quick(), tempfile.TemporaryDirectory(dir=place) as folder, log.open("a") as written:
        for found in part(whole, numbers, seed, Path(folder)):
            written.write(json.dumps(found) + "\n")
            written.flush()


def bases(folder: Path, bundle: Path | None) -> list[dict[str, bytes]]:
    """Return a bundle; of none, the shipped one as it is, and with its C sources."""
    from mmq_export.add_sources import complete_bundle

    if bundle is not None:
        return [whole_files(bundle)]
    shipped = pretrained.path("wrist-stress")
    complete_bundle(shipped, folder / "whole")
    return [whole_files(shipped), whole_files(folder / "whole")]


def rows(found: list[dict[str, Any]]) -> Iterator[ResultRow]:
    """Yield the table's numbers: by kind, then of all."""
    kinds = defaultdict(list)
    for one in found:
        kinds[one["kind"]].append(one)
    for kind in (*(kind for kind in KINDS if kinds[kind]), "all"):
        these = found if kind == "all" else kinds[kind]
        counts = Counter(outcome for one in these for outcome in one["outcomes"].values())
        refused = sum(any(said != "accepted" for said in one["outcomes"].values()) for one in these)
        numbers = {"mutants": len(these), "refused_mutants": refused}
        numbers |= {outcome: counts[outcome] for outcome in OUTCOMES}
        for name, value in numbers.items():
            yield ResultRow(method=kind, condition=name, metric="count", mean=value, n=len(these))
        longest_s = round(max(one["cpu_s"] for one in these), 2)
        yield ResultRow(method=kind, condition="all", metric="longest_s", mean=longest_s, n=len(these))


def _fork(function: Any, *arguments: Any) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        function(*arguments)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


@click.command(help=(__doc__ or "").replace("\n\n", "\n\n\b\n"))
@click.option("--mutants", default=200, show_default=True)
@click.option("--bundle", type=click.Path(path_type=Path), help="Another than the shipped one.")
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    help="Keep a line of JSON per mutant here; a run resumes from it.",
)
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, .md beside)."
)
def main(
    mutants: int, bundle: Path | None, seed: int, jobs: int, log: Path | None, results: Path | None
) -> None:
    """Run the benchmark from the command line."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        whole, log = bases(Path(scratch), bundle), log or Path(scratch) / "log"
        log.touch()
        known = {json.loads(line)["number"] for line in log.read_text().splitlines()}
        left = [number for number in range(mutants) if number not in known]
        children = [_fork(work, whole, left[job::jobs], seed, log) for job in range(jobs)]
        failed = [os.waitpid(pid, 0)[1] for pid in children]
        found = [json.loads(line) for line in log.read_text().splitlines()]
    found = sorted((one for one in found if one["number"] < mutants), key=lambda one: one["number"])
    bad = [one for one in found if {"traceback", "hung", "crashed"} & set(one["outcomes"].values())]
    for one in bad[:20]:
        click.echo(json.dumps(one, indent=1)[:3000])
    if any(failed) or len(found) < mutants:
        sys.exit("a worker failed")
    table = tuple(rows(found))
    for row in table:
        if row.method == "all" and row.metric == "count":
            click.echo(f"{row.condition}: {row.mean:g}")
    click.echo(f"{time.monotonic() - began:.0f} s")
    if results:
        write_results(results, _file(results.stem, bundle, mutants, seed, table))
    sys.exit(1 if bad else 0)


def _file(
    name: str, bundle: Path | None, mutants: int, seed: int, table: tuple[ResultRow, ...]
) -> ResultsFile:
    return ResultsFile(
        name=name,
        command=shlex.join(["python", *sys.argv]),
        version=__version__,
        data=f"the bundle {bundle.name if bundle else 'wrist-stress'}, {mutants} mutants",
        simulated=True,
        split="none",
        normalisation="none",
        seeds=(seed,),
        machine=machine_description(),
        rows=table,
        notes=NOTES,
    )


if __name__ == "__main__":
    main()
