# SPDX-License-Identifier: Apache-2.0
"""What `prepare` and `train` show while recordings go through the front end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from mmq_tf.features.prepare_dataset import Prepared
    from mmq_tf.features.token_cache import TokenSettings


def progress_bars(console: Console) -> Progress:
    """Return bars with a count, the time and a field ``note``."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def prepare_recordings(
    console: Console, dataset: str, folder: Path, settings: TokenSettings, *, jobs: int, skip_bad: bool
) -> list[Prepared]:
    """Call `prepare_dataset` with a progress bar, and say which recordings were bad and why."""
    from mmq_tf.features.prepare_dataset import prepare_dataset

    with progress_bars(console) as progress:
        bar = progress.add_task("recordings through the front end", total=None, note="")
        done = prepare_dataset(
            dataset,
            folder,
            settings,
            jobs=jobs,
            skip_bad=skip_bad,
            on_total=lambda total: progress.update(bar, total=total),
            on_subject=lambda one: progress.update(bar, advance=1, note=one.name),
        )
    for one in done:
        if one.fault:
            console.print(f"[b]bad[/b] {one.name}: {one.fault}", highlight=False, soft_wrap=True)
    return done
