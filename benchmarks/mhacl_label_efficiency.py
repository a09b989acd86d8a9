"""What pretraining without labels is worth where few labels are: ME-MHACL pretrained against from scratch.

mmq-tf simulate --layout deap --locked --subjects 24 --out locked
python benchmarks/mhacl_label_efficiency.py locked --results results/mhacl_label_efficiency.json

The recordings are SIMULATED: every video stirs everyone alike, second by second, beside each person's own
slow rhythm, movement and noise, so that the cause of any gain is known: what people share is the stimulus.
Stage 1 follows SGMC (arXiv 2208.00877), since of ME-MHACL (arXiv 2308.01919) only the abstract could be read.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from scipy.special import softmax

from mmq_tf import __version__
from mmq_tf.config import RunConfig, load_config
from mmq_tf.datasets import open_dataset
from mmq_tf.errors import MMQError
from mmq_tf.evaluation.predictions import Predictions
from mmq_tf.evaluation.results import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.evaluation.statistics import bootstrap_interval
from mmq_tf.evaluation.summary import subject_table
from mmq_tf.folds import network_seed
from mmq_tf.native_output import quiet_native
from mmq_tf.pretraining.job import PROBE, PretrainJob, labelled_windows
from mmq_tf.pretraining.start import HeldLayer
from mmq_tf.splits import subject_folds
from mmq_tf.training import fit_network, new_network, predict_logits
from mmq_tf.windows import WindowSet

SHARES = (0.05, 0.1, 0.25, 1.0)
SENSORS = ("emg", "ppg", "eda", "temp", "resp")
STEPS = 200
"""Training steps with labels, whatever their share."""

BATCH = 32
SCRATCH, PRETRAINED, GAIN = "mhacl-scratch", "mhacl-pretrained", "pretrained-minus-scratch"
METRICS = ("macro_f1", "balanced_accuracy", "auroc")


def experiment_config(preset: str, sensors: Sequence[str] = ()) -> RunConfig:
    """Return a preset for ME-MHACL without what needs labels of its own or corrupted copies."""
    config = load_config(
        preset,
        [
            "model.name=mhacl",
            "artefacts.variants=0",
            "training.teacher_share=0",
            f"training.batch_size={BATCH}",
            "split.folds=5",
        ],
    )
    if not sensors:
        return config
    kept = {name: config.front_end.modalities[name] for name in sensors}
    front_end = config.front_end.model_copy(update={"modalities": kept})
    return config.model_copy(update={"front_end": front_end})


def with_epochs(config: RunConfig, windows: int) -> RunConfig:
    """Return the configuration with as many epochs as make `STEPS` steps of that many windows."""
    epochs = max(1, round(STEPS / -(-windows // BATCH)))
    training = config.training.model_copy(update={"epochs": epochs, "patience": epochs})
    frozen = round(epochs / 4)
    pretraining = config.pretraining.model_copy(update={"frozen_epochs": frozen})
    return config.model_copy(update={"training": training, "pretraining": pretraining})


def labelled_share(windows: WindowSet, share: float, seed: int) -> WindowSet:
    """Return the windows of a random share of the trials, at least one trial a class."""
    key = np.char.add(np.char.add(windows.subject, "/"), windows.trial.astype(str))
    rng = np.random.default_rng([seed, round(1000 * share)])
    chosen: list[str] = []
    for label in np.unique(windows.label):
        trials = rng.permutation(np.unique(key[windows.label == label]))
        chosen += trials[: max(1, round(share * len(trials)))].tolist()
    return windows.take(np.flatnonzero(np.isin(key, chosen)))


@dataclass(frozen=True)
class Judged:
    """One fold: its predictions, and the kNN probe of the encoder before and after pretraining."""

    predictions: list[Predictions]
    probe: tuple[float, float]


def judge_fold(job: PretrainJob, shares: Sequence[float], console: Console) -> Judged:
    """Pretrain on the fold's training subjects, then train with each share of their labels, twice."""
    config, classes = job.config, job.config.classes
    began = time.process_time()
    net, front_end, _, history = job.pretrained(None)
    console.print(
        f"{job.name}: loss {history.epochs[-1]['loss']:.2f}, complement found "
        f"{history.epochs[-1]['accuracy']:.0%}, probe {history.epochs[0][PROBE]:.3f} -> "
        f"{history.epochs[-1][PROBE]:.3f} ({time.process_time() - began:.0f} s)",
        highlight=False,
    )
    sides = [
        labelled_windows(job.streams(side), front_end, config)
        for side in (job.fold.train, job.fold.validation, job.fold.test)
    ]
    train, validation, test = (side for side in sides if side is not None)
    seed = network_seed(job.seed, job.index)
    parts = []
    for share in shares:
        labelled = labelled_share(train, share, job.seed)
        recipe = with_epochs(config, len(labelled))
        for method in (SCRATCH, PRETRAINED):
            model, held = new_network(recipe, len(classes), seed), None
            if method == PRETRAINED:
                model.net.encoder.set_weights(net.encoder.get_weights())
                held = HeldLayer(model.net.encoder, recipe.pretraining.frozen_epochs)
            fit_network(model, labelled, validation, recipe, seed, None, before_epoch=held)
            logits = predict_logits(model.net, test.features, test.presence)[config.data.task]
            part = Predictions.of_windows(
                classes=classes,
                method=method,
                condition=f"labels-{100 * share:g}",
                seed=job.seed,
                fold=job.index,
                subject=test.subject,
                session=test.session,
                trial=test.trial,
                start_s=test.start_s,
                label=test.label,
                probabilities=softmax(logits.astype(np.float64), axis=1),
            )
            scores = subject_table(part).scores["macro_f1"]
            console.print(
                f"  {share:.0%} of labels ({len(labelled)} windows), {method}: macro-F1 "
                f"{np.nanmean(scores):.3f} ({time.process_time() - began:.0f} s)",
                highlight=False,
            )
            parts.append(part)
    return Judged(parts, (history.epochs[0][PROBE], history.epochs[-1][PROBE]))


