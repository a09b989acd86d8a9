# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf datasets new`` and ``config``: from a folder of recordings to its manifest, and on to a run."""

from __future__ import annotations

from pathlib import Path

import click

from mmq_tf.errors import MMQError

_EPILOG_NEW = """
\b
Examples
  mmq-tf datasets new my-study              writes my-study/mmq-tf.toml to fill in
  mmq-tf datasets check manifest my-study   is it filled in, and are the files as it says?
"""
_EPILOG_CONFIG = """
\b
Examples
  mmq-tf datasets config my-study --out my.toml
  mmq-tf train my.toml --data my-study
"""


@click.command(name="new", epilog=_EPILOG_NEW)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a manifest that is there.")
def new(folder: Path, force: bool) -> None:
    """Look at the files in FOLDER and write a commented mmq-tf.toml that describes them.

    Patterns, columns, rates and channels are filled in as found; units, classes and licence that no file says
    are left for you, marked "choose:".
    """
    from mmq_bridge.recordings.files import existing_folder

    from mmq_tf.datasets.manifest.guess import look_at
    from mmq_tf.datasets.manifest.schema import FILE_NAME
    from mmq_tf.datasets.manifest.template import OPEN, render
    from mmq_tf.utils.atomic_files import write_text

    path = existing_folder(folder, "recordings") / FILE_NAME
    if path.exists() and not force:
        raise MMQError(f"{path}: is there already; --force replaces it.")
    found = look_at(folder)
    text = render(found)
    write_text(path, text)
    for one in found.files:
        what = ", ".join(one.signals) or one.form
        pattern = one.pattern.path or f"choose which part of {one.pattern.files[0]} is the person"
        click.echo(f"{pattern}: {len(one.pattern.files)} of {one.form} ({what})")
    click.echo(f"{path}: written; fill in the {text.count(OPEN)} lines marked {OPEN[2:]!r}")


@click.command(name="config", epilog=_EPILOG_CONFIG)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--task", help="What to learn.  [default: the only task]")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Configuration to write (.toml).")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def config(folder: Path, task: str | None, out: Path, force: bool) -> None:
    """Write a run configuration for the recordings that FOLDER's mmq-tf.toml describes.

    The front end takes the sensors, rates and channels that the recordings have; windows fit their trials.
    """
    from mmq_tf.cli._run_template import write_run_config
    from mmq_tf.datasets import MANIFEST_NAME, open_dataset

    if out.exists() and not force:
        raise MMQError(f"{out}: is there already; --force replaces it, or name another --out.")
    for line in write_run_config(open_dataset(MANIFEST_NAME, folder), folder, task, out):
        click.echo(line)
    click.echo(f"{out}: written; mmq-tf train {out} --data {folder}")
