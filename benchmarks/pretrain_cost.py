"""What a step of ME-MHACL's stage 1 costs on this machine, and where the time goes.

python benchmarks/pretrain_cost.py --results results/pretrain_cost.json

Batches are built from random tokens of the four wrist modalities (SIMULATED by a random generator: the cost
does not depend on what they hold). Stage 1 follows SGMC (arXiv 2208.00877), since of ME-MHACL (arXiv
2308.01919) only the abstract could be read.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from mmq_tf import __version__
from mmq_tf.config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.results import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.native_output import quiet_native
from mmq_tf.pretraining.meiosis import Seconds
from mmq_tf.pretraining.token_bank import TokenBank

PEOPLE, STIMULI, MINUTES = 24, 40, 1
SECONDS, PAIRS = 8, 2
BUDGET_MS = 60.0


def make_bank(tokens: int, sizes: dict[str, int], token_s: float) -> tuple[TokenBank, Seconds]:
    """Return tokens of `PEOPLE` who saw `STIMULI` of a minute each, and who has which second."""
    rng = np.random.default_rng(0)
    each = int(60 * MINUTES / token_s)
    count = PEOPLE * STIMULI * each
    features = rng.normal(size=(count, sum(sizes.values()))).astype(np.float32)
    bank = TokenBank(features, np.ones((count, len(sizes)), np.float32), tokens, ())
    starts = np.arange(each - tokens + 1)
    begin = np.arange(PEOPLE)[:, None] * STIMULI * each + np.arange(STIMULI) * each
    window = (begin.T[:, None, :] + starts[None, :, None]).reshape(-1, PEOPLE)
    stimulus = np.repeat(np.arange(STIMULI), len(starts))
    return bank, Seconds(window, stimulus, np.tile(starts * token_s, STIMULI), tokens * token_s)


def milliseconds(work: Callable[[], object], rounds: int) -> np.ndarray:
    """Return the time of each call; the first three are not counted."""
    times = []
    for _ in range(rounds + 3):
        began = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - began))
    return np.array(times[3:])


def measure(rounds: int) -> dict[str, np.ndarray]:
    """Time drawing, taking and a whole training step."""
    from mmq_tf.model.mhacl import MHACL
    from mmq_tf.pretraining.contrastive_model import Contrastive
    from mmq_tf.pretraining.fit import compile_contrastive

    config = load_config("stress-predict")
    front_end = config.front_end
    sizes = {name: part.stop - part.start for name, part in front_end.feature_slices.items()}
    bank, seconds = make_bank(front_end.tokens, sizes, front_end.token_s)
    net = MHACL.from_size("nano", front_end.tokens, sizes, {"stress": 2})
    model = Contrastive(net.encoder, len(sizes), net.dim, moments=SECONDS, members=PAIRS)
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


def results_of(name: str, times: dict[str, np.ndarray], rounds: int) -> ResultsFile:
    """Return the table by the results contract."""
    rows = []
    for part, values in times.items():
        low, middle, high = np.percentile(values, [2.5, 50, 97.5])
        rows.append(
            ResultRow(
                method="pretrain-tokens",
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
        data=f"random tokens of {PEOPLE} people, {STIMULI} stimuli of {MINUTES} minute, 4 wrist modalities",
        simulated=True,
        split="none",
        normalisation="none",
        seeds=(0,),
        machine=machine_description(),
        rows=tuple(rows),
        notes=(
            f"P = {SECONDS} moments, Q = {PAIRS} offspring a group: {2 * SECONDS * PAIRS} windows of 12 "
            "tokens a step; encoder of the size nano.",
            "draw: who, which seconds, where the cut lies; take: the samples of the batch; train: forward, "
            "backward and AdamW; step: all of it. Medians, the middle 95 % of the calls in brackets.",
            f"The budget of a step is {BUDGET_MS:g} ms.",
        ),
    )


@click.command()
@click.option("--rounds", type=click.IntRange(min=10), default=200, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(rounds: int, results: Path | None) -> None:
    """Time a step of `mmq-tf pretrain` on front-end tokens."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    with quiet_native():
        times = measure(rounds)
    table = results_of(results.stem if results else "pretrain_cost", times, rounds)
    console = Console()
    for row in table.rows:
        console.print(f"{row.condition:>6} {row.mean:8.3f} ms [{row.low:.3f}, {row.high:.3f}]", markup=False)
    if results:
        write_results(results, table)


if __name__ == "__main__":
    main()
