# SPDX-License-Identifier: Apache-2.0
"""How the HTML pages are rendered: each is one file that needs no network and no other file.

Numbers and figures are there without a script; the one script of a page sorts its tables, opens its figures
large and shows at once what a point is.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmq_tf.errors import MMQError

TEMPLATES = Path(__file__).parent / "templates"
_MARK = re.compile(r"<(use|path)\b([^>]*?)/>")


def html_environment() -> Environment:
    """Return the environment of every HTML template: what data holds is text and never markup."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (TEMPLATES / "page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment.globals["script"] = Markup(f"<script>{script}</script>")
    environment.globals["policy"] = Markup(
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'\">"
    )
    return environment


def as_picture(svg: str, alt: str, tips: Mapping[str, Sequence[str]] | None = None) -> Markup:
    """Return a figure as markup: part of the page where its points say what they are, else an image.

    Parameters
    ----------
    svg : str
        As `mmq_tf.reports.figures.as_svg` gives it.
    alt : str
        What it shows, for who cannot see it.
    tips : mapping, optional
        Id of a group in the SVG -> what each of its marks is, in order.
    """
    if not tips:
        address = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
        return Markup('<img src="{}" alt="{}">').format(address, alt)
    for group, texts in tips.items():
        svg = _with_titles(svg, group, texts)
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"""\s+xmlns(:\w+)?="[^"]*\"""", "", svg).replace("xlink:href", "href")
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1))


def _with_titles(svg: str, group: str, texts: Sequence[str]) -> str:
    """Give each mark of a group its title, the hint that browsers show without a script."""
    start = svg.index(f'<g id="{group}"')
    stop = _end_of_group(svg, start)
    left = iter(texts)

    def titled(found: re.Match[str]) -> str:
        if found[1] == "path" and 'id="' in found[2]:
            return found[0]  # the shape that the marks use
        text = next(left, None)
        return (
            found[0] if text is None else f"<{found[1]}{found[2]}><title>{escape(text)}</title></{found[1]}>"
        )

    return svg[:start] + _MARK.sub(titled, svg[start:stop]) + svg[stop:]


def _end_of_group(svg: str, start: int) -> int:
    depth = 0
    for found in re.finditer(r"<g\b|</g>", svg[start:]):
        depth += 1 if found[0] == "<g" else -1
        if depth == 0:
            return start + found.end()
    return len(svg)


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
