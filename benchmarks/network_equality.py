# SPDX-License-Identifier: Apache-2.0
"""Whether the C network gives the bits of TFLite Micro's reference kernels, in every tensor on the way.

python benchmarks/network_equality.py --results results/network_equality.json
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
from methods.network_models import MODELS, random_model
from mmq_bridge.bundle.micro_tensors import MicroTensors
from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.bundle_files import MODEL_FILES
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.plan_file import plan_file

from mmq_tf import pretrained
from mmq_tf.metrics.results_table import (
    ResultRow,
    ResultsFile,
    machine_description,
    read_results,
    write_results,
)
from mmq_tf.version import __version__

SHIPPED = "wrist-stress"
LARGE = ("base", "base-line")
EARLIER = "random weights, plans of version 1"
EARLIER_NOTE = (
    f"{EARLIER}: run before the kernels' parameters, biases and tables were made smaller; all other rows are "
    "of the core after that."
)


@dataclass
class Counts:
    """What was compared: windows, numbers of all tensors and of outputs, and how many differ."""

    windows: int = 0
    values: int = 0
    outputs: int = 0
    differing: int = 0


def draw(rng: np.random.Generator, number: int, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return a window: uniformly random, of extremes, with sensors missing, or nothing present at all."""
    window = {name: rng.integers(-128, 128, shape).astype(np.int8) for name, shape in shapes.items()}
    if number % 4 == 1:
        window = {name: rng.choice([-128, 127], shape).astype(np.int8) for name, shape in shapes.items()}
    if number % 4 >= 2:
        hidden = rng.random(shapes["presence"]) < rng.random()
        window["presence"] = np.where(hidden, -128, 127).astype(np.int8)
    if number % 16 == 7:
        window["presence"][:] = -128
    return window


def golden_windows(folder: Path) -> list[dict[str, np.ndarray]]:
    """Return a bundle's golden int8 windows."""
    parts = {name: np.load(folder / "golden" / f"window_{name}_i8.npy") for name in ("features", "presence")}
    return [dict(zip(parts, rows, strict=True)) for rows in zip(*parts.values(), strict=True)]


def compare(content: bytes, golden: list[dict[str, np.ndarray]], count: int, seed: int = 0) -> Counts:
    """Run a model `count` times in TFLite Micro and by the core, whole and planned.

    Golden windows come first where they are of its shape.
    """
    micro, counts = MicroTensors(content), Counts()
    whole, fast = plan_network(content, fused=False), plan_network(content)
    kept, planned = Network(plan_file(whole)), Network(plan_file(fast))
    shapes = {name: tensor.shape for name, tensor in whole.inputs.items()}
    rng = np.random.default_rng(seed)
    if any(golden[0][name].size != math.prod(shape) for name, shape in shapes.items() if golden):
        golden = []
    for number in range(count):
        window = golden[number] if number < len(golden) else draw(rng, number, shapes)
        wanted = micro.run(window)
        kept.run(window)
        outputs = planned.run(window)
        counts.windows += 1
        for index, place in whole.places.items():
            if place.value.data is None and index in wanted:
                at = whole.at[place.value] + place.offset
                counts.values += wanted[index].size
                counts.differing += int((kept.arena[at : at + wanted[index].size] != wanted[index]).sum())
        for name, tensor in whole.outputs.items():
            counts.outputs += tensor.size
            counts.differing += int((outputs[name] != wanted[tensor.index]).sum())
    return counts


def rows_of(name: str, weights: str, counts: Counts) -> list[ResultRow]:
    """Return the counts of one model."""
    values = {"windows": counts.windows, "values": counts.values, "differing": counts.differing}
    return [
        ResultRow(method=name, condition=weights, metric=metric, mean=value, n=counts.windows)
        for metric, value in values.items()
    ]


def content_of(name: str) -> bytes:
    """Return the shipped model, or a kind with random weights."""
    if name == SHIPPED:
        return (pretrained.path(SHIPPED) / MODEL_FILES["int8"]).read_bytes()
    return random_model(name)


def compare_kind(name: str, count: int, refused: bool) -> tuple[Counts | None, str | None]:
    """Return the counts of one kind, None where the generator refuses it; and what is wrong, or None."""
    try:
        counts = compare(content_of(name), golden_windows(pretrained.path(SHIPPED)), count)
    except BridgeError as error:
        click.echo(f"{name}: {error}")
        return None, None if refused else f"{name} is refused"
    click.echo(f"{name}: {counts.windows} windows, {counts.values} values, {counts.differing} differ")
    if refused:
        return counts, f"{name} should be refused, and is not"
    return counts, f"{name} differs in {counts.differing} values" if counts.differing else None


def table_of(name: str, rows: Sequence[ResultRow]) -> ResultsFile:
    """Return the table of what was compared so far."""
    return ResultsFile(
        name=name,
        command=shlex.join(["python", *sys.argv]),
        version=__version__,
        data="the shipped model's golden windows where they fit; uniformly random int8, extremes, sensors "
        "missing",
        simulated=True,
        split="none",
        normalisation="none",
        seeds=(0,),
        machine=f"{machine_description()}, tflite-micro {version('tflite-micro')}",
        rows=tuple(rows),
        notes=(
            "values: int8 numbers of every tensor that is computed. differing: of these, with every "
            "operation on its own, and of the outputs of the network as it is deployed, with operations "
            "merged and memory shared. Kinds may be added to the table by one command after the other "
            "(--only, --keep), of which the last is named.",
            *((EARLIER_NOTE,) if any(row.condition == EARLIER for row in rows) else ()),
        ),
    )


@click.command()
@click.option("--windows", default=10_000, show_default=True, help="Of each kind.")
@click.option("--large-windows", type=int, help=f"Of {' and '.join(LARGE)}, if not as many.")
@click.option("--only", multiple=True, type=click.Choice([SHIPPED, *MODELS]), help="These kinds.")
@click.option(
    "--refused", multiple=True, type=click.Choice([*MODELS]), help="A kind that the generator must refuse."
)
@click.option("--results", type=click.Path(path_type=Path), help="Where the table goes.")
@click.option("--keep", is_flag=True, help="Keep what the table has of other kinds.")
def main(
    windows: int,
    large_windows: int | None,
    only: tuple[str, ...],
    refused: tuple[str, ...],
    results: Path | None,
    keep: bool,
) -> None:
    """Compare every kind; exit code 1 where a number differs, or a kind is refused that is not named so."""
    problems = []
    rows = list(read_results(results).rows) if keep and results is not None and results.exists() else []
    for name in only or (SHIPPED, *MODELS):
        count = large_windows if large_windows is not None and name in LARGE else windows
        counts, problem = compare_kind(name, count, name in refused)
        if counts is not None:
            weights = "trained" if name == SHIPPED else "random weights"
            rows = [row for row in rows if (row.method, row.condition) != (name, weights)]
            rows += rows_of(name, weights, counts)
        if problem is not None:
            problems.append(problem)
        if results is not None and rows:
            write_results(results, table_of(results.stem, rows))  # after each, since all take hours
    for problem in problems:
        click.echo(f"network_equality: {problem}.", err=True)
    sys.exit(int(bool(problems)))


if __name__ == "__main__":
    main()
