# SPDX-License-Identifier: Apache-2.0
"""What a step of ME-MHACL's stage 1 costs on this machine, and where the time goes.

python benchmarks/pretrain_cost.py --results results/pretrain_cost.json

Batches are built from random tokens, or samples, of the four wrist modalities (SIMULATED by a random
generator: the cost does not depend on what they hold). Stage 1 follows SGMC (arXiv 2208.00877), since of
ME-MHACL (arXiv 2308.01919) only the abstract could be read.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from mmq_bridge.native_output import quiet_native
from rich.console import Console

from mmq_tf.config.run_config import RunConfig, load_config
from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.pretraining.meiosis import Seconds
from mmq_tf.pretraining.token_bank import TokenBank
from mmq_tf.version import __version__

PEOPLE, STIMULI, MINUTES = 24, 40, 1
SECONDS, PAIRS = 8, 2
BUDGET_MS = 60.0


def make_seconds(steps: int, step_s: float) -> tuple[Seconds, int]:
    """Return who has which second, of `PEOPLE` who saw `STIMULI` of a minute, and how many steps that is."""
    each = int(60 * MINUTES / step_s)
    starts = np.arange(each - steps + 1)
    begin = np.arange(PEOPLE)[:, None] * STIMULI * each + np.arange(STIMULI) * each
    window = (begin.T[:, None, :] + starts[None, :, None]).reshape(-1, PEOPLE)
    stimulus = np.repeat(np.arange(STIMULI), len(starts))
    seconds = Seconds(window, stimulus, np.tile(starts * step_s, STIMULI), steps * step_s)
    return seconds, PEOPLE * STIMULI * each


def random_steps(count: int, width: int) -> np.ndarray:
    """Return float32 ``[count, width]``: what a step holds does not matter for the cost."""
    return np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)


def milliseconds(work: Callable[[], object], rounds: int) -> np.ndarray:
    """Return the time of each call; the first three are not counted."""
    times = []
    for _ in range(rounds + 3):
        began = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - began))
    return np.array(times[3:])


def of_tokens(config: RunConfig) -> tuple[Any, Any, Seconds]:
    """Return a network that reads front-end tokens, a bank of them, and who has which second."""
    from mmq_tf.training.fit import new_network

    front_end = config.front_end
    seconds, count = make_seconds(front_end.tokens, front_end.token_s)
    presence = np.ones((count, len(front_end.modality_names)), np.float32)
    bank = TokenBank(random_steps(count, config.feature_layout.n_features), presence, front_end.tokens, ())
    model = config.model.model_copy(update={"name": "mhacl"})
    return new_network(config.training_spec.model_copy(update={"model": model}), 2, 0).net, bank, seconds


def of_raw_windows(config: RunConfig) -> tuple[Any, Any, Seconds]:
    """Return a network that reads raw windows of the same sensors, their bank, and who has which second."""
    from mmq_tf.pretraining.raw_bank import RawBank
    from mmq_tf.pretraining.raw_front_end import RawFrontEnd
    from mmq_tf.pretraining.raw_job import new_raw_network

    front_end = RawFrontEnd.of(config.front_end)
    seconds, count = make_seconds(front_end.tokens, front_end.token_s)
    presence = np.ones((count, len(front_end.modality_names)), np.float32)
    bank = RawBank(random_steps(count, len(front_end.instants)), presence, front_end, ())
    return new_raw_network(config, front_end, 0), bank, seconds


def measure(config: RunConfig, net: Any, bank: Any, seconds: Seconds, rounds: int) -> dict[str, np.ndarray]:
    """Time drawing, taking and a whole training step."""
    from mmq_tf.pretraining.contrastive_model import Contrastive
    from mmq_tf.pretraining.fit import compile_contrastive

    model = Contrastive(net.encoder, net.n_modalities, net.dim, moments=SECONDS, members=PAIRS)
    compile_contrastive(model, config.pretraining)
    rng = np.random.default_rng(1)
    offspring = seconds.draw(rng, SECONDS, PAIRS, 1.0)
    batch = bank.take(offspring)
    return {
        "draw": milliseconds(lambda: seconds.draw(rng, SECONDS, PAIRS, 1.0), rounds),
        "take": milliseconds(lambda: bank.take(offspring), rounds),
        "train": milliseconds(lambda: model.train_on_batch(batch), rounds),
        "step": milliseconds(
            lambda: model.train_on_batch(bank.take(seconds.draw(rng, SECONDS, PAIRS, 1.0))), rounds
        ),
    }


def measure_all(rounds: int) -> dict[str, dict[str, np.ndarray]]:
    """Return the times of both inputs, by the method's name."""
    config = load_config("stress-predict")
    inputs = {"pretrain-tokens": of_tokens, "pretrain-raw": of_raw_windows}
    return {name: measure(config, *make(config), rounds) for name, make in inputs.items()}


def results_of(name: str, times: dict[str, dict[str, np.ndarray]], rounds: int) -> ResultsFile:
    """Return the table by the results contract."""
    rows = []
    parts = [(method, part, values) for method, one in times.items() for part, values in one.items()]
    for method, part, values in parts:
        low, middle, high = np.percentile(values, [2.5, 50, 97.5])
        rows.append(
            ResultRow(
                method=method,
                condition=part,
                metric="latency_ms",
                mean=float(middle),
                low=float(low),
                high=float(high),
                n=rounds,
            )
        )
    return ResultsFile(
        name=name,
        command=shlex.join(["python", "benchmarks/pretrain_cost.py", *sys.argv[1:]]),
        version=__version__,
        data=f"random numbers of {PEOPLE} people, {STIMULI} stimuli of {MINUTES} minute, 4 wrist modalities",
        simulated=True,
        split="none",
        normalisation="none",
        seeds=(0,),
        machine=machine_description(),
        rows=tuple(rows),
        notes=(
            f"P = {SECONDS} moments, Q = {PAIRS} offspring a group: {2 * SECONDS * PAIRS} windows of 12 "
            "tokens a step, or of as many seconds of samples (64, 4, 4 and 32 Hz); encoder of the size nano.",
            "draw: who, which seconds, where the cut lies; take: the samples of the batch; train: forward, "
            "backward and AdamW; step: all of it. Medians, the middle 95 % of the calls in brackets.",
            f"The budget of a step on tokens is {BUDGET_MS:g} ms.",
        ),
    )


@click.command()
@click.option("--rounds", type=click.IntRange(min=10), default=200, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(rounds: int, results: Path | None) -> None:
    """Time a step of `mmq-tf pretrain` on front-end tokens and on raw windows."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    with quiet_native():
        times = measure_all(rounds)
    table = results_of(results.stem if results else "pretrain_cost", times, rounds)
    console = Console()
    for row in table.rows:
        console.print(
            f"{row.method:>15} {row.condition:>6} {row.mean:8.3f} ms [{row.low:.3f}, {row.high:.3f}]",
            markup=False,
        )
    if results:
        write_results(results, table)


if __name__ == "__main__":
    main()
