"""`mmq-tf evaluate`: a finished run under missing and broken sensors, every method on the same masks."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import TaskID
from rich.table import Table

from mmq_tf.errors import MMQError
from mmq_tf.protocols import MASKED, PROTOCOLS
from mmq_tf.run_folder import DONE_NAME, newest_run

if TYPE_CHECKING:
    from mmq_tf.evaluation.results import ResultsFile
    from mmq_tf.evaluation.sweep import SweepJob
    from mmq_tf.folds import FoldJob
    from mmq_tf.runs import Run
    from mmq_tf.windows import Stream

_EPILOG = """
\b
Examples
  mmq-tf evaluate                              the newest run, all protocols, into its folder evaluation/
  mmq-tf evaluate runs/loso --jobs 4
  mmq-tf evaluate runs/loso --protocols A,B,C,D     without artefacts: quicker
  mmq-tf evaluate runs/loso --results results/missing.json
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
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: RUN/evaluation]")
@click.option(
    "--jobs", "workers", type=click.IntRange(min=1), help="Folds judged side by side.  [default: all cores]"
)
@click.option("--protocols", default=",".join(PROTOCOLS), callback=_protocols, help="Which protocols.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, with .md beside)."
)
@click.option(
    "--neural", is_flag=True, help="Also train transformers without our queries in every fold (slow)."
)
def command(
    run: Path | None,
    out: Path | None,
    workers: int | None,
    protocols: tuple[str, ...],
    results: Path | None,
    neural: bool,
) -> None:
    """Judge RUN, a finished run's folder, under missing and broken sensors.

    Nothing is trained but the baselines, which are fitted again as in the run. All methods see the same
    masks, drawn once and kept beside the predictions. Folds that are done stay done: after Ctrl-C the same
    command goes on. --neural adds zero_fill, mean_fill, modality_dropout and attention_mask: transformers of
    the network's width, trained as it was, on the same windows.
    """
    if results is not None and results.suffix != ".json":
        raise click.UsageError(f"--results {results}: a results file's name should end in .json.")
    from mmq_tf.cli.train import one_thread_a_worker
    from mmq_tf.native_output import quiet_native

    one_thread_a_worker()
    with quiet_native():
        from mmq_tf.evaluation.sweep_outcome import conclude
        from mmq_tf.outcome import publish
        from mmq_tf.runs import Run  # loads the training backend, which reads the settings above

    console = Console()
    opened = Run.open(run or newest_run())
    if not (opened.folder / DONE_NAME).is_file():
        raise MMQError(
            f"{opened.folder} is not finished; finish it with `mmq-tf train --resume --out {opened.folder}`."
        )
    if opened.dataset.simulated:
        console.print("[b]SIMULATED[/b] data: every number below is about a simulator, not about people.")
    folder = out or opened.folder / "evaluation"
    workers = workers or os.cpu_count() or 1
    try:
        jobs = _jobs(opened, folder, protocols, console, workers, neural=neural)
        _judge(jobs, console, workers)
    except KeyboardInterrupt:
        raise click.Abort("stopped; the same command goes on where it was.") from None
    table = conclude(opened, jobs, folder, shlex.join(["mmq-tf", *sys.argv[1:]]))
    if results:
        publish(results, table)
        console.print(f"table: {results} and {results.with_suffix('.md')}", highlight=False)
    _show(table, console)
    console.print(f"report: {folder / 'report.html'}", highlight=False)


def _jobs(
    run: Run, folder: Path, protocols: Sequence[str], console: Console, workers: int, *, neural: bool
) -> list[SweepJob]:
    """Load the streams the run was trained on and, for protocol E, the same recordings with artefacts."""
    from mmq_tf.baselines import BASELINES
    from mmq_tf.baselines.neural import NEURAL_BASELINES
    from mmq_tf.cli.train import load_streams
    from mmq_tf.evaluation.sweep import artefact_settings, evaluation_jobs

    streams, _ = load_streams(run, console, workers)
    folds: list[FoldJob] = run.begin(streams).jobs(streams)
    for fold in folds:
        if not fold.done:
            raise MMQError(f"{fold.folder} is not a finished fold; train the run again with another --out.")
    corrupted: list[list[Stream]] = []
    if "E" in protocols:
        for snr, settings in artefact_settings(run.config).items():
            console.print(f"artefacts at {snr} dB", highlight=False)
            corrupted.append(load_streams(run, console, workers, settings)[0])
    baselines = [*BASELINES, *(NEURAL_BASELINES if neural else ())]
    return evaluation_jobs(folds, corrupted, folder, protocols, baselines)


def _judge(jobs: Sequence[SweepJob], console: Console, workers: int) -> None:
    from mmq_tf.cli._preparing import progress_bars
    from mmq_tf.workers import run_jobs

    with progress_bars(console) as progress:
        total = progress.add_task("folds", total=len(jobs), completed=sum(job.done for job in jobs), note="")
        bars: dict[str, TaskID] = {}

        def on_method(name: str, count: int, _: dict[str, float]) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=1 + len(jobs[0].baselines), note="methods")
            progress.update(bars[name], completed=count)

        def on_fold(name: str) -> None:
            progress.advance(total)
            if name in bars:
                progress.remove_task(bars.pop(name))

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
