# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf datasets get``: fetch a data set that may be fetched."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn

from mmq_tf.cli.datasets_check import names_of
from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.fetch.fetching import Fetched, PinnedSource, fetch, source_of

_EPILOG = """
\b
Examples
  mmq-tf datasets get stress-predict
  mmq-tf datasets get eegmat --out data/eegmat --subjects Subject00,Subject01
  mmq-tf datasets get eegmat --url https://mirror.example.org/eegmat/
"""


@click.command(name="get", epilog=_EPILOG)
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [default: data/NAME]")
@click.option("--subjects", callback=names_of, metavar="NAMES", help="Only these, separated by commas.")
@click.option("--url", metavar="URL", help="A mirror of the published folder.")
def get(name: str, out: Path | None, subjects: list[str] | None, url: str | None) -> None:
    """Fetch the data set NAME (stress-predict or eegmat) into the published layout.

    Every file is verified by its pinned SHA-256. What is there and right is not fetched again; a file that
    was cut short is continued. Of any other data set, say where to get it.
    """
    source = source_of(name)
    out = out or Path("data") / name
    try:
        done = _fetch(source, out, subjects, url)
    except KeyboardInterrupt:
        raise click.Abort(f"stopped; resume with: {shlex.join(['mmq-tf', *sys.argv[1:]])}") from None
    _conclude(source, out, done)


def _fetch(source: PinnedSource, out: Path, subjects: list[str] | None, url: str | None) -> Fetched:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    total = len(source.files(subjects))
    with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as bars:
        files = bars.add_task("files", total=total, note="")
        file = bars.add_task("", total=None, note="")
        begun = 0

        def on_file(path: str) -> None:
            nonlocal begun
            bars.update(files, completed=begun, note=f"{begun} of {total}")
            bars.reset(file, description=path, total=None, note="")
            begun += 1

        def on_bytes(done: int, of: int | None) -> None:
            size = f" of {of / 1e6:.1f}" if of else ""
            bars.update(file, completed=done, total=of, note=f"{done / 1e6:.1f}{size} MB")

        return fetch(source, out, subjects, base_url=url, on_file=on_file, on_bytes=on_bytes)


def _conclude(source: PinnedSource, out: Path, done: Fetched) -> None:
    dataset = get_dataset(source.dataset)
    click.echo(
        f"{out}: {len(done.new)} files fetched, {len(done.replaced)} wrong ones replaced,"
        f" {len(done.kept)} were there; all have their pinned SHA-256."
    )
    for path, pin in source.pins.items():
        if pin.lines:
            click.echo(f"Of {path} the first {pin.lines} lines are pinned; later ones are not checked.")
    promised = dataset.published.subjects if dataset.published else ()
    others = [subject for subject in promised if subject not in source.subjects]
    if others:
        click.echo(
            f"Not offered, for want of a pinned digest: {', '.join(others)}. Get them here: {dataset.obtain}"
        )
    click.echo(f"Licence: {dataset.licence} ({source.licence_text}). Cite: {dataset.attribution}.")
    click.echo(f"next: mmq-tf datasets check {source.dataset} {shlex.quote(str(out))}")
