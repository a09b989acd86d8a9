# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf train`: subjects apart, every baseline beside the network, a report to look at."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import RUNS, newest_unfinished_run

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.features.token_cache import TokenSettings
    from mmq_tf.features.windows import Stream
    from mmq_tf.training.fold import FoldJob
    from mmq_tf.training.run import Run

DEFAULT_PRESET = "simulated"
DEFAULT_COHORT = Path("cohort")
GOLDEN_S = 120.0

_EPILOG = """
\b
Examples
  mmq-tf train                                            SIMULATED cohort, made in ./cohort if absent
  mmq-tf train stress-predict --data DIR --loso           one subject left out a fold
  mmq-tf train eegmat --data DIR --folds 5 --seed 0 --seed 1 --seed 2
  mmq-tf train my.toml --data DIR --set training.epochs=20 --final
  mmq-tf train deap --data DIR --model mhacl --init encoders/deap     after: mmq-tf pretrain deap --data DIR
  mmq-tf train --resume                                   go on with the newest unfinished run
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
    "--final", is_flag=True, help="Then train on all subjects, for the folds' median epoch, to export that."
)
@click.option(
    "--jobs", "workers", type=click.IntRange(min=1), help="Folds trained side by side.  [default: all cores]"
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME-TIME]")
@click.option(
    "--resume", is_flag=True, help="Go on with the run in --out, or with the newest unfinished one."
)
@click.option("--force", is_flag=True, help="Replace the run in --out.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, with .md beside)."
)
@click.option("--skip-bad", is_flag=True, help="Leave bad recordings out and say so; the default stops.")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard logs into each fold's folder.")
def command(
    config: str | None,
    data: Path | None,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    folds: int | None,
    model: str | None,
    init: Path | None,
    loso: bool,
    final: bool,
    workers: int | None,
    out: Path | None,
    resume: bool,
    force: bool,
    results: Path | None,
    skip_bad: bool,
    tensorboard: bool,
) -> None:
    """Train MMQ-Net, or --model mhacl, and every baseline on CONFIG: a preset's name or a TOML file.

    Presets: simulated (the default), stress-predict, eegmat, pooled, wesad, wesad-chest,
    wesad-wrist-with-chest, deap, mahnob-hci, case. Subjects are kept apart; epoch and calibration are chosen
    on validation subjects; each fold has fresh weights. Ctrl-C leaves a run that --resume continues.
    """
    if resume and (
        config or data or overrides or seeds or folds or model or init or loso or force or skip_bad
    ):
        raise click.UsageError(
            "--resume goes on with a run as it was started: beside it only --out, --final, --jobs, --results "
            "and --tensorboard may be given."
        )
    if results is not None and results.suffix != ".json":
        raise click.UsageError(f"--results {results}: a results file's name should end in .json.")
    changes = config_changes(overrides, seeds, folds, loso=loso)
    changes += [f'model.name="{model}"'] if model else []
    settings = None if resume else checked_config(config, data, changes)
    one_thread_a_worker()
    from mmq_tf.utils.native_output import quiet_native

    with quiet_native():
        from mmq_tf.training.run import Run  # loads the training backend, which reads the settings above

    console = Console()
    if settings is None:
        run = Run.open(out or newest_unfinished_run())
    else:
        run = new_run(settings, data, out, console, final=final, force=force, skip_bad=skip_bad, init=init)
        if config is None:
            console.print(
                "Training the preset [b]simulated[/b]. For real recordings: mmq-tf train stress-predict "
                "--data DIR (or another preset, or your own TOML file)."
            )
    workers = workers or os.cpu_count() or 1
    run, jobs = begin_run(run, console, workers, tensorboard=tensorboard)
    try:
        train_run(run, jobs, console, final=final or run.facts.final, workers=workers)
    except KeyboardInterrupt:
        raise click.Abort(
            f"stopped; go on with: mmq-tf train --resume --out {shlex.quote(str(run.folder))}"
        ) from None
    if results:
        _publish(run, results, console)
    console.print(
        f"report: {run.folder / 'report.html'}\nnext: mmq-tf export {run.folder} --int8", highlight=False
    )


def one_thread_a_worker() -> None:
    """Keep the training backend to one thread a process, before it is first imported."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")


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


def checked_config(source: str | None, data: Path | None, changes: Sequence[str]) -> RunConfig:
    """Return the configuration; what is wrong with it is said before anything slow is loaded."""
    from mmq_tf.config.run_config import load_config

    config = load_config(source or DEFAULT_PRESET, changes)
    if data is None and config.data.dataset != "simulated":
        raise MMQError(f"{config.data.dataset} needs its recordings: give their folder with --data DIR.")
    if data is not None and not data.is_dir():
        raise MMQError(f"--data {data} is not a folder.")
    return config


