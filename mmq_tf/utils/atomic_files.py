# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are written whole or not at all; what fails is an `MMQError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmq_bridge.atomic_files import replaced_file, replaced_folder

from mmq_tf.errors import MMQError


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that becomes `path` when the block ends well.

    The temporary name keeps the suffix, since some writers choose their format by it.

    Raises
    ------
    MMQError
        If the disk is full or the folder cannot be written; nothing is left behind.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as temporary:
            yield temporary
    except OSError as error:
        raise MMQError(
            f"{path} could not be written: {error.strerror or error}; nothing was changed."
        ) from error


def write_text(path: str | Path, text: str) -> None:
    """Write text to `path`, whole or not at all; see `written_whole`."""
    with written_whole(path) as temporary:
        temporary.write_text(text, "utf-8")


@contextmanager
def folder_written_whole(out: Path) -> Iterator[Path]:
    """Yield a new, empty folder that takes the place of `out` and what was there when the block ends well.

    Raises
    ------
    MMQError
        If the disk is full or the folder cannot be written; nothing is left behind.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replaced_folder(out) as temporary:
            yield temporary
    except OSError as error:
        raise MMQError(
            f"{out}: could not be written ({error.strerror or error}); nothing half-written is left."
        ) from error


def check_free(out: Path, mark: str, replace: bool) -> None:
    """Check that nothing is at `out`, or, with `replace`, a folder that holds the file `mark`.

    Raises
    ------
    MMQError
        If something else is there, or a folder of that kind and it may not be replaced.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / mark).is_file():
        raise MMQError(f"{out}: something else is there; name a folder that does not exist.")
    if not replace:
        raise MMQError(f"{out}: a simulated cohort is there already; use --force to replace it.")
