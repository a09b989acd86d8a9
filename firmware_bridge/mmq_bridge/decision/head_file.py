# SPDX-License-Identifier: Apache-2.0
"""The personal head's tables in a bundle: optional, and of no use unless they fit the rest."""

from __future__ import annotations

import os
from pathlib import Path

from mmq_bridge.decision.manifest import DecisionSettings, Manifest
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.head_tables import HeadTables

HEAD_FILE = "personal_head.json"


def read_head_file(
    manifest: Manifest, folder: str | os.PathLike[str], front_end: FrontEnd
) -> HeadTables | None:
    """Return the tables of a bundle's personal head; None where it has none.

    Raises
    ------
    BridgeError
        When the file was changed, is none, or does not fit the bundle.
    """
    if HEAD_FILE not in manifest.files:
        return None
    where = str(Path(folder) / HEAD_FILE)
    tables = HeadTables.from_json(manifest.read(folder, HEAD_FILE), where)
    check_head(tables, front_end, manifest.decision, where)
    return tables


def check_head(
    tables: HeadTables, front_end: FrontEnd, decision: DecisionSettings, where: str = HEAD_FILE
) -> None:
    """Raise unless the tables are of this front end's windows and of a task with two classes.

    Raises
    ------
    BridgeError
        Otherwise; `where` begins its sentence.
    """
    wanted = (front_end.tokens, front_end.n_features, len(front_end.modality_names))
    got = (tables.tokens, tables.n_features, tables.n_modalities)
    if wanted != got:
        raise BridgeError(
            f"{where}: expected (tokens, features, modalities) {wanted} of the front end, got {got}."
        )
    classes = decision.tasks.get(tables.task)
    if classes is None:
        raise BridgeError(f"{where}: the task {tables.task} is none of {', '.join(decision.tasks)}.")
    if len(classes) != 2:
        raise BridgeError(
            f"{where}: a personal head needs a task of two classes, {tables.task} has {', '.join(classes)}."
        )
