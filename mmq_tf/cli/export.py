# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf export`: a run becomes a bundle to embed, or a reason why not."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from mmq_tf import pretrained
from mmq_tf.cli._bundle import pretrained_option
from mmq_tf.cli._fine_tuning import Smaller, TuningData, make_smaller
from mmq_tf.cli._golden_source import read_arrays, read_golden
from mmq_tf.errors import MMQError
from mmq_tf.training.run_folder import PRETRAINING_NAME, newest_run

DEFAULT_EPOCHS = 20
MAX_JSON_BYTES = 64_000_000

_EPILOG = """
\b
Examples
  mmq-tf export --int8                               the newest run, into bundles/NAME
  mmq-tf export runs/stress-predict --fold 3 --out bundles/watch
  mmq-tf export runs/final --max-drop 0.2 --golden DIR/S02
  mmq-tf export runs/final --int8 --prune 0.5        half of the larger kernels' weights 0: a smaller download
  mmq-tf export runs/final --int8 --qat --epochs 5   trained on with rounded weights and activations
  mmq-tf export --pretrained wrist-stress            the model that comes with mmq-tf, with its C sources
"""


@click.command(name="export", epilog=_EPILOG)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--int8", is_flag=True, default=True, help="Full-integer model (there is no other kind yet).")
@click.option("--out", type=click.Path(path_type=Path), help="Bundle folder to make.  [default: bundles/RUN]")
@click.option("--fold", type=click.IntRange(min=0), help="Export this fold's model instead of the run's.")
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 100),
    default=0.5,
    help="Points of macro-F1 int8 may lose against float on validation windows with data missing.",
)
@click.option(
    "--golden",
    type=click.Path(path_type=Path),
    help="Recording (E4 or simulated folder) for the golden vectors.  [default: the one train kept]",
)
@click.option(
    "--prune",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
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
@click.option("--slim", is_flag=True, help="Leave out the code, which can be written later, and the report.")
@pretrained_option("Write the bundle of a model that comes with mmq-tf, with all of its code.")
@click.pass_context
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
    slim: bool,
    pretrained_name: str | None,
) -> None:
    """Turn RUN (the newest one where none is named) into a bundle: models, C sources, golden vectors, card.

    Refused, with exit code 2, when int8 loses more than --max-drop points or an operation is not allowed.
    With --prune or --qat the network is first trained on, on the run's own training subjects, and judged
    against the run's own float network.
    """
    if pretrained_name is not None:
        _refuse_others(context)
        return _write_pretrained(pretrained_name, out or Path("bundles") / pretrained_name)
    if not (prune or qat) and (epochs or data):
        raise click.UsageError("--epochs and --data belong to --prune and --qat; give one of these too.")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    console = Console()
    run = run or newest_run()
    out = out or Path("bundles") / (run.resolve().name + (f"-fold{fold:02d}" if fold is not None else ""))
    wish = Smaller(epochs or DEFAULT_EPOCHS, prune, qat) if prune or qat else None
    manifest = export_run(run, out, fold, max_drop, golden, console, wish, data, slim=slim)
    facts = manifest.model
    console.print(
        f"{'[b]SIMULATED[/b]  ' if manifest.simulated else ''}int8 {facts.int8_bytes:,} bytes "
        f"({facts.int8_gzip_bytes:,} after gzip), arena {facts.arena_bytes:,} bytes, {facts.macs:,} MACs; "
        f"{len(manifest.files)} files in {out}"
    )
    if results:
        from mmq_tf.cli._size_results import write_size_results

        write_size_results(results, out, manifest, _run_facts(run, fold))
        console.print(f"table: {results} and {results.with_suffix('.md')}")
    tuned = manifest.fine_tuning
    if tuned is not None and tuned.zero_share is not None:
        console.print(f"{tuned.zero_share:.1%} of the larger kernels' weights are 0", highlight=False)
    console.print(f"next: mmq-tf verify {out}", highlight=False)


