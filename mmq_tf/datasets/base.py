"""What a data set is, and the helpers its loaders share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """A data set the toolkit can read.

    Parameters
    ----------
    name : str
        The name used on the command line and in `Recording.source`.
    title, licence, attribution : str
        For the model card.
    tasks : dict of str to tuple of str
        Class names by task, in the order of their integer labels.
    label_kind : str
        What the label is, so that no result claims more: a condition, a self-report, ...
    modalities : tuple of str
        What a complete recording has.
    simulated : bool
        True where no person was measured.
    stimulus_locked : bool
        True where several people met the same stimulus at the same second (Meiosis needs that).
    notes : tuple of str
        What a user must know about these files.
    """

    name: str
    title: str
    licence: str
    attribution: str
    tasks: Mapping[str, tuple[str, ...]]
    label_kind: str
    modalities: tuple[str, ...]
    list_subjects: Callable[[Path], list[str]] = field(repr=False)
    load_subject: Callable[[Path, str], Recording] = field(repr=False)
    simulated: bool = False
    stimulus_locked: bool = False
    notes: tuple[str, ...] = ()

    def subjects(self, folder: Path | str) -> list[str]:
        """Names of the subjects that can be loaded from `folder`, sorted.

        Raises
        ------
        MMQError
            If the folder is not one of this data set, or holds no subject.
        """
        names = sorted(self.list_subjects(existing_folder(folder, self.name)))
        if not names:
            raise MMQError(f"{folder}: expected recordings of the data set {self.name!r}; found no subject.")
        return names

    def load(self, folder: Path | str, subject: str) -> Recording:
        """One subject's recording.

        Raises
        ------
        MMQError
            If the subject is unknown or one of its files is broken.
        """
        return self.load_subject(existing_folder(folder, self.name), subject)


def existing_folder(folder: Path | str, what: str) -> Path:
    """Return `folder` as a path, or raise an `MMQError` saying that `what` was looked for there."""
    path = Path(folder)
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise MMQError(f"{path}: expected the folder of {what}; found {found}.")
    return path


def read_bytes(path: Path, limit: int) -> bytes:
    """Content of a file of at most `limit` bytes; its size is looked at before anything is read.

    Raises
    ------
    MMQError
        If the file is larger or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise MMQError(f"{path}: expected at most {limit / 2**20:g} MiB; it has {size / 2**20:.0f} MiB.")
        return path.read_bytes()
    except OSError as error:
        raise MMQError(f"{path}: cannot be read ({error.strerror or error}).") from error
