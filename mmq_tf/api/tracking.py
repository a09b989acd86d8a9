# SPDX-License-Identifier: Apache-2.0
"""A training followed in MLflow or Weights & Biases: its settings, every epoch, and its table at the end."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mmq_tf.errors import MMQError
from mmq_tf.utils.progress import WorkProgress

if TYPE_CHECKING:
    from mmq_tf.config.run_config import RunConfig
    from mmq_tf.metrics.results_table import ResultsFile

TRACKERS = ("mlflow", "wandb", "tensorboard")
"""What a training can be followed in; TensorBoard's logs are written by the folds themselves."""
PROJECT = "mmq-tf"
KEPT = ("report.html", "results.json", "config.toml")
"""What is kept of a run's folder beside the numbers, where a tracker keeps files."""


class Tracker(Protocol):
    """One place where a training is followed."""

    def log(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Take numbers by name, of an epoch where `step` says which."""
        ...

    def end(self, folder: Path, *, finished: bool) -> None:
        """Take that it is over; files are kept from `folder` where it was finished."""
        ...


class MLflowTracker:
    """A run in MLflow: where ``MLFLOW_TRACKING_URI`` says, by default files in ``mlruns/``."""

    def __init__(self, name: str, settings: Mapping[str, str]) -> None:
        where = os.environ.get("MLFLOW_TRACKING_URI") or Path("mlruns").absolute().as_uri()
        if where.startswith("file:"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=where)
        known = self._client.get_experiment_by_name(PROJECT)
        place = known.experiment_id if known else self._client.create_experiment(PROJECT)
        self._run = self._client.create_run(place, run_name=name).info.run_id
        for key, value in settings.items():
            self._client.log_param(self._run, key, value)

    def log(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log each number."""
        for key, value in values.items():
            self._client.log_metric(self._run, key, float(value), step=step)

    def end(self, folder: Path, *, finished: bool) -> None:
        """Keep the report and end the run."""
        for name in KEPT if finished else ():
            if (folder / name).is_file():
                self._client.log_artifact(self._run, str(folder / name))
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")


class WandbTracker:
    """A run in Weights & Biases, online or not as ``WANDB_MODE`` says."""

    def __init__(self, name: str, settings: Mapping[str, str]) -> None:
        import wandb  # pyright: ignore[reportMissingImports]

        self._run = wandb.init(project=PROJECT, name=name, config=dict(settings))

    def log(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log the numbers together, an epoch beside them; without one they are the run's summary."""
        if step is None:
            self._run.summary.update(dict(values))
        else:  # folds side by side have epochs of their own, so none is the run's step
            self._run.log({**values, "epoch": step})

    def end(self, folder: Path, *, finished: bool) -> None:
        """End the run."""
        self._run.finish(exit_code=0 if finished else 1)


KINDS = {"mlflow": MLflowTracker, "wandb": WandbTracker}
"""What follows a training by the name of its package, which is also the extra's."""


def check_trackers(names: Sequence[str]) -> None:
    """Check that trackers are known and installed, without loading them.

    Raises
    ------
    MMQError
        If one is not.
    """
    for name in names:
        if name not in TRACKERS:
            raise MMQError(f"track: expected some of {', '.join(TRACKERS)}; got {name!r}.")
        if name in KINDS and importlib.util.find_spec(name) is None:
            raise MMQError(f"{name} is not installed; run `pip install mmq-tf[{name}]`.")


class Tracked(WorkProgress):
    """A progress that is also told to trackers.

    Parameters
    ----------
    shown : WorkProgress
        What is told everything too.
    trackers : sequence of Tracker
    """

    def __init__(self, shown: WorkProgress, trackers: Sequence[Tracker]) -> None:
        self._shown, self._trackers = shown, trackers

    def note(self, text: str) -> None:
        """Pass it on."""
        self._shown.note(text)

    def preparing(self) -> AbstractContextManager[object]:
        """Pass it on."""
        return self._shown.preparing()

    def on_total(self, total: int) -> None:
        """Pass it on."""
        self._shown.on_total(total)

    def on_recording(self, name: str, fault: str) -> None:
        """Pass it on."""
        self._shown.on_recording(name, fault)

    def folding(
        self, folds: int, done: int, steps: int, unit: str = "epochs"
    ) -> AbstractContextManager[object]:
        """Pass it on."""
        return self._shown.folding(folds, done, steps, unit)

    def doing(self, text: str) -> AbstractContextManager[object]:
        """Pass it on."""
        return self._shown.doing(text)

    def on_epoch(self, name: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the epoch's numbers under the fold's name."""
        self._shown.on_epoch(name, epoch, metrics)
        values = {f"{name}/{key}": float(value) for key, value in metrics.items()}
        for tracker in self._trackers:
            tracker.log(values, epoch)

    def on_fold(self, name: str) -> None:
        """Pass it on."""
        self._shown.on_fold(name)

    def on_results(self, results: ResultsFile) -> None:
        """Log the network's means as condition/metric."""
        self._shown.on_results(results)
        network = results.methods[0]
        values = {
            f"{row.condition}/{row.metric}": row.mean
            for row in results.rows
            if row.method == network and row.mean is not None
        }
        for tracker in self._trackers:
            tracker.log(values)


@contextmanager
def tracked(
    names: Sequence[str], config: RunConfig, folder: Path, progress: WorkProgress
) -> Iterator[WorkProgress]:
    """Yield a progress that follows a run in trackers, which are ended however the run ends.

    Parameters
    ----------
    names : sequence of str
        Some of `TRACKERS`; ``tensorboard`` needs nothing here.
    config : RunConfig
    folder : Path
        Of the run; its name is the run's in the tracker.
    progress : WorkProgress
        What is told everything too.

    Raises
    ------
    MMQError
        If a tracker is unknown, not installed, or refuses to begin.
    """
    check_trackers(names)
    settings = dict(flat(config.model_dump(mode="json", exclude_none=True)))
    trackers: list[Tracker] = []
    finished = False
    with ExitStack() as ends:
        for name in dict.fromkeys(names):
            if name not in KINDS:
                continue
            try:
                tracker = KINDS[name](folder.name, settings)
            except Exception as error:  # whatever a tracker says of its server, key or folder
                said = str(error).strip().partition("\n")[0]
                raise MMQError(f"{name}: {said or type(error).__name__}") from error
            trackers.append(tracker)
            ends.callback(lambda one=tracker: one.end(folder, finished=finished))
        yield Tracked(progress, trackers) if trackers else progress
        finished = True


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every setting of nested sections by its dotted name, as text.

    Examples
    --------
    >>> dict(flat({"name": "a", "training": {"epochs": 12}, "seeds": [0, 1]}))
    {'name': 'a', 'training.epochs': '12', 'seeds': '[0, 1]'}
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)[:500]
