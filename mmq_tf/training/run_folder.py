# SPDX-License-Identifier: Apache-2.0
"""What a run folder says about itself, read without loading the training backend."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from mmq_bridge.atomic_files import remove_folder, take_place
from mmq_bridge.plain_folder import check_plain

from mmq_tf.errors import MMQError
from mmq_tf.utils.atomic_files import write_text

RUNS = Path("runs")
FACTS_NAME = "run.json"
DONE_NAME = "metrics.json"
PRETRAINING_NAME = "pretraining.json"
"""What a finished pretraining says about itself, in the folder and in each of its folds."""


@dataclass(frozen=True)
class RunFacts:
    """How a run was started, and digests of what must not change until it is finished.

    Attributes
    ----------
    command
        What was typed.
    data_folder
        Where the recordings are, absolute.
    final
        Whether a model of all subjects is trained after the folds.
    skip_bad
        Whether bad recordings are left out instead of stopping the run.
    left_out
        Which were, and why; one a line.
    init
        The pretraining run whose encoders the networks start from, absolute; empty where there is none.
    config_sha256, streams_sha256
        Of the configuration and of every subject's token streams; empty where they are not known.
    replaces
        Digest of the facts of the finished run whose place this one takes when it is finished; empty where
        there is none.
    """

    command: str
    data_folder: str
    final: bool = False
    skip_bad: bool = False
    left_out: str = ""
    init: str = ""
    config_sha256: str = ""
    streams_sha256: str = ""
    replaces: str = ""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the facts of a run folder.

        Raises
        ------
        MMQError
            If the folder is not a run, or anything in it is a link.
        """
        path = folder / FACTS_NAME
        check_plain(folder, MMQError)
        try:
            facts = cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise MMQError(f"{folder} is not a run folder: its {FACTS_NAME} cannot be read.") from error
        for name, value in asdict(facts).items():
            if not isinstance(value, bool if name in ("final", "skip_bad") else str):
                raise MMQError(f"{path}: {name} has the wrong type; start a new run with another --out.")
        return facts

    def write(self, folder: Path) -> None:
        """Write the facts into a run folder."""
        facts = asdict(self)
        if not self.replaces:
            del facts["replaces"]
        write_text(folder / FACTS_NAME, json.dumps(facts, indent=1) + "\n")


def facts_digest(folder: Path) -> str:
    """Hex SHA-256 of what a run folder says about itself; empty where it says nothing."""
    try:
        return hashlib.sha256((folder / FACTS_NAME).read_bytes()).hexdigest()
    except OSError:
        return ""


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a finished run or pretraining."""
    return (folder / DONE_NAME).is_file() or (folder / PRETRAINING_NAME).is_file()


def next_folder(home: Path) -> Path:
    """Return where a run is made that will take the place of the finished one in `home`."""
    home = home if home.name else home.resolve()
    return home.with_name(f".{home.name}.new")


def is_pending(home: Path) -> bool:
    """Whether a run was begun that is to take the place of the finished one in `home`."""
    new = next_folder(home)
    if not (new / FACTS_NAME).is_file():
        return False
    return not home.exists() or RunFacts.read(new).replaces == facts_digest(home)


def replace_run(home: Path) -> None:
    """Give a run that is_pending and finished its place; remove what is left of the older one.

    Raises
    ------
    MMQError
        If the disk does not allow it; then nothing was changed.
    """
    new = next_folder(home)
    try:
        if is_finished(new) and is_pending(home):
            take_place(new, home)
        elif is_finished(new) and RunFacts.read(home).replaces == facts_digest(new):
            remove_folder(new)  # the older one: its process was killed before it could remove it
    except OSError as error:
        raise MMQError(f"{home} could not be replaced: {error.strerror or error}.") from error


def newest_run(parent: Path = RUNS) -> Path:
    """Return the run folder under `parent` that finished last.

    Raises
    ------
    MMQError
        If there is none.
    """
    runs = [path for path in parent.glob(f"*/{DONE_NAME}") if not path.parent.name.startswith(".")]
    if not runs:
        raise MMQError(f"no finished run under {parent}/; name one, or make one with `mmq-tf train`.")
    return max(runs, key=_changed).parent


def newest_unfinished_run(parent: Path = RUNS) -> Path:
    """Return the run folder under `parent` that was started last and is not finished.

    Raises
    ------
    MMQError
        If there is none.
    """
    found = {
        path: home
        for path in parent.glob(f"*/{FACTS_NAME}")
        if (home := _home_of(path.parent)) is not None and not (path.parent / DONE_NAME).exists()
    }
    if not found:
        raise MMQError(f"no unfinished run under {parent}/; name one with --out.")
    return found[max(found, key=_changed)]


def _home_of(folder: Path) -> Path | None:
    """Return the folder in which a run is or will be; None for what is no run's."""
    if not folder.name.startswith("."):
        return folder
    home = folder.with_name(folder.name.removeprefix(".").removesuffix(".new"))
    return home if next_folder(home) == folder and is_pending(home) else None


def _changed(path: Path) -> float:
    return path.stat().st_mtime
