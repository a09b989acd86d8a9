# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf export`: a run becomes a bundle to embed, or a reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from mmq_bridge.cli.finite_range import FiniteRange
from rich.console import Console
from rich.table import Table

from mmq_tf.api.exporting import (
    BUNDLES,
    DEFAULT_EPOCHS,
    MAX_DROP,
    bundle_folder,
    export,
    export_pretrained,
)
from mmq_tf.api.run_files import run_facts
from mmq_tf.cli._bundle import pretrained_option
from mmq_tf.cli._work_bars import WorkBars
from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import newest_run
from mmq_tf.utils.backend_threads import set_if_unset

_EPILOG = """
\b
Examples
  mmq-tf export --int8                               the newest run, into bundles/NAME
  mmq-tf export runs/stress-predict --fold 3 --out bundles/watch
  mmq-tf export runs/final --max-drop 0.2 --golden DIR/S02
  mmq-tf export runs/final --int8 --prune 0.5        half of the larger kernels' weights 0: a smaller download
  mmq-tf export runs/final --int8 --qat --epochs 5   trained on with rounded weights and activations
  mmq-tf export runs/final --sign key.pem            for updates over the air: verify --key pub.pem
  mmq-tf export --pretrained wrist-stress            the model that comes with mmq-tf, with its C sources
"""


@click.command(name="export", epilog=_EPILOG)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--int8", is_flag=True, default=True, help="Full-integer model (there is no other kind yet).")
@click.option("--out", type=click.Path(path_type=Path), help="Bundle folder to make.  [default: bundles/RUN]")
@click.option("--fold", type=click.IntRange(min=0), help="Export this fold's model instead of the run's.")
@click.option(
    "--max-drop",
    type=FiniteRange(0, 100),
    default=MAX_DROP,
    help="Points of macro-F1 int8 may lose against float on validation windows with data missing.",
)
@click.option(
    "--golden",
    type=click.Path(path_type=Path),
    help="Recording (E4 or simulated folder) for the golden vectors.  [default: the one train kept]",
)
@click.option(
    "--prune",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Set this share of the larger kernels' weights to 0 while training on: the file compresses better; "
    "memory and time stay as they are.",
)
@click.option("--qat", is_flag=True, help="Train on with weights and activations rounded to 8 bits.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help=f"Epochs to train on, with --prune or --qat.  [default: {DEFAULT_EPOCHS}]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The run's recordings, for --prune and --qat.  [default: where train read them]",
)
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write size and score here (.json, with .md)."
)
@click.option(
    "--transfer",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="Table of `mmq-tf evaluate --on` for the card; repeat it.  [default: all that lie in RUN]",
)
@click.option(
    "--below-chance",
    is_flag=True,
    help="Export also a network that was no better than chance.",
)
@click.option("--slim", is_flag=True, help="Leave out the code, which can be written later, and the report.")
@click.option(
    "--sign",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="Sign the manifest with the Ed25519 private key of this PEM file (`mmq-tf verify --key` checks it); "
    "to make one: openssl genpkey -algorithm ed25519 -out key.pem",
)
@click.option(
    "--next-sensor",
    is_flag=True,
    help="Let the device say which sensor would help an undecided wearer most; simulated.",
)
@pretrained_option("Write the bundle of a model that comes with mmq-tf, with all of its code.")
@click.pass_context
@set_if_unset({"OMP_NUM_THREADS": "1"})
def command(
    context: click.Context,
    run: Path | None,
    int8: bool,
    out: Path | None,
    fold: int | None,
    max_drop: float,
    golden: Path | None,
    prune: float | None,
    qat: bool,
    epochs: int | None,
    data: Path | None,
    results: Path | None,
    transfer: tuple[Path, ...],
    below_chance: bool,
    slim: bool,
    sign: Path | None,
    next_sensor: bool,
    pretrained_name: str | None,
) -> None:
    """Turn RUN (the newest one where none is named) into a bundle: models, C sources, golden vectors, card.

    Refused, with exit code 2, when int8 loses more than --max-drop points, an operation is not allowed, or
    the run's networks were no better than chance. A run's own network is the one trained on all people, which
    the folds' networks judge, unless it was trained with --no-final.
    With --prune or --qat the network is first trained on, on the run's own training subjects, and judged
    against the run's own float network.
    """
    if pretrained_name is not None:
        _refuse_others(context)
        return _write_pretrained(pretrained_name, out or BUNDLES / pretrained_name, sign)
    if not (prune or qat) and (epochs or data):
        raise click.UsageError("--epochs and --data belong to --prune and --qat; give one of these too.")
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    from mmq_bridge.native_output import quiet_native

    console = Console()
    run = run or newest_run()
    out = out or bundle_folder(run, fold)
    with quiet_native():
        manifest = export(
            run,
            out,
            fold=fold,
            max_drop=max_drop,
            golden=golden,
            prune=prune,
            qat=qat,
            epochs=epochs or DEFAULT_EPOCHS,
            data=data,
            slim=slim,
            sign=sign,
            transfer=transfer,
            below_chance=below_chance,
            next_sensor=next_sensor,
            progress=WorkBars(console),
            on_gate=lambda rows: _show_gate(rows, max_drop, console),
        ).manifest
    facts = manifest.model
    arena = "arena not measured" if facts.arena_bytes is None else f"arena {facts.arena_bytes:,} bytes"
    console.print(
        f"{'[b]SIMULATED[/b]  ' if manifest.simulated else ''}int8 {facts.int8_bytes:,} bytes "
        f"({facts.int8_gzip_bytes:,} after gzip), {arena}, {facts.macs:,} MACs; "
        f"{len(manifest.files)} files in {out}"
    )
    if results:
        from mmq_tf.reports.size_results import write_size_results

        write_size_results(results, out, manifest, run_facts(run, fold))
        console.print(f"table: {results} and {results.with_suffix('.md')}")
    tuned = manifest.fine_tuning
    if tuned is not None and tuned.zero_share is not None:
        console.print(f"{tuned.zero_share:.1%} of the larger kernels' weights are 0", highlight=False)
    console.print(f"next: mmq-tf verify {out}", highlight=False)


def _refuse_others(context: click.Context) -> None:
    """Refuse what belongs to a run: a pretrained bundle is written as it is."""
    for name in context.params.keys() - {"pretrained_name", "out", "int8", "sign"}:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"--pretrained goes with --out and --sign only; leave out {name.replace('_', '-')}."
            )


def _write_pretrained(name: str, out: Path, sign: Path | None) -> None:
    from mmq_bridge.native_output import quiet_native

    with quiet_native():
        bundle = export_pretrained(name, out, sign)
    click.echo(f"{len(bundle.manifest.files)} files in {out}\nnext: mmq-tf verify {out}")


def _show_gate(rows: Sequence[Any], max_drop: float, console: Console) -> None:
    table = Table(title=f"float against int8 on validation windows ({max_drop:g} points may be lost)")
    for name in ("windows", "n", "float32", "int8", "loss", "same class"):
        table.add_column(name, justify="left" if name == "windows" else "right")
    for row in rows:
        table.add_row(
            row.condition,
            str(row.windows),
            f"{100 * row.float32_macro_f1:.2f}",
            f"{100 * row.int8_macro_f1:.2f}",
            f"{row.drop_points:+.2f}",
            f"{row.agreement:.1%}",
        )
    console.print(table)
