# SPDX-License-Identifier: Apache-2.0
"""What networks in C cost on microcontrollers: instructions, arena, flash and stack, counted in QEMU.

python benchmarks/network_cost.py --results results/network_cost.json
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
import numpy as np
from methods.network_models import random_model
from mmq_bridge.bundle.flatbuffer import count_macs
from mmq_bridge.decision.bundle_files import MODEL_FILES
from mmq_bridge.targets.network_cost import NetworkCost, measure_modules, measure_networks
from mmq_bridge.targets.networks import NetworkVector
from mmq_bridge.targets.table import M4F
from mmq_bridge.targets.tools import compiler_version

from mmq_tf import pretrained
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__

SHIPPED = "wrist-stress"
RANDOM = ("nano", "nano-line", "mhacl")
PEERS = (
    ("TFLite Micro, reference kernels (measured separately)", "M4F -O2", 14_410_000, 20_340),
    ("TFLite Micro, CMSIS-NN (measured separately)", "M4F -O2 DSP", 8_830_000, 20_964),
)
"""Method, condition, instructions and arena of the peers, of an earlier wrist model of 915,808
multiply-accumulates without a line."""


def rows_of(cost: NetworkCost, name: str) -> list[ResultRow]:
    """Return the counts of one model in one condition."""
    values = {
        "instructions": None if cost.instructions is None else round(cost.instructions),
        "arena_bytes": cost.arena_bytes,
        "bytes": cost.flash_bytes,
        "stack_bytes": cost.stack_bytes,
    }
    return [
        ResultRow(method=name, condition=cost.condition, metric=metric, mean=value, n=1)
        for metric, value in values.items()
        if value is not None
    ]


def share_note(name: str, cost: NetworkCost) -> str:
    """Say where the instructions of one model go."""
    parts = sorted(cost.by_operation.items(), key=lambda part: -part[1])
    shares = ", ".join(f"{kernel} {count / 1e3:.0f} k" for kernel, count in parts)
    return f"{name} in {cost.condition}: {shares} instructions."


@click.command()
@click.option("--build", type=click.Path(path_type=Path), default=Path("build/network_cost"))
@click.option("--results", type=click.Path(path_type=Path), help="Where the table goes.")
def main(build: Path, results: Path | None) -> None:
    """Count the shipped model and random ones of several kinds."""
    shipped = (pretrained.path(SHIPPED) / MODEL_FILES["int8"]).read_bytes()
    contents = {SHIPPED: shipped, **{name: random_model(name) for name in RANDOM}}
    titles = {name.replace("-", "_"): name for name in contents}
    none = np.zeros(0, np.int8)
    vectors = [NetworkVector(name, contents[title], none, 0) for name, title in titles.items()]
    costs = [*measure_networks(vectors, build), *measure_modules(vectors, build)]
    rows = [row for cost in costs for row in rows_of(cost, titles[cost.name])]
    rows += [
        ResultRow(method=title, condition="int8", metric="macs", mean=count_macs(contents[title]), n=1)
        for title in contents
    ]
    for method, condition, instructions, arena in PEERS:
        for metric, value in (("instructions", instructions), ("arena_bytes", arena)):
            rows.append(ResultRow(method=method, condition=condition, metric=metric, mean=value, n=1))
    for cost in costs:
        values = ", ".join(f"{row.metric} {row.mean:.0f}" for row in rows_of(cost, cost.name))
        click.echo(f"{cost.name} {cost.condition}: {values}")
    if results is not None:
        first = vectors[0].name
        notes = [
            "One run of the network on one window. bytes: flash of the smallest program that runs it, "
            "weights, tables and kernels. DSP: with the processor's 16-bit multiply-accumulates; MVE: with "
            "Helium; the other conditions are the same C as everywhere. Instructions are counted by QEMU "
            "-icount; they are no cycles.",
            "wasm: the bytes of a module that holds the network and its kernels and nothing else; nothing "
            "counts its instructions.",
            *(
                share_note(titles[cost.name], cost)
                for cost in costs
                if cost.by_operation and cost.name == first
            ),
            "Measured separately: peers ran an earlier wrist model of 915,808 multiply-accumulates without "
            "a line, whose nearest kin here is nano.",
        ]
        write_results(
            results,
            ResultsFile(
                name=results.stem,
                command=shlex.join(["python", *sys.argv]),
                version=__version__,
                data="the shipped model, and models with random weights, which change no cost",
                simulated=False,
                split="none",
                normalisation="none",
                seeds=(1,),
                machine=f"{machine_description()}, {compiler_version(M4F.compiler)}, QEMU",
                rows=tuple(rows),
                notes=tuple(notes),
            ),
        )


if __name__ == "__main__":
    main()
