# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf evaluate`: a run under missing and broken sensors, every method on the same masks."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from mmq_tf.errors import MMQError
from mmq_tf.evaluation.protocols import MASKED, PROTOCOLS
from mmq_tf.training.run_folder import DONE_NAME, FACTS_NAME, RUNS, newest_run

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.evaluation.sweep import SweepJob
    from mmq_tf.features.windows import Stream
    from mmq_tf.metrics.results_table import ResultsFile
    from mmq_tf.training.fold import FoldJob
    from mmq_tf.training.run import Run

NULL_METHOD = "forest"
"""Whose labels are moved for the null."""

_EPILOG = """
\b
Examples
  mmq-tf evaluate                              the newest run, all protocols, into its folder evaluation/
  mmq-tf evaluate runs/loso --jobs 4
  mmq-tf evaluate stress-predict --data DIR --loso --seed 0 --seed 1 --seed 2 --neural    trains first
  mmq-tf evaluate runs/loso --protocols A,B,C,D     without artefacts: quicker
  mmq-tf evaluate runs/loso --results results/missing.json --plots docs/missing
\b
Protocols, by what is hidden at test
  A  whole modalities of windows             B  blocks of 2 to 20 s of a modality
  C  scattered tokens                        D  each sensor gone, each alone, every subset
  E  nothing: artefacts on 30 % of tokens, at 10, 5, 0 and -5 dB
"""


