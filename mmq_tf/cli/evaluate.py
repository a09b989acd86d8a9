# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf evaluate`: a run under missing and broken sensors, every method on the same masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from mmq_bridge.native_output import quiet_native
from rich.console import Console
from rich.table import Table

from mmq_tf.api.elsewhere import bundle_folder_of, evaluate_on, is_finished, own_folder
from mmq_tf.api.evaluating import evaluate
from mmq_tf.api.training import checked_config, cluster_of, typed_command
from mmq_tf.cli._bundle import pretrained_option
from mmq_tf.cli._cluster import cluster_options
from mmq_tf.cli._tables import TIME_MATCHED_TITLE, show_cautions, show_wearer, shown_cell
from mmq_tf.cli._work_bars import WorkBars
from mmq_tf.cli.train import config_changes
from mmq_tf.evaluation.protocols import MASKED, PROTOCOLS
from mmq_tf.metrics.names import TIME_MATCHED
from mmq_tf.training.run_folder import newest_run
from mmq_tf.utils.backend_threads import one_thread_per_command

if TYPE_CHECKING:
    from mmq_tf.api.finished_runs import Evaluation
    from mmq_tf.metrics.results_table import ResultsFile

_EPILOG = """
\b
Examples
  mmq-tf evaluate                              the newest run, all protocols, into its folder evaluation/
  mmq-tf evaluate runs/loso --jobs 4
  mmq-tf evaluate stress-predict --data DIR --loso --seed 0 --seed 1 --seed 2 --neural    trains first
  mmq-tf evaluate runs/loso --protocols A,B,C,D     without artefacts: quicker
  mmq-tf evaluate runs/loso --results results/missing.json --plots docs/missing
  mmq-tf evaluate runs/sp --on cogwear --data DIR   judged on people of another data set
  mmq-tf evaluate bundles/watch --on cogwear=DIR --on wesad=DIR    a bundle, as it is shipped, on two of them
  mmq-tf evaluate --pretrained wrist-stress --on my_study/         your own people: their folder's mmq-tf.toml
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


def _pairs(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, Path | None], ...]:
    """Part each NAME=DIR; a NAME alone has its folder from --data."""
    parted = [text.partition("=") for text in value]
    if wrong := [
        text
        for text, (name, sign, folder) in zip(value, parted, strict=True)
        if sign and not (name and folder)
    ]:
        raise click.BadParameter(f"expected DATASET or DATASET=DIR; got {wrong[0]!r}.")
    return tuple((name, Path(folder) if sign else None) for name, sign, folder in parted)


@click.command(name="evaluate", epilog=_EPILOG)
@click.argument("run", required=False, metavar="[RUN|BUNDLE|CONFIG]")
@pretrained_option("A bundle that comes with mmq-tf, instead of RUN; with --on.")
@click.option(
    "--on",
    "others",
    metavar="DATASET[=DIR]",
    multiple=True,
    callback=_pairs,
    help="Judge RUN or BUNDLE on all people of another data set: a preset's name, a TOML file, or the folder "
    "of a mmq-tf.toml. Repeat it, with =DIR, for several.",
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Of a CONFIG, or of one --on: folder of the recordings."
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of a CONFIG, or of --on: change one of its values.",
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
    help="Folder to write: of the evaluation, or of a CONFIG's run.  [default: RUN/evaluation, runs/NAME;"
    " with --on RUN/on-DATASET, evaluations/BUNDLE-on-DATASET]",
)
@click.option(
    "--jobs", "workers", type=click.IntRange(min=1), help="Folds judged side by side.  [default: all cores]"
)
@cluster_options
@click.option(
    "--protocols",
    default=",".join(PROTOCOLS),
    callback=_protocols,
    help="Which protocols; with --on only those named here.",
)
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
@click.pass_context
@one_thread_per_command()
def command(
    context: click.Context,
    run: str | None,
    pretrained_name: str | None,
    others: tuple[tuple[str, Path | None], ...],
    data: Path | None,
    overrides: tuple[str, ...],
    seeds: tuple[int, ...],
    folds: int | None,
    loso: bool,
    out: Path | None,
    workers: int | None,
    cluster: str | None,
    gpus_per_job: float,
    protocols: tuple[str, ...],
    results: Path | None,
    plots: Path | None,
    neural: bool,
    ablations: bool,
    methods: str,
    null_network: bool,
) -> None:
    """Judge RUN, a finished run's folder, under missing and broken sensors, or on people of other data sets.

    A CONFIG, a preset's name or a TOML file, is trained first as `mmq-tf train` does. Of a RUN nothing is
    trained but the baselines, which are fitted again. All methods see the same masks, drawn once and kept
    beside the predictions. What is done stays done, by fold and method: after Ctrl-C the same command goes
    on, and further methods cost only themselves. --neural adds transformers of the network's width, trained
    as it was: zero_fill, mean_fill, modality_dropout, attention_mask, memory_tokens, cross_modal.
    --ablations adds the network itself without one of its parts, with a table and page of their own; then
    --results is that table. The row forest_shifted is a null: a forest
    fitted and judged on time-shifted labels.

    With --on nothing is fitted on the people judged: they are read by RUN's front end and enrolled as DATASET
    says, sensors that are not there are missing, and every fold's model judges all of them, with all sensors
    and with each one gone, and under --protocols. A BUNDLE is judged as it is shipped: its int8 network, run
    by the C core. The people of a mmq-tf.toml are read and enrolled as those RUN or BUNDLE was trained on.
    """
    if results is not None and results.suffix != ".json":
        raise click.UsageError(f"--results {results}: a results file's name should end in .json.")
    cluster_of(cluster, gpus_per_job)  # what is wrong is said before anything slow is loaded
    changes = config_changes(overrides, seeds, folds, loso=loso)
    if run and pretrained_name:
        raise click.UsageError("name one of RUN and --pretrained NAME.")
    judged: str | Path = pretrained_name or run or newest_run()
    if others:
        _check_with_on(context, judged, others)
        for name, folder in others:
            if own_folder(name) is None:
                checked_config(name, folder or data, overrides)
    elif pretrained_name or bundle_folder_of(judged):
        raise click.UsageError(f"{judged} is a bundle: say with --on DATASET=DIR on whom it is judged.")
    elif Path(judged).is_dir() and (data or changes):
        raise click.UsageError("--data, --set, --seed, --folds and --loso belong to a CONFIG, not to a RUN.")
    elif not Path(judged).is_dir():
        checked_config(judged, data, changes)  # what is wrong is said before anything slow is loaded
    with quiet_native():
        import mmq_tf.training.fold  # noqa: F401  loads the training backend, which talks while it is loaded
    console = Console()
    options: dict[str, Any] = {
        "methods": [name.strip() for name in methods.split(",") if name.strip()],
        "neural": neural,
        "overrides": changes,
        "progress": WorkBars(console),
        "jobs": workers or os.cpu_count() or 1,
        "cluster": cluster,
        "gpus_per_job": gpus_per_job,
        "command": typed_command(),
        "out": out,
    }
    try:
        if others:
            given = context.get_parameter_source("protocols") == click.core.ParameterSource.COMMANDLINE
            for name, folder in others:
                found = evaluate_on(
                    judged, name, folder or data, protocols=protocols if given else (), **options
                )
                if given:
                    _show(found.results, console)
                _publish(found, results, console)
                console.print(f"report: {found.report}", highlight=False)
            return
        found = evaluate(
            judged,
            data,
            protocols=protocols,
            ablations=ablations,
            null_network=null_network,
            plots=plots,
            **options,
        )
    except KeyboardInterrupt:
        raise click.Abort("stopped; the same command goes on where it was.") from None
    if found.ablations:
        console.print(f"ablations: {found.folder / 'ablation.html'}", highlight=False)
    _publish(found, results, console)
    _show(found.ablations or found.results, console)
    if plots:
        console.print(f"figures: {plots}", highlight=False)
    console.print(f"report: {found.report}", highlight=False)


def _publish(found: Evaluation, results: Path | None, console: Console) -> None:
    """Write the table again where --results says."""
    if results:
        from mmq_tf.reports.run_report import publish

        publish(results, found.ablations or found.results)
        console.print(f"table: {results} and {results.with_suffix('.md')}", highlight=False)


def _check_with_on(
    context: click.Context, judged: str | Path, others: Sequence[tuple[str, Path | None]]
) -> None:
    """Refuse what has no meaning where something finished is judged on other data sets."""
    if not is_finished(judged):
        raise click.UsageError(f"--on judges a finished run or a bundle; {judged} is the folder of neither.")
    several = len(others) > 1
    if several and (
        lacking := [name for name, folder in others if folder is None and own_folder(name) is None]
    ):
        raise click.UsageError(f"with several --on each says its folder: --on {lacking[0]}=DIR.")
    named = ("seeds", "folds", "loso", "plots", "ablations", "null_network")
    named += ("data", "out", "results") if several else ()
    given = [
        f"--{name.replace('_', '-')}"
        for name in named
        if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        more = (
            " with several --on" if several and given[0] in ("--data", "--out", "--results") else " with --on"
        )
        raise click.UsageError(f"{given[0].replace('--seeds', '--seed')} does not go{more}.")


def _show(results: ResultsFile, console: Console) -> None:
    show_cautions(results, console)
    stamp = "SIMULATED  " if results.simulated else ""
    for metric in ("auroc", "macro_f1"):
        columns = {c: (c, f"area_{metric}" if c in MASKED else metric) for c in ("full", *MASKED, "E-0dB")}
        columns |= {TIME_MATCHED_TITLE: ("full", TIME_MATCHED)} if metric == "auroc" else {}
        rows = {m: [results.row(m, *place) for place in columns.values()] for m in results.methods}
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
                table.add_row(method, *map(shown_cell, cells))
        console.print(table)
    show_wearer(results, console)