def new_run(
    config: RunConfig,
    data: Path | None,
    out: Path | None,
    console: Console,
    *,
    final: bool,
    force: bool = False,
    skip_bad: bool = False,
    init: Path | None = None,
) -> Run:
    """Plan a run in `out` (by default a new folder), after making the cohort that no --data stands for."""
    from mmq_tf.training.pretrained_encoder import TOKENS_ONLY, check_start
    from mmq_tf.training.run import Run

    if config.pretraining.input == "raw":
        raise MMQError(f"pretraining.input is 'raw', but {TOKENS_ONLY}.")
    if init is not None:
        check_start(init)
    out = out or RUNS / f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    command = shlex.join(["mmq-tf", *sys.argv[1:]])
    run = Run.plan(
        out,
        config,
        command,
        data or DEFAULT_COHORT,
        final=final,
        force=force,
        skip_bad=skip_bad,
        init=init,
    )
    if data is None:
        make_default_cohort(console)
    return run


def make_default_cohort(console: Console) -> None:
    """Simulate the cohort that is used where no data are given, unless it is there."""
    from mmq_tf.cli.simulate import DEFAULT_SUBJECTS
    from mmq_tf.simulation.cohort import write_cohort
    from mmq_tf.simulation.simulator import Settings

    if not DEFAULT_COHORT.exists():
        console.print(f"Simulating a cohort in {DEFAULT_COHORT}/ (SIMULATED data).")
        write_cohort(DEFAULT_COHORT, DEFAULT_SUBJECTS, Settings())


def begin_run(
    run: Run, console: Console, workers: int, *, tensorboard: bool = False
) -> tuple[Run, list[FoldJob]]:
    """Load and check everything first, so that what cannot be trained leaves no run folder."""
    from mmq_tf.datasets.manifest.dataset import check_classes
    from mmq_tf.training.run import check_folds

    check_classes(run.dataset, run.config.data.task, run.config.classes)
    if run.dataset.simulated:
        console.print("[b]SIMULATED[/b] data: every number below is about a simulator, not about people.")
    streams, left_out = load_streams(run, console, workers)
    jobs = run.jobs(streams, tensorboard=tensorboard)
    check_folds(jobs)
    return run.begin(streams, left_out), jobs


def train_run(run: Run, jobs: Sequence[FoldJob], console: Console, *, final: bool, workers: int) -> None:
    """Do everything a run still lacks: folds, the model to export, table and report."""
    from mmq_tf.cli._fold_bars import fold_bars
    from mmq_tf.cli._tables import show_results
    from mmq_tf.evaluation.judge_fold import JudgedFold
    from mmq_tf.reports.run_report import conclude
    from mmq_tf.training.run import copy_first_fold, train_final, write_golden, write_metrics
    from mmq_tf.training.workers import run_jobs

    def note(metrics: Mapping[str, float]) -> str:
        chosen = f"  validation AUROC {metrics['val_auroc']:.3f}" if "val_auroc" in metrics else ""
        return f"loss {metrics['loss']:.3f}{chosen}"

    todo = [JudgedFold(job) for job in jobs]
    with fold_bars(console, todo, run.config.training.epochs, note) as (on_epoch, on_fold):
        run_jobs(todo, workers, on_epoch, on_fold)
        facts = train_final(run, jobs, on_epoch) if final else copy_first_fold(run, jobs)
    golden = (facts["test_subjects"] or facts["train_subjects"])[0]
    names = run.dataset.subjects(run.data_folder)
    golden = next(name for name in names if name.partition("/")[0] == golden)  # of several sessions the first
    write_golden(run, run.dataset.load(run.data_folder, golden), GOLDEN_S)
    table = conclude(run, jobs)
    write_metrics(run, facts, [row.model_dump() for row in table.rows], len(jobs) // len(run.config.seeds))
    show_results(table, console)


def _publish(run: Run, path: Path, console: Console) -> None:
    from mmq_tf.metrics.results_table import read_results
    from mmq_tf.reports.run_report import publish

    publish(path, read_results(run.folder / "results.json"))
    console.print(f"table: {path} and {path.with_suffix('.md')}", highlight=False)


def load_streams(
    run: Run, console: Console, workers: int, settings: TokenSettings | None = None
) -> tuple[list[Stream], list[str]]:
    """Return the token streams, and a line for every bad recording that was left out.

    With the run's own settings, unless others are given.
    """
    from mmq_tf.cli._preparing import prepare_recordings
    from mmq_tf.features.prepare_dataset import load_prepared
    from mmq_tf.features.token_cache import TokenSettings

    config, name = run.config, run.config.data.dataset
    settings = settings or TokenSettings(config.front_end, config.artefacts, config.seeds[0])
    done = prepare_recordings(
        console, name, run.data_folder, settings, jobs=workers, skip_bad=run.facts.skip_bad
    )
    left_out = [f"{one.name}: {one.fault}" for one in done if one.fault]
    return load_prepared(name, run.data_folder, settings, done), left_out
