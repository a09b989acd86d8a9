# SPDX-License-Identifier: Apache-2.0
"""What lies in a folder, subject by subject, compared with what its publisher says: nothing is guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from mmq_bridge.recordings.files import existing_folder

from mmq_tf.datasets.base import Dataset, Published
from mmq_tf.datasets.fetch.registry import Pin, pins_of
from mmq_tf.datasets.manifest.people import doubts, same_files
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial

State = Literal["ok", "differs", "broken", "missing"]
"""As published; loads, but is not as published; does not load; not there."""


@dataclass(frozen=True)
class SignalFacts:
    """One modality as it was loaded.

    `lost` is the share of samples that are NaN or absent in the trials (in all of it where there are none):
    pauses between trials are often the loader's.
    """

    channels: int
    sampling_rate_hz: float
    duration_s: float
    lost: float


@dataclass(frozen=True)
class TrialFacts:
    """All trials of a recording: how many of each class, by task, and the range of each scale's ratings."""

    number: int
    duration_s: float
    classes: Mapping[str, Mapping[str, int]]
    ratings: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class SubjectCheck:
    """What was found of one subject.

    Parameters
    ----------
    subject : str
        As the data set names it.
    state : str
        See `State`.
    faults : tuple of str
        Why it does not load, or everything that is not as published.
    files, size_bytes : int
        Of the files its recording is made of.
    pinned : dict of str to str
        ``"ok"``, ``"differs"`` or ``"unknown"`` by file, where the publisher's digests are known.
    signals, trials, digest
        What was loaded; absent where nothing could be.
    """

    subject: str
    state: State
    faults: tuple[str, ...] = ()
    files: int = 0
    size_bytes: int = 0
    pinned: Mapping[str, str] = field(default_factory=dict)
    signals: Mapping[str, SignalFacts] = field(default_factory=dict)
    trials: TrialFacts | None = None
    digest: str = ""


def subjects_to_check(
    dataset: Dataset, folder: Path | str, wanted: Sequence[str] | None = None
) -> dict[str, bool]:
    """List all subjects that are there or promised, or those wanted, with whether each is there.

    Raises
    ------
    MMQError
        If the folder holds nothing of the data set (then where to get it), or a wanted subject is neither
        there nor promised.
    """
    try:
        there = dataset.subjects(existing_folder(folder, dataset.name))
    except MMQError as error:
        if dataset.published is None:
            raise
        reason = str(error).removesuffix(".")
        raise MMQError(f"{reason}; {dataset.title} can be had here: {dataset.obtain}") from error
    # A simulated cohort is no copy of anything: it lacks nobody.
    promised = dataset.published.subjects if dataset.published and not dataset.simulated else ()
    names = sorted({*there, *promised})
    unknown = [name for name in wanted or () if name not in names]
    if unknown:
        raise MMQError(f"{dataset.name}: there is no subject {unknown[0]!r}; there are {', '.join(names)}.")
    return {name: name in there for name in (names if wanted is None else wanted)}


def check_subjects(
    dataset: Dataset, folder: Path | str, subjects: Mapping[str, bool]
) -> Iterator[SubjectCheck]:
    """Check subjects one after the other; never two in memory.

    Parameters
    ----------
    dataset : Dataset
        As `mmq_tf.datasets.open_dataset` gives it.
    folder : path
        Where it lies.
    subjects : dict of str to bool
        From `subjects_to_check`.

    Yields
    ------
    SubjectCheck
        In the order of `subjects`.
    """
    folder = Path(folder)
    pins = {} if dataset.simulated else pins_of(dataset.name)
    for subject, is_there in subjects.items():
        if is_there:
            yield _check_subject(dataset, folder, subject, pins)
        else:
            yield SubjectCheck(subject, "missing", (_why_missing(dataset, folder, subject),))


def people_warnings(dataset: Dataset, folder: Path | str, subjects: Sequence[str]) -> list[str]:
    """Say what speaks against the people that a data set's own description makes of its names.

    Parameters
    ----------
    dataset : Dataset
        Nothing is said of one whose publisher names the people, and of a simulated one.
    folder : path
        Where it lies.
    subjects : sequence of str
        Those that are there.

    Returns
    -------
    list of str
        A sentence each.
    """
    if dataset.published is not None or dataset.simulated or dataset.members:
        return []
    files: dict[str, list[Path]] = {}
    for subject in subjects:
        try:
            files[subject] = list(dataset.source_files(Path(folder), subject))
        except MMQError:  # the check itself says it
            continue
    classes = {name for named in dataset.tasks.values() for name in named}
    return [*doubts(subjects, classes), *same_files(files)]


def _why_missing(dataset: Dataset, folder: Path, subject: str) -> str:
    """Let the loader say it: all of the subject's files may be missing, or one."""
    try:
        dataset.source_files(folder, subject)
    except MMQError as error:
        return str(error)
    return f"{folder}: {subject} is not listed."


