# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf datasets check``: what lies in a folder, compared with what its publisher says."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from mmq_tf.datasets import Dataset, open_dataset
from mmq_tf.datasets.checking import (
    SubjectCheck,
    channels_and_rate,
    check_subjects,
    people_warnings,
    span,
    subjects_to_check,
)
from mmq_tf.datasets.formats.folder import to_json
from mmq_tf.utils.atomic_files import write_text
from mmq_tf.version import __version__

PIPE_WIDTH = 110
_COLUMNS: dict[str, JustifyMethod] = {
    "subject": "left",
    "files, digest": "left",
    "signals": "left",
    "seconds": "right",
    "lost": "right",
    "trials": "left",
}
_WORDS = {"ok": "ok", "differs": "not as published", "broken": "broken", "missing": "missing"}
_STYLE = {"ok": "green", "differs": "yellow", "broken": "bold red", "missing": "dim"}
_EPILOG = """
\b
Examples
  mmq-tf datasets check deap DIR
  mmq-tf datasets check stress_predict DIR --subjects S02,S03 --json check.json
  mmq-tf datasets check manifest DIR             a folder with your own mmq-tf.toml
"""


def names_of(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Split names at commas."""
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


@click.command(name="check", epilog=_EPILOG)
@click.argument("name")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--subjects", callback=names_of, metavar="NAMES", help="Only these, separated by commas.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Also write all of it here.")
def check(name: str, folder: Path, subjects: list[str] | None, json_path: Path | None) -> None:
    """Load every subject of the data set NAME in DIR and say what was found.

    Files, signals with the share of lost samples, trials, classes, ratings and digests, against what the
    publisher says of them. Exit code 1 where something is broken or differs; what is missing is only named.
    Of your own recordings it is also said where the names may not be those of people.
    """
    dataset = open_dataset(name, folder)
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    wanted = subjects_to_check(dataset, folder, subjects)
    found = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("checking", total=len(wanted))
        for one in check_subjects(dataset, folder, wanted):
            found.append(one)
            progress.update(bar, advance=1, description=f"checking, {one.subject} done")
    warnings = people_warnings(dataset, folder, [name for name, is_there in wanted.items() if is_there])
    _show(console, dataset, folder, found, warnings)
    if json_path:
        content = {**_as_json(dataset, folder, found), "warnings": warnings}
        write_text(json_path, to_json(content))
    if any(one.state in ("differs", "broken") for one in found):
        sys.exit(1)


def _show(
    console: Console,
    dataset: Dataset,
    folder: Path,
    found: Sequence[SubjectCheck],
    warnings: Sequence[str],
) -> None:
    for line in _head(dataset, folder):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    table = Table(box=SIMPLE, pad_edge=False, collapse_padding=True)
    for heading, side in _COLUMNS.items():
        table.add_column(heading, justify=side, no_wrap=heading != "trials")
    for one in found:
        table.add_row(*_row(dataset, one))
    console.print(table)
    faults = [fault for one in found if one.state != "missing" for fault in one.faults]
    for line in (*faults, *(f"warning: {one}" for one in warnings), _summary(found)):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _head(dataset: Dataset, folder: Path) -> Iterator[str]:
    yield f"{dataset.title} in {folder}"
    if dataset.simulated:
        yield "SIMULATED: no person was measured."
    yield "lost: share of the samples in the trials"
    yield "trials: " + "; ".join(f"{task} {'/'.join(classes)}" for task, classes in dataset.tasks.items())
    published = dataset.published
    if published is None:
        yield "no publisher's description to hold it against"
        return
    signals = ", ".join(f"{name} {channels_and_rate(*facts)}" for name, facts in published.signals.items())
    ratings = f"ratings {span(*published.ratings)}" if published.ratings else "no ratings"
    trials = f"trials {span(*published.trials)}"
    yield f"published: {len(published.subjects)} subjects; {signals}; {trials}; {ratings}"


def _row(dataset: Dataset, one: SubjectCheck) -> tuple[str, ...]:
    state = f"[{_STYLE[one.state]}]{one.state}[/]"
    if one.state == "missing":
        return escape(one.subject), state
    signals = one.signals.items()
    return (
        f"{escape(one.subject)}\n{state}",
        _files(one),
        "\n".join(f"{name} {channels_and_rate(one.channels, one.sampling_rate_hz)}" for name, one in signals),
        "\n".join(f"{facts.duration_s:.1f}" for _, facts in signals),
        "\n".join(f"{facts.lost:.1%}" for _, facts in signals),
        escape(_trials(dataset, one)),
    )


def _files(one: SubjectCheck) -> str:
    counts = Counter(one.pinned.values())
    pinned = [f"SHA-256 {state} {counts[state]}" for state in ("ok", "differs", "unknown") if counts[state]]
    return "\n".join([f"{one.files}, {one.size_bytes / 1e6:.1f} MB", one.digest[:12], *pinned])


def _trials(dataset: Dataset, one: SubjectCheck) -> str:
    """Trials of each class, in the order of the head, and in brackets the range of the ratings."""
    if one.trials is None:
        return ""
    lines = [f"{one.trials.number}, {one.trials.duration_s:.0f} s in all"]
    for name in dict.fromkeys((*one.trials.classes, *one.trials.ratings)):
        counts = one.trials.classes.get(name, {})
        known = "/".join(str(counts.get(label, 0)) for label in dataset.tasks.get(name, counts))
        ratings = f"({span(*one.trials.ratings[name])})" if name in one.trials.ratings else ""
        lines.append(" ".join(filter(None, (name, known if counts else "", ratings))))
    return "\n".join(lines)


def _summary(found: Sequence[SubjectCheck]) -> str:
    counts = Counter(one.state for one in found)
    there = len(found) - counts["missing"]
    parts = [f"{counts[state]} {what}" for state, what in _WORDS.items() if counts[state]]
    pinned = Counter(state for one in found for state in one.pinned.values())
    files = f"; SHA-256 of the publisher: {pinned['ok']} ok" if pinned else ""
    files += "".join(f", {pinned[state]} {state}" for state in ("differs", "unknown") if pinned[state])
    return f"{there} of {len(found)} subjects are there: {', '.join(parts)}{files}."


def _as_json(dataset: Dataset, folder: Path, found: Sequence[SubjectCheck]) -> dict[str, object]:
    return {
        "format": "mmq-check",
        "version": __version__,
        "dataset": dataset.name,
        "format_version": dataset.format_version,
        "simulated": dataset.simulated,
        "folder": str(folder),
        "published": asdict(dataset.published) if dataset.published else None,
        "subjects": [asdict(one) for one in found],
    }
