# SPDX-License-Identifier: Apache-2.0
"""Where what can be made again is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of what can be made again: `MMQ_CACHE`, or the user's cache folder."""
    base = (
        os.environ.get("MMQ_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mmq-tf"
    )
    return Path(base)
