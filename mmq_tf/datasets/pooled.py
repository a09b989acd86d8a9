# SPDX-License-Identifier: Apache-2.0
"""Data sets joined into one: people whose sensors differ by nature, one task that all of them have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmq_tf.datasets.base import Dataset, Member
from mmq_tf.datasets.eegmat import EEGMAT
from mmq_tf.datasets.protocol_limits import UNLIMITED, Limits
from mmq_tf.datasets.stress_predict import STRESS_PREDICT
from mmq_tf.errors import MMQError
from mmq_tf.recording import MODALITIES, Recording

TASK = "strain"
CLASSES = ("rest", "strained")


LABEL_KIND = "condition (a task that strains, or rest; by each protocol); not a self-report"


@dataclass(frozen=True)
class JoinedSet:
    """One data set of a `Joint`, by name.

    Parameters
    ----------
    dataset : str
        As `mmq_tf.datasets.open_dataset` takes it.
    name, folder : str
        What its people's names begin with, and where it lies in the joint folder.
    task : str
        Its own.
    classes : tuple of (str, str)
        Pairs of its own classes and the joint ones; others have no label.
    limits : Limits
        What its protocol allows where a run would take more.
    """

    dataset: str
    name: str
    folder: str
    task: str
    classes: tuple[tuple[str, str], ...]
    limits: Limits = UNLIMITED


@dataclass(frozen=True)
class Joint:
    """Data sets that a configuration joins; given to `mmq_tf.datasets.open_dataset` in place of a name."""

    name: str
    task: str
    classes: tuple[str, ...]
    sets: tuple[JoinedSet, ...]

    def opened(self, folder: Path, open_one: Callable[[str, Path], Dataset]) -> Dataset:
        """Return the joined data set as it lies in `folder`.

        Raises
        ------
        MMQError
            If a set's folder is missing, or what is in it cannot be opened.
        """
        members = []
        for one in self.sets:
            place = folder / one.folder
            if not place.is_dir():
                raise _missing(folder, self.name, [each.folder for each in self.sets], one.folder)
            dataset = open_one(one.dataset, place)
            members.append(
                Member(dataset, one.task, self.task, dict(one.classes), one.limits, one.name, one.folder)
            )
        kinds = dict.fromkeys(member.dataset.label_kind for member in members)
        return join(self.name, members, self.task, self.classes, "; or ".join(kinds))


def _missing(folder: Path, name: str, wanted: Sequence[str], missing: str) -> MMQError:
    return MMQError(
        f"{folder}: expected the folders {', '.join(wanted)} in it, as {name} joins them;"
        f" {missing} is missing."
    )


def join(
    name: str,
    members: Sequence[Member],
    task: str = TASK,
    classes: tuple[str, ...] = CLASSES,
    label_kind: str = LABEL_KIND,
) -> Dataset:
    """Return the data set that joins others: its folder holds theirs, each under its own name.

    Parameters
    ----------
    name : str
        Of the joined data set.
    members : sequence of Member
        Each brings its subjects, named ``member-subject``, and its labels in the words of the joint task.
    task, classes, label_kind
        The joint task, its classes in order, and what its label is.

    Returns
    -------
    Dataset
        Tokens of its recordings are the members' own, so nothing that is in the cache is computed again.
    """
    by_name = {member.called: member for member in members}

    def folder_of(folder: Path, member: Member) -> Path:
        path = member.folder_in(folder)
        if not path.is_dir():
            raise _missing(folder, name, list(by_name), member.called)
        return path

    def list_subjects(folder: Path) -> list[str]:
        return [
            member.prefix + subject
            for member in members
            for subject in member.dataset.subjects(folder_of(folder, member))
        ]

    def find(folder: Path, subject: str) -> tuple[Member, Path, str]:
        for member in members:
            if subject.startswith(member.prefix):
                return member, folder_of(folder, member), subject.removeprefix(member.prefix)
        raise MMQError(f"{folder}: expected a subject named {'-..., '.join(by_name)}-...; got {subject!r}.")

    def source_files(folder: Path, subject: str) -> Sequence[Path]:
        member, root, own = find(folder, subject)
        return member.dataset.source_files(root, own)

    def load_subject(folder: Path, subject: str) -> Recording:
        member, root, own = find(folder, subject)
        recording = member.dataset.load(root, own)
        trials = member.trials(recording.trials)
        return replace(recording, subject=member.prefix + recording.subject, trials=trials, source=name)

    owned = {modality for member in members for modality in member.dataset.modalities}
    sets = [member.dataset for member in members]
    return Dataset(
        name=name,
        title=" and ".join(one.title for one in sets) + ", pooled",
        licence="; ".join(f"{one.title}: {one.licence}" for one in sets),
        attribution="; ".join(one.attribution for one in sets),
        obtain=f"a folder that holds {' and '.join(by_name)}, each obtained as that data set",
        tasks={task: classes},
        label_kind=label_kind,
        modalities=tuple(modality for modality in MODALITIES if modality in owned),
        list_subjects=list_subjects,
        source_files=source_files,
        load_subject=load_subject,
        simulated=any(one.simulated for one in sets),
        members=tuple(members),
        notes=(
            "A sensor that a member does not have is absent for all its people.",
            *(member.note for member in members if member.note),
            *(f"{one.name}: {note}" for one in sets for note in one.notes),
        ),
    )


POOLED = join(
    "pooled",
    (
        # its enrolment and windows are as long as the run's configuration says
        Member(STRESS_PREDICT, "stress", TASK, {"rest": "rest", "stress": "strained"}),
        # 182 s of rest of which 60 s enrol, then 62 s of arithmetic: no minute-long window fits into that
        Member(
            EEGMAT,
            "load",
            TASK,
            {"rest": "rest", "arithmetic": "strained"},
            Limits(enrolment_s=60.0, window_s=10.0, stride_s=5.0),
        ),
    ),
)