def fold_jobs(config: RunConfig, data: Path, seeds: Sequence[int]) -> Iterator[PretrainJob]:
    """Yield one job a seed: seed k takes fold k, so that every subject is judged once, by another seed."""
    names = open_dataset(config.data.dataset, data).subjects(data)
    subjects = list(dict.fromkeys(name.partition("/")[0] for name in names))
    folds = subject_folds(subjects, len(seeds), config.split.validation_share, 0)
    for index, (seed, fold) in enumerate(zip(seeds, folds, strict=True)):
        yield PretrainJob(config, data, fold, index, seed, Path())


def result_rows(judged: Sequence[Judged], shares: Sequence[float], prefix: str = "") -> list[ResultRow]:
    """Return scores with intervals over subjects, the paired gain, and the probe over folds."""
    table = subject_table(Predictions.concatenate([part for one in judged for part in one.predictions]))
    rows = []
    for metric in METRICS:
        for condition in (f"labels-{100 * share:g}" for share in shares):
            values = {method: table.of(method, condition, metric) for method in (SCRATCH, PRETRAINED)}
            values[GAIN] = values[PRETRAINED] - values[SCRATCH]
            rows += [_row(method, prefix + condition, metric, scores) for method, scores in values.items()]
    probes = np.array([one.probe for one in judged])
    for column, method in enumerate(("encoder-untrained", "encoder-pretrained")):
        rows.append(_row(method, f"{prefix}probe", "balanced_accuracy", probes[:, column]))
    rows.append(_row(GAIN, f"{prefix}probe", "balanced_accuracy", probes[:, 1] - probes[:, 0]))
    return rows


def _row(method: str, condition: str, metric: str, values: np.ndarray) -> ResultRow:
    mean, low, high = bootstrap_interval(values)
    count = int((~np.isnan(values)).sum())
    return ResultRow(
        method=method, condition=condition, metric=metric, mean=mean, low=low, high=high, n=count
    )


def notes(config: RunConfig) -> tuple[str, ...]:
    """Return what must be said beside every such table."""
    settings = config.pretraining
    return (
        "Our reading of ME-MHACL (arXiv 2308.01919, abstract only); stage 1 follows SGMC (arXiv 2208.00877).",
        "labels-10: a tenth of the training subjects' trials keep their label, at least one a class. "
        f"{STEPS} steps of {BATCH} windows with every share; the epoch is chosen on validation subjects, "
        "whose labels all count, the same for both methods. No soft labels from trees, no corrupted copies.",
        f"Pretraining: {settings.epochs} epochs of {settings.steps} batches of {settings.seconds} moments "
        f"and {settings.pairs} offspring a group, on the training subjects alone; the last epoch is taken; "
        "the encoder is held for the first quarter of the training with labels.",
        "Seed k takes fold k: every subject is judged once. Intervals: 95 % bootstrap over subjects; the "
        "gain's is of the paired differences. probe: 15 nearest neighbours among training windows name the "
        "class of the validation subjects' windows; its interval is over folds.",
    )


def results_of(
    name: str, config: RunConfig, data: Path, seeds: Sequence[int], rows: Sequence[ResultRow]
) -> ResultsFile:
    """Return the table by the results contract."""
    dataset = open_dataset(config.data.dataset, data)
    count = len({subject.partition("/")[0] for subject in dataset.subjects(data)})
    return ResultsFile(
        name=name,
        command=shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        version=__version__,
        data=f"{dataset.title}, {count} subjects",
        simulated=dataset.simulated,
        split=f"{len(seeds)} folds of subjects; epoch chosen on validation subjects",
        normalisation=config.normalisation.mode,
        seeds=tuple(seeds),
        machine=machine_description(),
        rows=tuple(rows),
        notes=notes(config),
    )


def judge_folds(
    config: RunConfig, data: Path, seeds: Sequence[int], shares: Sequence[float], console: Console
) -> list[Judged]:
    """Judge every fold, one after the other."""
    return [judge_fold(job, shares, console) for job in fold_jobs(config, data, seeds)]


def show(rows: Sequence[ResultRow], console: Console) -> None:
    """Print macro-F1 and probe."""
    for row in rows:
        if row.metric == "macro_f1" or row.condition.endswith("probe"):
            console.print(
                f"{row.condition:>24} {row.method:<26} {row.mean:.3f} [{row.low:.3f}, {row.high:.3f}]",
                highlight=False,
                markup=False,
            )


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--seeds", type=click.IntRange(min=2), default=5, show_default=True, help="Seeds, and folds.")
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(data: Path, seeds: int, results: Path | None) -> None:
    """Compare on DATA, a folder in DEAP's layout that ``mmq-tf simulate --layout deap --locked`` wrote."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    console = Console()
    config = experiment_config("deap", SENSORS)
    with quiet_native():
        judged = judge_folds(config, data, range(seeds), SHARES, console)
    rows = result_rows(judged, SHARES)
    show(rows, console)
    if results:
        write_results(results, results_of(results.stem, config, data, range(seeds), rows))


if __name__ == "__main__":
    main()
