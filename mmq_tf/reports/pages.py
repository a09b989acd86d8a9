# SPDX-License-Identifier: Apache-2.0
"""How the HTML pages are rendered: each is one file that needs no network, no other file and no script."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mmq_tf.errors import MMQError

TEMPLATES = Path(__file__).parent / "templates"


def html_environment() -> Environment:
    """Return the environment of every HTML template: what data holds is text and never markup."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def check_page_path(path: Path) -> None:
    """Check that a page can be written under this name.

    Raises
    ------
    MMQError
        If its ending is neither ``.html`` nor ``.png``, or it is a folder.
    """
    if path.suffix.lower() not in (".html", ".png"):
        raise MMQError(
            f"{path}: a page's name must end in .html or .png; got {path.suffix or 'no ending'!r}."
        )
    if path.is_dir():
        raise MMQError(f"{path}: expected the name of a file to write; this is a folder.")
