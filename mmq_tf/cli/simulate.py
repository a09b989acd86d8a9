# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf simulate``: write a cohort of simulated people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.core import ParameterSource
from rich.progress import Progress

from mmq_tf.api.training import DEFAULT_SUBJECTS
from mmq_tf.datasets.simulated import DEFAULT_MODALITIES
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.layouts import LAYOUTS
from mmq_tf.simulation.simulator import RATE_HZ, Settings

_EPILOG = """
\b
Examples
  mmq-tf simulate --out cohort --subjects 12
  mmq-tf simulate --out wearer --subjects 1 --modalities ppg,eda,temp --minutes 30
  mmq-tf simulate --layout deap --out deap --subjects 4
"""


@click.command(name="simulate", epilog=_EPILOG)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to make.")
@click.option("--subjects", type=int, default=DEFAULT_SUBJECTS, show_default=True, help="How many people.")
@click.option("--minutes", type=float, default=15.0, show_default=True, help="Length of each recording.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Same seed, same bytes."
)
@click.option(
    "--modalities",
    default=",".join(DEFAULT_MODALITIES),
    show_default=True,
    help=f"Sensors, separated by commas: {', '.join(RATE_HZ)}.",
)
@click.option("--clean", is_flag=True, help="No artefacts and no dropouts.")
@click.option(
    "--layout", type=click.Choice(sorted(LAYOUTS)), help="Write the files of this data set's publication."
)
@click.option(
    "--locked",
    is_flag=True,
    help="With --layout deap: a video stirs everyone alike, second by second, beside each one's own rhythm.",
)
@click.option("--whole", is_flag=True, help="With --layout: as long as published.  [default: shortened]")
@click.option("--force", is_flag=True, help="Replace a simulated cohort that is there.")
@click.pass_context
def command(
    context: click.Context,
    out: Path,
    subjects: int,
    minutes: float,
    seed: int,
    modalities: str,
    clean: bool,
    layout: str | None,
    locked: bool,
    whole: bool,
    force: bool,
) -> None:
    """Write a cohort of SIMULATED people: PPG, EDA, skin temperature, acceleration; rest and stress in turn.

    Read it with the data set `simulated`. Each folder knows its artefacts, dropouts, beats and SCRs. With
    --layout the sensors, the protocol and the files are those of a published data set; read it with that one.
    """
    _check_options(context, layout)
    if layout:
        from mmq_tf.simulation.layouts.cohort import write_layout

        with _progress(subjects) as on_subject:
            write_layout(
                layout,
                out,
                subjects,
                seed,
                short=not whole,
                locked=locked,
                replace=force,
                on_subject=on_subject,
            )
        click.echo(f"SIMULATED cohort of {subjects} in the layout of {layout} (seed {seed}) in {out}")
        return
    names = tuple(name.strip() for name in modalities.split(","))
    settings = Settings(seed=seed, minutes=minutes, modalities=names, artefacts=not clean)
    with _progress(subjects) as on_subject:
        write_cohort(out, subjects, settings, replace=force, on_subject=on_subject)
    click.echo(f"SIMULATED cohort of {subjects} x {minutes:g} min ({', '.join(names)}; seed {seed}) in {out}")


def _check_options(context: click.Context, layout: str | None) -> None:
    """Refuse options that the wanted kind of cohort would ignore."""
    ignored = ("minutes", "modalities", "clean") if layout else ("whole", "locked")
    for name in ignored:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            why = "cannot be given with --layout" if layout else "goes with --layout only"
            raise click.UsageError(f"--{name} {why}.")


@contextmanager
def _progress(subjects: int) -> Iterator[Callable[[str], None]]:
    with Progress(transient=True, disable=not sys.stdout.isatty()) as progress:
        bar = progress.add_task("simulating", total=subjects)
        yield lambda subject: progress.update(bar, advance=1, description=f"simulating, {subject} done")