def _protocols(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    wanted = {part.strip().upper() for part in value.split(",")}
    if unknown := sorted(wanted - set(PROTOCOLS)):
        raise click.BadParameter(
            f"expected some of {','.join(PROTOCOLS)}, commas between; got {unknown[0]!r}."
        )
    return tuple(protocol for protocol in PROTOCOLS if protocol in wanted)


@click.command(name="evaluate", epilog=_EPILOG)
@click.argument("run", required=False, metavar="[RUN|CONFIG]")
@click.option("--data", type=click.Path(path_type=Path), help="Of a CONFIG: folder of the recordings.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of a CONFIG: change one of its values."
)
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    type=click.IntRange(min=0),
    help="Of a CONFIG: seed; repeat it for several.",
)
@click.option("--folds", type=click.IntRange(min=2), help="Of a CONFIG: number of folds of subjects.")
@click.option("--loso", is_flag=True, help="Of a CONFIG: leave one subject out a fold.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to write: of the evaluation, or of a CONFIG's run.  [default: RUN/evaluation, runs/NAME]",
)
@click.option(
    "--jobs", "workers", type=click.IntRange(min=1), help="Folds judged side by side.  [default: all cores]"
)
@click.option("--protocols", default=",".join(PROTOCOLS), callback=_protocols, help="Which protocols.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, with .md beside)."
)
@click.option(
    "--plots", type=click.Path(path_type=Path, file_okay=False), help="Also write the figures here, as SVG."
)
@click.option(
    "--neural", is_flag=True, help="Also train transformers without our queries in every fold (slow)."
)
@click.option(
    "--ablations", is_flag=True, help="Also train the network with each part taken out in turn (very slow)."
)
@click.option(
    "--methods", default="", metavar="NAME,NAME", help="Also train these of --neural and --ablations."
)
@click.option("--null-network", is_flag=True, help="Also train the network on moved labels (slow).")
def command(
    run: str | None,
    data: Path | None,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    folds: int | None,
    loso: bool,
    out: Path | None,
    workers: int | None,
    protocols: tuple[str, ...],
    results: Path | None,
    plots: Path | None,
    neural: bool,
    ablations: bool,
    methods: str,
    null_network: bool,
) -> None:
    """Judge RUN, a finished run's folder, under missing and broken sensors.

    A CONFIG, a preset's name or a TOML file, is trained first as `mmq-tf train` does. Of a RUN nothing is
    trained but the baselines, which are fitted again. All methods see the same masks, drawn once and kept
    beside the predictions. What is done stays done, by fold and method: after Ctrl-C the same command goes
    on, and further methods cost only themselves. --neural adds transformers of the network's width, trained
    as it was: zero_fill, mean_fill, modality_dropout, attention_mask, memory_tokens, cross_modal.
    --ablations adds the network itself without one of its parts, with a table and page of their own; then
    --results is that table. The row forest_shifted is a null: a forest
    fitted and judged on labels moved in time.
    """
    if results is not None and results.suffix != ".json":
        raise click.UsageError(f"--results {results}: a results file's name should end in .json.")
    from mmq_bridge.native_output import quiet_native

    from mmq_tf.api.training import checked_config, one_thread_a_worker
    from mmq_tf.cli.train import config_changes

    changes = config_changes(overrides, seeds, folds, loso=loso)
    finished = run is None or Path(run).is_dir()
    if finished and (data or changes):
        raise click.UsageError("--data, --set, --seed, --folds and --loso belong to a CONFIG, not to a RUN.")
    config = None if finished or run is None else checked_config(run, data, changes)
    one_thread_a_worker()
    with quiet_native():
        from mmq_tf.baselines.label_shift import shifted_name
        from mmq_tf.comparisons.ablations import ABLATIONS
        from mmq_tf.reports.ablation_report import conclude_ablations
        from mmq_tf.reports.run_report import (
            publish,  # loads the training backend, which reads the settings above
        )
        from mmq_tf.reports.sweep_run_report import conclude

    console = Console()
    workers = workers or os.cpu_count() or 1
    chosen = partial(_baselines, methods, neural=neural, ablations=ablations)
    try:
        if config is None:
            opened = _finished(Path(run) if run else newest_run())
            folder = out or opened.folder / "evaluation"
        else:
            chosen(config.front_end.modality_names)  # a wrong name is said before anything is trained
            opened = _trained(config, data, out or RUNS / config.name, console, workers)
            folder = opened.folder / "evaluation"
        if opened.dataset.simulated:
            console.print("[b]SIMULATED[/b] data: every number below is about a simulator, not about people.")
        names = chosen(opened.config.front_end.modality_names)
        null_of = [NULL_METHOD] if NULL_METHOD in names else []
        null_of += [opened.config.model.name] if null_network else []
        nulls = [shifted_name(name) for name in null_of]
        jobs = _jobs(opened, folder, protocols, console, workers, names, nulls)
        _judge(jobs, console, workers)
    except KeyboardInterrupt:
        raise click.Abort("stopped; the same command goes on where it was.") from None
    typed = shlex.join(["mmq-tf", *sys.argv[1:]])
    table = conclude(opened, jobs, folder, typed, plots)
    if set(names) & set(ABLATIONS):
        table = conclude_ablations(opened, jobs, folder, typed, plots)
        console.print(f"ablations: {folder / 'ablation.html'}", highlight=False)
    if results:
        publish(results, table)
        console.print(f"table: {results} and {results.with_suffix('.md')}", highlight=False)
    _show(table, console)
    if plots:
        console.print(f"figures: {plots}", highlight=False)
    console.print(f"report: {folder / 'report.html'}", highlight=False)


def _finished(folder: Path) -> Run:
    from mmq_tf.training.run import Run

    run = Run.open(folder)
    if not (folder / DONE_NAME).is_file():
        raise MMQError(f"{folder} is not finished; finish it with `mmq-tf train --resume --out {folder}`.")
    return run


def _trained(config: RunConfig, data: Path | None, out: Path, console: Console, workers: int) -> Run:
    """Return the finished run of a configuration: trained, gone on with, or as it is there.

    Raises
    ------
    MMQError
        If `out` holds something else.
    """
    from mmq_tf.api.training import new_run, train_run
    from mmq_tf.cli._tables import show_results
    from mmq_tf.cli._work_bars import WorkBars
    from mmq_tf.training.run import Run
    from mmq_tf.training.run_streams import begin_run

    bars = WorkBars(console)

    if (out / FACTS_NAME).is_file():
        run = Run.open(out)
        if run.config != config or (data and run.data_folder != data.resolve()):
            raise MMQError(f"{out} holds a run of another configuration or data folder; name another --out.")
    else:
        run = new_run(config, data, out, bars, final=False)
    if (out / DONE_NAME).is_file():
        return run
    run, jobs = begin_run(run, workers, bars)
    show_results(train_run(run, jobs, bars, final=run.facts.final, workers=workers), console)
    return run


