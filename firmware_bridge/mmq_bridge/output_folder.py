# SPDX-License-Identifier: Apache-2.0
"""A folder that a command writes, whole or not at all, and replaces only where one of its own is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmq_bridge.atomic_files import replaced_folder
from mmq_bridge.errors import MMQError


@dataclass(frozen=True)
class OutputFolder:
    """A kind of folder.

    Attributes
    ----------
    name : str
        What messages call it.
    mark : str
        The file that tells one of this kind from any other folder.
    error : type of MMQError
        What is raised.
    """

    name: str
    mark: str
    error: type[MMQError]

    def check(self, out: Path) -> None:
        """Raise `error` where none may be written: only an older one or an empty folder is replaced."""
        if out.is_symlink() or (out.exists() and not out.is_dir()):
            raise self.error(
                f"{out}: expected a folder to write to, found a file or a link; name another --out."
            )
        if out.is_dir() and any(out.iterdir()) and not (out / self.mark).is_file():
            raise self.error(
                f"{out}: expected no folder or an older {self.name}, found other files; name another --out."
            )

    def write(self, out: Path, files: Mapping[str, bytes]) -> None:
        """Write files by relative path to `out`, all or none; raise `error` where that cannot be."""
        self.check(out)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            with replaced_folder(out) as temporary:
                for name, content in files.items():
                    path = temporary / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
        except OSError as error:
            reason = error.strerror or str(error)
            raise self.error(
                f"{out}: the {self.name} could not be written ({reason}); nothing was changed."
            ) from error
