"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    temporary = path.with_name(f".{path.stem}.part-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise MMQError(
            f"{path} could not be written: {error.strerror or error}; nothing was changed."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write text to `path`, whole or not at all; see `written_whole`."""
    with written_whole(path) as temporary:
        temporary.write_text(text, "utf-8")
