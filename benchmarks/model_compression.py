# SPDX-License-Identifier: Apache-2.0
"""Size, arena, latency and macro-F1 of one run's network in every recipe, pruned and quantisation-aware too.

python benchmarks/model_compression.py runs/NAME --results results/compression.json
"""

from __future__ import annotations

import gzip
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import keras
from mmq_bridge.bundle.microcontroller import arena_bytes
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.native_output import quiet_native
from mmq_export import quantisation_gate as gate
from mmq_export.bundle import CALIBRATION_WINDOWS
from mmq_export.calibrate import calibration_windows
from mmq_export.convert import convert, convert_any
from mmq_export.deployed_graph import deployed_model
from mmq_export.recipes import RECIPES, dynamic, float16
from rich.console import Console
from rich.table import Table

from mmq_tf.api.exporting import DEFAULT_EPOCHS
from mmq_tf.api.gate_rules import GATE_RULES
from mmq_tf.api.model_cost.measure import REPEATS, LiteRTCall
from mmq_tf.api.run_files import read_windows, run_facts
from mmq_tf.api.shrinking import Smaller, TuningData, make_smaller
from mmq_tf.errors import MMQError
from mmq_tf.metrics.interleaved_timing import Contender, median_row, time_rounds
from mmq_tf.metrics.results_table import (
    ResultRow,
    ResultsFile,
    format_cell,
    machine_description,
    write_results,
)
from mmq_tf.model.saved_network import load_network
from mmq_tf.version import __version__

FIRST = "float32"
METRICS = ("bytes", "gzip_bytes", "arena_bytes", "latency_ratio", "latency_us", "macro_f1")


def wishes(epochs: int) -> dict[str, Smaller]:
    """Return what is fine-tuned how; `int8-tuned` is trained on for nothing, to tell what that alone does."""
    plain = Smaller(epochs)
    return {
        "int8-tuned": plain,
        "int8-qat": replace(plain, quantisation_aware=True),
        "int8-pruned-50": replace(plain, prune=0.5),
        "int8-pruned-75": replace(plain, prune=0.75),
    }


@dataclass(frozen=True)
class Source:
    """The run's network, read anew for each recipe, its windows and facts."""

    folder: Path
    run: Path
    facts: dict[str, Any]
    front_end: FrontEnd
    windows: Any
    data: TuningData

    @classmethod
    def open(cls, run: Path, fold: int | None, data: Path | None) -> Source:
        """Read a run folder, or one fold of it."""
        folder = run if fold is None else run / "folds" / f"{fold:02d}"
        facts = run_facts(run, fold)
        front_end = FrontEnd.load(folder / "frontend.json")
        windows = read_windows(folder / "validation.npz")
        return cls(folder, run, facts, front_end, windows, TuningData.of_run(run, facts, front_end, data))

    def net(self) -> Any:
        """Return the run's network."""
        return load_network(self.folder / "model.keras")

    def deployed(self, net: keras.Model) -> keras.Model:
        """Return a network's deployed graph."""
        end = self.front_end
        return deployed_model(net, end.tokens, end.n_features, len(end.modality_names))


def make_models(source: Source, epochs: int, console: Console) -> Iterator[tuple[str, bytes]]:
    """Yield the .tflite file of each recipe by its name."""
    seen = calibration_windows(source.windows.features, source.windows.presence, CALIBRATION_WINDOWS)
    own = source.deployed(source.net())
    yield FIRST, convert(own, None, RECIPES["float32"])
    for recipe in (float16(), dynamic()):
        yield recipe.name, convert_any(own, None, recipe)
    yield "int8", convert(own, seen, RECIPES["int8"])
    for name, wish in wishes(epochs).items():
        net = source.net()
        console.print(name)
        make_smaller(net, source.facts["decision"], source.data, wish)
        yield name, convert(source.deployed(net), seen, RECIPES["int8"])


