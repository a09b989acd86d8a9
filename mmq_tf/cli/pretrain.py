# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf pretrain`: stage 1 of ME-MHACL, encoders from recordings without labels."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from mmq_tf.api.training import DEFAULT_COHORT, checked_config, cluster_of, make_default_cohort
from mmq_tf.cli._cluster import cluster_options
from mmq_tf.cli._work_bars import WorkBars
from mmq_tf.cli.train import DEFAULT_PRESET, config_changes
from mmq_tf.errors import MMQError
from mmq_tf.utils.backend_threads import one_thread_per_command
from mmq_tf.utils.one_writer import one_writer

if TYPE_CHECKING:
    from mmq_tf.pretraining.job import PretrainJob
    from mmq_tf.training.cluster import RayCluster
    from mmq_tf.training.run import Run

ENCODERS = Path("encoders")
STAGE_1 = "stage 1 follows SGMC (arXiv 2208.00877): of ME-MHACL (arXiv 2308.01919) only the abstract was read"

_EPILOG = """
\b
Examples
  mmq-tf pretrain deap --data DIR --out encoders/deap     then: mmq-tf train deap --data DIR --model mhacl \
--init encoders/deap
  mmq-tf pretrain stress-predict --data DIR --fold 0      not locked to a stimulus: neighbours in time
  mmq-tf pretrain deap --data DIR --set pretraining.epochs=60 --seed 0 --seed 1
  mmq-tf pretrain deap --data DIR --set pretraining.input=raw         from raw windows: stage 1 and its probe
  mmq-tf pretrain --resume --out encoders/deap
"""


@click.command(name="pretrain", epilog=_EPILOG)
@click.argument("config", required=False)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the recordings.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value of the configuration."
)
@click.option(
    "--seed", "seeds", multiple=True, type=click.IntRange(min=0), help="Seed; repeat it for several."
)
@click.option(
    "--fold", "only", multiple=True, type=click.IntRange(min=0), help="Only this fold.  [default: all]"
)
@click.option(
    "--jobs",
    "workers",
    type=click.IntRange(min=1),
    help="Folds pretrained side by side.  [default: all cores]",
)
@cluster_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder to make.  [default: encoders/NAME-TIME]")
@click.option("--resume", is_flag=True, help="Resume the pretraining in --out.")
@click.option("--force", is_flag=True, help="Replace the pretraining in --out.")
@one_thread_per_command()
def command(
    config: str | None,
    data: Path | None,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    only: tuple[int, ...],
    workers: int | None,
    cluster: str | None,
    gpus_per_job: float,
    out: Path | None,
    resume: bool,
    force: bool,
) -> None:
    """Teach ME-MHACL's encoders without labels, on CONFIG: a preset's name or a TOML file.

    One encoder a fold, of its training subjects only; its validation subjects' labels only measure (kNN
    probe). Where the data set is locked to stimuli, people who met the same second of the same stimulus
    exchange halves of their windows (Meiosis); elsewhere neighbours in time belong together. Stage 1 follows
    SGMC (arXiv 2208.00877), since of ME-MHACL (arXiv 2308.01919) only the abstract could be read.
    """
    if resume and (config or data or overrides or seeds or only or force or out is None):
        raise click.UsageError(
            "--resume resumes what --out names; beside it only --jobs, --cluster and "
            "--gpus-per-job may be given."
        )
    changes = config_changes(overrides, seeds, None, loso=False)
    bars = WorkBars(Console())
    engine = cluster_of(cluster, gpus_per_job, bars)
    settings = None if resume else checked_config(config or DEFAULT_PRESET, data, changes)
    from mmq_bridge.native_output import quiet_native

    with quiet_native():
        from mmq_tf.training.run import Run  # loads the training backend, which reads the settings above

    console = Console()
    if settings is None:
        run = Run.resumed(out or ENCODERS)
    else:
        out = out or ENCODERS / f"{settings.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        typed = shlex.join(["mmq-tf", *sys.argv[1:]])
        run = Run.plan(out, settings, typed, data or DEFAULT_COHORT, final=False, force=force)
        if data is None:
            make_default_cohort(WorkBars(console))
    pretrain_jobs(run, only)  # what is wrong is said before anything is written
    with one_writer(run.home):
        run = run.begin(())
        try:
            _pretrain(run, pretrain_jobs(run, only), console, workers or os.cpu_count() or 1, engine)
        except KeyboardInterrupt:
            raise click.Abort(
                f"stopped; resume with: mmq-tf pretrain --resume --out {shlex.quote(str(run.home))}"
            ) from None
        run = run.in_place()
    if run.config.pretraining.input == "tokens":
        console.print(f"next: mmq-tf train ... --model mhacl --init {run.folder}", highlight=False)


