# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf prepare`: the features of a data set into the cache, before anything is trained."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click
from rich.console import Console

from mmq_tf.cli._work_bars import WorkBars

_EPILOG = """
\b
Examples
  mmq-tf prepare deap --data DIR                   every subject, on all cores
  mmq-tf prepare my.toml --data DIR --jobs 1       one recording in memory at a time
  mmq-tf prepare wesad --data DIR --skip-bad       report a broken subject and go on
"""


@click.command(name="prepare", epilog=_EPILOG)
@click.argument("config")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the recordings.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value of the configuration."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Subjects prepared side by side.  [default: all cores]"
)
@click.option("--skip-bad", is_flag=True, help="Report a bad recording and go on; the default stops.")
def command(config: str, data: Path, overrides: tuple[str, ...], jobs: int | None, skip_bad: bool) -> None:
    """Compute the features of CONFIG's recordings (a preset's name or a TOML file) into the cache.

    `train` does the same when it begins. What is there already is kept: a rerun takes seconds, Ctrl-C loses
    only the subjects in work, and a changed value of the front end recomputes what depends on it.
    """
    from mmq_bridge.cache import cache_folder

    from mmq_tf.config.run_config import load_config
    from mmq_tf.features.prepare_dataset import prepare_dataset
    from mmq_tf.features.token_cache import TokenSettings

    run = load_config(config, overrides)
    settings = TokenSettings(run.front_end, run.artefacts, run.seeds[0])
    began, console = time.monotonic(), Console()
    done = prepare_dataset(
        run.source,
        data,
        settings,
        jobs=jobs or os.cpu_count() or 1,
        skip_bad=skip_bad,
        progress=WorkBars(console),
    )
    made, bad = sum(bool(one.made) for one in done), sum(bool(one.fault) for one in done)
    seconds, kept = time.monotonic() - began, len(done) - made - bad
    console.print(
        f"{len(done)} recordings in {seconds:.1f} s: {made} made, {kept} kept"
        f"{f', {bad} BAD and left out' if bad else ''}; cache: {cache_folder()}",
        highlight=False,
    )
