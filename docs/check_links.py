# SPDX-License-Identifier: Apache-2.0
"""Whether every link, anchor and picture of the built pages leads somewhere; no address is asked.

python docs/check_links.py build/docs
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links and anchors."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


def pages_of(folder: Path) -> list[Path]:
    """Return the pages of a site, without its theme's own templates."""
    return [path for path in folder.rglob("*.html") if "_static" not in path.parts]


def broken(folder: Path) -> list[str]:
    """Return a line for each link inside the site that leads nowhere."""
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in pages_of(folder)}
    return sorted(
        f"{path.relative_to(folder.resolve())}: {link}"
        for path, page in pages.items()
        for link in page.links
        if not _leads(path, link, pages)
    )


def _leads(path: Path, link: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return False
    known = pages.get(target)
    return not parts.fragment or known is None or unquote(parts.fragment) in known.anchors


def main() -> int:
    """Print what is broken; 1 where something is."""
    folder = Path(sys.argv[1])
    found = broken(folder)
    count = len(pages_of(folder))
    sys.stdout.write("\n".join([*found, f"{count} pages, {len(found)} broken links\n"]))
    return int(bool(found) or not count)


if __name__ == "__main__":
    sys.exit(main())