def measure(source: Source, models: dict[str, bytes], rounds: int) -> list[ResultRow]:
    """Time all models in turn, judge them on the windows of export's gate, and weigh their files."""
    method = f"mmqnet-{source.facts['model']['size']}"
    one = {"features": source.windows.features[:1], "presence": source.windows.presence[:1]}
    entries = [Contender(method, name, LiteRTCall(content, one), REPEATS) for name, content in models.items()]
    time_rounds(entries, 1)  # the first calls set memory up
    seconds = time_rounds(entries, rounds)
    rows = []
    for column, entry in enumerate(entries):
        rows.append(median_row(entry, "latency_ratio", seconds[:, column] / seconds[:, 0]))
        rows.append(median_row(entry, "latency_us", seconds[:, column] * 1e6))
    mix = gate.missing_mix(
        source.windows.features, source.windows.presence, source.windows.labels, GATE_RULES
    )
    tasks = tuple(source.facts["decision"]["tasks"])
    for name, content in models.items():
        logits = TFLiteModel(content, name, own=True).predict_many(mix.features, mix.presence)
        numbers = {
            "bytes": len(content),
            "gzip_bytes": len(gzip.compress(content, mtime=0)),
            "arena_bytes": _arena(content),
            "macro_f1": gate.mean_score(mix.labels, logits, tasks, GATE_RULES),
        }
        rows += [
            ResultRow(method=method, condition=name, metric=metric, mean=value, n=1)
            for metric, value in numbers.items()
        ]
    return sorted(rows, key=lambda row: METRICS.index(row.metric))


def _arena(content: bytes) -> int | None:
    """Return the arena's bytes, or None where TFLite Micro does not run the model."""
    try:
        return arena_bytes(content)
    except BridgeError:
        return None


def results_of(source: Source, rows: list[ResultRow], name: str, epochs: int, rounds: int) -> ResultsFile:
    """Return the table by the results contract."""
    facts, normalisation = source.facts, source.front_end.normalisation
    subjects = {
        subject for side in ("train", "validation", "test") for subject in facts.get(f"{side}_subjects", ())
    }
    windows = len(source.windows.labels)
    return ResultsFile(
        name=name,
        command=shlex.join(["python", "benchmarks/model_compression.py", *sys.argv[1:]]),
        version=__version__,
        data=f"{facts['data']['title']}, {len(subjects)} subjects",
        simulated=facts["data"]["simulated"],
        split=f"validation subjects of {facts['exported_model']}",
        normalisation="none" if normalisation is None else normalisation.mode,
        seeds=tuple(facts.get("seeds", ()))[:1],
        machine=f"{machine_description()}; one thread",
        rows=tuple(rows),
        notes=(
            f"macro_f1 over {windows} validation windows complete, with random cells hidden and with whole "
            "modalities gone: one network of one fold, so differences of a point or two may be chance.",
            f"tuned, qat and pruned: trained on for {epochs} epochs towards the run's own float predictions; "
            "the epoch is chosen on the same validation subjects, which favours them a little.",
            "pruned: the share of each larger dense kernel that is 0. It shrinks the file after gzip, not "
            "memory, and saves no time: LiteRT multiplies zeros too.",
            "arena_bytes: TFLite Micro with 64-bit pointers, an upper bound; – where it does not run the "
            "model.",
            "latency of int8 is one of two, whatever was pruned: LiteRT's XNNPACK multiplies two batches in "
            "int8 only where the zero point of the second is 0. Attention to tokens needs two such products, "
            "and where the tokens' zero point came out as another one these run in slower code.",
            f"latency: LiteRT, medians over {rounds} interleaved rounds of {REPEATS} decisions, the middle "
            "95 % of the rounds in brackets; latency_ratio: to float32 in the same round.",
        ),
    )


def show(results: ResultsFile, console: Console) -> None:
    """Print the table, a line a recipe."""
    table = Table(title=f"{' '.join([*results.stamps, results.data])}")
    for name in ("recipe", *METRICS):
        table.add_column(name.replace("_", " "), justify="left" if name == "recipe" else "right")
    for condition in results.conditions:
        rows = [results.row(results.methods[0], condition, metric) for metric in METRICS]
        cells = ["–" if row is None else format_cell(row).replace("[", r"\[") for row in rows]
        table.add_row(condition, *cells)
    console.print(table)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--fold", type=click.IntRange(min=0), help="This fold's model instead of the run's.")
@click.option("--data", type=click.Path(path_type=Path), help="The run's recordings, where they were moved.")
@click.option("--epochs", type=click.IntRange(min=1), default=DEFAULT_EPOCHS, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=40, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(
    run: Path, fold: int | None, data: Path | None, epochs: int, rounds: int, results: Path | None
) -> None:
    """Compare every recipe of one finished run's network."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    console = Console()
    with quiet_native():
        source = Source.open(run, fold, data)
        models = dict(make_models(source, epochs, console))
        rows = measure(source, models, rounds)
    table = results_of(source, rows, results.stem if results else "compression", epochs, rounds)
    show(table, console)
    if results:
        write_results(results, table)


if __name__ == "__main__":
    main()
