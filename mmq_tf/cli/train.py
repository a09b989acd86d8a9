# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf train`: subjects apart, every baseline beside the network, a report to look at."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from mmq_tf.api.tracking import TRACKERS, check_trackers, tracked
from mmq_tf.api.training import (
    check_recordings,
    checked_config,
    cluster_of,
    new_run,
    train_run,
    typed_command,
)
from mmq_tf.cli._cluster import cluster_options
from mmq_tf.cli._work_bars import WorkBars
from mmq_tf.training.run_folder import newest_unfinished_run
from mmq_tf.utils.backend_threads import one_thread_per_command
from mmq_tf.utils.foreign_settings import BACKEND, check_jax
from mmq_tf.utils.one_writer import one_writer

if TYPE_CHECKING:
    from mmq_tf.training.run import Run

DEFAULT_PRESET = "simulated"

_EPILOG = """
\b
Examples
  mmq-tf train                                            SIMULATED cohort, made in ./cohort if absent
  mmq-tf train stress-predict --data DIR --loso           one subject left out a fold
  mmq-tf train eegmat --data DIR --folds 5 --seed 0 --seed 1 --seed 2
  mmq-tf train my.toml --data DIR --set training.epochs=20 --no-final
  mmq-tf train deap --data DIR --model mhacl --init encoders/deap     after: mmq-tf pretrain deap --data DIR
  mmq-tf train my.toml --data DIR --track mlflow          followed in MLflow, or wandb, or tensorboard
  mmq-tf train --resume                                   resume the newest unfinished run
"""