def _check_subject(dataset: Dataset, folder: Path, subject: str, pins: Mapping[str, Pin]) -> SubjectCheck:
    files: list[Path] = []
    pinned: dict[str, str] = {}
    sizes: list[int] = []
    try:
        files += dataset.source_files(folder, subject)
        sizes += [path.stat().st_size for path in files]
        pinned |= _compare_files(folder, files, pins)
        recording = dataset.load(folder, subject)
    except MMQError as error:
        return SubjectCheck(subject, "broken", (str(error),), len(files), sum(sizes), pinned)
    except OSError as error:
        fault = f"{error.filename or folder}: cannot be read ({error.strerror or error})."
        return SubjectCheck(subject, "broken", (fault,), len(files), sum(sizes), pinned)
    signals = {name: _signal_facts(signal, recording.trials) for name, signal in recording.signals.items()}
    trials = _trial_facts(recording)
    faults = tuple(_faults(dataset, folder, subject, pinned, signals, trials))
    state = "differs" if faults else "ok"
    digest = recording.digest
    return SubjectCheck(subject, state, faults, len(files), sum(sizes), pinned, signals, trials, digest)


def _faults(
    dataset: Dataset,
    folder: Path,
    subject: str,
    pinned: Mapping[str, str],
    signals: Mapping[str, SignalFacts],
    trials: TrialFacts,
) -> Iterator[str]:
    """Everything about a loaded subject that is not as it should be, a sentence each."""
    for name, state in pinned.items():
        if state == "differs":
            yield f"{folder / name}: another file than the published one (SHA-256)."
    for fault in _unknown_classes(dataset, trials):
        yield f"{subject}: {fault}"
    if dataset.published is not None:
        for fault in _differences(dataset.published, subject, signals, trials):
            yield f"{subject}: {fault}"


def _compare_files(folder: Path, files: Iterable[Path], pins: Mapping[str, Pin]) -> dict[str, str]:
    """State of each file by its path in the folder; empty where the data set has no pinned digests."""
    if not pins:
        return {}
    states = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        states[name] = "unknown" if name not in pins else "ok" if pins[name].matches(path) else "differs"
    return states


def _signal_facts(signal: Signal, trials: Sequence[Trial]) -> SignalFacts:
    rate = signal.sampling_rate_hz
    spans = [
        (round((trial.start_s - signal.start_s) * rate), round((trial.stop_s - signal.start_s) * rate))
        for trial in trials
    ] or [(0, signal.samples.shape[1])]
    wanted = sum(stop - start for start, stop in spans) * len(signal.channels)
    kept = sum(
        int(np.count_nonzero(~np.isnan(signal.samples[:, max(start, 0) : max(stop, 0)])))
        for start, stop in spans
    )
    return SignalFacts(len(signal.channels), rate, signal.duration_s, 1 - kept / wanted if wanted else 0.0)


def _trial_facts(recording: Recording) -> TrialFacts:
    classes: dict[str, Counter[str]] = {}
    ratings: dict[str, list[float]] = {}
    for trial in recording.trials:
        for task, label in trial.labels.items():
            classes.setdefault(task, Counter())[label] += 1
        for scale, rating in trial.ratings.items():
            ratings.setdefault(scale, []).append(rating)
    return TrialFacts(
        len(recording.trials),
        sum(trial.stop_s - trial.start_s for trial in recording.trials),
        {task: dict(counts) for task, counts in classes.items()},
        {scale: (min(values), max(values)) for scale, values in ratings.items()},
    )


def _unknown_classes(dataset: Dataset, trials: TrialFacts) -> Iterator[str]:
    for task, counts in trials.classes.items():
        for label in counts:
            if label not in dataset.tasks.get(task, ()):
                yield f"the data set knows no class {label!r} of a task {task!r}."


def _differences(
    published: Published, subject: str, signals: Mapping[str, SignalFacts], trials: TrialFacts
) -> Iterator[str]:
    """Everything that is not as the publisher says."""
    if subject not in published.subjects:
        yield "the publisher names no such subject."
    for name in dict.fromkeys((*published.signals, *signals)):
        wanted, got = published.signals.get(name), signals.get(name)
        if got is None:
            yield f"{name} is published and missing."
        elif wanted is None:
            yield f"{name} is there and not published."
        elif (got.channels, got.sampling_rate_hz) != wanted:
            found = channels_and_rate(got.channels, got.sampling_rate_hz)
            yield f"{name} is {found}; {channels_and_rate(*wanted)} is published."
    fewest, most = published.trials
    if not fewest <= trials.number <= most:
        yield f"trials: {trials.number}; {span(fewest, most)} are published."
    if published.ratings is not None:
        low, high = published.ratings
        if not trials.ratings:
            yield f"no ratings; some from {span(low, high)} are published."
        for scale, (least, greatest) in trials.ratings.items():
            if least < low or greatest > high:
                yield f"{scale} ratings: {span(least, greatest)}; {span(low, high)} are published."


def span(low: float, high: float) -> str:
    """Return ``"2 to 5"``, or ``"2"`` where both are the same."""
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def channels_and_rate(channels: int, rate_hz: float) -> str:
    """Return ``"32 x 128 Hz"``."""
    return f"{channels} x {rate_hz:g} Hz"
