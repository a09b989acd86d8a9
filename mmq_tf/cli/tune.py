# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf tune`: a search for settings that never meets the people it is judged on."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console

from mmq_tf.api.training import checked_config, typed_command
from mmq_tf.api.tuning import INNER, check_search, tune
from mmq_tf.cli._work_bars import WorkBars
from mmq_tf.cli.train import config_changes
from mmq_tf.utils.backend_threads import one_thread_per_command

_EPILOG = """
\b
Examples
  mmq-tf tune simulated --budget 12                        SIMULATED cohort, made in ./cohort if absent
  mmq-tf tune stress-predict --data DIR --loso --budget 30 --jobs 8 --results results/tuned.json
  mmq-tf tune my.toml --data DIR --budget 20 --search training.learning_rate --search model.dropout
  mmq-tf tune eegmat --data DIR --budget 20 --methods forest,logistic_dropout
"""


@click.command(name="tune", epilog=_EPILOG)
@click.argument("config")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the recordings.")
@click.option(
    "--budget",
    type=click.IntRange(min=2),
    required=True,
    help="Trials of each method in each fold, the preset's included.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value of the configuration."
)
@click.option(
    "--seed", "seeds", multiple=True, type=click.IntRange(min=0), help="Seed; repeat it for several."
)
@click.option("--folds", type=click.IntRange(min=2), help="Number of outer folds of subjects.")
@click.option("--loso", is_flag=True, help="Leave one subject out an outer fold.")
@click.option(
    "--inner", type=click.IntRange(min=2), default=INNER, help="Folds of an outer fold's training people."
)
@click.option("--methods", default="", metavar="NAME,NAME", help="Search these alone.  [default: all]")
@click.option(
    "--search",
    multiple=True,
    metavar="NAME",
    help="Change this alone; repeat it for several.  [default: all]",
)
@click.option(
    "--jobs", "workers", type=click.IntRange(min=1), help="Searches side by side.  [default: all cores]"
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [default: runs/tuned-NAME]")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, with .md beside)."
)
@one_thread_per_command()
def command(
    config: str,
    data: Path | None,
    budget: int,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    folds: int | None,
    loso: bool,
    inner: int,
    methods: str,
    search: tuple[str, ...],
    workers: int | None,
    out: Path | None,
    results: Path | None,
) -> None:
    """Search better settings than CONFIG's, a preset's name or a TOML file, and say what that bought.

    Each outer fold is searched on its own, on inner folds of its training and validation people; its test
    people judge what was chosen, and the preset beside it. Network, logistic regression and trees get the
    same number of trials; poor ones are given up early. After Ctrl-C the same command goes on where it was;
    a larger budget continues. Needs Optuna: pip install 'mmq-tf[tune]'.
    """
    if results is not None and results.suffix != ".json":
        raise click.UsageError(f"--results {results}: a results file's name should end in .json.")
    changes = config_changes(overrides, seeds, folds, loso=loso)
    wanted = [name.strip() for name in methods.split(",") if name.strip()]
    settings = checked_config(config, data, changes)  # what is wrong is said before anything slow is loaded
    check_search(settings, wanted, search)
    from mmq_bridge.native_output import quiet_native

    with quiet_native():
        import mmq_tf.training.fold  # noqa: F401  loads the training backend, which talks while it is loaded

    console = Console()
    try:
        found = tune(
            settings,
            data,
            budget=budget,
            out=out,
            inner=inner,
            methods=wanted,
            search=search,
            progress=WorkBars(console),
            jobs=workers or os.cpu_count() or 1,
            command=typed_command(),
        )
    except KeyboardInterrupt:
        raise click.Abort("stopped; the same command goes on where it was.") from None
    for note in found.results.notes:
        if "the search bought" in note:
            console.print(note, highlight=False)
    if results:
        from mmq_tf.reports.run_report import publish

        publish(results, found.results)
        console.print(f"table: {results} and {results.with_suffix('.md')}", highlight=False)
    console.print(f"table and trials: {found.folder}", highlight=False)
