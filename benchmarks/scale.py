# SPDX-License-Identifier: Apache-2.0
"""Seconds, memory and disk of preparing and training on more and more SIMULATED people.

python benchmarks/scale.py --results results/scale.json
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mmq_tf.config.run_config import RunConfig, load_config
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.simulation.cohort import MAX_SUBJECTS, write_cohort
from mmq_tf.simulation.simulator import Settings
from mmq_tf.version import __version__

SIZES = (10, 100, 1000)
MINUTES = 7.0
SENSORS = ("eda", "temp")
STEPS = 20
"""Training steps at each size; one epoch is drawn whole, as training does it."""
STAGES = ("start", "write", "prepare", "load", "windows", "epoch", "train")


def configuration() -> RunConfig:
    """Return the preset of simulated cohorts with two slow sensors, no artefacts and no line."""
    changes = ("model.line=false", "artefacts.variants=0", "training.epochs=1", "training.teacher_share=0")
    config = load_config("simulated", changes)
    modalities = {name: config.front_end.modalities[name] for name in SENSORS}
    return config.model_copy(
        update={"front_end": config.front_end.model_copy(update={"modalities": modalities})}
    )


def measure_size(people: int, home: Path, report: Callable[[str, dict[str, float]], None]) -> None:
    """Write, prepare and train in this process; report each stage's processor seconds and peak memory."""

    def staged(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        found = work()
        report(name, {"cpu_s": time.process_time() - began, "peak_bytes": _peak_bytes()})
        return found

    config = configuration()
    staged("start", _load_libraries)
    from mmq_tf.features.normalisation import fit_normalisation
    from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
    from mmq_tf.features.token_cache import TokenSettings
    from mmq_tf.features.windows import build_windows
    from mmq_tf.training.fit import EpochData, compile_network, new_network

    cohort, settings = home / "cohort", TokenSettings(config.front_end, config.artefacts, 0)
    staged("write", lambda: write_cohort(cohort, people, Settings(minutes=MINUTES, modalities=SENSORS)))
    done = staged("prepare", lambda: prepare_dataset("simulated", cohort, settings))
    streams = staged("load", lambda: load_prepared("simulated", cohort, settings, done))
    norm = fit_normalisation(streams, config.normalisation, config.front_end.token_s)
    front_end = config.front_end.with_normalisation(norm)
    task, classes = config.data.task, config.classes
    windows = staged(
        "windows", lambda: build_windows(streams, front_end, task, classes, config.windows.stride_s)
    )
    data = EpochData(windows, config.training_spec, len(classes), 0)
    inputs, targets = staged("epoch", lambda: data.draw(0))
    model = new_network(config.training_spec, len(classes), 0)
    compile_network(model, config.training_spec, data.steps, run_eagerly=True)
    size = config.training.batch_size

    def train() -> None:
        for step in range(STEPS):
            rows = slice(step % data.steps * size, (step % data.steps + 1) * size)
            model.train_on_batch(
                {name: values[rows] for name, values in inputs.items()},
                {name: values[rows] for name, values in targets.items()},
            )

    staged("train", train)
    sizes = {"recordings": _disk_bytes(cohort), "cache": _disk_bytes(home / "cache")}
    report("disk", {**sizes, "windows": len(windows), "window_bytes": windows.features.nbytes})


def _load_libraries() -> None:
    import mmq_tf.training.fit  # noqa: F401  loads all libraries, which are no people's memory


def _peak_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _disk_bytes(folder: Path) -> int:
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*") if path.is_file())


def measured(people: int, work: Path | None) -> dict[str, dict[str, float]]:
    """Measure one size in a process of its own; return the numbers of each stage."""
    with tempfile.TemporaryDirectory(prefix="scale-", dir=work) as folder:
        command = [sys.executable, __file__, "--one", str(people), "--work", folder]
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "MMQ_CACHE": str(Path(folder) / "cache")}
        threads = {f"TF_NUM_{kind}OP_THREADS": "1" for kind in ("INTRA", "INTER")}
        env = {**os.environ, **quiet, **threads, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


def rows_of(people: int, found: dict[str, dict[str, float]]) -> list[ResultRow]:
    """Return one size's numbers as rows of a table."""
    return [
        ResultRow(method=stage, condition=f"{people} people", metric=metric, mean=round(value, 2), n=1)
        for stage, values in found.items()
        for metric, value in values.items()
    ]


def bytes_per_person(found: dict[int, dict[str, dict[str, float]]]) -> float:
    """Return how much the peak before the first step grows per person, between the two largest sizes."""
    few, many = sorted(found)[-2:]
    return (found[many]["epoch"]["peak_bytes"] - found[few]["epoch"]["peak_bytes"]) / (many - few)


@click.command()
@click.option("--people", "sizes", multiple=True, type=click.IntRange(2, MAX_SUBJECTS), help="Sizes.")
@click.option("--one", type=click.IntRange(1, MAX_SUBJECTS), hidden=True)
@click.option("--work", type=click.Path(path_type=Path), help="Folder.  [default: a temporary one]")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, .md beside).")
def main(sizes: tuple[int, ...], one: int | None, work: Path | None, results: Path | None) -> None:
    """Measure each size in a process of its own."""
    if one is not None:
        if work is None:
            raise click.UsageError("--one needs --work.")
        measure_size(one, work, lambda name, values: click.echo(json.dumps([name, values])))
        return
    found = {}
    for people in sizes or SIZES:
        found[people] = measured(people, work)
        click.echo(f"{people}: {json.dumps(found[people])}")
    if results is None:
        return
    table = ResultsFile(
        name=results.stem,
        command=shlex.join(["python", "benchmarks/scale.py", *sys.argv[1:]]),
        version=__version__,
        data=f"SIMULATED people of {MINUTES:g} minutes each, {' and '.join(SENSORS)} at 4 Hz",
        simulated=True,
        split="none: one training on all people",
        normalisation=configuration().normalisation.mode,
        seeds=(0,),
        machine=machine_description(),
        rows=tuple(row for people, values in found.items() for row in rows_of(people, values)),
        notes=notes(found),
    )
    write_results(results, table)


def notes(found: dict[int, dict[str, dict[str, float]]]) -> tuple[str, ...]:
    """Say what was measured, and what it means for more people."""
    said = [
        "Each size in a process of its own, one thread. cpu_s: processor seconds of it. peak_bytes: the"
        " most resident memory of the process up to the end of the stage, libraries included (start: they"
        f" alone). train: {STEPS} steps, operation by operation, of an epoch that is drawn whole.",
        "disk: bytes that the files occupy; windows: their number; window_bytes: their features alone. No"
        " corrupted variants, no line and no baselines.",
    ]
    if len(found) > 1:
        grown = bytes_per_person(found)
        few, many = sorted(found)[-2:]
        said.append(
            f"Between {few} and {many} people the peak before the first step grows by"
            f" {grown / 1024:.0f} KiB per person. Nothing is"
            " streamed: tokens, windows and one epoch's draw of all people are in memory. More people were"
            f" not measured; at that rate 10,000 would add {grown * 10_000 / 2**30:.2f} GiB to the libraries."
        )
    return tuple(said)


if __name__ == "__main__":
    main()