def export_run(
    run: Path,
    out: Path,
    fold: int | None,
    max_drop: float,
    golden: Path | None,
    console: Console,
    wish: Smaller | None = None,
    data: Path | None = None,
    *,
    slim: bool = False,
) -> Any:
    """Read a run folder, make its network smaller where that is wished, and write its bundle.

    A slim one lacks the code, which `mmq_export.add_sources` can add, and the run's report.

    Returns
    -------
    Manifest

    Raises
    ------
    MMQError
        If the folder is not a finished run, a file of it cannot be read, or its recordings are needed and
        gone.
    ExportError
        If the model does not pass.
    """
    from mmq_bridge.native_output import quiet_native

    facts = _run_facts(run, fold)
    source = run if fold is None else _fold_folder(run, fold)
    with quiet_native():
        from mmq_bridge.front_end.front_end import FrontEnd
        from mmq_export.bundle import write_bundle
        from mmq_export.deployed_graph import deployed_model
        from mmq_export.folder import check_target

        check_target(out)
        front_end = FrontEnd.load(source / "frontend.json")
        shape = (front_end.tokens, front_end.n_features, len(front_end.modality_names))
        net, decision, tuned, reference = _load_net(source / "model.keras"), facts["decision"], None, None
        windows = _read_windows(source / "validation.npz")
        signals, origin = read_golden(run, golden)
        if wish is not None:
            known = TuningData.of_run(run, facts, front_end, data, console)
            reference = deployed_model(_load_net(source / "model.keras"), *shape)
            decision, tuned = make_smaller(net, decision, known, wish, console)
        with console.status("quantising, judging and writing"):
            return write_bundle(
                out,
                deployed=deployed_model(net, *shape),
                front_end=front_end,
                decision=decision,
                validation=windows,
                golden_signals=signals,
                golden_origin=origin,
                card_facts=facts,
                code=not slim,
                report_html=None if slim else _read_report(run / "report.html"),
                max_drop=max_drop,
                fine_tuning=tuned,
                reference=reference,
                on_gate=lambda rows: _show_gate(rows, max_drop, console),
            )


def _refuse_others(context: click.Context) -> None:
    """Refuse what belongs to a run: a pretrained bundle is written as it is."""
    for name in context.params.keys() - {"pretrained_name", "out", "int8"}:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--pretrained goes with --out only; leave out {name.replace('_', '-')}.")


def _write_pretrained(name: str, out: Path) -> None:
    from mmq_bridge.native_output import quiet_native

    with quiet_native():
        from mmq_export.add_sources import complete_bundle

        manifest = complete_bundle(pretrained.path(name), out)
    click.echo(f"{len(manifest.files)} files in {out}\nnext: mmq-tf verify {out}")


def _fold_folder(run: Path, fold: int) -> Path:
    return run / "folds" / f"{fold:02d}"


def _run_facts(run: Path, fold: int | None) -> dict[str, Any]:
    """Return the run's `metrics.json`, with what differs in one fold."""
    if (run / PRETRAINING_NAME).is_file():
        raise MMQError(
            f"{run} holds encoders of `mmq-tf pretrain`, which decide nothing: train from them first (mmq-tf "
            "train --model mhacl --init), on front-end tokens, since a device delivers no raw windows."
        )
    facts = _read_json(run / "metrics.json")
    if fold is not None:
        folder = _fold_folder(run, fold)
        if not folder.is_dir():
            count = len([path for path in (run / "folds").glob("[0-9][0-9]") if path.is_dir()])
            raise MMQError(f"{folder}: no such fold; the run has {count}, counted from 0.")
        found = _read_json(folder / "metrics.json")
        keys = ("exported_model", "train_subjects", "validation_subjects", "test_subjects", "decision")
        facts |= {key: found[key] for key in keys if key in found}
    for key in ("name", "data", "decision", "exported_model"):
        if key not in facts:
            raise MMQError(f"{run / 'metrics.json'}: expected the key {key!r}, found none; train again.")
    return facts


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise MMQError(f"{path}: expected at most {MAX_JSON_BYTES} bytes; this is no run's file.")
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise MMQError(f"{path}: no such file; name the folder of a finished run.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise MMQError(f"{path}: cannot be read as JSON ({error}); train again.") from error
    if not isinstance(content, dict):
        raise MMQError(f"{path}: expected a JSON object, got {type(content).__name__}; train again.")
    return content


def _load_net(path: Path) -> Any:
    import keras

    import mmq_tf.model.mmqnet  # noqa: F401  registers the network's classes

    if not path.is_file():
        raise MMQError(f"{path}: no such file; name the folder of a finished run.")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # keras raises zip, HDF5, JSON and its own errors here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MMQError(f"{path}: cannot be loaded as a network ({reason}); train again.") from error


def _read_windows(path: Path) -> Any:
    from mmq_export.bundle import Windows

    arrays = read_arrays(path)
    missing = [name for name in ("features", "presence", "labels") if name not in arrays]
    if missing:
        raise MMQError(f"{path}: expected the array {missing[0]!r}, found none; train again.")
    labels = arrays["labels"]
    return Windows(arrays["features"], arrays["presence"], labels[:, None] if labels.ndim == 1 else labels)


def _read_report(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise MMQError(f"{path}: cannot be read ({error}).") from error


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
