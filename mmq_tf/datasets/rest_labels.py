# SPDX-License-Identifier: Apache-2.0
"""Which labels are names of rest, in which a wearer's baseline may be measured."""

from __future__ import annotations

import re

REST_WORDS = ("rest", "baseline", "relax", "neutral")
"""The best first."""
_FORMS = {"rest": "rest|rested|resting", "relax": "relax|relaxed|relaxing|relaxation"}


def rest_rank(label: str) -> int | None:
    """Return which of `REST_WORDS` a label has as a word of its own, 0 being the best; None without any.

    Examples
    --------
    >>> rest_rank("rest"), rest_rank("Baseline_2"), rest_rank("relaxation"), rest_rank("arrest")
    (0, 1, 2, None)
    """
    parts = re.findall("[a-z]+", label.lower())
    for rank, word in enumerate(REST_WORDS):
        if any(re.fullmatch(_FORMS.get(word, word), part) for part in parts):
            return rank
    return None
