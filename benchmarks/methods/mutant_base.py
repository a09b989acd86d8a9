# SPDX-License-Identifier: Apache-2.0
"""What every kind of mutant is made with: the changed bundle, hostile texts, and changes of bytes."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

TEXTS = (
    "",
    "\0",
    "a" * 100_000,
    "\x1b[2J\x1b]0;x\x07",
    "line\nline\r\n",
    "../../etc/passwd",
    "%s%n{0}{x!r}",
    "\u202e\u200b",
    "\ud800",
    "<script>alert(1)</script>",
    '"; #include "/etc/passwd"',
    "stress",
)


@dataclass
class Mutant:
    """A changed bundle.

    Attributes
    ----------
    kind : str
    files : dict of str to bytes
        What is written over the bundle, by path inside it; None removes one.
    links : dict of str to str
        Links by path, and where they lead; an empty target is a pipe, ``/`` at the end a folder.
    signed : bool
        Whether the manifest is made right again.
    """

    kind: str
    files: dict[str, bytes | None] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    signed: bool = True


def whole_files(folder: Path) -> dict[str, bytes]:
    """Return the content of a bundle by path inside it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def bytes_changed(draw: random.Random, content: bytes) -> bytes:
    """Change some bytes."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        at = draw.randrange(len(changed))
        changed[at] = draw.choice(
            (0, 0xFF, 0x7F, 0x80, draw.randrange(256), changed[at] ^ 1 << draw.randrange(8))
        )
    return bytes(changed)


def cut_short(draw: random.Random, content: bytes) -> bytes:
    """Cut content off, fill the rest with zeros, or add to it."""
    if draw.random() < 0.2:
        return content + draw.randbytes(draw.choice((1, 3, 4, 4096)))
    size = int(len(content) * draw.random())
    return content[:size] + b"\0" * draw.choice((0, 0, len(content) - size))


class MutantFolder:
    """A copy of a bundle that is changed into one mutant after the other.

    Parameters
    ----------
    folder : Path
        Is made.
    whole : dict of str to bytes
        The bundle.
    """

    def __init__(self, folder: Path, whole: dict[str, bytes]) -> None:
        self.folder, self._whole = folder, whole
        for name, content in whole.items():
            self._write(name, content)

    def become(self, made: Mutant) -> None:
        """Write what is changed."""
        for name, content in made.files.items():
            if content is None:
                (self.folder / name).unlink()
            else:
                self._write(name, content)
        for name, target in made.links.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if target == "":
                os.mkfifo(path)
            elif target == "/" and not path.exists() and name in self._whole:
                path.mkdir()
            else:
                path.symlink_to(target)

    def heal(self, made: Mutant) -> None:
        """Undo it."""
        for name in (*made.links, *(name for name in made.files if name not in self._whole)):
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
            for parent in path.relative_to(self.folder).parents:
                if (self.folder / parent).is_dir() and not any((self.folder / parent).iterdir()):
                    (self.folder / parent).rmdir()
        for name in {*made.files, *made.links} & set(self._whole):
            self._write(name, self._whole[name])

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
