"""``mmq-tf simulate``: write a cohort of simulated people."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import Progress

from mmq_tf.datasets.simulated import write_cohort
from mmq_tf.datasets.simulator import DEFAULT_MODALITIES, RATE_HZ, Settings

DEFAULT_SUBJECTS = 12


@click.command(name="simulate")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to make.")
@click.option("--subjects", type=int, default=DEFAULT_SUBJECTS, show_default=True, help="How many people.")
@click.option("--minutes", type=float, default=15.0, show_default=True, help="Length of each recording.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same bytes.")
@click.option(
    "--modalities",
    default=",".join(DEFAULT_MODALITIES),
    show_default=True,
    help=f"Sensors, separated by commas: {', '.join(RATE_HZ)}.",
)
@click.option("--clean", is_flag=True, help="No artefacts and no dropouts.")
@click.option("--force", is_flag=True, help="Replace a simulated cohort that is there.")
def command(
    out: Path, subjects: int, minutes: float, seed: int, modalities: str, clean: bool, force: bool
) -> None:
    """Write a cohort of SIMULATED people: PPG, EDA, skin temperature, acceleration; rest and stress in turn.

    Read it with the data set `simulated`. Each folder knows its artefacts, dropouts, beats and SCRs.
    """
    names = tuple(name.strip() for name in modalities.split(","))
    settings = Settings(seed=seed, minutes=minutes, modalities=names, artefacts=not clean)
    with Progress(transient=True) as progress:
        bar = progress.add_task("simulating", total=subjects)
        write_cohort(out, subjects, settings, replace=force, on_subject=lambda _: progress.advance(bar))
    click.echo(f"SIMULATED cohort of {subjects} x {minutes:g} min ({', '.join(names)}; seed {seed}) in {out}")
