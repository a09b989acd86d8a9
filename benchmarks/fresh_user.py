# SPDX-License-Identifier: Apache-2.0
"""How long a new user waits: for a first decision, a report of an E4 folder, an embedded bundle.

Everything is done as README says it, in a new clone with a new virtual environment, in a temporary folder.
The E4 folder is SIMULATED: 15 minutes in the layout that Empatica's web site exports.

python benchmarks/fresh_user.py --results results/fresh_user.json
"""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click

from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.simulation.simulator import Settings, simulate
from mmq_tf.version import __version__

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from e4_exports import write_e4  # noqa: E402

MINUTES = 15
CMAKE = "cmake -S ../watch/mmq_bridge"
MODEL = "--pretrained wrist-stress"
STEPS = (
    ("clone", "clone", f"git clone --quiet {shlex.quote(str(ROOT))} mmq-tf"),
    ("clone", "virtual environment", f"{shlex.quote(sys.executable)} -m venv mmq-tf/.venv"),
    ("install", "mmq-tf with TensorFlow", "pip install --quiet ./firmware_bridge ."),
    ("first decision", "of the sample", f"mmq-tf stream {MODEL} --sample"),
    ("E4 folder", "a page of its signals", "mmq-tf datasets show ../A01234 --out ../look.html"),
    ("E4 folder", "its decisions", f"mmq-tf stream {MODEL} --replay ../A01234"),
    ("embedded bundle", "export", f"mmq-tf export {MODEL} --out ../watch"),
    ("embedded bundle", "compile for the host", f"{CMAKE} -B ../host && cmake --build ../host"),
    ("embedded bundle", "run its golden samples", "../host/mmq_example ../watch/golden"),
    ("embedded bundle", "pack for CMake", "mmq-tf pack ../watch --for cmake --out ../packed"),
)  # fmt: skip
"""What it is for, what it is, and what is typed; in the clone once there is one."""
MADE = {
    "of the sample": "decisions, ",
    "its decisions": "decisions, ",
    "a page of its signals": "look.html",
    "run its golden samples": "\ndecision ",
}
"""What a step must print."""


@dataclass(frozen=True)
class Measured:
    """One step: what it is for, what it is, and its wall and processor time in s."""

    part: str
    step: str
    wall_s: float
    cpu_s: float


def newcomer(folder: Path) -> dict[str, str]:
    """Return the environment of somebody who has nothing of ours yet."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "MMQ_", "VIRTUAL"))
    }
    path = f"{folder / 'mmq-tf' / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "MMQ_CACHE": str(folder / "cache"), "PIP_NO_CACHE_DIR": "1"}


def measure(part: str, step: str, command: str, folder: Path, environment: Mapping[str, str]) -> Measured:
    """Run what is typed in a folder, and check what it prints.

    Raises
    ------
    MMQError
        When it fails, or prints something else.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or MADE.get(step, "") not in done.stdout:
        raise MMQError(f"benchmarks/fresh_user.py: {command}: {(done.stdout + done.stderr).strip()[-800:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(part, step, wall_s, cpu_s)


def walk(folder: Path) -> list[Measured]:
    """Do what a new user does, in an empty folder."""
    worn, _ = simulate(Settings(seed=3, minutes=MINUTES, artefacts=False), 0)
    write_e4(folder / "A01234", worn.signals)
    clone, environment = folder / "mmq-tf", newcomer(folder)
    found = []
    for part, step, command in STEPS:
        found.append(measure(part, step, command, clone if part != "clone" else folder, environment))
        click.echo(f"{part}: {step}: {found[-1].wall_s:.1f} s, processor {found[-1].cpu_s:.1f} s")
    return found


def results(name: str, found: list[Measured], load: float) -> ResultsFile:
    """Return the table of what was measured, each part with its sum."""
    rows = [
        ResultRow(
            method=f"{one.part}: {one.step}", condition=kind, metric="seconds", mean=round(value, 2), n=1
        )
        for one in found
        for kind, value in (("wall", one.wall_s), ("processor", one.cpu_s))
    ]
    wall = {part: sum(one.wall_s for one in found if one.part == part) for part, _, _ in STEPS}
    to_first = wall["clone"] + wall["install"] + wall["first decision"]
    sums = {
        "from nothing to a first decision": to_first,
        "from nothing to a look at an own E4 folder and its decisions": to_first + wall["E4 folder"],
        "from nothing to an embedded bundle": to_first + wall["embedded bundle"],
    }
    rows += [
        ResultRow(method=text, condition="wall", metric="seconds", mean=round(value, 1), n=1)
        for text, value in sums.items()
    ]
    return ResultsFile(
        name=name,
        command=shlex.join(["python", "benchmarks/fresh_user.py", *sys.argv[1:]]),
        version=__version__,
        data=f"the SIMULATED sample, and {MINUTES} SIMULATED minutes as an E4 export",
        simulated=True,
        split="none",
        normalisation="enrolment",
        seeds=(),
        machine=machine_description(),
        rows=tuple(rows),
        notes=(
            "Once, in a new clone and a new virtual environment; commands as README and a bundle's README"
            " give them.",
            "Of this machine: packages came from a mirror near it and nothing from pip's cache, so a slow"
            " line adds what it takes to load them.",
            f"The machine's load was {load:.0f} on {os.cpu_count()} cores at the start and"
            f" {os.getloadavg()[0]:.0f} at the end: alone, wall times are nearer to processor times.",
        ),
    )


@click.command()
@click.option("--results", "out", type=click.Path(path_type=Path), help="Write the table here (.json, .md).")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Empty; it stays.  [default: a temporary one]"
)
def main(out: Path | None, folder: Path | None) -> None:
    """Measure every step of a new user once."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="fresh-") if folder is None else nullcontext(folder) as place:
        found = walk(Path(place).resolve())
    if out is not None:
        write_results(out, results(out.stem, found, load))


if __name__ == "__main__":
    main()
