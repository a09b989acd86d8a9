# SPDX-License-Identifier: Apache-2.0
r"""Where the truth is known: is a rebuilt token right, and does interference find the corrupted ones.

mmq-tf simulate --out cohort --subjects 16
python benchmarks/simulated_truth.py --data cohort \
    --results results/simulated_truth.json --figure docs/interference.svg

On real recordings what is hidden and what is injected is known too:

python benchmarks/simulated_truth.py stress-predict --data DATA/stress_predict \
    --results results/injected_truth.json

One network a fold and seed, trained by the preset's recipe; test people only. After Ctrl-C the same command
goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from mmq_bridge.native_output import quiet_native
from rich.console import Console

from mmq_tf.config.run_config import RunConfig, load_config
from mmq_tf.datasets import Dataset, open_dataset
from mmq_tf.datasets.simulated import ground_truth
from mmq_tf.errors import MMQError
from mmq_tf.features.prepare_dataset import load_prepared, prepare_dataset
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import streams_digest, tokens_touched
from mmq_tf.metrics.results_table import (
    ResultRow,
    ResultsFile,
    format_cell,
    machine_description,
    write_results,
)
from mmq_tf.metrics.significance import bootstrap_interval, mean_over_seeds
from mmq_tf.training.splits import joined_folds
from mmq_tf.utils.atomic_files import write_text
from mmq_tf.utils.backend_threads import one_thread_per_process
from mmq_tf.version import __version__

if TYPE_CHECKING:
    from mmq_tf.features.windows import Stream
    from mmq_tf.training.fit import Progress
    from mmq_tf.training.fold import FoldJob

COMMAND = "python benchmarks/simulated_truth.py"


@dataclass(frozen=True)
class TruthJob:
    """Train one fold and score its test people."""

    fold: FoldJob
    data: Path

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.fold.name

    @property
    def path(self) -> Path:
        """Where its scores lie."""
        return self.fold.folder / "scores.json"

    @property
    def done(self) -> bool:
        """Whether they are there."""
        return self.path.is_file()

    def run(self, on_epoch: Progress) -> None:
        """Train, score and write."""
        from methods.interference import inject, interference_scores
        from methods.rebuilding import rebuilding_scores

        from mmq_tf.features.windows import build_windows
        from mmq_tf.training.fold import fold_windows, train_fold

        job, config = self.fold, self.fold.config
        job.folder.mkdir(parents=True, exist_ok=True)
        windows = fold_windows(job)
        model, _ = train_fold(job, windows, on_epoch)
        front_end = windows.front_end
        scores = [*rebuilding_scores(model, windows.train, windows.validation, windows.test, front_end)]
        dataset = open_dataset(config.data.dataset, self.data)
        for stream in (stream for stream in job.streams if stream.subject in job.fold.test):
            recording = dataset.load(self.data, stream.subject)
            own = own_artefacts(dataset, self.data, stream)
            spoilt = inject(recording, stream, own, config.normalisation.enrolment_s)
            test = build_windows([spoilt], front_end, config.data.task, job.classes, config.windows.stride_s)
            scores += interference_scores(model.net, windows.train, test, front_end)
        write_text(self.path, json.dumps([asdict(score) for score in scores]))
        (job.folder / "state.npz").unlink(missing_ok=True)


def own_artefacts(dataset: Dataset, folder: Path, stream: Stream) -> np.ndarray:
    """Return bool ``[n, M]``: tokens in artefacts that the simulator put there; none are known of people."""
    own = np.zeros_like(stream.presence)
    if dataset.name != "simulated":
        return own
    front_end = stream.front_end
    artefacts = ground_truth(folder, stream.subject).artefacts
    for column, name in enumerate(front_end.modality_names):
        times = [(one.start_s, one.stop_s) for one in artefacts if one.modality == name]
        own[:, column] = tokens_touched(times, front_end.token_s, len(own))
    return own


def truth_jobs(
    config: RunConfig, dataset: Dataset, data: Path, streams: Sequence[Stream], out: Path
) -> list[TruthJob]:
    """Return one job per fold and seed; anything that changes their numbers makes them another folder."""
    from mmq_tf.training.fold import FoldJob

    parts = (config.to_toml(), streams_digest(streams), __version__)
    root = out / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    split = config.split
    groups = dataset.grouped([stream.subject for stream in streams])
    folds = joined_folds(groups, split.folds, split.validation_share, 0)
    return [
        TruthJob(
            FoldJob(
                config=config,
                classes=config.classes,
                fold=fold,
                index=index,
                seed=seed,
                folder=root / f"{index:02d}-seed{seed}",
                streams=tuple(streams),
            ),
            data,
        )
        for seed in config.seeds
        for index, fold in enumerate(folds)
    ]


def read_scores(jobs: Iterable[TruthJob]) -> dict[tuple[str, str, str], dict[str, list[float]]]:
    """Return (method, condition, metric) -> person -> a value per seed."""
    from methods.rebuilding import Score

    found: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for job in jobs:
        for score in (Score(**values) for values in json.loads(job.path.read_text("utf-8"))):
            people = found.setdefault((score.method, score.condition, score.metric), {})
            people.setdefault(score.subject, []).append(score.value)
    return found


def row_of(key: tuple[str, str, str], people: dict[str, list[float]]) -> ResultRow:
    """Return the mean over people of their mean over seeds, with its interval."""
    method, condition, metric = key
    values = np.array([np.mean(seeds) for seeds in people.values()])
    mean, low, high = bootstrap_interval(values)
    whole = [seeds for seeds in people.values() if len(seeds) == max(map(len, people.values()))]
    return ResultRow(
        method=method,
        condition=condition,
        metric=metric,
        mean=mean,
        low=low,
        high=high,
        n=int(np.isfinite(values).sum()),
        seed_std=mean_over_seeds(np.array(whole).T)[1],
    )


def results_of(name: str, config: RunConfig, dataset: Dataset, jobs: Sequence[TruthJob]) -> ResultsFile:
    """Return the table by the results contract."""
    people = {stream.subject for stream in jobs[0].fold.streams}
    norm = config.normalisation
    rows = sorted(
        (row_of(key, values) for key, values in read_scores(jobs).items()),
        key=lambda row: (row.metric == "auroc", row.metric),
    )
    return ResultsFile(
        name=name,
        command=shlex.join([*COMMAND.split(), *sys.argv[1:]]),
        version=__version__,
        data=f"{dataset.title}, {len(people)} subjects",
        simulated=dataset.simulated,
        split=f"{config.split.folds} folds of subjects; epoch chosen on validation subjects",
        normalisation=f"{norm.mode}, {norm.enrolment_s:g} s" if norm.mode == "enrolment" else norm.mode,
        seeds=config.seeds,
        machine=machine_description(),
        rows=tuple(rows),
        notes=(
            "no-ppg and so on: that modality is hidden whole and rebuilt from the others. r2: 1 - SSE / SST, "
            "SST around the mean of the training people, which scores 0; token: in the network's own space.",
            "auroc: do interference scores, and a logistic regression on the token's own features, tell "
            "corrupted tokens from others of that modality that are present? Artefacts lie on 30 % of one "
            "modality's tokens at a time; tokens that the quality rules make absent are not asked about, and "
            "those that follow an artefact count as clean although features look back (PPG and ECG 30 s).",
            "'own': artefacts the simulator had put into the recordings, left out of the other conditions.",
        ),
    )


def draw(results: ResultsFile) -> str:
    """Return the AUROC of interference by ratio, a line per modality, as SVG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from methods.interference import ANY, REFERENCE, SCORE

    from mmq_tf.evaluation.protocols import SNR_DB
    from mmq_tf.reports.figures import INK, METHOD_STYLE, MUTED, STYLE, as_svg

    modalities = list(dict.fromkeys(c.split()[0] for c in results.conditions if f" {ANY} " in c))
    with rc_context(STYLE):
        figure = Figure(figsize=(8.0, 3.2), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, method in zip(panels, (SCORE, REFERENCE), strict=True):
            for name, (colour, marker) in zip(modalities, METHOD_STYLE.values(), strict=False):
                rows = [results.row(method, f"{name} {ANY} {snr}dB", "auroc") for snr in SNR_DB]
                given = [
                    (snr, row) for snr, row in zip(SNR_DB, rows, strict=True) if row and row.mean is not None
                ]
                at, mean = [snr for snr, _ in given], [row.mean for _, row in given]
                low, high = [row.low for _, row in given], [row.high for _, row in given]
                axes.plot(at, mean, color=colour, marker=marker, label=name)
                axes.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)
            axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=":")
            axes.set(title=method, xlabel="signal-to-noise ratio (dB)", xticks=SNR_DB)
            axes.invert_xaxis()
        panels[0].set_ylabel("AUROC of corrupted tokens", color=INK)
        panels[0].legend()
    return as_svg(figure, results.stamps)