@click.command(name="train", epilog=_EPILOG)
@click.argument("config", required=False)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the recordings.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value of the configuration."
)
@click.option(
    "--seed", "seeds", multiple=True, type=click.IntRange(min=0), help="Seed; repeat it for several."
)
@click.option("--folds", type=click.IntRange(min=2), help="Number of folds of subjects.")
@click.option("--model", type=click.Choice(["mmqnet", "mhacl"]), help="Network.  [default: mmqnet]")
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Start from the encoders of this folder that `mmq-tf pretrain` made.",
)
@click.option("--loso", is_flag=True, help="Leave one subject out a fold.")
@click.option(
    "--final/--no-final",
    default=None,
    help="Then train on all subjects, for the folds' median epoch: the network to export, which the folds "
    "judge.  [default: --final]",
)
@click.option(
    "--jobs", "workers", type=click.IntRange(min=1), help="Folds trained side by side.  [default: all cores]"
)
@cluster_options
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    help="Split each batch between so many GPUs; with KERAS_BACKEND=jax, one fold at a time.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME-TIME]")
@click.option("--resume", is_flag=True, help="Resume the run in --out, or the newest unfinished one.")
@click.option("--force", is_flag=True, help="Replace the run in --out.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, with .md beside)."
)
@click.option("--skip-bad", is_flag=True, help="Leave bad recordings out and say so; the default stops.")
@click.option(
    "--track",
    "trackers",
    multiple=True,
    type=click.Choice(TRACKERS),
    help="Follow the training there; repeatable. mlflow and wandb are extras.",
)
@click.option("--tensorboard", is_flag=True, help="The same as --track tensorboard.")
@one_thread_per_command()
def command(
    config: str | None,
    data: Path | None,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    folds: int | None,
    model: str | None,
    init: Path | None,
    loso: bool,
    final: bool | None,
    workers: int | None,
    cluster: str | None,
    gpus_per_job: float,
    devices: int | None,
    out: Path | None,
    resume: bool,
    force: bool,
    results: Path | None,
    skip_bad: bool,
    trackers: tuple[str, ...],
    tensorboard: bool,
) -> None:
    """Train MMQ-Net, or --model mhacl, and every baseline on CONFIG: a preset's name or a TOML file.

    Presets: simulated (the default), stress-predict, cogwear, wrist, eegmat, pooled, wesad, wesad-chest,
    wesad-wrist-with-chest, deap, mahnob-hci, case. Subjects are kept apart; epoch and calibration are chosen
    on validation subjects; each fold has fresh weights. Ctrl-C leaves a run that --resume continues.
    """
    if resume and (
        config or data or overrides or seeds or folds or model or init or loso or force or skip_bad
    ):
        raise click.UsageError(
            "--resume resumes a run as it was started: beside it only --out, --final, --jobs, --cluster, "
            "--gpus-per-job, --results, --track and --tensorboard may be given."
        )
    if results is not None and results.suffix != ".json":
        raise click.UsageError(f"--results {results}: a results file's name should end in .json.")
    if devices and workers and workers > 1:
        raise click.UsageError("--devices splits one fold's batches, --jobs trains several folds: give one.")
    if devices and cluster:
        raise click.UsageError("--devices splits one fold's batches here, --cluster trains folds: give one.")
    check_trackers(trackers)
    console = Console()
    bars = WorkBars(console)
    engine = cluster_of(cluster, gpus_per_job, bars)
    if devices:
        check_jax(os.environ.get("KERAS_BACKEND", BACKEND), devices)
    changes = config_changes(overrides, seeds, folds, loso=loso)
    if model == "mhacl":  # the presets' line stands beside mmqnet's queries alone
        from mmq_tf.config.training_spec import WITHOUT_LINE

        changes = [*WITHOUT_LINE, *changes]
    changes += [f'model.name="{model}"'] if model else []
    settings = None if resume else checked_config(config or DEFAULT_PRESET, data, changes)
    if settings is not None:
        check_recordings(settings, data)
    from mmq_bridge.native_output import quiet_native

    with quiet_native():
        from mmq_tf.training.run import Run  # loads the training backend, which reads the settings above
        from mmq_tf.training.run_streams import begin_run

    if devices:
        from mmq_tf.training.devices import use_devices

        use_devices(devices)
    if settings is None:
        run = Run.resumed(out or newest_unfinished_run())
    else:
        run = new_run(
            settings,
            data,
            out,
            bars,
            command=typed_command(),
            final=final is not False,
            force=force,
            skip_bad=skip_bad,
            init=init,
        )
        if config is None:
            console.print(
                "Training the preset [b]simulated[/b]. For real recordings: mmq-tf train stress-predict "
                "--data DIR (or another preset, or your own TOML file)."
            )
    workers = 1 if devices else workers or os.cpu_count() or 1
    tensorboard = tensorboard or "tensorboard" in trackers
    with one_writer(run.home), tracked(trackers, run.config, run.home, bars) as followed:
        run, jobs = begin_run(run, workers, followed, tensorboard=tensorboard)
        try:
            final = bool(final) or run.facts.final
            train_run(run, jobs, followed, final=final, workers=workers, cluster=engine)
        except KeyboardInterrupt:
            raise click.Abort(
                f"stopped; resume with: mmq-tf train --resume --out {shlex.quote(str(run.home))}"
            ) from None
        run = run.in_place()
    if results:
        _publish(run, results, console)
    console.print(
        f"report: {run.folder / 'report.html'}\nnext: mmq-tf export {run.folder} --int8", highlight=False
    )


def config_changes(
    overrides: Sequence[str], seeds: Sequence[int], folds: int | None, *, loso: bool
) -> list[str]:
    """Return what the options change in a configuration, as ``--set`` writes it."""
    if loso and folds:
        raise click.UsageError("--loso and --folds exclude each other.")
    changes = [*overrides]
    changes += [f"seeds=[{', '.join(map(str, seeds))}]"] if seeds else []
    changes += [f"split.folds={folds}"] if folds else []
    changes += ['split.folds="loso"'] if loso else []
    return changes


def _publish(run: Run, path: Path, console: Console) -> None:
    from mmq_tf.metrics.results_table import read_results
    from mmq_tf.reports.run_report import publish

    publish(path, read_results(run.folder / "results.json"))
    console.print(f"table: {path} and {path.with_suffix('.md')}", highlight=False)