def _baselines(methods: str, modality_names: Sequence[str], *, neural: bool, ablations: bool) -> list[str]:
    """Name the baselines to judge: the cheap ones, then all transformers, all ablations, those asked for."""
    from mmq_tf.baselines import BASELINES
    from mmq_tf.comparisons.ablations import ablations_of
    from mmq_tf.comparisons.neural import NEURAL_BASELINES

    wanted = [name.strip() for name in methods.split(",") if name.strip()]
    parts = ablations_of(modality_names)
    if unknown := [name for name in wanted if name not in (*BASELINES, *NEURAL_BASELINES, *parts)]:
        raise click.BadParameter(
            f"expected some of {', '.join((*NEURAL_BASELINES, *parts))}; got {unknown[0]!r}.",
            param_hint="--methods",
        )
    found = [*BASELINES, *(NEURAL_BASELINES if neural else ()), *(parts if ablations else ()), *wanted]
    return list(dict.fromkeys(found))


def _jobs(
    run: Run,
    folder: Path,
    protocols: Sequence[str],
    console: Console,
    workers: int,
    baselines: Sequence[str],
    nulls: Sequence[str],
) -> list[SweepJob]:
    """Load the streams the run was trained on and, for protocol E, the same recordings with artefacts."""
    from mmq_tf.cli._work_bars import WorkBars
    from mmq_tf.evaluation.sweep import artefact_settings, evaluation_jobs
    from mmq_tf.training.run_streams import load_streams

    bars = WorkBars(console)
    streams, _ = load_streams(run, workers, bars)
    folds: list[FoldJob] = run.begin(streams).jobs(streams)
    for fold in folds:
        if not fold.done:
            raise MMQError(f"{fold.folder} is not a finished fold; train the run again with another --out.")
    corrupted: list[list[Stream]] = []
    if "E" in protocols:
        for snr, settings in artefact_settings(run.config).items():
            console.print(f"artefacts at {snr} dB", highlight=False)
            corrupted.append(load_streams(run, workers, bars, settings)[0])
    return evaluation_jobs(folds, corrupted, folder, protocols, baselines, nulls)


def _judge(jobs: Sequence[SweepJob], console: Console, workers: int) -> None:
    from mmq_tf.cli._fold_bars import fold_bars
    from mmq_tf.training.workers import run_jobs

    steps = len((*jobs[0].methods, *jobs[0].nulls))
    with fold_bars(console, jobs, steps, lambda metrics: "methods") as (on_method, on_fold):
        run_jobs(jobs, workers, on_method, on_fold)


def _show(results: ResultsFile, console: Console) -> None:
    stamp = "SIMULATED  " if results.simulated else ""
    for metric in ("auroc", "macro_f1"):
        columns = {"full": metric, **{p: f"area_{metric}" for p in MASKED}, "E-0dB": metric}
        rows = {m: [results.row(m, c, name) for c, name in columns.items()] for m in results.methods}
        used = [place for place in range(len(columns)) if any(found[place] for found in rows.values())]
        table = Table(
            title=f"{stamp}{results.data}: {metric}",
            caption="mean over subjects; A, B, C: area under the curve",
        )
        table.add_column("method")
        for place in used:
            table.add_column(list(columns)[place], justify="right")
        for method, found in rows.items():
            cells = [found[place] for place in used]
            if any(cells):
                table.add_row(
                    method, *(f"{row.mean:.3f}" if row and row.mean is not None else "-" for row in cells)
                )
        console.print(table)