def pretrain_jobs(run: Run, only: Sequence[int] = ()) -> list[PretrainJob]:
    """Return one job per fold and seed; `only` names the folds wanted, in a resumed folder those begun.

    Raises
    ------
    MMQError
        If there is no such fold.
    """
    from mmq_tf.pretraining.job import PretrainJob
    from mmq_tf.pretraining.raw_job import RawPretrainJob

    kind = RawPretrainJob if run.config.pretraining.input == "raw" else PretrainJob
    names = run.dataset.subjects(run.data_folder)
    subjects = list(dict.fromkeys(name.partition("/")[0] for name in names))
    jobs = [kind(run.config, run.data_folder, *place) for place in run.fold_places(subjects)]
    unknown = sorted(set(only) - {job.index for job in jobs})
    if unknown:
        raise MMQError(f"--fold {unknown[0]}: there is no such fold; they go from 0 to {jobs[-1].index}.")
    return [job for job in jobs if not only or job.index in only]


def _pretrain(
    run: Run, jobs: Sequence[PretrainJob], console: Console, workers: int, cluster: RayCluster | None
) -> None:
    from mmq_tf.features.prepare_dataset import prepare_dataset
    from mmq_tf.pretraining.job import token_settings
    from mmq_tf.training.pretrained_encoder import FACTS_NAME
    from mmq_tf.training.run_streams import SIMULATED_NOTE
    from mmq_tf.training.workers import run_jobs
    from mmq_tf.utils.atomic_files import write_text

    bars = WorkBars(console)
    if run.dataset.simulated:
        bars.note(SIMULATED_NOTE)
    console.print(STAGE_1, highlight=False)
    if cluster is not None:
        cluster = cluster.sharing(run.folder, read=[run.data_folder])
        if run.config.pretraining.input == "tokens":
            prepare_dataset(
                run.config.source, run.data_folder, token_settings(run.config), jobs=workers, progress=bars
            )
    with bars.folding(len(jobs), sum(job.done for job in jobs), run.config.pretraining.epochs):
        run_jobs(jobs, workers, bars.on_epoch, bars.on_fold, cluster)
    folds = {job.folder.name: _fold_facts(job.folder / FACTS_NAME) for job in jobs}
    first = next(iter(folds.values()))
    console.print(f"positives: {first['rule']}", highlight=False)
    console.print(_table(folds, simulated=run.dataset.simulated))
    facts = {
        "command": run.facts.command,
        "method": STAGE_1,
        "simulated": run.dataset.simulated,
        "input": run.config.pretraining.input,
        **{key: first[key] for key in ("dataset", "rule")},
        "folds": {name: fold["epochs"][-1] for name, fold in folds.items()},
    }
    write_text(run.folder / FACTS_NAME, json.dumps(facts, indent=1))


def _fold_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text("utf-8"))
        if facts["epochs"] and facts["rule"]:
            return facts
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MMQError(f"{path} is damaged ({error}); delete it, and --resume makes it again.") from error
    raise MMQError(f"{path} is damaged; delete it, and --resume makes it again.")


def _table(folds: dict[str, dict], *, simulated: bool) -> Table:
    """Return a line per fold: what the last epoch says, and the probe before and after."""
    from mmq_tf.pretraining.job import PROBE

    title = f"{'SIMULATED  ' if simulated else ''}validation subjects; probe: {PROBE.replace('_', ' ')}"
    table = Table("fold", title=title)
    for name in ("loss", "complement found", "probe untrained", "probe pretrained"):
        table.add_column(name, justify="right")
    for name, fold in folds.items():
        before, after = fold["epochs"][0], fold["epochs"][-1]
        probes = [f"{epoch[PROBE]:.3f}" if PROBE in epoch else "-" for epoch in (before, after)]
        table.add_row(name, f"{after['loss']:.3f}", f"{after['accuracy']:.1%}", *probes)
    return table
