# SPDX-License-Identifier: Apache-2.0
"""What a run folder says about itself, read without loading the training backend."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

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
    """

    command: str
    data_folder: str
    final: bool = False
    skip_bad: bool = False
    left_out: str = ""
    init: str = ""
    config_sha256: str = ""
    streams_sha256: str = ""

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
        write_text(folder / FACTS_NAME, json.dumps(asdict(self), indent=1) + "\n")


def newest_run(parent: Path = RUNS) -> Path:
    """Return the run folder under `parent` that finished last.

    Raises
    ------
    MMQError
        If there is none.
    """
    runs = list(parent.glob(f"*/{DONE_NAME}"))
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
    runs = [path for path in parent.glob(f"*/{FACTS_NAME}") if not (path.parent / DONE_NAME).exists()]
    if not runs:
        raise MMQError(f"no unfinished run under {parent}/; name one with --out.")
    return max(runs, key=_changed).parent


def _changed(path: Path) -> float:
    return path.stat().st_mtime
