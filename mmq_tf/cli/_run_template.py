# SPDX-License-Identifier: Apache-2.0
"""The run configuration that `mmq-tf datasets config` writes: what the recordings allow, and defaults."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import DEFAULT_VERSION, FrontEnd

from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import Dataset
from mmq_tf.datasets.formats.concatenate import PAUSE_S
from mmq_tf.datasets.manifest.template import as_toml
from mmq_tf.datasets.rest_labels import REST_WORDS, rest_rank
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording, Signal, Trial
from mmq_tf.utils.atomic_files import written_whole

MAX_LOOKED_AT = 12
"""Recordings that are read to see sensors and trials."""
TOKEN_LENGTHS_S = (5.0, 2.0, 1.0, 0.5)
MAX_TOKENS = 12
MIN_TOKENS = 4
MAX_WINDOW_TOKENS = 160  # of all modalities: as many as one softmax keeps apart in int8
MIN_ENROLMENT_S, MAX_ENROLMENT_S = 30.0, 120.0
PRIOR_TOKENS = 3  # as in the presets


@dataclass(frozen=True)
class WindowLength:
    """Tokens of `token_s` seconds, so many a window."""

    token_s: float
    tokens: int

    @property
    def window_s(self) -> float:
        """Length of a window in s."""
        return self.token_s * self.tokens


@dataclass(frozen=True)
class SensorSeen:
    """What must be the same in all recordings of a run."""

    sampling_rate_hz: float
    channels: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Seen:
    """What is kept of a recording that was looked at; its samples are not."""

    subject: str
    sensors: dict[str, SensorSeen]
    trials: tuple[Trial, ...]
    all_trials: tuple[Trial, ...]
    enrolled_s: float
    """How long the session of enrolment is with which it begins; of one without, no matter what."""

    @classmethod
    def of(cls, recording: Recording, task: str) -> Seen:
        """Return the sensors of a recording, its trials with a label of the task, and all of them."""
        sensors = {
            name: SensorSeen(signal.sampling_rate_hz, signal.channels, signal.unit)
            for name, signal in recording.signals.items()
        }
        trials = tuple(t for t in recording.trials if task in t.labels)
        enrolled_s = min(_until_pause_s(signal) for signal in recording.signals.values())
        return cls(recording.subject, sensors, trials, recording.trials, enrolled_s)

    def first(self, label: str) -> Trial | None:
        """Return the first trial with a label, in any task."""
        return next((trial for trial in self.all_trials if label in trial.labels.values()), None)


@dataclass(frozen=True)
class Proposal:
    """How to normalise, as lines of the configuration, and why."""

    lines: tuple[str, ...]
    said: tuple[str, ...]


def write_run_config(dataset: Dataset, folder: Path, task: str | None, out: Path) -> list[str]:
    """Write a run configuration that `mmq_tf.config.run_config.load_config` accepts.

    Parameters
    ----------
    dataset : Dataset
        Of a manifest.
    folder : Path
        Of the recordings; some of them are read.
    task : str, optional
        What to learn; needed where there are several tasks.
    out : Path
        TOML file to write.

    Returns
    -------
    list of str
        What was chosen and why, for the user.

    Raises
    ------
    MMQError
        If a recording is broken, recordings differ in a sensor's rate or channels, or the trials are too
        short.
    """
    name = _task(dataset, task)
    subjects = dataset.subjects(folder)
    people = {subject.split("/")[0] for subject in subjects}
    if len(people) < 3:
        raise MMQError(f"{folder}: expected 3 people or more, to train, choose and judge; got {len(people)}.")
    chosen = np.linspace(0, len(subjects) - 1, min(len(subjects), MAX_LOOKED_AT)).round().astype(int)
    seen = [Seen.of(dataset.load(folder, subjects[at]), name) for at in chosen]
    sensors, said = _sensors(folder, seen)
    window = _window(folder, name, seen, sensors)
    apart = dataset.enrolment_session
    proposal = _apart(seen, apart, window) if apart else _normalisation(seen, name, window)
    text = _text(dataset, folder, name, sensors, window, proposal.lines, len(people))
    with written_whole(out) as temporary:
        temporary.write_text(text, "utf-8")
        load_config(temporary)
    labels = Counter(trial.labels[name] for one in seen for trial in one.trials)
    return [
        *said,
        f"{name}: {', '.join(f'{labels[label]} {label}' for label in dataset.tasks[name])} trials in"
        f" {len(seen)} of {len(subjects)} recordings",
        f"windows: {window.tokens} tokens of {window.token_s:g} s for {', '.join(sensors)}",
        *proposal.said,
    ]


def _task(dataset: Dataset, task: str | None) -> str:
    if task is None and len(dataset.tasks) > 1:
        raise MMQError(f"name the task to learn with --task: {', '.join(dataset.tasks)}.")
    name = task or next(iter(dataset.tasks))
    if name not in dataset.tasks:
        raise MMQError(f"--task {name!r} is not one of {', '.join(dataset.tasks)}.")
    return name


def _sensors(folder: Path, seen: Sequence[Seen]) -> tuple[dict[str, SensorSeen], list[str]]:
    """Return the sensors a front end can take, and what is said of the others."""
    found: dict[str, SensorSeen] = {}
    for one in seen:
        for name, sensor in one.sensors.items():
            first = found.setdefault(name, sensor)
            for what in ("sampling_rate_hz", "channels", "unit"):
                if getattr(first, what) != getattr(sensor, what):
                    raise MMQError(
                        f"{folder}: {name} of {one.subject} has {what} {getattr(sensor, what)!r}, others"
                        f" {getattr(first, what)!r}; recordings of one run need the same."
                    )
    said, taken = [], {}
    for name in (name for name in MODALITIES if name in found):
        try:
            _front_end({name: found[name]}, WindowLength(TOKEN_LENGTHS_S[0], MIN_TOKENS))
            taken[name] = found[name]
        except BridgeError as error:
            said.append(f"{name} is left out: {error}")
    if not taken:
        raise MMQError(f"{folder}: no sensor can be used: {'; '.join(said)}.")
    return taken, said


def _front_end(sensors: dict[str, SensorSeen], window: WindowLength) -> FrontEnd:
    rates = {name: sensor.sampling_rate_hz for name, sensor in sensors.items()}
    channels = {name: sensor.channels for name, sensor in sensors.items()}
    return FrontEnd.wearable(rates, channels, token_s=window.token_s, tokens=window.tokens)


def _window(folder: Path, task: str, seen: Sequence[Seen], sensors: dict[str, SensorSeen]) -> WindowLength:
    """Return the longest usual window that three of four trials hold, wherever the tokens' edges fall."""
    lengths = [trial.stop_s - trial.start_s for one in seen for trial in one.trials]
    if not lengths:
        raise MMQError(f"{folder}: no recording has a trial with a label of {task!r}.")
    length_s = float(np.quantile(lengths, 0.25))
    most = min(MAX_TOKENS, MAX_WINDOW_TOKENS // len(sensors))
    least_s = 4 / min(sensor.sampling_rate_hz for sensor in sensors.values())  # 4 samples a token or more
    for token_s in TOKEN_LENGTHS_S:
        tokens = min(most, int(length_s / token_s + 1e-9) - 1)
        if tokens >= min(MIN_TOKENS, most) and token_s >= least_s:
            return WindowLength(token_s, tokens)
    raise MMQError(
        f"{folder}: a quarter of the trials of {task!r} last {length_s:g} s or less, too short for windows of"
        f" {MIN_TOKENS} tokens of {max(least_s, TOKEN_LENGTHS_S[-1]):g} s; join trials, or leave out slow"
        " sensors."
    )


def _until_pause_s(signal: Signal) -> float:
    """Return how much of a signal was measured before its first pause of a minute, in s; no pause, all."""
    measured = np.flatnonzero(~np.isnan(signal.samples).all(axis=0))
    if not measured.size:
        return 0.0
    long = np.flatnonzero(np.diff(measured) >= PAUSE_S * signal.sampling_rate_hz)
    last = measured[long[0]] if long.size else measured[-1]
    return float(last - measured[0] + 1) / signal.sampling_rate_hz


def _apart(seen: Sequence[Seen], session: str, window: WindowLength) -> Proposal:
    """Propose to enrol in the session that the data set names for it."""
    shortest = min(seen, key=lambda one: one.enrolled_s)
    whole_s = int(min(shortest.enrolled_s, MAX_ENROLMENT_S) / window.token_s) * window.token_s
    if whole_s < MIN_ENROLMENT_S:
        return _without(
            "population",
            f"the session {session!r} of {shortest.subject} holds {shortest.enrolled_s:g} s to enrol in,"
            f" under {MIN_ENROLMENT_S:g} s",
        )
    return Proposal(
        (
            'mode = "enrolment"  # it sets the wearer\'s baseline and is not scored',
            f"enrolment_s = {whole_s}",
            f"prior_tokens = {PRIOR_TOKENS}  # tokens of the wearer that the population counts for",
        ),
        (f"enrolment: the first {whole_s:g} s of everyone's session {session!r}",),
    )


def _normalisation(seen: Sequence[Seen], task: str, window: WindowLength) -> Proposal:
    """Propose an enrolment where everyone's recording begins with rest, else a mode that needs none."""
    rest = _rest_class(seen, task)
    if rest is None:
        return _without(
            "population",
            f"no label looks like rest ({', '.join(REST_WORDS)}); where one is, name it as"
            " normalisation.rest_class, with mode enrolment",
        )
    begins = [_begins_with(one, rest) for one in seen]
    if not any(begins):
        return _without(
            "population",
            f"{rest!r} comes first in no recording, and mode running would learn the order of the trials",
        )
    if not all(begins):
        other = next(one for one, begin in zip(seen, begins, strict=True) if not begin)
        return _without("running", f"{rest!r} does not come first in the recording of {other.subject}")
    length_s = min(_length_to_enrol_s(one, rest, task, window) for one in seen)
    whole_s = int(min(length_s, MAX_ENROLMENT_S) / window.token_s) * window.token_s
    if whole_s < MIN_ENROLMENT_S:
        return _without(
            "population",
            f"the shortest first {rest!r} trial leaves {max(length_s, 0.0):g} s to enrol in, under"
            f" {MIN_ENROLMENT_S:g} s",
        )
    return Proposal(
        (
            'mode = "enrolment"  # it sets the wearer\'s baseline and is not scored',
            f"enrolment_s = {whole_s}",
            f"rest_class = {as_toml(rest)}  # in the first trial of this name",
            f"prior_tokens = {PRIOR_TOKENS}  # tokens of the wearer that the population counts for",
        ),
        (
            f"enrolment: the first {whole_s:g} s of everyone's first {rest!r} trial",
            *(_place(one, rest, whole_s) for one in seen),
        ),
    )


def _without(mode: str, why: str) -> Proposal:
    return Proposal((f'mode = "{mode}"',), (f"no enrolment, but mode {mode}: {why}",))


def _rest_class(seen: Sequence[Seen], task: str) -> str | None:
    """Return the label that looks most like rest: by its word, of the task rather than of another one."""
    found = [
        (rank, name != task, label)
        for one in seen
        for trial in one.all_trials
        for name, label in trial.labels.items()
        if (rank := rest_rank(label)) is not None
    ]
    return min(found)[2] if found else None


def _begins_with(one: Seen, rest: str) -> bool:
    first = one.first(rest)
    return first is not None and all(first.start_s <= trial.start_s for trial in one.all_trials)


def _length_to_enrol_s(one: Seen, rest: str, task: str, window: WindowLength) -> float:
    """Return how many seconds of the first rest may go: where it is scored, half, and a window remains."""
    first = one.first(rest)
    if first is None:
        return 0.0
    length_s = first.stop_s - first.start_s
    return min(length_s / 2, length_s - window.window_s) if task in first.labels else length_s


def _place(one: Seen, rest: str, length_s: float) -> str:
    first = one.first(rest)
    start_s = first.start_s if first else 0.0
    return f"  {one.subject}: {start_s:g} to {start_s + length_s:g} s"


def _text(
    dataset: Dataset,
    folder: Path,
    task: str,
    sensors: dict[str, SensorSeen],
    window: WindowLength,
    normalisation: Sequence[str],
    people: int,
) -> str:
    name = re.sub(r"[^\w.-]+", "-", folder.resolve().name).strip("-") or "recordings"
    stride_s = max(window.token_s, round(window.window_s / 4 / window.token_s) * window.token_s)
    lines = [
        f"# {' '.join(dataset.title.split())}: {task}. Written by `mmq-tf datasets config`; every value may"
        " be changed.",
        f"name = {as_toml(f'{name}-{task}' if len(dataset.tasks) > 1 else name)}",
        "",
        "[data]",
        f"dataset = {as_toml(dataset.name)}",
        f"task = {as_toml(task)}",
        f"classes = {as_toml(dataset.tasks[task])}",
        "",
        "[front_end]",
        f"frontend_version = {DEFAULT_VERSION}",
        f"token_s = {window.token_s}",
        f"tokens = {window.tokens}  # a window of {window.window_s:g} s, inside one trial",
    ]
    for modality, sensor in sensors.items():
        lines += [
            f"[front_end.modalities.{modality}]",
            f"sampling_rate_hz = {sensor.sampling_rate_hz}",
            f"channels = {as_toml(sensor.channels)}",
        ]
    lines += ["", "[windows]", f"stride_s = {stride_s}", "", "[normalisation]", *normalisation]
    lines += ["", "[model]", "line = true  # a linear read-out beside the queries"]
    folds = '"loso"  # leave one subject out' if people < 10 else "5"
    return "\n".join([*lines, "", "[split]", f"folds = {folds}", "", "[training]", "batch_size = 32"]) + "\n"
