# SPDX-License-Identifier: Apache-2.0
"""What somebody may have meant who typed a name that nobody has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LIKENESS = 0.6
"""How alike two names must be, as `difflib` measures it; its own default."""


def nearest(given: str, names: Iterable[str]) -> str | None:
    """Return the name most like the given one, whatever its case, hyphens and underscores; None if none is.

    Examples
    --------
    >>> nearest("Stres_predict", ["wesad", "stress-predict"])
    'stress-predict'
    >>> nearest("xyz", ["wesad"]) is None
    True
    """
    known = {_plain(name): name for name in names}
    found = difflib.get_close_matches(_plain(given), list(known), 1, LIKENESS)
    return known[found[0]] if found else None


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """Return a question to put behind a refusal, with its leading space; empty where no name is near.

    Examples
    --------
    >>> did_you_mean("trian", ["train", "export"])
    " Did you mean 'train'?"
    """
    found = nearest(given, names)
    return f" Did you mean {found!r}?" if found else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
