# SPDX-License-Identifier: Apache-2.0
"""A folder that is written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

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
    """Write files by relative path into a temporary sibling of `out`, then rename it to `out`.

    Raises
    ------
    ExportError
        When the disk is full or the place cannot be written; nothing is left behind, an older bundle stays.
    """
    check_target(out)
    temporary: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.part-", dir=out.parent))
        temporary.chmod(0o755)
        for name, content in files.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _replace(temporary, out)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExportError(
            f"{out}: the bundle could not be written ({reason}); nothing was changed."
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _replace(new: Path, out: Path) -> None:
    """Rename `new` to `out`; what was there is moved aside first and put back if the rename fails."""
    if not out.exists():
        os.rename(new, out)
        return
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    os.rename(out, old)
    try:
        os.rename(new, out)
    except OSError:
        os.rename(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)
