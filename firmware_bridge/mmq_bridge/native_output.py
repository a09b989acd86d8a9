# SPDX-License-Identifier: Apache-2.0
"""Keep what C++ libraries print about themselves away from the user's terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def quiet_native() -> Iterator[None]:
    """Divert file descriptor 2 while the block runs; with debug logging on, it is logged afterwards.

    TensorFlow and LiteRT write notes there that no setting switches off. Python's own stderr goes the same
    way, so errors must be raised, not printed, inside the block.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError):  # no stderr at all
        yield
        return
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            notes.seek(0)
            for line in notes.read().decode("utf-8", "replace").splitlines():
                logger.debug("%s", line)
