# SPDX-License-Identifier: Apache-2.0
"""What `mmq-tf bench model --results` writes: the cost of the models by the results contract."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from mmq_bridge.targets.whole_cost import BundleCost

from mmq_tf.api.model_cost.measure import REPEATS, ModelCost
from mmq_tf.api.model_cost.source import CostSource
from mmq_tf.api.model_cost.whole import CONDITION, whole_rows
from mmq_tf.metrics.interleaved_timing import Contender, median_row
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.model.eegnet import RATE_HZ
from mmq_tf.version import __version__

WHOLE_NOTE = (
    f"{CONDITION}: the bundle's own C code built for a Cortex-M4F and run on its golden samples in QEMU. "
    "Instructions are counted, not cycles: measure time on your board. Flash and RAM are those of "
    "the smallest program (wearable.c), with the compiler's library and the network's arena; the state needs "
    "less than the upper bound that the program takes."
)


def cost_rows(costs: Sequence[ModelCost]) -> list[ResultRow]:
    """Return latency (as a ratio to the first model's, and in microseconds), bytes, MACs and arena."""
    rows = []
    for metric, factor in (("latency_ratio", 1 / costs[0].seconds), ("latency_us", 1e6)):
        for cost in costs:
            entry = Contender(cost.name, cost.condition, run=list)
            rows.append(median_row(entry, metric, cost.seconds * factor))
    for metric in ("bytes", "macs", "arena_bytes"):
        for cost in costs:
            value = {"bytes": cost.size_bytes, "macs": cost.macs, "arena_bytes": cost.arena}[metric]
            rows.append(ResultRow(method=cost.name, condition=cost.condition, metric=metric, mean=value, n=1))
    return rows


def write_cost_results(
    path: Path, source: CostSource, costs: Sequence[ModelCost], whole: BundleCost | None = None
) -> None:
    """Write the costs as JSON, with the table beside it; of a bundle also those of the whole."""
    results = ResultsFile(
        name=path.stem,
        command=shlex.join(["mmq-tf", *sys.argv[1:]]),
        version=__version__,
        data=source.data,
        simulated=source.simulated,
        split=source.split,
        normalisation=source.normalisation,
        seeds=(0,),
        machine=f"{machine_description()}, ai-edge-litert {version('ai-edge-litert')}; one thread",
        rows=(*cost_rows(costs), *(whole_rows(whole) if whole else ())),
        notes=(*notes(source, costs), *((WHOLE_NOTE,) if whole else ())),
    )
    write_results(path, results)


def notes(source: CostSource, costs: Sequence[ModelCost]) -> tuple[str, ...]:
    """Return what is and what is not in the numbers."""
    window_s = source.front_end.window_s
    found = [
        f"One decision on one window of {window_s:g} s. latency_ratio: how often {costs[0].name} in "
        f"{costs[0].condition} decides while the other decides once. Latencies are medians over "
        f"{len(costs[0].seconds)} interleaved rounds ({REPEATS} decisions each; 1 of the forest), with the "
        "middle 95 % of the rounds in brackets, of the process's own processor time; latency_us belongs to "
        "this machine.",
        "mmqnet, zero_fill, eegnet: LiteRT, inputs set, invoked, outputs read; networks with random weights, "
        "which change no cost. zero_fill: the transformer that knows no presence, as wide and as deep. What "
        "turns samples into features comes before mmqnet, zero_fill and forest alike and is not in these "
        "numbers: `mmq-tf bench core` counts it.",
        f"forest: scikit-learn's 300 trees fitted on {len(source.features)} windows, through predict_proba "
        "of one window with its window statistics, most of it scikit-learn's own overhead; bytes: pickled. "
        "It multiplies nothing.",
        "macs: multiply-accumulates of dense layers, batch products and convolutions, counted in the file. "
        "arena_bytes: TFLite Micro with 64-bit pointers, an upper bound; – where it does not run the model.",
    ]
    if any(cost.name == "eegnet" for cost in costs):
        channels = len(source.front_end.modalities["eeg"].channels)
        found.append(
            f"eegnet: EEGNet-8,2 (Lawhern et al. 2018) on {window_s:g} s of {channels} raw EEG channels at "
            f"{RATE_HZ:g} Hz: its convolutions are its front end; filtering and decimating to {RATE_HZ:g} Hz "
            "before it are not counted. It sees the EEG only. Its int8 file keeps ELU in float, as "
            "TensorFlow's converter does."
        )
    return tuple(found)