@click.command()
@click.argument("preset", default="simulated")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path), default="runs/simulated-truth", show_default=True)
@click.option(
    "--seed", "seeds", multiple=True, type=click.IntRange(min=0), default=(0, 1, 2), show_default=True
)
@click.option("--jobs", "workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one value of the preset.")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
@click.option("--figure", type=click.Path(path_type=Path), help="Write the interference plot here (.svg).")
def main(
    preset: str,
    data: Path,
    out: Path,
    seeds: tuple[int, ...],
    workers: int,
    changes: tuple[str, ...],
    results: Path | None,
    figure: Path | None,
) -> None:
    """Hold rebuilt tokens and interference scores against what is known."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    one_thread_per_process()
    with quiet_native():
        from mmq_tf.training.workers import run_jobs

        jobs_of = truth_jobs
    console = Console()
    config = load_config(preset, [f"seeds={list(seeds)}", *changes])
    dataset = open_dataset(config.data.dataset, data)
    settings = TokenSettings(config.front_end, config.artefacts, config.seeds[0])
    done = prepare_dataset(dataset.name, data, settings, jobs=workers)
    jobs = jobs_of(config, dataset, data, load_prepared(dataset.name, data, settings, done), out)
    console.print(f"{sum(job.done for job in jobs)} of {len(jobs)} folds are done", highlight=False)
    run_jobs(jobs, workers, lambda *_: None, lambda name: console.print(f"{name} is done", highlight=False))
    table = results_of(results.stem if results else "simulated_truth", config, dataset, jobs)
    for row in table.rows:
        said = f"{row.metric:12} {row.condition:20} {row.method:22} {format_cell(row)}"
        if "any kind" in row.condition or row.metric in ("r2_token", "r2_features", "correlation"):
            console.print(said, highlight=False, markup=False)
    if results:
        write_results(results, table)
    if figure:
        write_text(figure, draw(table))


if __name__ == "__main__":
    main()
