# SPDX-License-Identifier: Apache-2.0
"""`python -m mmq_bridge.targets`: the same bits on every target, or exit code 1."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from mmq_bridge.command_line import run
from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.build import write_vectors
from mmq_bridge.targets.deployed import bundle_vectors
from mmq_bridge.targets.everywhere import EVERYWHERE, present
from mmq_bridge.targets.expected import (
    COMMITTED,
    Hashes,
    differences,
    load_committed,
    replay,
    save_committed,
)
from mmq_bridge.targets.networks import bundle_network, random_network, run_all
from mmq_bridge.targets.run import Outcome, run_targets
from mmq_bridge.targets.table import TARGETS, Target
from mmq_bridge.targets.tools import compiler_version, require
from mmq_bridge.targets.vectors import RECORDED, Vector, data_folder, make_vectors


def _chosen(names: Sequence[str]) -> list[Target]:
    known = {target.name: target for target in (*TARGETS, *EVERYWHERE)}
    for name in names:
        if name not in known:
            raise BridgeError(f"--only: expected one of {', '.join(known)}, got {name!r}")
    return [known[name] for name in dict.fromkeys(names)] or list(TARGETS)


def _drifted(wanted: dict[str, Hashes]) -> list[str]:
    """Name the vectors whose hashes are not those committed before."""
    committed, problems = load_committed(), []
    for name, hashes in wanted.items():
        if name not in committed:
            problems.append(f"{name}: no hash is committed in {COMMITTED.name}")
        elif different := differences(committed[name], hashes):
            problems.append(f"{name}: {', '.join(different)} differ from those committed in {COMMITTED.name}")
    return problems


def _show_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    click.echo(title)
    for row in (heads, *rows):
        click.echo("  " + "  ".join(map(str.ljust, row, widths)).rstrip())


def _show_advice(outcomes: Sequence[Outcome]) -> None:
    differing = [outcome.hashes for outcome in outcomes if outcome.problems]
    if len(differing) == len(outcomes) > 1 and all(hashes == differing[0] for hashes in differing):
        click.echo(
            "The targets agree with each other: is the library that Python loads older than core/? "
            "Build it again: pip install --no-deps -e ."
        )
    else:
        click.echo("If the change is meant, write the hashes anew with --accept and say so in CHANGELOG.md.")


def _show_vectors(vectors: Sequence[Vector], wanted: dict[str, Hashes]) -> None:
    rows = []
    for vector in vectors:
        h = wanted[vector.name]
        rows.append((vector.name, str(h.tokens), str(h.windows), h.features, h.int8, h.head, h.decisions))
    title = "Golden vectors (FNV-1a of all bits, as Python's library computes them)"
    _show_table(title, ("vector", "tokens", "windows", "features", "int8 windows", "head", "decisions"), rows)


def _show_outcomes(vectors: Sequence[Vector], outcomes: Sequence[Outcome]) -> None:
    rows = []
    for outcome in outcomes:
        bad = {problem.split(":")[0] for problem in outcome.problems}
        same = f"{len(vectors) - len(bad)} of {len(vectors)}"
        version, target = compiler_version(outcome.target.compiler), outcome.target
        rows.append((target.name, target.title, version, same))
    _show_table("The same bits?", ("target", "what", "compiler", "same"), rows)


def _show_networks(lines: Sequence[str], targets: Sequence[Target], differing: Sequence[str]) -> None:
    rows = [line.replace("windows=", "").replace("hash=", "").split() for line in lines]
    _show_table(
        "Networks (FNV-1a of all outputs, as Python's library computes them)",
        ("network", "windows", "outputs"),
        rows,
    )
    bad = {sentence.split(":")[0] for sentence in differing}
    click.echo(f"  the same on {len(targets) - len(bad)} of {len(targets)} targets")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--only", "names", multiple=True, help=f"A target: {', '.join(t.name for t in TARGETS)}; repeat for more."
)
@click.option(
    "--build", type=click.Path(path_type=Path), default=Path("build/targets"), help="Folder to build in."
)
@click.option(
    "--everywhere", is_flag=True, help=f"Also {', '.join(t.name for t in EVERYWHERE)}, where their tools are."
)
@click.option(
    "--network",
    "bundles",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A bundle that decides, and whose network runs beside a small random one; repeat for more.",
)
@click.option("--install", is_flag=True, help="Install missing tools with apt, as root.")
@click.option(
    "--accept", is_flag=True, help=f"Write {COMMITTED.name} anew: after a change of formula, on purpose."
)
def command(
    names: tuple[str, ...],
    build: Path,
    everywhere: bool,
    bundles: tuple[Path, ...],
    install: bool,
    accept: bool,
) -> None:
    """Build the C core for every target, replay golden vectors, compare every bit with Python's library.

    Also compares with the hashes committed before. Exit code 1 where anything differs, 2 where a tool is
    missing.
    """
    started = time.monotonic()
    targets = _chosen(names)
    require(targets, install)
    if everywhere:
        more, absent = present([target for target in EVERYWHERE if target not in targets])
        targets += more
        for sentence in absent:
            click.echo(sentence)
    click.echo("making golden vectors", err=True)
    vectors = [*make_vectors(), *(vector for place in bundles for vector in bundle_vectors(place))]
    wanted = {v.name: replay(v.front_end, v.operations, v.head, v.deployed) for v in vectors}
    folder = write_vectors(vectors, build / "vectors")
    if all(vector.simulated for vector in vectors):
        click.echo(
            f"no real recordings in {data_folder()}: {', '.join(RECORDED)} are left out (set MMQ_DATA)"
        )
    _show_vectors(vectors, wanted)
    click.echo("building and running", err=True)
    outcomes = run_targets(targets, folder, build, wanted)
    _show_outcomes(vectors, outcomes)
    problems = [f"{o.target.name}: {problem}" for o in outcomes for problem in o.problems]
    networks = [random_network(), *map(bundle_network, bundles)]
    lines, differing = run_all(targets, networks, build)
    _show_networks(lines, targets, differing)
    if accept and not problems:
        save_committed(wanted)
        click.echo(f"{COMMITTED.name} written for {', '.join(wanted)}")
    problems += [*_drifted(wanted), *differing]
    for problem in problems:
        click.secho(problem, fg="red", bold=True)
    if problems:
        _show_advice(outcomes)
        sys.exit(1)
    seconds = time.monotonic() - started
    click.echo(f"{len(targets)} targets, {len(vectors)} vectors: the same bits everywhere ({seconds:.0f} s).")


def main() -> None:
    """Run the command; what the user can mend is one sentence and exit code 2."""
    run(command, "targets")


if __name__ == "__main__":
    main()
