# SPDX-License-Identifier: Apache-2.0
"""How the HTML pages are rendered: each is one file that needs no network, no other file and no script."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
