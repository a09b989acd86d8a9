# SPDX-License-Identifier: Apache-2.0
"""The folder of a bundle, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmq_bridge.atomic_files import replaced_folder
from mmq_bridge.decision.manifest import MANIFEST_NAME

from mmq_export.errors import ExportError


def check_target(out: Path) -> None:
    """Raise where a bundle may not be written to `out`: only an older bundle or an empty folder is replaced.

    Raises
    ------
    ExportError
        When something else is there.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ExportError(
            f"{out}: expected a folder to write to, found a file or a link; name another --out."
        )
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST_NAME).is_file():
        raise ExportError(
            f"{out}: expected no folder or an older bundle, found other files; name another --out."
        )


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files by relative path to the folder `out`, all or none.

    Raises
    ------
    ExportError
        When the disk is full or the place cannot be written; nothing is left behind, an older bundle stays.
    """
    check_target(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replaced_folder(out) as temporary:
            for name, content in files.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExportError(
            f"{out}: the bundle could not be written ({reason}); nothing was changed."
        ) from error
