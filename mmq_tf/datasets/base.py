# SPDX-License-Identifier: Apache-2.0
"""What a data set is, and the helpers its loaders share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmq_bridge.recordings.files import existing_folder

from mmq_tf.datasets.formats.digests import source_digest
from mmq_tf.datasets.protocol_limits import UNLIMITED, Limits
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Trial

logger = logging.getLogger(__name__)

SIMULATED_NAME = "SIMULATED.txt"
"""A folder in a published layout that holds this file was made by `mmq-tf simulate --layout`."""


@dataclass(frozen=True)
class Published:
    """What the publisher says a whole copy holds; `mmq-tf datasets check` holds a folder against it.

    Parameters
    ----------
    subjects : tuple of str
        Names as `Dataset.subjects` gives them.
    signals : dict of str to (int, float)
        Number of channels and rate in Hz by modality.
    trials : (int, int)
        Fewest and most trials of a subject.
    ratings : (float, float), optional
        Range of the self-reports, ends included.
    """

    subjects: tuple[str, ...]
    signals: Mapping[str, tuple[int, float]]
    trials: tuple[int, int]
    ratings: tuple[float, float] | None = None


@dataclass(frozen=True)
class Member:
    """One of the data sets that another one joins; see `mmq_tf.datasets.pooled`.

    Parameters
    ----------
    dataset : Dataset
        Its people are named ``dataset-subject`` in the joined one.
    task, joint_task : str
        Its task, and what that is called where it is joined.
    classes : dict of str to str
        The joint class of each of its own; a trial without such a label has none.
    limits : Limits
        What its protocol allows where a run would take more.
    name : str
        What it is called in the joined data set; by default as itself.
    folder : str
        Where it lies in the folder of the joined one; by default under its name.
    """

    dataset: Dataset
    task: str
    joint_task: str
    classes: Mapping[str, str]
    limits: Limits = UNLIMITED
    name: str = ""
    folder: str = ""

    @property
    def called(self) -> str:
        """Its name in the joined data set."""
        return self.name or self.dataset.name

    @property
    def prefix(self) -> str:
        """What its subjects' names begin with in the joined data set."""
        return f"{self.called}-"

    def folder_in(self, folder: Path) -> Path:
        """Return where it lies in the folder of the joined data set."""
        return folder / (self.folder or self.called)

    @property
    def note(self) -> str:
        """Its limits in words; empty where it has none."""
        words = {"enrolment_s": "enrol", "window_s": "a window", "stride_s": "the stride between windows"}
        found = {name: getattr(self.limits, name) for name in words}
        said = ", ".join(f"{words[name]} {value:g} s" for name, value in found.items() if value < math.inf)
        apart = {"rest_half": "enrol in half of the rest", "other_visit": "enrol in another session's rest"}
        parts = [f"at most {said}"] if said else []
        parts += [apart[self.limits.enrolment_from]] if self.limits.enrolment_from else []
        return f"{self.called}: {'; '.join(parts)}." if parts else ""

    def trials(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        """Return its trials with their labels in the words of the joint task alone."""
        return tuple(replace(trial, labels=self._labels(trial), ratings={}) for trial in trials)

    def _labels(self, trial: Trial) -> dict[str, str]:
        joint = self.classes.get(trial.labels.get(self.task, ""))
        return {} if joint is None else {self.joint_task: joint}


@dataclass(frozen=True)
class Dataset:
    """A data set the toolkit can read.

    Parameters
    ----------
    name : str
        The name used on the command line and in `Recording.source`.
    title, licence, attribution : str
        For the model card.
    obtain : str
        Where to get it, and what must be signed first.
    tasks : dict of str to tuple of str
        Class names by task, in the order of their integer labels.
    label_kind : str
        What the label is, so that no result claims more: a condition, a self-report, ...
    modalities : tuple of str
        What a complete recording has.
    list_subjects, source_files, load_subject : callable
        The names that can be loaded from a folder; the files one of them is made of; its recording, whose
        digest is set here.
    format_version : int
        Changes with anything in the loader that changes a sample, a time or a label: part of every digest.
    published : Published, optional
        What a whole copy holds.
    enrolment_session : str, optional
        The session in which a person was only enrolled, with which each of the person's recordings begins.
    simulated : bool
        True where no person was measured.
    stimulus_locked : bool
        True where several people met the same stimulus at the same second (Meiosis needs that).
    members : tuple of Member
        The data sets that this one joins; empty for one of its own.
    notes : tuple of str
        What a user must know about these files.
    """

    name: str
    title: str
    licence: str
    attribution: str
    obtain: str
    tasks: Mapping[str, tuple[str, ...]]
    label_kind: str
    modalities: tuple[str, ...]
    list_subjects: Callable[[Path], list[str]] = field(repr=False)
    source_files: Callable[[Path, str], Sequence[Path]] = field(repr=False)
    load_subject: Callable[[Path, str], Recording] = field(repr=False)
    format_version: int = 1
    published: Published | None = None
    enrolment_session: str | None = None
    simulated: bool = False
    stimulus_locked: bool = False
    members: tuple[Member, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What a run and a bundle say of their recordings."""
        names = ("name", "title", "licence", "attribution", "simulated", "label_kind")
        return {name: getattr(self, name) for name in names}

    def subjects(self, folder: Path | str) -> list[str]:
        """Names of what can be loaded from `folder`, sorted: subjects, or ``subject/session``.

        Raises
        ------
        MMQError
            If the folder is not one of this data set, or holds no subject.
        """
        names = sorted(self.list_subjects(existing_folder(folder, self.name)))
        if not names:
            raise MMQError(f"{folder}: expected recordings of the data set {self.name!r}; found no subject.")
        return names

    def digest(self, folder: Path | str, subject: str) -> str:
        """Hex SHA-256 of everything a subject's recording is made from; see `source_digest`.

        Raises
        ------
        MMQError
            If the subject is unknown or a file cannot be read.
        """
        root = existing_folder(folder, self.name)
        return source_digest(f"{self.name} {self.format_version} {subject}", self.source_files(root, subject))

    def member_of(self, subject: str) -> Member | None:
        """Return the joined data set that a subject belongs to; None where nothing is joined."""
        return next((member for member in self.members if subject.startswith(member.prefix)), None)

    def grouped(self, subjects: Sequence[str]) -> list[list[str]]:
        """Return subjects by the joined data set they belong to: whom folds should spread evenly."""
        groups: dict[str, list[str]] = {}
        for subject in subjects:
            member = self.member_of(subject)
            groups.setdefault(member.called if member else "", []).append(subject)
        return list(groups.values())

    def load(self, folder: Path | str, subject: str) -> Recording:
        """One subject's recording; `simulated` where the folder says so.

        Raises
        ------
        MMQError
            If the subject is unknown or one of its files is broken.
        """
        root = existing_folder(folder, self.name)
        digest = self.digest(root, subject)
        recording = self.load_subject(root, subject)
        return replace(recording, digest=digest, simulated=self.simulated or is_simulated(root))

    def in_folder(self, folder: Path | str) -> Dataset:
        """Return the data set as it lies in `folder`; one made by the simulator says so in all its texts.

        Of that one fewer trials than published are as they should be: most layouts can be shortened.
        """
        if self.simulated or not is_simulated(Path(folder)):
            return self
        return replace(
            self,
            title=f"SIMULATED recordings in the layout of {self.title}",
            licence="none needed: made by this toolkit, no person was measured",
            attribution="mmq-tf simulate",
            label_kind="condition of a simulation; SIMULATED",
            simulated=True,
            published=self.published and replace(self.published, trials=(1, self.published.trials[1])),
            notes=("SIMULATED: a result on these recordings says nothing about people.", *self.notes),
        )


def is_simulated(folder: Path) -> bool:
    """Whether a folder in a published layout was made by this toolkit's simulator."""
    return (folder / SIMULATED_NAME).is_file()


def check_known(folder: Path, subject: str, known: Sequence[str]) -> None:
    """Check that `subject` is one of `known`.

    Raises
    ------
    MMQError
        If it is not, naming those there are.
    """
    if subject not in known:
        names = ", ".join(sorted(known)) or "none"
        raise MMQError(f"{folder}: no recording of subject {subject!r}; there are {names}.")
